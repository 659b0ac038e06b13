//! The same statements on a SQLite file and on a PostgreSQL server: what one says, the other says.

use std::{collections::BTreeMap, fmt::Debug, path::Path, sync::Arc, time::Duration};

use preau_shared::{
    dice::{Dice, Seeded},
    documents::{Badge, Edit, Kind, Person, School, Writer, badge, class},
    ids::{BadgeId, BoxId, ClaimId, ClassId, FilterId, PersonId, RosterId, SessionId, TabletId, Uai},
    journal::{Entry, How},
    keys::{PublicKey, SigningKey},
    replica::{
        Origin, Run, SealPublic, Shelf, Tombstone,
        page::{Pull, Wanted},
    },
    rig::{
        apply::{self, Bench},
        shelves::{self, Author, Following, ShelfError, Taking, fold, pages, quarantine},
        sql::values,
        store::Store as _,
        writer::StoreError,
    },
    time::Stamp,
    wire::Role,
};

use self::server::Server;
use super::{
    Address, Database, Tx, boxes, carries, certificates,
    claims::{self, ClaimRow, Granted},
    filter_names::{self, Named},
    people::{self, Evidence},
    rosters::{self, RosterRow, RosterState},
    schools,
    seals::{self, SealKey},
    sessions, voids,
};
use crate::coordinator::project::Projection;

mod leases;

// The stories' own server; this crate may not know theirs.
#[path = "../../../tests/src/postgres.rs"]
#[expect(clippy::disallowed_methods, unreachable_pub, reason = "written for the stories")]
mod server;

/// A database with nothing in it.
async fn empty(server: &Server, name: &str) -> Database {
    open(&server.database(name).expect("database"), 1).await.expect("server")
}

/// A coordinator on a database; `who` holds its leases.
async fn open(url: &str, who: u8) -> Result<Database, StoreError> {
    Database::server(Address::read(url, None).expect("url"), [who; 16]).await
}

fn file(dir: &Path) -> Database {
    Database::file(&dir.join("cloud.db")).expect("file")
}

/// What was said, in order.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn note(&mut self, what: &str, value: impl Debug) {
        self.0.push(format!("{what}: {value:?}"));
    }
}

fn uai(text: &str) -> Uai {
    text.parse().expect("uai")
}

/// Every statement of every table, once at least.
fn tables(conn: &Tx) -> Result<Said, StoreError> {
    let (here, there) = (uai("0900001A"), uai("0900002B"));
    let mut said = Said::default();
    let row = |n: u8, uai: &Uai| boxes::BoxRow {
        box_id: BoxId::from_bytes([n; 16]),
        uai: uai.clone(),
        signing_key: PublicKey([n; 32]),
        mqtt_ends: Stamp(9_000),
        admitted_at: Stamp(1_000),
        revoked_at: None,
        last_contact: None,
    };
    for row in [row(2, &here), row(1, &here), row(3, &there)] {
        boxes::admit(conn, &row)?;
        certificates::issued(conn, &[1, row.box_id.as_bytes()[0]], row.box_id, (Stamp(9_000), Stamp(1_000)))?;
    }
    let second = BoxId::from_bytes([2; 16]);
    boxes::contact(conn, second, Stamp(5_000))?;
    said.note("revoked", boxes::revoke(conn, second, Stamp(6_000))?);
    said.note("revoked again", boxes::revoke(conn, second, Stamp(7_000))?);
    said.note("revoked nobody", boxes::revoke(conn, BoxId::from_bytes([9; 16]), Stamp(7_000))?);
    said.note("box", boxes::find(conn, second)?);
    said.note("no box", boxes::find(conn, BoxId::from_bytes([9; 16]))?);
    said.note("boxes", boxes::all(conn)?);
    said.note("certificates", certificates::revoked(conn, Stamp(8_000))?);
    said.note("ended", certificates::revoked(conn, Stamp(9_001))?);

    let claim = |n: u8, ends: i64| ClaimRow {
        claim_id: ClaimId::from_bytes([n; 16]),
        uai: here.clone(),
        automatic: n == 1,
        issued_at: Stamp(i64::from(n)),
        ends_at: Stamp(ends),
        keys_hash: None,
        request: None,
        confirmed_at: None,
        granted: None,
    };
    for n in 1..=3 {
        claims::issue(conn, &[n; 32], &claim(n, 1_000 * i64::from(n)))?;
    }
    let third = ClaimId::from_bytes([3; 16]);
    claims::bind(conn, third, &[7; 32], "{}")?;
    claims::bind(conn, third, &[8; 32], "late")?;
    said.note("waiting", claims::waiting(conn, Stamp(10))?);
    claims::confirm(conn, third, Stamp(20))?;
    claims::confirm(conn, third, Stamp(30))?;
    let granted = Granted { box_id: second, mqtt_chain: "m".into(), lan_chain: "l".into() };
    claims::grant(conn, third, &granted)?;
    claims::purge(conn, Stamp(1_500))?;
    said.note("by code", claims::by_code(conn, &[3; 32])?);
    said.note("purged", claims::find(conn, ClaimId::from_bytes([1; 16]))?);
    said.note("left", claims::find(conn, ClaimId::from_bytes([2; 16]))?);

    let school = |uai: &Uai, name: &str, deleted| School {
        uai: uai.clone(),
        name: name.into(),
        slug: name.to_lowercase(),
        latitude: Some(47.5),
        longitude: None,
        deleted,
        box_keys: BTreeMap::new(),
    };
    for school in [school(&there, "Évette", false), school(&here, "Moulin", false), school(&there, "Evette", true)] {
        schools::project(conn, &school)?;
    }
    said.note("open", schools::open(conn)?);
    said.note("closed", schools::find(conn, &there)?);

    for n in 0..=250_u8 {
        sessions::open(conn, &[n; 32], Stamp(1_000 + i64::from(n)), Stamp(500))?;
    }
    let count = conn.one("SELECT count(*) FROM admin_sessions", values![])?;
    said.note("sessions", count.int(0)?);
    said.note("dropped", sessions::is_open(conn, &[0; 32], Stamp(500))?);
    said.note("open", sessions::is_open(conn, &[250; 32], Stamp(500))?);
    sessions::close(conn, &[250; 32])?;
    said.note("closed", sessions::is_open(conn, &[250; 32], Stamp(500))?);

    let badge = BadgeId::from_bytes([4; 16]);
    for (uai, number) in [(&there, 3), (&here, 1), (&here, 2)] {
        voids::note(conn, badge, uai, number)?;
    }
    said.note("voids", voids::of_badge(conn, badge)?);
    for (n, at) in [(5, 10), (6, 20), (6, 30), (7, 86_400_015)] {
        voids::heard(conn, BadgeId::from_bytes([n; 16]), &here, (BoxId::from_bytes([1; 16]), Stamp(at)))?;
    }
    said.note("voids of boxes", voids::of_boxes(conn, Stamp(86_400_015))?);
    sealing(conn, &mut said, second)?;
    evidence(conn, &mut said, (&here, &there))?;
    imports(conn, &mut said, &here)?;
    names(conn, &mut said, &here)?;
    Ok(said)
}

fn sealing(conn: &Tx, said: &mut Said, of: BoxId) -> Result<(), StoreError> {
    let key = |number, hurried| SealKey {
        number,
        public: SealPublic([3; 32]),
        drawn_at: Stamp(number.into()),
        hurried,
        withdrawn_at: None,
    };
    for key in [key(2, true), key(1, false), key(1, true)] {
        seals::drawn(conn, &key)?;
    }
    seals::withdraw(conn, 1, Stamp(7))?;
    seals::withdraw(conn, 1, Stamp(8))?;
    said.note("keys", seals::keys(conn)?);
    for number in [0, 1, 1, 2] {
        seals::announce(conn, of, number, &SealPublic([9; 32]))?;
    }
    let announced = seals::announced(conn, 0)?;
    said.note("announced", announced.iter().map(|(_, of, number, public)| (*of, *number, *public)).collect::<Vec<_>>());
    said.note("later", seals::announced(conn, announced.last().map_or(0, |(place, ..)| *place))?);
    said.note("without", seals::still_without(conn, 2)?);
    seals::used(conn, &[(BoxId::from_bytes([1; 16]), 2), (of, 1)].into())?;
    seals::used(conn, &[(of, 2)].into())?;
    said.note("still without", seals::still_without(conn, 2)?);
    Ok(())
}

/// A person stands in two schools; what one says of her is to be carried to the other.
fn carried(conn: &Tx) -> Result<Said, ShelfError> {
    let author = author(conn, 1, Writer::Coordinator)?;
    let shelves = ["0900001A", "0900002B", "0900003C"].map(|text| Shelf::School(uai(text)));
    for shelf in &shelves {
        shelves::edit(conn, &author, shelf, Stamp(1), &person(1), &Projection)?;
        shelves::edit(conn, &author, shelf, Stamp(1), &new_badge().edit(), &Projection)?;
    }
    let mut said = Said::default();
    said.note("any", carries::any(conn)?);
    said.note("due", carries::take(conn)?);
    said.note("any", carries::any(conn)?);
    Ok(said)
}

fn evidence(conn: &Tx, said: &mut Said, (here, there): (&Uai, &Uai)) -> Result<(), StoreError> {
    let person = PersonId::from_bytes([5; 16]);
    let known = Evidence { ine: Some("i".into()), born: None, name: "n".into() };
    said.note("kept", people::keep(conn, person, here, &known)?);
    let less = Evidence { ine: None, born: Some("b".into()), name: "m".into() };
    said.note("kept again", people::keep(conn, person, here, &less)?);
    said.note("of school", people::of_school(conn, here)?);
    said.note("elsewhere", people::elsewhere(conn, "i", there)?);
    said.note("not elsewhere", people::elsewhere(conn, "i", here)?);
    people::restore(conn, person, here, Some(&known))?;
    said.note("restored", people::of_school(conn, here)?);
    people::restore(conn, person, here, None)?;
    said.note("gone", people::of_school(conn, here)?);
    people::keep(conn, person, here, &known)?;
    people::forget(conn, person, here)?;
    said.note("forgotten", people::of_school(conn, here)?);
    Ok(())
}

fn names(conn: &Tx, said: &mut Said, here: &Uai) -> Result<(), StoreError> {
    let (her, shelf) = (PersonId::from_bytes([5; 16]), Shelf::School(here.clone()));
    let (id, name) = (|n| TabletId::from_bytes([n; 16]), |n| FilterId::from_bytes([n; 16]));
    for (n, filter, owner, lost) in [(1, 7, None, true), (2, 8, Some((her, 3)), false), (1, 9, Some((her, 4)), false)] {
        filter_names::project(conn, here, &Named { tablet: id(n), filter: name(filter), owner, lost })?;
    }
    said.note("named", filter_names::of_school(conn, here)?);
    said.note("unread", (filter_names::unread(conn, None, 9)?, filter_names::unread(conn, Some(here), 9)?));
    filter_names::changed(conn, &shelf)?;
    filter_names::begin(conn, here)?;
    said.note("stamps", (filter_names::all_stamps(conn)?, filter_names::unread(conn, None, 1)?));
    filter_names::changed(conn, &shelf)?;
    filter_names::begin(conn, here)?;
    said.note("stamps", (filter_names::all_stamps(conn)?, filter_names::stamps(conn)?));
    said.note("hers", filter_names::owns(conn, here, her)?);
    filter_names::forget_owner(conn, here, her)?;
    filter_names::forget(conn, here, id(2))?;
    said.note("left", (filter_names::owns(conn, here, her)?, filter_names::of_school(conn, here)?));
    Ok(())
}

fn imports(conn: &Tx, said: &mut Said, here: &Uai) -> Result<(), StoreError> {
    let day = 24 * 3600 * 1000;
    let row = |n: u8| RosterRow {
        roster_id: RosterId::from_bytes([n; 16]),
        uai: here.clone(),
        school_year: "2026-2027".into(),
        file_hash: [n; 32],
        digest: [n; 32],
        lines: Some("[]".into()),
        unread: usize::from(n),
        state: RosterState::Planned,
        undo: None,
    };
    for n in 1..=3 {
        rosters::keep(conn, &row(n), Stamp(i64::from(n) * day))?;
    }
    said.note("same", rosters::same(conn, &row(2))?);
    let (first, second) = (row(1), row(2));
    rosters::applied(conn, first.roster_id, Some("{}"), Stamp(4 * day))?;
    // The clock went back: the order of the imports stays.
    rosters::applied(conn, second.roster_id, Some("{}"), Stamp(3 * day))?;
    said.note("applied", rosters::find(conn, first.roster_id)?);
    said.note("last", (rosters::is_last_applied(conn, &first)?, rosters::is_last_applied(conn, &second)?));
    rosters::undone(conn, second.roster_id)?;
    said.note("last", rosters::is_last_applied(conn, &first)?);
    rosters::purge(conn, Stamp(95 * day))?;
    said.note("after 95 days", (rosters::find(conn, first.roster_id)?, rosters::find(conn, row(3).roster_id)?));
    Ok(())
}

#[tokio::test]
async fn every_table_says_the_same_in_both() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), Server::start().expect("server"));
    let here = file(dir.path()).commit(tables).await.expect("sqlite");
    let there = empty(&server, "tables").await.commit(tables).await.expect("postgresql");
    assert_eq!(here.0, there.0);
    assert!(here.0.len() > 30, "{}", here.0.len());
    let due = file(dir.path()).commit(carried).await.expect("sqlite");
    assert_eq!(due.0, empty(&server, "carried").await.commit(carried).await.expect("postgresql").0);
    assert_eq!(due.0.get(1).map(|due| due.matches("Carry {").count()), Some(3), "{due:?}", due = due.0);
    // And once more on top: every key is there already.
    assert!(file(dir.path()).commit(tables).await.is_err(), "a box twice");
}

fn author(conn: &Tx, seed: u8, writer: Writer) -> Result<Author, ShelfError> {
    let dice: Arc<dyn Dice> = Arc::new(Seeded::new(seed.into()));
    let origin = shelves::begin(conn, BoxId::from_bytes([seed; 16]), &*dice)?;
    let key = Arc::new(SigningKey::from_seed(&[seed; 32]).expect("key"));
    Ok(Author { origin, key, dice, writer })
}

fn person(n: u8) -> Edit {
    let person = Person {
        id: PersonId::from_bytes([n; 16]),
        pseudonym: [n; 16],
        given_name: "Lou".into(),
        family_name: "Exemple".into(),
        role: Role::Pupil,
        level: "CP".into(),
        animal: "renard".into(),
        deleted: false,
    };
    person.edit()
}

fn new_badge() -> Badge {
    Badge {
        id: BadgeId::from_bytes([5; 16]),
        person: PersonId::from_bytes([3; 16]),
        hash: preau_shared::badge::BadgeHash([6; 32]),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    }
}

fn sign_in() -> Entry {
    Entry::SignIn {
        session: SessionId::from_bytes([1; 16]),
        tablet: TabletId::from_bytes([2; 16]),
        people: Vec::new(),
        how: How::Guest,
    }
}

fn taking<'a>(author: &'a Author, bench: &'a Bench, now: i64) -> Taking<'a, Tx> {
    Taking { author, project: &Projection, bench, now: Stamp(now) }
}

fn runs(conn: &Tx, shelf: &Shelf, origin: &Origin, most: usize) -> Result<Vec<Run>, ShelfError> {
    match shelves::runs_after(conn, shelf, origin, 0, most)? {
        Following::Runs(runs) => Ok(runs),
        Following::Cut(mark) => panic!("nothing was cut: {mark:?}"),
    }
}

/// Runs of a box that heard the coordinator: made in a file of its own.
async fn from_a_box(dir: &Path, heard: Vec<Run>) -> (Vec<Run>, [u8; 32]) {
    let shelf = Shelf::School(uai("0900001A"));
    let store = Database::file(&dir.join("box.db")).expect("file");
    let act = move |conn: &Tx| -> Result<_, ShelfError> {
        let author = author(conn, 2, Writer::Box)?;
        let bench = Bench::new(apply::LIMIT);
        for run in &heard {
            shelves::commit_run(conn, run, Writer::Coordinator, &taking(&author, &bench, 20))?;
        }
        shelves::edit(conn, &author, &shelf, Stamp(30), &badge::void(new_badge().id, "lost"), &Projection)?;
        let joins = class::join(ClassId::from_bytes([8; 16]), PersonId::from_bytes([1; 16]));
        shelves::edit(conn, &author, &shelf, Stamp(31), &joins, &Projection)?;
        for at in 0..250 {
            shelves::journal(conn, &author, &shelf, Stamp(32 + at), &sign_in())?;
        }
        shelves::close_runs(conn, &author, Stamp(400))?;
        let runs = runs(conn, &shelf, &author.origin, usize::MAX)?;
        Ok((runs, shelves::digest(conn, &shelf)?))
    };
    store.commit(act).await.expect("box")
}

/// What a coordinator does to its shelves: edits, runs of its own, runs of a box, a long history, what it then holds.
async fn replica(store: &Database, dir: &Path) -> Said {
    let shelf = Shelf::School(uai("0900001A"));
    let of = shelf.clone();
    let first = move |conn: &Tx| -> Result<_, ShelfError> {
        let author = author(conn, 1, Writer::Coordinator)?;
        for n in 1..=30 {
            shelves::edit(conn, &author, &of, Stamp(10), &person(n), &Projection)?;
            let again = shelves::edit(conn, &author, &of, Stamp(11), &person(n), &Projection)?;
            assert_eq!(again, None, "the same again is nothing");
        }
        shelves::edit(conn, &author, &of, Stamp(12), &new_badge().edit(), &Projection)?;
        shelves::journal(conn, &author, &of, Stamp(13), &Entry::Audit { what: "é".into(), by: None })?;
        shelves::close_runs(conn, &author, Stamp(14))?;
        runs(conn, &of, &author.origin, usize::MAX)
    };
    let own = store.commit(first).await.expect("own");
    let (runs, digest) = from_a_box(dir, own.clone()).await;
    let (of, theirs) = (shelf.clone(), runs.clone());
    let second = move |conn: &Tx| -> Result<_, ShelfError> {
        let author = author(conn, 1, Writer::Coordinator)?;
        let bench = Bench::new(apply::LIMIT);
        let with = taking(&author, &bench, 50);
        let later = shelves::commit_run(conn, theirs.last().expect("runs"), Writer::Box, &with);
        assert!(matches!(later, Err(ShelfError::Gap { held: 0 })), "the first is missing: {later:?}");
        for run in theirs.iter().chain(&theirs) {
            shelves::commit_run(conn, run, Writer::Box, &with)?;
        }
        assert_eq!(shelves::digest(conn, &of)?, digest, "the box and the coordinator hold the same");
        for n in 0..150_i64 {
            let mut longer = new_badge();
            longer.expires = Some(Stamp(n));
            shelves::edit(conn, &author, &of, Stamp(60 + n), &longer.edit(), &Projection)?;
        }
        shelves::close_runs(conn, &author, Stamp(300))?;
        // A document begins anew, somebody is erased, and what everybody has is cut.
        let begun = shelves::roll_over(conn, &author, &of, (Stamp(310), Stamp(305)), &Projection)?;
        let tombstone = Tombstone { doc: Person::doc(PersonId::from_bytes([7; 16])), pseudonym: Some([7; 16]) };
        let erased = shelves::erase(conn, &author, &of, Stamp(320), tombstone, &Projection)?;
        assert!(erased.is_some() && shelves::is_erased(conn, &of, &tombstone.doc)?, "{begun}");
        shelves::close_runs(conn, &author, Stamp(330))?;
        let held = shelves::marks(conn)?;
        fold::note_holder(conn, BoxId::from_bytes([2; 16]), &held, Stamp(340))?;
        fold::fold(conn, &of, &[BoxId::from_bytes([2; 16])], Stamp(350))?;
        fold::drop_past(conn, &of, Stamp(i64::MAX / 2))?;
        quarantine::bytes(conn, "somebody", &[1, 2], "why", Stamp(301))?;
        quarantine::bytes(conn, "somebody", &[1, 2], "why", Stamp(302))?;
        Ok(())
    };
    store.commit(second).await.expect("theirs");
    let of = shelf.clone();
    let look = move |conn: &Tx| -> Result<Said, ShelfError> {
        let mut said = Said::default();
        let marks = shelves::marks(conn)?;
        said.note("digest", shelves::digest(conn, &of)?);
        said.note("people", shelves::documents(conn, &of, Kind::Person)?);
        said.note("badge", shelves::document(conn, &of, &Badge::doc(new_badge().id))?);
        said.note("ids", shelves::entry_ids(conn, &of)?);
        said.note("count", shelves::entry_count(conn, &of, None)?);
        said.note("quarantined", (quarantine::count(conn)?, quarantine::list(conn)?));
        said.note("sums", shelves::sums(conn, &of)?);
        said.note("documents", shelves::document_count(conn, &of, None)?);
        let pull = Pull { shelf: of.clone(), wanted: Wanted::Everything, after: None };
        said.note("page", pages::serve(conn, pull)?);
        for mark in &marks {
            said.note("count", shelves::entry_count(conn, &of, Some(&mark.origin))?);
            said.note("exposure", shelves::exposure(conn, &mark.origin)?);
            said.note("entries", shelves::entries(conn, &of, &mark.origin, 3, 10)?);
            said.note("chain", shelves::chain_at(conn, &of, &mark.origin, mark.number)?);
            said.note("runs", shelves::runs_after(conn, &of, &mark.origin, 0, usize::MAX)?);
            said.note("some runs", shelves::runs_after(conn, &of, &mark.origin, 0, 1)?);
        }
        said.note("marks", marks);
        Ok(said)
    };
    store.read(look).await.expect("look")
}

#[tokio::test]
async fn shelves_hold_the_same_in_both() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), Server::start().expect("server"));
    let other = tempfile::tempdir().expect("dir");
    let here = replica(&file(dir.path()), dir.path()).await;
    let there = replica(&empty(&server, "shelves").await, other.path()).await;
    for (here, there) in here.0.iter().zip(&there.0) {
        assert_eq!(here, there);
    }
    assert_eq!(here.0.len(), there.0.len());
}

fn insert(n: i64) -> impl FnOnce(&Tx) -> Result<(), StoreError> + Send + 'static {
    move |conn| {
        let (badge, number) = ([u8::try_from(n).unwrap_or(u8::MAX); 16], n);
        let sql = "INSERT INTO voids(badge_id, uai, number) VALUES (?1, '0900001A', ?2)";
        conn.execute(sql, values![&badge, number])?;
        // Rows of an act that errs leave with it, whatever it wrote after them.
        if n < 0 { Err(StoreError::Unreadable("on purpose")) } else { Ok(()) }
    }
}

async fn count(store: &Database) -> i64 {
    store.read(|conn| conn.one("SELECT count(*) FROM voids", values![])?.int(0)).await.expect("count")
}

/// Groups, savepoints, readings: the promises of an act.
async fn acts(store: Database) {
    let mut news = store.committed();
    let all: Vec<_> = (0..40_i64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(insert(n / 2)).await.is_ok() })
        })
        .collect();
    let mut done = 0;
    for act in all {
        done += i32::from(act.await.expect("task"));
    }
    assert_eq!((done, count(&store).await), (20, 20), "each key once; who comes second takes nobody with him");
    tokio::time::timeout(Duration::from_secs(60), news.changed()).await.expect("in time").expect("open");
    store.commit(insert(-1)).await.expect_err("on purpose");
    // Told after the answers: whoever is answered next comes after what was told before.
    let nothing = async || store.commit(|_| Ok::<_, StoreError>(())).await.expect("nothing");
    nothing().await;
    news.mark_unchanged();
    nothing().await;
    nothing().await;
    assert!(!news.has_changed().expect("open"), "what wrote nothing is no news");
    assert_eq!(count(&store).await, 20);
    // A savepoint inside an act, as runs are committed.
    let inside = |conn: &Tx| -> Result<(), StoreError> {
        insert(50)(conn)?;
        conn.batch("SAVEPOINT run")?;
        assert!(insert(50)(conn).is_err(), "there already");
        conn.batch("ROLLBACK TO run; RELEASE run")?;
        insert(51)(conn)
    };
    store.commit(inside).await.expect("act");
    assert_eq!(count(&store).await, 22);
    // A reading sees one state, whatever is committed beside it.
    let beside = store.clone();
    let (say, told) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let reading = tokio::task::spawn_blocking(move || {
        tokio::runtime::Handle::current().block_on(beside.read(move |conn| {
            let before = conn.one("SELECT count(*) FROM voids", values![])?.int(0)?;
            say.send(()).expect("told");
            wait.recv_timeout(Duration::from_secs(60)).expect("in time");
            Ok::<_, StoreError>((before, conn.one("SELECT count(*) FROM voids", values![])?.int(0)?))
        }))
    });
    tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(60))).await.expect("task").expect("read");
    store.commit(insert(60)).await.expect("beside");
    go_on.send(()).expect("go on");
    assert_eq!(reading.await.expect("task").expect("reading"), (22, 22));
    assert_eq!(count(&store).await, 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_keep_their_promises_in_both() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), Server::start().expect("server"));
    acts(file(dir.path())).await;
    acts(empty(&server, "acts").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_went_is_found_again_and_a_newer_schema_is_refused() {
    let mut server = Server::start().expect("server");
    let store = empty(&server, "broken").await;
    store.commit(insert(1)).await.expect("before");
    count(&store).await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'broken' AND pid <> pg_backend_pid()";
    server.run("broken", cut).expect("cut");
    store.commit(insert(2)).await.expect("on a new connection");
    // Four connections read; each finds out for itself, and nobody notices.
    for _ in 0..8 {
        assert_eq!(count(&store).await, 2);
    }
    let held = count(&store).await;
    server.kill().expect("killed");
    store.commit(insert(4)).await.expect_err("there is no server");
    store.read(|conn| conn.one("SELECT count(*) FROM voids", values![])).await.expect_err("nor to read from");
    server.restart().expect("recovered");
    store.commit(insert(5)).await.expect("as before");
    assert_eq!(count(&store).await, held + 1);
    drop(store);
    let url = server.database("newer").expect("database");
    open(&url, 1).await.expect("first");
    open(&url, 2).await.expect("again");
    server.run("newer", "UPDATE schema_version SET version = 999").expect("newer");
    assert!(matches!(open(&url, 3).await, Err(StoreError::Newer { found: 999, .. })));
    assert!(matches!(open("postgres:///x?user=preau&host=/nowhere", 1).await, Err(StoreError::Away(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_spoken_to_over_tls_when_its_address_says_so() {
    preau_shared::rig::tls::install_provider();
    let mut server = Server::start().expect("server");
    server.database("secret").expect("database");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    let port = server.secure(&made.cert.pem(), &made.signing_key.serialize_pem()).expect("secure");
    let dir = tempfile::tempdir().expect("dir");
    let (authority, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    std::fs::write(&authority, made.cert.pem()).expect("write");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    std::fs::write(&other, stranger.cert.pem()).expect("write");
    let url = format!("postgres://preau@localhost:{port}/secret?sslmode=require&hostaddr=127.0.0.1");
    let connect =
        async |authority: Option<&Path>| Database::server(Address::read(&url, authority).expect("url"), [1; 16]).await;
    let store = connect(Some(&authority)).await.expect("over TLS");
    let ours = store.commit(|conn| {
        conn.one("SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()", values![])?.int(0)
    });
    assert_eq!(ours.await.expect("asked"), 1);
    assert!(connect(Some(&other)).await.is_err(), "somebody else's server");
    assert!(connect(None).await.is_err(), "nobody to trust");
}
