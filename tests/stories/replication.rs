//! What is written at a school reaches the coordinator, whatever the network, the power and strangers do.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    dice::Dice,
    documents::{Badge, DocId, Fields, Writer as WriterOf, badge},
    ids::{BadgeId, BoxId, SessionId, TabletId, Uai},
    journal::{Entry, How, Pseudonym},
    keys::{PublicKey, SigningKey},
    replica::{
        Alert, Item, Keys, Message, Origin, Reason, Rights, Run, SealSecret, Sealing, Shelf, Side, Timings, Tombstone,
        batch, sealing::Held,
    },
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        dice::SystemDice,
        reader::Reader,
        replicate::{self, Envelope, LinkEvent, LinkStatus, News, Replication},
        shelves::{self, Author, Project, ShelfError, quarantine},
        store::Sqlite,
        task::Tasks,
        writer::{StoreError, Writer},
    },
    time::{Clock, Stamp},
};
use preau_tests::sim::{self, Plan, Plant, Trim};
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// Seeds of the simulator when nobody says otherwise.
const SEEDS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(10);
const UP: &str = "preau/1/t/0900001A/01010101010101010101010101010101/up";
const DOWN: &str = "preau/1/t/0900001A/01010101010101010101010101010101/down";

/// Boxes and a coordinator, and every kind of fault that the simulator knows (invariants 1, 4, 5, 6, 7, 9, 11).
#[test]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test's count of seeds, and its measure")]
fn any_storm_ends_with_everything_everywhere_once() -> Result<()> {
    let seeds = std::env::var("PREAU_SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let clock = SystemClock::start();
    let outcome = sim::run_many((0, seeds), &Trim::default(), (None, sim::Until::Failure), &|_, _| {})?;
    if let Some((seed, why)) = outcome.failed.first() {
        bail!("seed {seed}: {why}\nagain: cargo run --release -p preau-tests --bin sim -- --seed {seed}");
    }
    eprintln!("{seeds} seeds in {:.1} s: {outcome}", clock.elapsed().0.as_secs_f64());
    Ok(())
}

/// Mistakes of ours, planted one at a time, are all found: the storm above is no formality.
#[test]
#[expect(clippy::print_stderr, reason = "which seed shows which")]
fn each_planted_mistake_is_caught() -> Result<()> {
    for plant in Plant::ALL {
        let (seed, why) = sim::caught(plant, SEEDS)?;
        eprintln!("{}: caught at seed {seed}: {why}", plant.name());
    }
    Ok(())
}

/// The same seed gives the same run, so that a failure can be looked at.
#[test]
fn a_seed_replays_exactly() -> Result<()> {
    let plan = Plan::draw(7, &Trim::default(), None);
    assert_eq!(sim::run(&plan, false)?, sim::run(&plan, false)?);
    Ok(())
}

/// Mid-morning at Les Tilleuls: somebody on the way damages, forges and misdirects. All of it is refused by name, and
/// what the school wrote arrives (invariant 7).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_damaged_batches_are_refused_and_nothing_is_lost() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut cloud, mut school) = (End::start(dir.path(), CLOUD).await?, End::start(dir.path(), BOX).await?);
    let to_cloud = cloud.inbound.clone();
    let mut said_by_cloud = couple(&mut cloud, &mut school);
    connect(&cloud, &school).await?;
    school.sign_in().await?;
    settle(&cloud, 1).await?;

    let mut damaged = sealed(&Message::Have(Vec::new()))?;
    damaged.reverse();
    to_cloud.send(LinkEvent::Message(damaged)).await?;
    to_cloud.send(LinkEvent::Message(vec![0; 70_000])).await?;

    let stranger = key(7)?;
    let cases = [
        (run(shelf(), origin(BOX, 1), &stranger)?, Reason::Signature),
        (run(shelf(), origin(7, 1), &stranger)?, Reason::UnknownKey),
        (run(Shelf::School(OTHER.parse::<Uai>()?), origin(BOX, 1), &key(BOX)?)?, Reason::ForeignShelf),
        (run(Shelf::Territory, origin(BOX, 1), &key(BOX)?)?, Reason::ForeignOrigin),
    ];
    for (run, expected) in cases {
        to_cloud.send(LinkEvent::Message(sealed(&Message::Runs(vec![run]))?)).await?;
        let nack = next_nack(&mut said_by_cloud).await?;
        ensure!(matches!(nack, Message::Nack { reason, .. } if reason == expected), "{expected}: {nack:?}");
    }

    school.sign_in().await?;
    settle(&cloud, 2).await?;
    let status = cloud.status.borrow().clone();
    let refused = status.alerts.iter().filter(|a| matches!(a, Alert::Quarantined { .. })).count();
    ensure!(refused >= 3, "the coordinator's page must tell: {:?}", status.alerts);
    ensure!(status.last_error.is_some());
    ensure!(cloud.reader.read(quarantine::count)? == 4, "what was refused is kept for people to look at");
    ensure!(cloud.reader.read(|c| shelves::entry_count(c, &shelf(), None))? == 2);
    Ok(())
}

/// The line goes down in the middle of a lesson, a badge is voided at the coordinator; when the line is back the void is
/// at the box before the box's own entries have gone up, and soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_void_comes_down_first_and_the_outage_goes_up_after() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut cloud, mut school) = (End::start(dir.path(), CLOUD).await?, End::start(dir.path(), BOX).await?);
    let _said = couple(&mut cloud, &mut school);
    for _ in 0..30 {
        school.sign_in().await?;
    }
    let lost = BadgeId::from_bytes([5; 16]);
    let (author, project) = (cloud.author.clone(), Rows);
    let void =
        move |c: &Connection| shelves::edit(c, &author, &shelf(), Stamp(2), &badge::void(lost, "lost"), &project);
    cloud.writer.commit(void).await?;
    ensure!(school.exposure()?.entries == 30);

    connect(&cloud, &school).await?;
    let (mut voided, mut arrived) = (None, None);
    let clock = SystemClock::start();
    while voided.is_none() || arrived.is_none() {
        ensure!(clock.elapsed().0 < PATIENCE, "void: {voided:?}, entries: {arrived:?}");
        if voided.is_none() && school.reads(&Badge::doc(lost))?.is_some_and(|f| f.flag("void")) {
            voided = Some(clock.elapsed());
        }
        if arrived.is_none() && cloud.reader.read(|c| shelves::entry_count(c, &shelf(), None))? == 30 {
            arrived = Some(clock.elapsed());
        }
        sleep(Duration::from_millis(2)).await;
    }
    ensure!(voided <= arrived, "the void came after the entries");
    ensure!(voided.is_some_and(|at| at.0 < Duration::from_secs(2)), "{voided:?}");
    let end = clock.elapsed().after(PATIENCE);
    while school.exposure()?.entries > 0 {
        ensure!(clock.elapsed() < end, "not acknowledged");
        sleep(Duration::from_millis(10)).await;
    }
    let status = school.status.borrow().clone();
    ensure!(status.in_contact && status.settled && status.alerts.is_empty(), "{status:?}");
    Ok(())
}

const CLOUD: u8 = 9;
const BOX: u8 = 1;
const SCHOOL: &str = "0900001A";
const OTHER: &str = "0900002B";

fn shelf() -> Shelf {
    Shelf::from_key(SCHOOL).unwrap_or(Shelf::Territory)
}

fn id(who: u8) -> BoxId {
    BoxId::from_bytes([who; 16])
}

fn origin(who: u8, incarnation: u64) -> Origin {
    Origin { box_id: id(who), incarnation }
}

fn key(who: u8) -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&[who; 32])?)
}

fn run(shelf: Shelf, origin: Origin, key: &SigningKey) -> Result<Run> {
    let item = Item::Entry { salt: [0; 16], body: Entry::Audit { what: "forged".into(), by: None }.encode()? };
    Ok(Run::close(shelf, origin, 1, [0; 32], &[item], key)?)
}

/// The keys of an end's hop, as they were agreed at the claim.
fn sealing(who: u8) -> Result<Sealing> {
    let secret = |who: u8| SealSecret::from_bytes([who; 32]);
    let (side, other) = if who == CLOUD { (Side::Coordinator, BOX) } else { (Side::Box, CLOUD) };
    let (own, theirs) = ([(0, secret(who))], [(0, secret(other).public()?)]);
    let held = Held { own: own.into_iter().collect(), theirs: theirs.into_iter().collect() };
    Ok(Sealing::new(side, Arc::new(move || Some(held.clone())), Arc::new(|_| {}))?)
}

/// A batch as whoever has the box's keys could send it.
fn sealed(message: &Message) -> Result<Vec<u8>> {
    Ok(sealing(BOX)?.seal(&SystemDice, UP, &batch::encode(message, None)?)?)
}

/// One end: a real store on disk, a real driver.
struct End {
    writer: Writer,
    reader: Reader,
    author: Arc<Author>,
    inbound: mpsc::Sender<LinkEvent>,
    outbound: Option<mpsc::Receiver<Vec<u8>>>,
    status: watch::Receiver<LinkStatus>,
    _tasks: Tasks,
}

impl End {
    async fn start(dir: &Path, who: u8) -> Result<Self> {
        let path = dir.join(format!("{who}.db"));
        let writer = Writer::open(&path, |c| c.execute_batch(shelves::MIGRATION).map_err(StoreError::from))?;
        let reader = Reader::open(&path, 2)?;
        let dice: Arc<dyn Dice> = Arc::new(SystemDice);
        let by = dice.clone();
        let origin = writer.commit(move |c| shelves::begin(c, id(who), &*by)).await?;
        let side = if who == CLOUD { Side::Coordinator } else { Side::Box };
        let writes = if who == CLOUD { WriterOf::Coordinator } else { WriterOf::Box };
        let author = Arc::new(Author { origin, key: Arc::new(key(who)?), dice: dice.clone(), writer: writes });
        let known: Vec<(BoxId, PublicKey)> = vec![(id(CLOUD), key(CLOUD)?.public()), (id(BOX), key(BOX)?.public())];
        let keys: Keys = Arc::new(move |o: &Origin| known.iter().find(|(b, _)| *b == o.box_id).map(|(_, k)| *k));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let tasks = Tasks::default();
        let (inbound, events) = mpsc::channel(64);
        let (batches, outbound) = mpsc::channel(64);
        let store = Sqlite { writer: writer.clone(), reader: reader.clone() };
        let news = News::default();
        let (says, hears) = if who == CLOUD { (DOWN, UP) } else { (UP, DOWN) };
        let replication = Replication {
            store: store.clone(),
            author: author.clone(),
            project: Arc::new(Rows),
            clock: clock.clone(),
            dice,
            bench: Arc::new(Bench::new(apply::LIMIT)),
            news: news.clone(),
            envelope: Envelope::Sealed { sealing: Arc::new(sealing(who)?), says: says.into(), hears: hears.into() },
            rights: Rights {
                side,
                uai: SCHOOL.parse()?,
                box_id: id(BOX),
                coordinator: id(CLOUD),
                keys,
                gone: Arc::new(|_| false),
            },
            timings: Timings::for_keep_alive(Duration::from_secs(4)),
            vitals: None,
            on_clone: Arc::new(|_| {}),
        };
        let status = replication.start(events, batches, &tasks);
        let contact = status.clone();
        replicate::close_runs(store, author.clone(), clock, news, move || contact.borrow().in_contact, &tasks);
        Ok(Self { writer, reader, author, inbound, outbound: Some(outbound), status, _tasks: tasks })
    }
}

impl End {
    async fn sign_in(&self) -> Result<()> {
        let author = self.author.clone();
        let entry = Entry::SignIn {
            session: SessionId::draw(&SystemDice),
            tablet: TabletId::from_bytes([3; 16]),
            people: vec![Pseudonym([4; 16])],
            how: How::Badge,
        };
        self.writer.commit(move |c| shelves::journal(c, &author, &shelf(), Stamp(1), &entry)).await?;
        Ok(())
    }
    fn exposure(&self) -> Result<shelves::Exposure> {
        Ok(self.reader.read(|c| shelves::exposure(c, &self.author.origin))?)
    }
    fn reads(&self, doc: &DocId) -> Result<Option<Fields>> {
        Ok(self.reader.read(|c| shelves::document(c, &shelf(), doc))?)
    }
}

/// Joins two ends by a carrier that loses nothing; gives a copy of all that the first says.
fn couple(cloud: &mut End, school: &mut End) -> mpsc::UnboundedReceiver<Message> {
    let (copy, said) = mpsc::unbounded_channel();
    let heard_by_box = Arc::new(sealing(BOX).expect("keys"));
    for (from, to, copy) in [
        (cloud.outbound.take(), school.inbound.clone(), Some(copy)),
        (school.outbound.take(), cloud.inbound.clone(), None),
    ] {
        let Some(mut from) = from else { continue };
        let opens = heard_by_box.clone();
        tokio::spawn(async move {
            while let Some(bytes) = from.recv().await {
                if let (Some(copy), Ok(body)) = (&copy, opens.open(DOWN, &bytes))
                    && let Ok((message, _)) = batch::decode(&body)
                {
                    drop(copy.send(message));
                }
                if to.send(LinkEvent::Message(bytes)).await.is_err() {
                    return;
                }
            }
        });
    }
    said
}

async fn connect(cloud: &End, school: &End) -> Result<()> {
    cloud.inbound.send(LinkEvent::Connected).await?;
    school.inbound.send(LinkEvent::Connected).await?;
    Ok(())
}

async fn next_nack(said: &mut mpsc::UnboundedReceiver<Message>) -> Result<Message> {
    let nack = async {
        while let Some(message) = said.recv().await {
            if matches!(message, Message::Nack { .. }) {
                return Ok(message);
            }
        }
        bail!("the coordinator fell silent")
    };
    timeout(PATIENCE, nack).await.context("no refusal in time")?
}

async fn settle(cloud: &End, entries: u64) -> Result<()> {
    let arrived = async {
        while cloud.reader.read(|c| shelves::entry_count(c, &shelf(), None))? < entries {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    };
    timeout(PATIENCE, arrived).await.context("entries did not arrive in time")?
}

struct Rows;

impl Project<Connection> for Rows {
    fn document(&self, _: &Connection, _: &Shelf, _: &DocId, _: &Fields) -> Result<(), ShelfError> {
        Ok(())
    }
    fn entry(&self, _: &Connection, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        Ok(())
    }
    fn erased(&self, _: &Connection, _: &Shelf, _: &Tombstone) -> Result<(), ShelfError> {
        Ok(())
    }
}
