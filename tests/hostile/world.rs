//! A school whose box turns on it: a coordinator that serves two schools, the two boxes of one of them, and a new box
//! that holds nothing yet; real shelves on SQLite in memory.

use std::sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering};

use preau_shared::{
    badge::BadgeHash,
    dice::Seeded,
    documents::{Badge, Case, Catalogue, DocId, Edit, Fields, Kind, Person, Scalar, Tablet, Writer, badge, class},
    ids::{BadgeId, BoxId, CaseId, ClassId, PersonId, SessionId, TabletId, Uai},
    journal::{CredentialKind, Entry, How},
    keys::SigningKey,
    replica::{Lacking, Mark, Origin, Page, Run, Shelf, Tombstone},
    rig::{
        apply::Bench,
        shelves::{self, Author, Following, Project, ShelfError, Taking, pages},
        store::Store,
        writer::StoreError,
    },
    time::Stamp,
    wire::Role,
};
use rusqlite::Connection;
use tokio::sync::watch;

/// The coordinator, the box that turns hostile, its sister, and a box of another school.
pub(crate) const COORDINATOR: BoxId = BoxId::from_bytes([9; 16]);
pub(crate) const HOSTILE: BoxId = BoxId::from_bytes([1; 16]);
pub(crate) const SISTER: BoxId = BoxId::from_bytes([2; 16]);
pub(crate) const FOREIGN: BoxId = BoxId::from_bytes([3; 16]);

pub(crate) fn uai() -> Uai {
    "0900001A".parse().expect("uai")
}
pub(crate) fn school() -> Shelf {
    Shelf::School(uai())
}
pub(crate) fn other_school() -> Shelf {
    Shelf::School("0900002B".parse().expect("uai"))
}

/// A store whose acts are savepoints of one connection, so that a whole case can be taken back.
#[derive(Clone)]
pub(crate) struct Memory {
    conn: Arc<Mutex<Connection>>,
    committed: watch::Sender<u64>,
}

impl Memory {
    fn new() -> Self {
        let conn = Connection::open_in_memory().expect("memory");
        conn.execute_batch(shelves::MIGRATION).expect("tables");
        Self { conn: Arc::new(Mutex::new(conn)), committed: watch::Sender::new(0) }
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&Connection) -> T) -> T {
        act(&self.conn.lock().expect("no act panicked"))
    }
}

impl Store for Memory {
    type Tx = Connection;

    async fn commit<T, E>(&self, act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.with(|conn| {
            let run = |sql: &str| conn.execute_batch(sql).map_err(|why| E::from(StoreError::from(why)));
            run("SAVEPOINT act")?;
            let done = act(conn);
            run(if done.is_ok() { "RELEASE act" } else { "ROLLBACK TO act; RELEASE act" })?;
            done
        })
    }

    async fn read<T, E>(&self, read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.with(read)
    }

    fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    fn scrub(&self) {}
}

/// Counts what is projected.
#[derive(Debug, Default)]
pub(crate) struct Counting(pub(crate) AtomicU64);

impl Project<Connection> for Counting {
    fn document(&self, _: &Connection, _: &Shelf, _: &DocId, _: &Fields) -> Result<(), ShelfError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn entry(&self, _: &Connection, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn erased(&self, _: &Connection, _: &Shelf, _: &Tombstone) -> Result<(), ShelfError> {
        Ok(())
    }
}

/// A replica: its store, and who writes there.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) store: Memory,
    pub(crate) author: Author,
    pub(crate) bench: Arc<Bench>,
}

impl Site {
    fn new(id: BoxId, incarnation: u64, writer: Writer) -> Self {
        let store = Memory::new();
        let dice = Arc::new(Seeded::new(incarnation));
        let origin = store.with(|conn| shelves::begin(conn, id, &*dice)).expect("origin");
        let author = Author { origin, key: Arc::new(key(id)), dice, writer };
        Self { store, author, bench: Arc::new(Bench::new(std::time::Duration::from_secs(20))) }
    }

    /// Its program is started again: another life on the same disk.
    fn begin_anew(&mut self, seed: u64) {
        let (id, dice) = (self.author.origin.box_id, Arc::new(Seeded::new(seed)));
        self.author.origin = self.store.with(|conn| shelves::begin(conn, id, &*dice)).expect("origin");
        self.author.dice = dice;
    }

    pub(crate) fn edit(&self, shelf: &Shelf, edit: &Edit) {
        let made = |conn: &Connection| shelves::edit(conn, &self.author, shelf, Stamp(10), edit, &Counting::default());
        assert!(self.store.with(made).expect("edit").is_some(), "{edit:?}");
    }

    pub(crate) fn journal(&self, entry: &Entry) {
        self.store.with(|conn| shelves::journal(conn, &self.author, &school(), Stamp(10), entry)).expect("journal");
    }

    pub(crate) fn close(&self) {
        self.store.with(|conn| shelves::close_runs(conn, &self.author, Stamp(11))).expect("close");
    }

    /// The runs of an origin after a number.
    pub(crate) fn runs(&self, shelf: &Shelf, origin: &Origin, after: u64) -> Vec<Run> {
        match self.store.with(|conn| shelves::runs_after(conn, shelf, origin, after, usize::MAX)).expect("runs") {
            Following::Runs(runs) => runs,
            Following::Cut(head) => panic!("cut at {head:?}"),
        }
    }

    pub(crate) fn marks(&self) -> Vec<Mark> {
        self.store.with(|conn| shelves::marks_of(conn, &[Shelf::Territory, school()])).expect("marks")
    }

    /// Takes all that an origin wrote on a shelf, from another site.
    pub(crate) fn hear(&self, other: &Self, shelf: &Shelf, origin: &Origin) {
        let writer = if origin.box_id == COORDINATOR { Writer::Coordinator } else { Writer::Box };
        let held = self.marks().into_iter().find(|mark| mark.shelf == *shelf && mark.origin == *origin);
        for run in other.runs(shelf, origin, held.map_or(0, |mark| mark.number)) {
            self.take(&run, writer).expect("taken");
        }
    }

    /// Takes a run, or leaves all as it was.
    pub(crate) fn take(&self, run: &Run, writer: Writer) -> Result<Mark, ShelfError> {
        self.act(|conn, with| shelves::commit_run(conn, run, writer, with))
    }

    /// Takes a page of the coordinator, or leaves all as it was.
    pub(crate) fn take_page(&self, page: &Page) -> Result<Lacking, ShelfError> {
        self.act(|conn, with| pages::take(conn, page, None, with))
    }

    fn act<T>(
        &self,
        act: impl FnOnce(&Connection, &Taking<'_, Connection>) -> Result<T, ShelfError>,
    ) -> Result<T, ShelfError> {
        let project = Counting::default();
        let with = Taking { author: &self.author, project: &project, bench: &self.bench, now: Stamp(12) };
        self.store.with(|conn| {
            conn.execute_batch("SAVEPOINT act").expect("savepoint");
            let done = act(conn, &with);
            conn.execute_batch(if done.is_ok() { "RELEASE act" } else { "ROLLBACK TO act; RELEASE act" }).expect("end");
            done
        })
    }
}

pub(crate) fn key(id: BoxId) -> SigningKey {
    let [first, ..] = *id.as_bytes();
    SigningKey::from_seed(&[first; 32]).expect("key")
}

/// Everybody, in the middle of a school day.
pub(crate) struct World {
    pub(crate) coordinator: Site,
    /// The box: it has written more than the coordinator holds, and lacks what the coordinator wrote since.
    pub(crate) hostile: Site,
    /// The other box of the school, which has written nothing since.
    pub(crate) sister: Site,
    /// A box that was just installed, under the name of the hostile one.
    pub(crate) fresh: Site,
}

pub(crate) const CASE: CaseId = CaseId::from_bytes([9; 16]);

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
fn new_badge(n: u8) -> Badge {
    Badge {
        id: BadgeId::from_bytes([n; 16]),
        person: PersonId::from_bytes([n; 16]),
        hash: BadgeHash([n; 32]),
        void: false,
        void_reason: String::new(),
        expires: None,
        series: 0,
        short: None,
    }
}
fn case(name: &str) -> Edit {
    Case { id: CASE, name: name.into(), deleted: false }.edit()
}
pub(crate) fn tablet(n: u8, name: &str) -> Edit {
    let id = TabletId::from_bytes([n; 16]);
    let (model, serial, key) = ("M1".into(), format!("S{n}"), vec![n; 32]);
    Tablet { id, name: name.into(), model, serial, case: Some(CASE), key, lost: false, deleted: false }.edit()
}
fn sign_in(n: u8) -> Entry {
    let people = vec![preau_shared::journal::Pseudonym([n; 16])];
    let (session, tablet) = (SessionId::from_bytes([n; 16]), TabletId::from_bytes([7; 16]));
    Entry::SignIn { session, tablet, people, how: How::Guest }
}
fn credential(n: u8) -> Entry {
    let phc = "$argon2id$v=19$".into();
    Entry::Credential { person: person(n).id, kind: CredentialKind::Pin, phc, login: String::new() }
}

impl World {
    pub(crate) fn new() -> Self {
        let coordinator = Site::new(COORDINATOR, 90, Writer::Coordinator);
        let mut hostile = Site::new(HOSTILE, 10, Writer::Box);
        let sister = Site::new(SISTER, 20, Writer::Box);
        let fresh = Site::new(HOSTILE, 11, Writer::Box);
        coordinator_writes(&coordinator);
        let all = [Shelf::Territory, school()];
        let c = coordinator.author.origin;
        for site in [&hostile, &sister] {
            all.iter().for_each(|shelf| site.hear(&coordinator, shelf, &c));
        }
        // A former life of the box, of which something stood in no run when it ended.
        hostile.edit(&school(), &tablet(6, "T6"));
        (1..4).for_each(|n| hostile.journal(&sign_in(n)));
        hostile.close();
        hostile.edit(&school(), &tablet(6, "again"));
        hostile.journal(&sign_in(4));
        let former = hostile.author.origin;
        hostile.begin_anew(12);
        sister.edit(&school(), &tablet(7, "T7"));
        sister.edit(&school(), &badge::void(BadgeId::from_bytes([2; 16]), "lost"));
        (1..4).for_each(|n| sister.journal(&sign_in(n)));
        sister.close();
        for site in [&hostile, &coordinator] {
            site.hear(&sister, &school(), &sister.author.origin);
        }
        hostile.edit(&school(), &tablet(5, "T5"));
        hostile.edit(&school(), &badge::void(BadgeId::from_bytes([1; 16]), "lost"));
        hostile.edit(&school(), &case("C3"));
        (1..4).for_each(|n| hostile.journal(&sign_in(n)));
        hostile.close();
        [former, hostile.author.origin].iter().for_each(|life| coordinator.hear(&hostile, &school(), life));
        // What each lacks of the other.
        for n in 0..2 {
            hostile.edit(&school(), &tablet(40 + n, "new"));
            hostile.edit(&school(), &tablet(5, &format!("again {n}")));
            hostile.edit(&school(), &class::join(ClassId::from_bytes([8; 16]), person(n + 1).id));
            hostile.edit(&school(), &tablet(7, &format!("renamed {n}")));
            hostile.journal(&sign_in(n));
            hostile.close();
        }
        coordinator.edit(&school(), &Edit::of(Person::doc(person(1).id)).with("animal", Scalar::Text("loup".into())));
        coordinator.edit(&school(), &case("C5"));
        erase(&coordinator, 3);
        roll_over(&coordinator);
        coordinator.journal(&credential(2));
        coordinator.edit(&Shelf::Territory, &policy("P2"));
        coordinator.close();
        Self { coordinator, hostile, sister, fresh }
    }
}

fn policy(name: &str) -> Edit {
    Edit::of(DocId::new(Kind::Policy, [1; 16])).with("name", Scalar::Text(name.into()))
}

fn coordinator_writes(site: &Site) {
    site.edit(&Shelf::Territory, &policy("P1"));
    let catalogue = Catalogue::doc(preau_shared::ids::CatalogueId::from_bytes([1; 16]));
    site.edit(&Shelf::Territory, &Edit::of(catalogue).with("name", Scalar::Text("K1".into())));
    let here = DocId::new(Kind::School, [4; 16]);
    site.edit(&school(), &Edit::of(here).with("name", Scalar::Text("École".into())));
    (1..=4).for_each(|n| site.edit(&school(), &person(n).edit()));
    (1..=4).for_each(|n| site.edit(&school(), &new_badge(n).edit()));
    site.edit(&school(), &badge::void(BadgeId::from_bytes([4; 16]), "reprinted"));
    site.edit(&school(), &class::join(ClassId::from_bytes([8; 16]), person(4).id));
    site.journal(&credential(1));
    site.journal(&sign_in(4));
    erase(site, 4);
    site.edit(&school(), &case("C1"));
    site.edit(&school(), &case("C2"));
    roll_over(site);
    site.edit(&other_school(), &person(20).edit());
    site.edit(&other_school(), &new_badge(20).edit());
    site.close();
}

fn erase(site: &Site, n: u8) {
    let tombstone = Tombstone { doc: Person::doc(person(n).id), pseudonym: Some([n; 16]) };
    let act =
        |conn: &Connection| shelves::erase(conn, &site.author, &school(), Stamp(10), tombstone, &Counting::default());
    assert!(site.store.with(act).expect("erase").is_some());
}

/// Begins every document anew that was edited since the last time.
pub(crate) fn roll_over(site: &Site) {
    let when = (Stamp(20), Stamp(30));
    let act = |conn: &Connection| shelves::roll_over(conn, &site.author, &school(), when, &Counting::default());
    assert!(site.store.with(act).expect("roll over") > 0);
}
