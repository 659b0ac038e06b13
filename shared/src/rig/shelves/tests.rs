//! The store's side of replication, told as stories between a coordinator (site 1) and boxes (sites 2, 3, …).

mod another_life;
mod cut;
mod forgotten;
mod in_order;
mod new_epochs;
mod snapshots;

use std::{collections::BTreeMap, path::Path, sync::Mutex, time::Duration};

use rusqlite::Connection;

use super::*;
use crate::{
    dice::Seeded,
    documents::{Badge, Case, Kind, Person, badge, class},
    ids::{BadgeId, BoxId, CaseId, ClassId, PersonId, SessionId, TabletId},
    journal::{How, Pseudonym},
    replica::{Erasure, Item, Lacking, Mark, Pull, Run, Wanted},
    rig::apply::{Bench, LIMIT},
    wire::Role,
};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// A store with its author, and what it projected.
struct Site {
    conn: Connection,
    author: Author,
    seen: Seen,
    bench: Bench,
    /// Where a copied disk lies.
    folder: Option<tempfile::TempDir>,
}

/// The rows that a program would make.
#[derive(Default)]
struct Seen(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    documents: BTreeMap<DocId, Fields>,
    entries: Vec<(Origin, u64, Entry)>,
    erased: Vec<Tombstone>,
}

impl Project<Connection> for Seen {
    fn document(&self, _: &Connection, _: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        self.0.lock().expect("lock").documents.insert(*doc, fields.clone());
        Ok(())
    }
    fn entry(
        &self,
        _: &Connection,
        _: &Shelf,
        origin: &Origin,
        number: u64,
        _: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError> {
        self.0.lock().expect("lock").entries.push((*origin, number, entry.clone()));
        Ok(())
    }
    fn erased(&self, _: &Connection, _: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
        let mut rows = self.0.lock().expect("lock");
        rows.documents.remove(&tombstone.doc);
        rows.erased.push(*tombstone);
        Ok(())
    }
}

impl Site {
    fn new(seed: u8) -> Self {
        Self::over(Connection::open_in_memory().expect("memory"), seed)
    }
    /// In a file, as the writer opens one.
    fn at(path: &Path, seed: u8) -> Self {
        let conn = Connection::open(path).expect("file");
        conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;")
            .expect("as it is");
        Self::over(conn, seed)
    }
    fn over(conn: Connection, seed: u8) -> Self {
        conn.execute_batch(MIGRATION).expect("tables");
        Self::on(conn, seed, u64::from(seed))
    }
    fn on(conn: Connection, seed: u8, dice: u64) -> Self {
        let dice = Arc::new(Seeded::new(dice));
        let origin = begin(&conn, BoxId::from_bytes([seed; 16]), &*dice).expect("life");
        let key = Arc::new(SigningKey::from_seed(&[seed; 32]).expect("key"));
        let writer = if seed == 1 { Writer::Coordinator } else { Writer::Box };
        Self {
            conn,
            author: Author { origin, key, dice, writer },
            seen: Seen::default(),
            bench: Bench::new(LIMIT),
            folder: None,
        }
    }
    /// The same disk once more, as it is now, and another start of the program; its rows too.
    fn copy(&self, dice: u64) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("copy");
        self.conn.execute("VACUUM INTO ?1", [path.to_str().expect("path")]).expect("copy");
        let disk = Connection::open(&path).expect("copy");
        let [seed, ..] = *self.author.origin.box_id.as_bytes();
        let mut copy = Self::on(disk, seed, dice);
        copy.folder = Some(folder);
        copy.seen.0.lock().expect("lock").documents = self.seen.0.lock().expect("lock").documents.clone();
        copy
    }
    fn taking(&self, at: i64) -> Taking<'_, Connection> {
        Taking { author: &self.author, project: &self.seen, bench: &self.bench, now: Stamp(at) }
    }
    /// Runs something in an act.
    fn act<T>(&self, act: impl FnOnce() -> Result<T, ShelfError>) -> Result<T, ShelfError> {
        self.conn.execute_batch("SAVEPOINT act").expect("savepoint");
        let done = act();
        let end = if done.is_ok() { "RELEASE act" } else { "ROLLBACK TO act; RELEASE act" };
        self.conn.execute_batch(end).expect("end");
        done
    }
    fn edit(&self, at: i64, act: &Edit) -> Option<u64> {
        edit(&self.conn, &self.author, &shelf(), Stamp(at), act, &self.seen).expect("edit")
    }
    fn journal(&self, at: i64) -> u64 {
        self.note(at, &sign_in())
    }
    fn note(&self, at: i64, entry: &Entry) -> u64 {
        journal(&self.conn, &self.author, &shelf(), Stamp(at), entry).expect("journal")
    }
    fn close(&self, at: i64) -> Vec<Mark> {
        close_runs(&self.conn, &self.author, Stamp(at)).expect("close")
    }
    fn marks(&self) -> Vec<Mark> {
        marks(&self.conn).expect("marks")
    }
    /// The runs of an origin after a number, when they are kept.
    fn runs_after(&self, origin: &Origin, after: u64) -> Vec<Run> {
        let Following::Runs(runs) = runs_after(&self.conn, &shelf(), origin, after, usize::MAX).expect("runs") else {
            panic!("they were cut")
        };
        runs
    }
    /// The runs of an origin that are kept.
    fn kept(&self, origin: &Origin) -> Vec<Run> {
        match runs_after(&self.conn, &shelf(), origin, 0, usize::MAX).expect("runs") {
            Following::Runs(runs) => runs,
            Following::Cut(head) => self.runs_after(origin, head.last()),
        }
    }
    fn runs(&self, origin: &Origin) -> Vec<Run> {
        self.runs_after(origin, 0)
    }
    fn take(&self, run: &Run, at: i64) -> Result<Mark, ShelfError> {
        let [seed, ..] = *run.origin.box_id.as_bytes();
        run.verify(&SigningKey::from_seed(&[seed; 32]).expect("key").public()).expect("signed");
        let writer = if seed == 1 { Writer::Coordinator } else { Writer::Box };
        self.act(|| commit_run(&self.conn, run, writer, &self.taking(at)))
    }
    fn held(&self, origin: &Origin) -> u64 {
        let marks = self.marks();
        marks.iter().find(|mark| mark.shelf == shelf() && mark.origin == *origin).map_or(0, |mark| mark.number)
    }
    /// Takes what another site wrote.
    fn hear_own(&self, other: &Self, at: i64) {
        other.close(at);
        for run in other.runs_after(&other.author.origin, self.held(&other.author.origin)) {
            self.take(&run, at).expect("take");
        }
    }
    /// Takes all runs that another site holds.
    fn hear(&self, other: &Self, at: i64) {
        other.close(at);
        for mark in other.marks().iter().filter(|mark| mark.shelf == shelf() && mark.origin != self.author.origin) {
            let after = self.held(&mark.origin);
            // What it holds as a snapshot only, somebody else has as runs.
            if let Following::Runs(runs) =
                runs_after(&other.conn, &shelf(), &mark.origin, after, usize::MAX).expect("runs")
            {
                for run in &runs {
                    if let Err(why) = self.take(run, at) {
                        panic!(
                            "{why:?} {:?} {}..{} at {:?} {:?}",
                            run.origin,
                            run.first,
                            run.last(),
                            self.author,
                            self.marks()
                        )
                    }
                }
            }
        }
    }
    /// Takes all documents that another site holds, page by page; gives how many pages there were.
    fn pull(&self, other: &Self, at: i64) -> usize {
        other.close(at);
        let (mut after, mut marks, mut pages) = (None, None, 0);
        loop {
            let page =
                pages::serve(&other.conn, Pull { shelf: shelf(), wanted: Wanted::Everything, after }).expect("page");
            pages += 1;
            let first = marks.get_or_insert_with(|| page.marks.clone());
            let adopt = page.next.is_none().then_some(first.as_slice());
            let mended = self.act(|| pages::take(&self.conn, &page, adopt, &self.taking(at))).expect("take");
            assert_eq!(mended, Lacking::default(), "a snapshot mends nothing");
            after = page.next;
            if after.is_none() {
                return pages;
            }
        }
    }
    fn digest(&self) -> [u8; 32] {
        digest(&self.conn, &shelf()).expect("digest")
    }
    fn fields(&self, doc: &DocId) -> Option<Fields> {
        document(&self.conn, &shelf(), doc).expect("read")
    }
    fn text(&self, doc: &DocId, key: &str) -> String {
        self.fields(doc).and_then(|fields| fields.text(key).map(str::to_owned)).unwrap_or_default()
    }
    fn count(&self, sql: &str) -> i64 {
        self.conn.query_row(sql, [], |row| row.get(0)).expect("count")
    }
    fn entries(&self) -> Vec<(Origin, u64)> {
        entry_ids(&self.conn, &shelf()).expect("entries")
    }
    fn exposure(&self) -> Exposure {
        exposure(&self.conn, &self.author.origin).expect("exposure")
    }
    /// What the program's rows say is what the documents say.
    fn check_rows(&self) {
        let rows = self.seen.0.lock().expect("lock");
        for kind in Kind::ALL {
            for (doc, fields) in documents(&self.conn, &shelf(), kind).expect("documents") {
                assert_eq!(rows.documents.get(&doc), Some(&fields), "{doc:?} at {:?}", self.author);
            }
        }
    }
}

/// Everybody hears everybody, until nobody has anything new.
fn until_quiet(sites: &[&Site], at: i64) {
    for round in 0..20 {
        let before: Vec<_> = sites.iter().map(|site| site.marks()).collect();
        for one in sites {
            for other in sites.iter().filter(|other| other.author.origin != one.author.origin) {
                one.hear(other, at + round);
            }
        }
        if before == sites.iter().map(|site| site.marks()).collect::<Vec<_>>() {
            return;
        }
    }
    panic!("there is no end to it");
}

/// Same heads, same fields, same rows.
fn agree(sites: &[&Site]) {
    for site in sites {
        site.check_rows();
        for other in sites {
            for kind in Kind::ALL {
                let read = |site: &Site| documents(&site.conn, &shelf(), kind).expect("documents");
                assert_eq!(read(site), read(other), "{:?} and {:?}", site.author, other.author);
            }
            assert_eq!(site.digest(), other.digest(), "{:?} and {:?}", site.author, other.author);
            assert_eq!(sums(&site.conn, &shelf()).expect("sums"), sums(&other.conn, &shelf()).expect("sums"));
        }
    }
}

fn shelf() -> Shelf {
    Shelf::School("0900001A".parse().expect("uai"))
}
fn sign_in() -> Entry {
    Entry::SignIn {
        session: SessionId::from_bytes([1; 16]),
        tablet: TabletId::from_bytes([2; 16]),
        people: Vec::new(),
        how: How::Guest,
    }
}
fn person(n: u8) -> Person {
    Person {
        id: PersonId::from_bytes([n; 16]),
        pseudonym: [n; 16],
        given_name: "Lou".into(),
        family_name: "Exemple".into(),
        role: Role::Pupil,
        level: "CP".into(),
        animal: "renard".into(),
        deleted: false,
    }
}
fn new_badge() -> Badge {
    Badge {
        id: BadgeId::from_bytes([5; 16]),
        person: PersonId::from_bytes([3; 16]),
        hash: crate::badge::BadgeHash([6; 32]),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    }
}
fn case(name: &str) -> Case {
    Case { id: CaseId::from_bytes([9; 16]), name: name.into(), deleted: false }
}
fn named(name: &str) -> Edit {
    case(name).edit()
}
fn the_case() -> DocId {
    named("").doc
}
fn the_badge() -> DocId {
    Badge::doc(new_badge().id)
}
/// An entry that names somebody.
fn seen_person(n: u8) -> Entry {
    Entry::StaffSignIn { person: Pseudonym([n; 16]) }
}
