use std::sync::atomic::{AtomicI64, Ordering};

use preau_shared::{
    dice::Seeded,
    documents,
    keys::{PublicKey, SigningKey},
    replica::{SealError, sealing::Notice},
    rig::shelves,
    time::{Elapsed, Stamp},
};

use super::*;
use crate::store::boxes::BoxRow;

const TOPIC: &str = "preau/1/belfort/0900001A/01010101010101010101010101010101/up";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const BOX: BoxId = BoxId::from_bytes([1; 16]);

/// A clock that the test moves.
#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Hand {
    fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).expect("millis"), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn stamp(&self) -> Stamp {
        Stamp(self.0.load(Ordering::SeqCst))
    }
    fn elapsed(&self) -> Elapsed {
        Elapsed(Duration::from_millis(self.stamp().0.unsigned_abs()))
    }
}

/// A coordinator's keys, one school with one box, and the box's end of the hop.
struct World {
    seals: Seals,
    store: Database,
    author: Arc<Author>,
    hand: Arc<Hand>,
    uai: Uai,
    held: Arc<Mutex<Held>>,
    end: Sealing,
    place: i64,
    dir: tempfile::TempDir,
}

fn signing() -> SigningKey {
    SigningKey::from_seed(&[5; 32]).expect("key")
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let (hand, dice) = (Arc::new(Hand::default()), Arc::new(Seeded::new(4)));
        let store = Database::file(&dir.path().join("cloud.db")).expect("store");
        let drawn = dice.clone();
        let me = BoxId::from_bytes([9; 16]);
        let origin = store.commit(move |conn| shelves::begin(conn, me, &*drawn)).await.expect("origin");
        let key = SigningKey::from_seed(&[9; 32]).expect("key").into();
        let author = Arc::new(Author { origin, key, dice: dice.clone(), writer: documents::Writer::Coordinator });
        let uai: Uai = "0900001A".parse().expect("uai");
        let school = School {
            uai: uai.clone(),
            name: "École".into(),
            slug: "ecole".into(),
            latitude: None,
            longitude: None,
            deleted: false,
            box_keys: [(BOX, signing().public())].into(),
        };
        let secret = SealSecret::draw(&*dice);
        let public = secret.public().expect("public");
        let row = BoxRow {
            box_id: BOX,
            uai: uai.clone(),
            signing_key: PublicKey(signing().public().0),
            mqtt_ends: Stamp(0),
            admitted_at: Stamp(0),
            revoked_at: None,
            last_contact: None,
        };
        let (by, shelf) = (author.clone(), Shelf::School(uai.clone()));
        let act = move |conn: &Tx| {
            shelves::edit(conn, &by, &shelf, Stamp(0), &school.edit(), &Projection)?;
            boxes::admit(conn, &row)?;
            Ok::<_, ShelfError>(seals::announce(conn, BOX, 0, &public)?)
        };
        store.commit(act).await.expect("a school and its box");
        let ground = Ground {
            folder: dir.path().to_owned(),
            database: store.clone(),
            author: author.clone(),
            clock: hand.clone(),
            dice: dice.clone(),
        };
        let seals = Seals::open(ground).await.expect("keys");
        let theirs = [(1, seals.newest().expect("newest").1)].into_iter().collect();
        let held = Arc::new(Mutex::new(Held { own: [(0, secret)].into_iter().collect(), theirs }));
        let looking = held.clone();
        let look = Arc::new(move || Some(looking.lock().expect("held").clone()));
        let end = Sealing::new(Side::Box, look, Arc::new(|_| {})).expect("the box's end");
        Self { seals, store, author, hand, uai, held, end, place: 0, dir }
    }

    async fn told(&self) -> BTreeMap<u32, Option<SealPublic>> {
        let (shelf, doc) = (Shelf::School(self.uai.clone()), School::doc(&self.uai));
        let read = move |conn: &Tx| shelves::document(conn, &shelf, &doc);
        school::seal_keys(&self.store.read::<_, ShelfError>(read).await.expect("read").expect("school"))
    }

    /// The box reads the school's document.
    async fn box_reads(&self) {
        let told = self.told().await.into_iter().filter_map(|(number, key)| Some((number, key?)));
        self.held.lock().expect("held").theirs = told.collect();
        self.end.refresh();
    }

    fn up(&self) -> Result<(), SealError> {
        let sealed = self.end.seal(&Seeded::new(1), TOPIC, b"up").expect("sealed");
        self.seals.hop(BOX).expect("hop").open(TOPIC, &sealed).map(drop)
    }

    fn down(&self) -> Result<(), SealError> {
        let sealed = self.seals.hop(BOX).expect("hop").seal(&Seeded::new(1), TOPIC, b"down").expect("sealed");
        self.end.open(TOPIC, &sealed).map(drop)
    }

    async fn tend(&mut self) {
        self.seals.tend(&mut self.place, &mut false).await.expect("tended");
    }

    fn files(&self) -> Vec<u32> {
        (1..9).filter(|n| self.dir.path().join(format!("seal-{n}.key")).exists()).collect()
    }
}

#[tokio::test]
async fn a_stolen_key_goes_as_soon_as_every_box_uses_the_new_one() {
    let mut world = World::new().await;
    world.tend().await;
    assert_eq!(world.told().await.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())));
    let stolen = world.end.seal(&Seeded::new(1), TOPIC, b"up").expect("sealed");

    assert_eq!(world.seals.rotate(true).await.expect("rotated"), 2);
    world.tend().await;
    let states = world.seals.states().await.expect("states");
    assert_eq!(states.iter().map(|s| (s.number, s.boxes_without)).collect::<Vec<_>>(), [(1, 0), (2, 1)]);
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())), "the box knows nothing of it yet");

    world.box_reads().await;
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())));
    world.tend().await;
    let told = world.told().await;
    assert_eq!(
        (told.get(&1), told.get(&2).map(Option::is_some)),
        (Some(&None), Some(true)),
        "withdrawn by the document"
    );
    assert_eq!(world.files(), [2]);
    let late = world.seals.hop(BOX).expect("hop").open(TOPIC, &stolen);
    assert!(matches!(late, Err(SealError::Key(_))), "{late:?}");
    world.box_reads().await;
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())));
}

#[tokio::test]
async fn keys_change_every_90_days_and_the_old_one_stays_14() {
    let mut world = World::new().await;
    assert_eq!(world.up(), Ok(()));
    world.hand.forward(89 * DAY);
    world.tend().await;
    assert_eq!(world.files(), [1]);
    world.hand.forward(2 * DAY);
    world.tend().await;
    assert_eq!(world.files(), [1, 2]);
    world.box_reads().await;
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())));
    world.hand.forward(13 * DAY);
    world.tend().await;
    assert_eq!(world.files(), [1, 2], "a coordinator restored from a backup would need it");
    world.hand.forward(2 * DAY);
    world.tend().await;
    assert_eq!(world.files(), [2]);
    // A restart finds what is left.
    let ground = Ground {
        folder: world.dir.path().to_owned(),
        database: world.store.clone(),
        author: world.author.clone(),
        clock: world.hand.clone(),
        dice: Arc::new(Seeded::new(8)),
    };
    let again = Seals::open(ground).await.expect("keys");
    assert_eq!(again.newest().expect("newest"), world.seals.newest().expect("newest"));
    fs::remove_file(world.dir.path().join("seal-2.key")).expect("lost");
    let ground = Ground {
        folder: world.dir.path().to_owned(),
        database: world.store.clone(),
        author: world.author.clone(),
        clock: world.hand.clone(),
        dice: Arc::new(Seeded::new(8)),
    };
    let lost = Seals::open(ground).await.expect_err("no key").to_string();
    assert!(lost.contains("seal-2.key"), "{lost}");
}

#[tokio::test]
async fn a_box_tells_its_new_key_and_nobody_tells_it_for_the_box() {
    let mut world = World::new().await;
    assert_eq!((world.up(), world.down()), (Ok(()), Ok(())));
    let secret = SealSecret::draw(&Seeded::new(77));
    let notice = Notice { number: 1, public: secret.public().expect("public") };
    let another = SigningKey::from_seed(&[6; 32]).expect("key");
    for (signed, known) in [(notice.sign(BOX, &another), 1), (notice.sign(BOX, &signing()), 2)] {
        let (by, shelf) = (world.author.clone(), Shelf::School(world.uai.clone()));
        let edit = school::tell_box_seal(&world.uai, BOX, &signed);
        let act = move |conn: &Tx| shelves::edit(conn, &by, &shelf, Stamp(0), &edit, &Projection);
        world.store.commit::<_, ShelfError>(act).await.expect("told");
        world.tend().await;
        assert_eq!(lock(&world.seals.0.boxes).get(&BOX).map(Numbered::len), Some(known));
    }
    world.held.lock().expect("held").own.insert(1, secret);
    world.end.refresh();
    assert_eq!((world.down(), world.up()), (Ok(()), Ok(())));
    assert_eq!((world.end.pair(), world.seals.hop(BOX).expect("hop").pair()), ((1, 1), (1, 1)));
    world.seals.forget(BOX);
    assert!(world.seals.hop(BOX).is_err(), "revoked");
}
