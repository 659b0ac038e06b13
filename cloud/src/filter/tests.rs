use std::{collections::BTreeSet, fs, net::IpAddr, path::Path};

use preau_shared::{
    dice::Seeded,
    dns::{Carrier, wire},
    documents::{
        Edit, Person, Policy, School, Tablet, Writer,
        school::{Accounts, switch_accounts},
        tablet::{give, name_for_filter},
    },
    ids::{BoxId, PersonId, PolicyId, TabletId, Uai},
    keys::SigningKey,
    policy::{Asker, Book, Verdict},
    replica::{Shelf, Tombstone},
    rig::{
        clock::SystemClock,
        dice::SystemDice,
        shelves::{self, Author, ShelfError},
        sql::values,
    },
    time::Stamp,
    wire::Role,
};

use super::{follow::Read, *};
use crate::{
    coordinator::project::Projection,
    store::{Database, Tx},
};

const ATLAS: &str = "atlas.example";
const GAMES: &str = "www.jeux.example";
const ADULT: &str = "adult.example";

/// A territory with one school, and the filter over it.
struct Ground {
    store: Database,
    author: Arc<Author>,
    uai: Uai,
    filter: AwayFromSchool,
    read: Read,
    _dir: tempfile::TempDir,
}

fn person(n: u8, level: &str) -> Person {
    Person {
        id: PersonId::from_bytes([n; 16]),
        pseudonym: [n; 16],
        given_name: "Lou".into(),
        family_name: "Exemple".into(),
        role: if level.is_empty() { Role::Teacher } else { Role::Pupil },
        level: level.into(),
        animal: "renard".into(),
        deleted: false,
    }
}

fn tablet(n: u8) -> Tablet {
    Tablet {
        id: TabletId::from_bytes([n; 16]),
        name: format!("Tablette {n}"),
        model: String::new(),
        serial: String::new(),
        case: None,
        key: Vec::new(),
        lost: false,
        deleted: false,
    }
}

fn policy(n: u8, levels: &[&str], blocked: &[&str], deny: &[&str]) -> Policy {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    Policy {
        id: PolicyId::from_bytes([n; 16]),
        name: String::new(),
        levels: set(levels),
        blocked: set(blocked),
        allow: BTreeSet::new(),
        deny: set(deny),
        deleted: false,
    }
}

/// Three policies of the territory and one of the school.
fn policies() -> [(Shelf, Policy); 4] {
    let school = Shelf::School(uai());
    [
        (Shelf::Territory, policy(1, &["CP", "CE1"], &["adult", "games"], &[])),
        (Shelf::Territory, policy(2, &["CM2"], &["adult"], &[])),
        (Shelf::Territory, policy(3, &[""], &["adult"], &[])),
        (school, policy(4, &["CM2"], &[], &["news.example"])),
    ]
}

fn uai() -> Uai {
    "0900991N".parse().expect("uai")
}

fn name(n: u8) -> FilterId {
    FilterId::from_bytes([n; 16])
}

fn folder(dir: &Path) -> Lists {
    let folder = dir.join("lists");
    for (category, names) in [("games", "jeux.example\n"), ("adult", "adult.example\n")] {
        fs::create_dir_all(folder.join(category)).expect("folder");
        fs::write(folder.join(category).join("domains"), names).expect("file");
    }
    lists::load(&folder, &lists::home(dir), &SystemDice)
}

impl Ground {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let store = Database::file(&dir.path().join("cloud.db")).expect("file");
        let dice: Arc<dyn Dice> = Arc::new(Seeded::new(7));
        let drawn = Arc::clone(&dice);
        let origin = store.commit(move |conn| shelves::begin(conn, BoxId::from_bytes([9; 16]), &*drawn)).await;
        let key = Arc::new(SigningKey::from_seed(&[9; 32]).expect("key"));
        let author = Author { origin: origin.expect("origin"), key, dice, writer: Writer::Coordinator };
        let filter = Filter::new(Arc::new(SystemClock::start()));
        filter.set_lists(folder(dir.path()));
        let filter = AwayFromSchool(Arc::new(filter));
        let ground = Self { store, author: Arc::new(author), uai: uai(), filter, read: Read::default(), _dir: dir };
        let school = School {
            uai: ground.uai.clone(),
            name: "Jean Moulin".into(),
            slug: "jean-moulin".into(),
            latitude: None,
            longitude: None,
            deleted: false,
            box_keys: std::collections::BTreeMap::new(),
        };
        ground.says(school.edit()).await;
        ground
    }

    async fn on(&self, shelf: Shelf, edit: Edit) {
        let author = Arc::clone(&self.author);
        let write = move |conn: &Tx| shelves::edit(conn, &author, &shelf, Stamp(1), &edit, &Projection);
        self.store.commit(write).await.expect("written");
    }

    /// The school's shelf says so from now on.
    async fn says(&self, edit: Edit) {
        self.on(Shelf::School(self.uai.clone()), edit).await;
    }

    async fn switch(&self, to: Accounts) {
        let (author, uai) = (Arc::clone(&self.author), self.uai.clone());
        let act = move |conn: &Tx| -> Result<(), ShelfError> {
            let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(&uai));
            let fields = shelves::document(conn, &shelf, &doc)?.expect("the school");
            let edit = switch_accounts(&uai, &fields, to).expect("another");
            shelves::edit(conn, &author, &shelf, Stamp(1), &edit, &Projection).map(drop)
        };
        self.store.commit(act).await.expect("switched");
    }

    /// A tablet that asks under the name of its number, of this owner in this turn.
    async fn tablet(&self, n: u8, owner: Option<(u8, i64)>) {
        self.says(tablet(n).edit()).await;
        self.says(name_for_filter(tablet(n).id, name(n))).await;
        self.says(give(tablet(n).id, owner.map(|(of, turn)| (PersonId::from_bytes([of; 16]), turn)))).await;
    }

    /// One policy for each level, and three pupils with a tablet each, of whom the last comes from another turn.
    async fn furnish(&mut self) {
        for (shelf, policy) in policies() {
            self.on(shelf, policy.edit()).await;
        }
        self.switch(Accounts::One).await;
        for (n, level) in [(1, "CP"), (2, "CM2"), (3, "CM2"), (4, "")] {
            self.says(person(n, level).edit()).await;
        }
        for (n, owner) in [(11, Some((1, 1))), (12, Some((2, 1))), (13, Some((3, 0))), (14, Some((4, 1))), (15, None)] {
            self.tablet(n, owner).await;
        }
        self.look().await;
    }

    async fn look(&mut self) {
        follow::renew(&self.filter.0, &self.store, &mut self.read).await.expect("read");
    }

    fn ruling(&self, tablet: Option<FilterId>, name: &str) -> Ruling {
        let address = IpAddr::from([192, 0, 2, 7]);
        self.filter.judge(Origin { tablet, ..Origin::of(address) }, name)
    }

    fn is_open(&self, n: u8, host: &str) -> bool {
        match self.ruling(Some(name(n)), host) {
            Ruling::Judged(verdict) => verdict == Verdict::Allow,
            other @ (Ruling::Own(_) | Ruling::Instead(_) | Ruling::Absent | Ruling::Refused) => {
                panic!("{n} {host}: {other:?}")
            }
        }
    }

    fn is_refused(&self, n: u8) -> bool {
        self.ruling(Some(name(n)), ATLAS) == Ruling::Refused
    }
}

#[tokio::test]
async fn a_tablet_has_the_rules_of_its_pupil_in_the_turn_that_holds() {
    let mut ground = Ground::new().await;
    assert!(ground.is_refused(11), "nobody is known before the first look");
    ground.furnish().await;
    for (n, games) in [(11, false), (12, true), (13, false), (14, false), (15, false)] {
        assert_eq!(ground.is_open(n, GAMES), games, "{n}");
        assert!(ground.is_open(n, ATLAS) && !ground.is_open(n, ADULT), "{n}");
    }
    // Strangers: no name, a name that nobody has, a name that two have.
    assert_eq!(ground.ruling(None, ATLAS), Ruling::Refused);
    assert!(ground.is_refused(99));
    ground.says(name_for_filter(tablet(15).id, name(12))).await;
    ground.look().await;
    assert!(ground.is_refused(12) && ground.is_refused(15));
    ground.says(name_for_filter(tablet(15).id, name(15))).await;
    ground.look().await;
    assert!(ground.is_open(12, GAMES));

    // What changes on a shelf holds from the next look on.
    ground.says(person(2, "CP").edit()).await;
    ground.look().await;
    assert!(!ground.is_open(12, GAMES));
    ground.says(person(2, "CM2").edit()).await;
    ground.look().await;
    assert!(ground.is_open(12, GAMES));
    ground.says(Person { deleted: true, ..person(2, "CM2") }.edit()).await;
    ground.look().await;
    assert!(!ground.is_open(12, GAMES), "nobody's");
    ground.says(give(tablet(12).id, Some((person(3, "").id, 1)))).await;
    ground.look().await;
    assert!(ground.is_open(12, GAMES), "another one's");
    ground.switch(Accounts::Many).await;
    ground.look().await;
    assert!(!ground.is_open(12, GAMES) && ground.is_open(12, ATLAS));
}

#[tokio::test]
async fn a_lost_a_retired_and_an_unknown_tablet_are_refused() {
    let mut ground = Ground::new().await;
    ground.furnish().await;
    ground.says(Tablet { lost: true, ..tablet(11) }.edit()).await;
    ground.says(Tablet { deleted: true, ..tablet(12) }.edit()).await;
    ground.look().await;
    assert!(ground.is_refused(11) && ground.is_refused(12));
    ground.says(tablet(11).edit()).await;
    ground.look().await;
    assert!(ground.is_open(11, ATLAS), "found again");
    // Who is erased leaves her tablet to nobody.
    ground.says(give(tablet(15).id, Some((person(2, "").id, 1)))).await;
    ground.look().await;
    assert!(ground.is_open(15, GAMES));
    let (author, shelf) = (Arc::clone(&ground.author), Shelf::School(uai()));
    let tombstone = Tombstone { doc: Person::doc(person(2, "").id), pseudonym: Some([2; 16]) };
    let erase = move |conn: &Tx| shelves::erase(conn, &author, &shelf, Stamp(2), tombstone, &Projection);
    ground.store.commit(erase).await.expect("erased");
    ground.look().await;
    assert!(!ground.is_open(15, GAMES) && ground.is_open(15, ATLAS));
}

#[tokio::test]
async fn a_box_and_the_coordinator_say_the_same() {
    let mut ground = Ground::new().await;
    ground.furnish().await;
    let lists = ground.filter.0.lists();
    // What a box makes of both shelves.
    let book = Book::new(&policies().map(|(_, policy)| policy), &lists);
    let seated = |level: &str| Asker::Seated([level.to_owned()].into());
    let names = [ATLAS, GAMES, ADULT, "jeux.example", "notjeux.example", "news.example", "a.news.example"];
    for (n, asker) in [(11, seated("CP")), (12, seated("CM2")), (13, Asker::Unknown), (15, Asker::Unknown)] {
        for host in names {
            let verdict = judge(&book, &asker, host, lists.categories(host));
            assert_eq!(ground.ruling(Some(name(n)), host), Ruling::Judged(verdict), "{asker:?} {host}");
        }
        for host in ["use-application-dns.net", "printer.local", "1.0.0.10.in-addr.arpa"] {
            assert_eq!(ground.ruling(Some(name(n)), host), Ruling::Absent);
        }
    }
}

#[tokio::test]
async fn without_policies_or_lists_the_filter_is_closed() {
    let mut ground = Ground::new().await;
    ground.switch(Accounts::One).await;
    ground.says(person(1, "CP").edit()).await;
    ground.tablet(11, Some((1, 1))).await;
    ground.look().await;
    assert!(!ground.is_open(11, ATLAS) && ground.is_open(11, "fr.vikidia.org"));
    for (shelf, policy) in policies() {
        ground.on(shelf, policy.edit()).await;
    }
    ground.look().await;
    assert!(ground.is_open(11, ATLAS));
    // Lists that cannot be read close it to whoever has a blocked category.
    ground.filter.0.set_lists(lists::load(Path::new("/nowhere/at/all"), Path::new("/nowhere"), &SystemDice));
    ground.read = Read::default();
    ground.look().await;
    assert!(!ground.is_open(11, ATLAS) && ground.is_open(11, "fr.vikidia.org"));
}

#[tokio::test]
async fn what_was_projected_can_be_dropped_and_read_again() {
    let mut ground = Ground::new().await;
    ground.furnish().await;
    let drop_all = |conn: &Tx| -> Result<(), ShelfError> {
        conn.execute("DELETE FROM filter_names", values![])?;
        conn.execute("DELETE FROM filter_stamps WHERE shelf <> 'territory'", values![])?;
        Ok(())
    };
    ground.store.commit(drop_all).await.expect("dropped");
    // Whatever is said before it was read again is not lost.
    ground.says(Tablet { lost: true, ..tablet(11) }.edit()).await;
    ground.read = Read::default();
    ground.look().await;
    assert!(ground.is_refused(11) && ground.is_open(12, GAMES) && !ground.is_open(15, GAMES));
}

#[tokio::test]
async fn lists_that_lost_half_of_their_names_stay_out_and_the_last_ones_outlast_their_folder() {
    let dir = tempfile::tempdir().expect("dir");
    let (from, home) = (dir.path().join("lists"), lists::home(dir.path()));
    let names = |lists: Lists| match lists {
        Lists::Loaded(list) => list.counts().0,
        Lists::None | Lists::Lost => 0,
    };
    folder(dir.path());
    fs::write(from.join("games/domains"), "jeux.example\nb.example\nc.example\nd.example\n").expect("file");
    assert_eq!(names(lists::load(&from, &home, &SystemDice)), 5);
    fs::remove_dir_all(from.join("games")).expect("gone");
    assert_eq!(names(lists::load(&from, &home, &SystemDice)), 5, "one of five");
    fs::remove_dir_all(&from).expect("gone");
    assert_eq!(names(lists::load(&from, &home, &SystemDice)), 5, "no folder");
}

/// A question for an address, with EDNS.
fn question(name: &str) -> Vec<u8> {
    let mut bytes = wire::question(name, wire::kind::A).expect("a name");
    bytes[11] = 1;
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[tokio::test]
async fn a_stranger_hears_that_she_is_refused_and_is_counted() {
    let ground = Ground::new().await;
    let upstream = ["127.0.0.1:9".parse().expect("address")];
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let front = Front::new(ground.filter, &upstream, clock).expect("front");
    let answer = front.answer(Origin::of([192, 0, 2, 7].into()), &question(ATLAS), Carrier::Encrypted).await;
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(answer.bytes.expect("an answer")[3] & 0x0f, 5, "REFUSED (RFC 1035 §4.1.1)");
    front.judge().count(answer.outcome);
    let counted = front.judge().counted();
    assert_eq!(counted.iter().map(|(_, word, n)| (word.as_str(), *n)).collect::<Vec<_>>(), [("refused", 1)]);
}
