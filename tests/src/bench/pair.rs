//! Two replicas of ours, box and coordinator, as the programs run them: the replication driver over SQLite files with
//! every commit synced. Between them a carrier in memory that counts each message, loses what it is told to lose and
//! can be cut. What it carries is the payload of an MQTT message, byte for byte.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use preau_shared::{
    dice::{Dice, Seeded},
    documents::{self, DocId, Edit, Fields},
    ids::{BoxId, Uai},
    journal::Entry,
    keys::{PublicKey, SigningKey},
    replica::{Mark, Origin, Rights, SealSecret, Sealing, Shelf, Side, Timings, Tombstone, Vitals, sealing::Held},
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        reader::Reader,
        replicate::{Envelope, LinkEvent, LinkStatus, News, Replication, TellVitals},
        shelves::{self, Author, Project, ShelfError},
        sql::Sql,
        store::Sqlite,
        task::Tasks,
        writer::{StoreError, Writer},
    },
    time::{Clock as _, ClockQuality, Stamp},
    wire::{Direction, TabletCounts, Topic},
};
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// Messages that wait at the carrier.
const QUEUE: usize = 64;
/// Two replicas that do not settle within so long never will.
const PATIENCE: Duration = Duration::from_secs(600);
/// No message for so long: all is said.
const QUIET: Duration = Duration::from_millis(250);
/// Far above any phase of a bench: beats and slow hellos are measured elsewhere.
const KEEP_ALIVE: Duration = Duration::from_secs(600);

const TERRITORY: &str = "belfort";
/// The box's name.
pub const BOX: BoxId = BoxId::from_bytes([0xb0; 16]);
/// The coordinator's name.
pub const COORDINATOR: BoxId = BoxId::from_bytes([0xc0; 16]);

/// The key by which one of the two signs.
///
/// # Errors
/// When the provider refuses the seed.
pub fn key_of(id: BoxId) -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&[id.as_bytes()[0]; 32])?)
}

fn seal_key(id: BoxId) -> SealSecret {
    SealSecret::from_bytes([id.as_bytes()[0] ^ 0x55; 32])
}

/// The keys of the hop, as the two agreed on them at the claim.
fn sealing(side: Side) -> Result<Sealing> {
    let (mine, theirs) = if side == Side::Box { (BOX, COORDINATOR) } else { (COORDINATOR, BOX) };
    let (own, theirs) = ([(0, seal_key(mine))], [(0, seal_key(theirs).public()?)]);
    let held = Held { own: own.into_iter().collect(), theirs: theirs.into_iter().collect() };
    Ok(Sealing::new(side, Arc::new(move || Some(held.clone())), Arc::new(|_| {}))?)
}

/// What a box tells of itself in the morning.
pub(super) fn vitals() -> Vitals {
    Vitals {
        tablets: TabletCounts { total: 15, in_use: 0, wiping: 0, lost: 0 },
        signed_in: 0,
        written: 21_000,
        unsynced: 0,
        oldest_unsynced_age_ms: None,
        lag_ms: Some(140),
        clock: ClockQuality::Synchronised,
        version: env!("CARGO_PKG_VERSION").into(),
        blocklist_version: Some("2026-11-20".into()),
        last_error: None,
        unsynced_files: 0,
    }
}

/// Makes no rows: what a program makes of its documents is not replication.
#[derive(Debug)]
pub struct NoRows;

impl<S: Sql + ?Sized> Project<S> for NoRows {
    fn document(&self, _: &S, _: &Shelf, _: &DocId, _: &Fields) -> Result<(), ShelfError> {
        Ok(())
    }
    fn entry(&self, _: &S, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        Ok(())
    }
    fn erased(&self, _: &S, _: &Shelf, _: &Tombstone) -> Result<(), ShelfError> {
        Ok(())
    }
}

/// What passed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// Messages, lost ones too.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The largest since the beginning.
    pub largest: u64,
}

/// What passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Box to coordinator.
    pub up: Said,
    /// Coordinator to box.
    pub down: Said,
}

impl Traffic {
    /// What passed since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let since = |now: Said, then: Said| Said {
            messages: now.messages - then.messages,
            bytes: now.bytes - then.bytes,
            largest: now.largest,
        };
        Self { up: since(self.up, earlier.up), down: since(self.down, earlier.down) }
    }

    /// Bytes of both directions.
    pub fn bytes(&self) -> u64 {
        self.up.bytes + self.down.bytes
    }
}

#[derive(Debug, Default)]
struct Counter {
    messages: AtomicU64,
    bytes: AtomicU64,
    largest: AtomicU64,
}

impl Counter {
    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.largest.fetch_max(bytes, Ordering::SeqCst);
        self.messages.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }
    fn look(&self) -> Said {
        let of = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Said { messages: of(&self.messages), bytes: of(&self.bytes), largest: of(&self.largest) }
    }
}

/// The line between the two.
#[derive(Debug)]
struct Carrier {
    up: Counter,
    down: Counter,
    stands: watch::Sender<bool>,
    /// When so many bytes have gone up the line breaks, in the middle of a message.
    breaks_at: AtomicU64,
}

/// One of the two programs.
pub struct End {
    /// Writes its file.
    pub writer: Writer,
    /// Reads its file.
    pub reader: Reader,
    /// Who writes there.
    pub author: Arc<Author>,
    news: News,
    status: watch::Receiver<LinkStatus>,
}

/// Both ends and the line.
pub struct Pair {
    /// The coordinator.
    pub cloud: End,
    /// The box.
    pub edge: End,
    carrier: Arc<Carrier>,
    tasks: Tasks,
    shelf: Shelf,
    clock: SystemClock,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pair({})", self.shelf)
    }
}

/// Opens a file of shelves.
///
/// # Errors
/// When it cannot be made.
pub fn open_store(path: &Path) -> Result<Writer> {
    Ok(Writer::open(path, |conn| {
        let made = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        if made == 0 { Ok(conn.execute_batch(shelves::MIGRATION)?) } else { Ok::<_, StoreError>(()) }
    })?)
}

impl Pair {
    /// Starts both in `dir`, with empty stores unless there are files; the line is cut.
    ///
    /// # Errors
    /// When a store cannot be opened.
    pub async fn start(dir: &Path, uai: &Uai, seed: u64) -> Result<Self> {
        let tasks = Tasks::default();
        let carrier = Arc::new(Carrier {
            up: Counter::default(),
            down: Counter::default(),
            stands: watch::Sender::new(false),
            breaks_at: AtomicU64::new(u64::MAX),
        });
        let (up, from_box) = mpsc::channel(QUEUE);
        let (down, from_cloud) = mpsc::channel(QUEUE);
        let (to_cloud, cloud_hears) = mpsc::channel(QUEUE);
        let (to_box, box_hears) = mpsc::channel(QUEUE);
        tokio::spawn(carry(carrier.clone(), true, from_box, to_cloud));
        tokio::spawn(carry(carrier.clone(), false, from_cloud, to_box));
        let clock = SystemClock::start();
        let start = End::start;
        let cloud = start(dir, Side::Coordinator, uai, seed, (cloud_hears, down), &tasks).await?;
        let edge = start(dir, Side::Box, uai, seed ^ 1, (box_hears, up), &tasks).await?;
        Ok(Self { cloud, edge, carrier, tasks, shelf: Shelf::School(uai.clone()), clock })
    }

    /// What passed until now.
    pub fn look(&self) -> Traffic {
        Traffic { up: self.carrier.up.look(), down: self.carrier.down.look() }
    }

    /// The line stands.
    pub fn mend(&self) {
        self.carrier.stands.send_replace(true);
    }

    /// The line is cut; what is on it is lost.
    pub fn cut(&self) {
        self.carrier.stands.send_replace(false);
    }

    /// The line breaks in the middle of a message when so many bytes more have gone up.
    pub fn break_after(&self, bytes: u64) {
        let now = self.carrier.up.look().bytes;
        self.carrier.breaks_at.store(now.saturating_add(bytes), Ordering::SeqCst);
    }

    /// Waits until the line is broken, or both hold the same.
    ///
    /// # Errors
    /// When neither comes.
    pub async fn broken(&self) -> Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !*self.carrier.stands.borrow() {
                return Ok(true);
            }
            if self.is_even()? {
                return Ok(false);
            }
            sleep(Duration::from_millis(2)).await;
        }
        bail!("the line neither broke nor was it no longer needed")
    }

    /// Writes edits at one end, in one commit, and closes them into runs.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn write(&self, end: &End, edits: Vec<Edit>) -> Result<()> {
        self.act(end, edits, Vec::new()).await
    }

    /// Writes edits and entries at one end, in one commit, and closes them into runs.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn act(&self, end: &End, edits: Vec<Edit>, entries: Vec<Entry>) -> Result<()> {
        let (author, shelf, stamp) = (end.author.clone(), self.shelf.clone(), self.clock.stamp());
        let act = move |conn: &Connection| {
            for edit in &edits {
                shelves::edit(conn, &author, &shelf, stamp, edit, &NoRows)?;
            }
            for entry in &entries {
                shelves::journal(conn, &author, &shelf, stamp, entry)?;
            }
            shelves::close_runs(conn, &author, stamp)
        };
        let closed = end.writer.commit::<_, ShelfError>(act).await?;
        end.news.tell_of(&closed);
        Ok(())
    }

    /// Waits until both hold the same; gives how long it took.
    ///
    /// # Errors
    /// When they never do.
    pub async fn even(&self) -> Result<Duration> {
        let began = Instant::now();
        while !self.is_even()? {
            if began.elapsed() > PATIENCE {
                bail!("the two do not settle: {:?} and {:?}", self.cloud.status(), self.edge.status());
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(began.elapsed())
    }

    /// Waits until both hold the same, know it, and have nothing more to say; gives how long the first took.
    ///
    /// # Errors
    /// When they never do.
    pub async fn quiet(&self) -> Result<Duration> {
        let took = self.even().await?;
        let mut last = (self.look(), Instant::now());
        let began = Instant::now();
        while last.1.elapsed() < QUIET || !self.edge.status().in_contact {
            sleep(Duration::from_millis(5)).await;
            let now = self.look();
            if now != last.0 {
                last = (now, Instant::now());
            }
            if began.elapsed() > PATIENCE {
                bail!("the two never fall silent: {:?} and {:?}", self.cloud.status(), self.edge.status());
            }
        }
        Ok(took)
    }

    fn is_even(&self) -> Result<bool> {
        let (cloud, edge) = (self.cloud.held()?, self.edge.held()?);
        if cloud != edge {
            return Ok(false);
        }
        Ok(self.cloud.digest(&self.shelf)? == self.edge.digest(&self.shelf)?)
    }

    /// Ends both.
    pub async fn stop(self) {
        self.tasks.stop();
        self.tasks.ended().await;
    }
}

impl End {
    async fn start(
        dir: &Path,
        side: Side,
        uai: &Uai,
        seed: u64,
        (inbound, outbound): (mpsc::Receiver<LinkEvent>, mpsc::Sender<Vec<u8>>),
        tasks: &Tasks,
    ) -> Result<Self> {
        let (name, id, writes) = match side {
            Side::Coordinator => ("cloud.db", COORDINATOR, documents::Writer::Coordinator),
            Side::Box | Side::Sibling => ("box.db", BOX, documents::Writer::Box),
        };
        let path = dir.join(name);
        let writer = open_store(&path)?;
        let reader = Reader::open(&path, 1)?;
        let dice: Arc<dyn Dice> = Arc::new(Seeded::new(seed));
        let drawn = dice.clone();
        let origin = writer.commit(move |conn| shelves::begin(conn, id, &*drawn)).await?;
        let author = Arc::new(Author { origin, key: key_of(id)?.into(), dice: dice.clone(), writer: writes });
        let news = News::default();
        let topic =
            |direction| Topic { territory: TERRITORY.into(), uai: uai.clone(), box_id: BOX, direction }.to_string();
        let (up, down) = (topic(Direction::Up), topic(Direction::Down));
        let (says, hears) = if side == Side::Box { (up, down) } else { (down, up) };
        let keys: Vec<(BoxId, PublicKey)> =
            vec![(BOX, key_of(BOX)?.public()), (COORDINATOR, key_of(COORDINATOR)?.public())];
        let replication = Replication {
            store: Sqlite { writer: writer.clone(), reader: reader.clone() },
            author: author.clone(),
            project: Arc::new(NoRows),
            clock: Arc::new(SystemClock::start()),
            dice,
            bench: Arc::new(Bench::new(apply::LIMIT)),
            news: news.clone(),
            envelope: Envelope::Sealed { sealing: Arc::new(sealing(side)?), says, hears },
            rights: Rights {
                side,
                uai: uai.clone(),
                box_id: BOX,
                coordinator: COORDINATOR,
                keys: Arc::new(move |of: &Origin| keys.iter().find(|(id, _)| *id == of.box_id).map(|(_, key)| *key)),
                gone: Arc::new(|_| false),
            },
            timings: Timings { let_in: Duration::from_secs(2), ..Timings::for_keep_alive(KEEP_ALIVE) },
            vitals: (side == Side::Box).then(|| -> TellVitals { Arc::new(vitals) }),
            on_clone: Arc::new(|_| {}),
        };
        let status = replication.start(inbound, outbound, tasks);
        Ok(Self { writer, reader, author, news, status })
    }

    fn status(&self) -> LinkStatus {
        self.status.borrow().clone()
    }

    fn held(&self) -> Result<Vec<Mark>> {
        let mut marks = self.reader.read(shelves::marks)?;
        marks.retain(|mark| mark.number > 0);
        marks.sort();
        Ok(marks)
    }

    fn digest(&self, shelf: &Shelf) -> Result<[u8; 32]> {
        self.reader.read(|conn| shelves::digest(conn, shelf)).context("the digest")
    }
}

async fn carry(carrier: Arc<Carrier>, upwards: bool, mut from: mpsc::Receiver<Vec<u8>>, to: mpsc::Sender<LinkEvent>) {
    let mut stands = carrier.stands.subscribe();
    // The coordinator's own connection to the broker stands before a box's and outlives it; nobody tells it of a break.
    if upwards && to.send(LinkEvent::Connected).await.is_err() {
        return;
    }
    loop {
        let event = tokio::select! {
            biased;
            changed = stands.changed() => {
                if changed.is_err() {
                    return;
                }
                let stands = *stands.borrow_and_update();
                if upwards {
                    continue;
                }
                if stands { LinkEvent::Connected } else { LinkEvent::Disconnected }
            }
            message = from.recv() => {
                let Some(message) = message else { return };
                if !*stands.borrow() {
                    continue;
                }
                let counter = if upwards { &carrier.up } else { &carrier.down };
                if upwards && breaks_in(&carrier, message.len()) {
                    continue;
                }
                counter.count(message.len());
                LinkEvent::Message(message)
            }
        };
        if to.send(event).await.is_err() {
            return;
        }
    }
}

/// Whether the line breaks while this message passes; what of it had passed is counted.
fn breaks_in(carrier: &Carrier, length: usize) -> bool {
    let at = carrier.breaks_at.load(Ordering::SeqCst);
    let left = usize::try_from(at.saturating_sub(carrier.up.look().bytes)).unwrap_or(usize::MAX);
    if left > length {
        return false;
    }
    carrier.up.count(left);
    carrier.breaks_at.store(u64::MAX, Ordering::SeqCst);
    carrier.stands.send_replace(false);
    true
}
