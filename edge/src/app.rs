//! The handles that every room works with, and what is done with them at the start.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use preau_shared::{
    dice::Dice,
    keys::dpop::Thumbprint,
    messages::Catalogue,
    replica::{shelf::Shelf, vitals::Vitals},
    rig::{
        reader::Reader,
        shelves::{Author, ShelfError, fold},
        writer::Writer,
    },
    time::Clock,
    wire::EnrolmentWindow,
};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{
    classroom::{calls::Calls, live::Live, watch::Watch},
    replica::vitals::{self, Health},
    sign_in::{
        factor::Factors, frames::Frames, leave, lockout::Tries, newcomers, staff::Touched, unrecorded::Unrecorded,
        welcome::Party,
    },
    store::{self, Trouble, journal::Book, offers::Offers, seal::Seal, seats::Seats, sessions, tablet_life},
    tablets::{agent, enrol},
    training::{self, night::Night},
    web::{
        bearers::Bearers,
        nonces::{Nonces, Replays},
        session_host::Hosts,
    },
    work,
};

/// How often a tablet beats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(20);
/// How often silent sessions are looked for.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often rows past their time are forgotten.
pub(crate) const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// What the box is made of, before it comes to life.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Writes the database.
    pub(crate) writer: Writer,
    /// Reads it.
    pub(crate) reader: Reader,
    /// Who writes documents and journal here.
    pub(crate) author: Arc<Author>,
    /// The school's shelf.
    pub(crate) shelf: Shelf,
    /// Keys the hashes of badges.
    pub(crate) badge_key: [u8; 32],
    /// The school's name, until its document says it.
    pub(crate) school_name: String,
    /// Every sentence.
    pub(crate) words: Arc<Catalogue>,
    /// What the rooms report of their health.
    pub(crate) health: Arc<Health>,
    /// Bound of what pupils keep on this disk, in bytes.
    pub(crate) work_max_bytes: u64,
    /// How agents of tablets are told what to clear.
    pub(crate) agents: agent::Ports,
    /// The hour (UTC) of the night at which a training room goes back to its beginning.
    pub(crate) night_utc_h: u8,
    /// Where sessions have hosts of their own.
    pub(crate) hosts: Hosts,
}

/// The box. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Handles>);

impl std::ops::Deref for App {
    type Target = Handles;
    fn deref(&self) -> &Handles {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.shelf)
    }
}

/// What [`App`] holds.
pub(crate) struct Handles {
    /// Writes the database.
    pub(crate) writer: Writer,
    /// Reads it.
    pub(crate) reader: Reader,
    /// Who writes documents and journal here.
    pub(crate) author: Arc<Author>,
    /// The school's shelf.
    pub(crate) shelf: Shelf,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) dice: Arc<dyn Dice>,
    /// Keys the hashes of badges and of enrolment codes.
    pub(crate) badge_key: [u8; 32],
    /// The school's name, until its document says it.
    pub(crate) school_name: String,
    /// Every sentence.
    pub(crate) words: Arc<Catalogue>,
    /// What the rooms report of their health.
    pub(crate) health: Arc<Health>,
    /// Who sits where, for the filter.
    pub(crate) seats: Arc<Seats>,
    /// Word of changes, for the screens.
    pub(crate) live: Live,
    /// Children who wait for an adult.
    pub(crate) calls: Calls,
    /// What an adult should hear of.
    pub(crate) watch: Watch,
    pub(crate) nonces: Nonces,
    pub(crate) proofs: Replays<Thumbprint>,
    /// Whose tokens were seen.
    pub(crate) bearers: Bearers,
    pub(crate) tries: Tries,
    pub(crate) factors: Factors,
    /// Camera frames under way, where the DSI lets the box decode them.
    pub(crate) frames: Frames,
    pub(crate) touched: Touched,
    pub(crate) unrecorded: Unrecorded,
    /// One print at a time.
    pub(crate) printer: Semaphore,
    pub(crate) seal: Seal,
    /// Where a school puts recordings of its own.
    pub(crate) recordings: PathBuf,
    /// What levels and classes are offered.
    pub(crate) offers: Arc<Offers>,
    /// When a training room goes back to its beginning by itself.
    pub(crate) night: Night,
    /// What pupils keep.
    pub(crate) work: work::Room,
    /// How agents of tablets are told what to clear.
    pub(crate) agents: agent::Ports,
    /// Where sessions have hosts of their own.
    pub(crate) hosts: Hosts,
}

impl App {
    /// Brings the box to life on a migrated database: checks the seal, gives live sessions their seats back.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(crate) fn start(
        parts: Parts,
        database: &Path,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let seal = Seal::beside(database);
        if !seal.holds() {
            let distrust = || parts.writer.commit_blocking(|conn| Ok::<_, Trouble>(tablet_life::distrust_all(conn)?));
            // A thread of the runtime may not block on the writer; one of our own may.
            let distrusted =
                thread::scope(|scope| scope.spawn(distrust).join()).map_err(|_| "the writer's answer")??;
            if distrusted > 0 {
                tracing::warn!(distrusted, "the last run met a failing disk: free tablets are cleared first");
            }
            seal.make()?;
        }
        let nonces = Nonces::draw(dice.as_ref());
        let Parts {
            writer,
            reader,
            author,
            shelf,
            badge_key,
            school_name,
            words,
            health,
            work_max_bytes,
            agents,
            night_utc_h,
            hosts,
        } = parts;
        let offers = Arc::new(Offers::new(&words));
        let app = Self(Arc::new(Handles {
            writer,
            reader,
            author,
            shelf,
            clock,
            dice,
            badge_key,
            school_name,
            words,
            health,
            seats: Arc::default(),
            live: Live::default(),
            calls: Calls::default(),
            watch: Watch::default(),
            nonces,
            proofs: Replays::default(),
            bearers: Bearers::default(),
            tries: Tries::default(),
            factors: Factors::default(),
            frames: Frames::default(),
            touched: Touched::default(),
            unrecorded: Unrecorded::default(),
            printer: Semaphore::new(1),
            seal,
            recordings: database.with_file_name("sounds"),
            offers,
            night: Night::at(night_utc_h),
            work: work::Room::open(database, work_max_bytes)?,
            agents,
            hosts,
        }));
        app.reseat()?;
        Ok(app)
    }

    /// Sessions that were live when the box stopped go on: their tablets beat again within seconds, or they end in ten
    /// minutes.
    fn reseat(&self) -> Result<(), Trouble> {
        let sittings = self.reader.read(|conn| {
            let mut sittings = Vec::new();
            for session in sessions::live(conn)? {
                sittings.push(Party::of(conn, &session)?.sitting(&session));
            }
            Ok::<_, Trouble>(sittings)
        })?;
        for sitting in sittings {
            self.seats.sit(sitting, None::<IpAddr>, self.clock.elapsed());
        }
        Ok(())
    }

    /// What the box says of itself now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn vitals(&self) -> Result<Vitals, ShelfError> {
        vitals::tell(&self.reader, &self.author, self.clock.as_ref(), &self.health)
    }

    /// [`Self::vitals`], or the reason why they cannot be told.
    pub(crate) fn vitals_now(&self) -> Vitals {
        self.vitals().unwrap_or_else(|error| vitals::unreadable(&error, &self.health))
    }

    /// Opens enrolment for so long and so many tablets, without an adult's session: the pilot, or the command line.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) async fn open_enrolment(
        &self,
        lasts: Duration,
        tablets: u32,
    ) -> Result<EnrolmentWindow, Box<dyn std::error::Error + Send + Sync>> {
        Ok(enrol::open_window(self, lasts, tablets, None).await?)
    }

    /// The recurring chores: ends silent sessions, catches the disk up, looks whether a training room's night has come. The
    /// caller runs it every [`SWEEP_EVERY`].
    pub(crate) async fn sweep(&self) {
        if let Err(error) = leave::sweep(self).await {
            tracing::warn!(%error, "silent sessions could not be ended");
        }
        if let Err(error) = agent::tend(self).await {
            tracing::warn!(%error, "agents of tablets could not be told");
        }
        match training::at_night(self).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("the training room is back at its beginning"),
            Err(error) => tracing::warn!(%error, "the training room could not go back to its beginning"),
        }
    }

    /// Forgets rows past their time. The caller runs it every [`FORGET_EVERY`].
    pub(crate) async fn forget_old(&self) {
        match leave::forget_old(self).await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "old sessions forgotten"),
            Err(error) => tracing::warn!(%error, "old sessions could not be forgotten"),
        }
        match newcomers::give_ends(self).await {
            Ok(0) => {}
            Ok(ends) => tracing::info!(ends, "what began while the clock was lost got an end"),
            Err(error) => tracing::warn!(%error, "what began while the clock was lost got no end"),
        }
        match work::tidy(self).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "works that nobody has any more were taken away"),
            Err(error) => tracing::warn!(%error, "old works could not be taken away"),
        }
        match newcomers::forget_expired(self).await {
            Ok(0) => {}
            Ok(people) => tracing::info!(people, "substitutes whose time is over left"),
            Err(error) => tracing::warn!(%error, "substitutes whose time is over could not leave"),
        }
    }

    /// Lets go of runs that the coordinator has had for long enough, and of document epochs left behind long ago.
    pub(crate) async fn fold(&self) {
        let (shelf, now) = (self.shelf.clone(), self.clock.stamp());
        let folded = self.writer.commit::<_, ShelfError>(move |conn| {
            fold::drop_past(conn, &shelf, now)?;
            fold::drop_past(conn, &Shelf::Territory, now)?;
            fold::prune(conn, now)
        });
        match folded.await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "runs that the coordinator holds were let go"),
            Err(error) => tracing::warn!(%error, "old runs could not be let go"),
        }
    }

    /// One act: its rows, documents and journal entries in one commit, on disk when this returns.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection, &Book) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let book = self.book();
        self.seen(self.writer.commit(move |conn| act(conn, &book)).await)
    }

    /// [`Self::commit`] for an act that refuses before it writes: an error after that takes whoever is committed with it
    /// along.
    pub(crate) async fn commit_bare<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Connection, &Book) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let book = self.book();
        self.seen(self.writer.commit_bare(move |conn| act(conn, &book)).await)
    }

    fn book(&self) -> Book {
        let (author, dice) = (Arc::clone(&self.author), Arc::clone(&self.dice));
        Book { author, shelf: self.shelf.clone(), dice, now: self.clock.stamp() }
    }

    /// What was done, and whether the disk failed it.
    fn seen<T>(&self, done: Result<T, Trouble>) -> Result<T, Trouble> {
        if let Err(trouble) = &done
            && trouble.is_disk()
        {
            self.disk_failed(trouble);
        }
        done
    }

    /// The disk failed an act: said on every page, and the next start does not trust what the disk says of free tablets.
    pub(crate) fn disk_failed(&self, trouble: &Trouble) {
        tracing::error!(%trouble, "an act could not be written");
        self.seal.break_it();
        self.health.disk_failed();
    }

    /// The school's name for the screens.
    pub(crate) fn school(&self) -> String {
        let named = self.reader.read(store::school::name).ok().flatten();
        named.filter(|n| !n.is_empty()).unwrap_or_else(|| self.school_name.clone())
    }
}
