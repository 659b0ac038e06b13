//! The one thread that writes a database: a SQLite file, or whatever else is a [`Session`].
//!
//! Acts queue up; the thread takes all that wait, runs each in its own savepoint, commits them together with one fsync,
//! and only then answers (invariant 1). No timer waits for company: thirty tablets at once cost one fsync because the
//! others arrive while the first one is being committed. Thus a lone act is as quick as the disk.

mod session;

use std::{path::Path, sync::mpsc, thread, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::{oneshot, watch};

pub use self::session::Session;

/// Acts that may wait; beyond it a caller is told that the box is overloaded.
pub const MAX_WAITING_ACTS: usize = 1_024;
/// Acts in one commit: bounds how long the first waits for the last.
pub const MAX_ACTS_PER_COMMIT: usize = 256;
/// With nothing to write for so long, what is durable in the log may be moved into the database.
const SETTLE_AFTER: Duration = Duration::from_millis(10);
/// Commits that make it worth while: some ten pages each at least.
const SETTLE_COMMITS: u32 = 100;
/// With so many pages (16 MB) it is moved in any case, while those who write wait.
const MOST_LOG_PAGES: u32 = 4_000;
/// With nothing to write for so long, memory is given back.
const REST_AFTER: Duration = Duration::from_secs(2);
/// Statements kept prepared.
const STATEMENT_CACHE: usize = 128;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no; the act was rolled back.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL said no; the act was rolled back.
    #[error("database: {0}")]
    Postgres(String),
    /// PostgreSQL cannot be reached, or is just starting or stopping; the act was rolled back. It passes by itself.
    #[error("the database is out of reach: {0}")]
    Away(String),
    /// The database went away during a commit: whether it was written is not known. Doing it again must do no harm.
    #[error("the database went away during a commit, it may have been written: {0}")]
    Unsure(String),
    /// Another coordinator holds the shelf: it alone writes there.
    #[error("another coordinator holds the shelf {0}")]
    Elsewhere(String),
    /// A column does not hold what is read from it.
    #[error("column {at} of a row is not {wanted}")]
    Column {
        /// Which, from 0.
        at: usize,
        /// What should stand there.
        wanted: &'static str,
    },
    /// The group's commit failed: nothing of it is on disk.
    #[error("the commit failed, nothing was written: {0}")]
    Commit(String),
    /// Too many acts wait.
    #[error("too many writes wait")]
    Full,
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
    /// A stored value is not what this program wrote.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(&'static str),
    /// The file belongs to a newer program.
    #[error("the database is of version {found}, this program knows up to {known}: start the newer program")]
    Newer {
        /// Version of the file.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
}

/// Why nothing of a group is durable, or nobody knows.
#[derive(Clone)]
enum Failure {
    Nothing(String),
    Unsure(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unsure(why) = error { Self::Unsure(why) } else { Self::Nothing(error.to_string()) }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Nothing(why) => Self::Commit(why),
            Failure::Unsure(why) => Self::Unsure(why),
        }
    }
}

type Outcome = Result<(), Failure>;
type Answer = Box<dyn FnOnce(&Outcome) + Send>;
/// Runs in the group that has begun, or learns why none could begin.
type Act<S> = Box<dyn FnOnce(Result<&S, &Failure>) -> Done + Send>;

/// What an act leaves.
struct Done {
    answer: Answer,
    /// It erred, and what it wrote before cannot be taken back alone.
    spoilt: bool,
}

/// How an act is taken back when it errs.
#[derive(Clone, Copy)]
enum Undo {
    /// Alone.
    Alone,
    /// With its group, if it wrote anything.
    WithTheGroup,
}

/// What waits for the thread.
enum Job<S> {
    Act(Act<S>),
    Scrub,
}

/// A handle on the writing thread. The thread ends when the last handle is dropped, after what waits is committed.
pub struct Writer<S = Connection> {
    jobs: mpsc::SyncSender<Job<S>>,
    committed: watch::Receiver<u64>,
}

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), committed: self.committed.clone() }
    }
}

impl<S> std::fmt::Debug for Writer<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// Opens (or makes) the file, sets WAL and `synchronous=FULL`, runs `migrate`, and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be opened, is of a newer version, or the thread cannot start.
    pub fn open(
        path: &Path,
        migrate: impl FnOnce(&mut Connection) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
        // Else a kept statement is planned again for each new value of a bound limit.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;
             PRAGMA busy_timeout=5000; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY;",
        )?;
        connection.pragma_update(None, "wal_autocheckpoint", MOST_LOG_PAGES)?;
        migrate(&mut connection)?;
        Self::over(connection)
    }
}

impl<S: Session> Writer<S> {
    /// Starts the thread over a session.
    ///
    /// # Errors
    /// When the thread cannot start.
    pub fn over(session: S) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::sync_channel(MAX_WAITING_ACTS);
        let (tick, committed) = watch::channel(0);
        thread::Builder::new()
            .name("writer".into())
            .spawn(move || write(&session, &queue, &tick))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { jobs, committed })
    }

    /// Runs `act` in a savepoint of the next group commit. Returns after the fsync; when `act` errs, only it is rolled back.
    ///
    /// # Errors
    /// What `act` says, or [`StoreError`] when it could not be queued or committed.
    pub async fn commit<T, E>(&self, act: impl FnOnce(&S) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = self.queue(Undo::Alone, act)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// [`Self::commit`] without a savepoint, which costs a copy of every page that the act changes. An act that errs before
    /// it wrote errs alone. One that errs after it wrote takes the whole group with it: nothing of the group is on disk, and
    /// everybody in it hears [`StoreError::Commit`]. So whatever may refuse comes before the first write.
    ///
    /// # Errors
    /// As for [`Self::commit`].
    pub async fn commit_bare<T, E>(&self, act: impl FnOnce(&S) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = self.queue(Undo::WithTheGroup, act)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// [`Self::commit`] for threads outside the runtime.
    ///
    /// # Errors
    /// As for [`Self::commit`].
    pub fn commit_blocking<T, E>(&self, act: impl FnOnce(&S) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = self.queue(Undo::Alone, act)?;
        answer.blocking_recv().map_err(|_| StoreError::Closed)?
    }

    /// Asks that nothing of what was erased so far stays behind in the database's files. Done soon, between two groups;
    /// with too much waiting it is left to the next time.
    pub fn scrub(&self) {
        drop(self.jobs.try_send(Job::Scrub));
    }

    /// Ticks after each group commit that wrote something.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    fn queue<T, E>(
        &self,
        undo: Undo,
        act: impl FnOnce(&S) -> Result<T, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, E>>, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let act: Act<S> = Box::new(move |group| {
            let (result, spoilt) = match (group, undo) {
                (Ok(session), Undo::Alone) => (in_savepoint(session, act), false),
                (Ok(session), Undo::WithTheGroup) => {
                    let before = session.written();
                    let result = act(session);
                    let spoilt = result.is_err() && session.written() != before;
                    (result, spoilt)
                }
                (Err(why), _) => (Err(StoreError::from(why.clone()).into()), false),
            };
            let answer: Answer = Box::new(move |outcome| {
                let result = match (result, outcome) {
                    (Ok(_), Err(why)) => Err(StoreError::from(why.clone()).into()),
                    (result, _) => result,
                };
                // The caller may have gone away; what it asked for stays done.
                drop(send.send(result));
            });
            Done { answer, spoilt }
        });
        self.jobs.try_send(Job::Act(act)).map_err(|e| match e {
            mpsc::TrySendError::Full(_) => StoreError::Full,
            mpsc::TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        Ok(receive)
    }
}

/// Runs something that is taken back when it errs, and nothing else with it.
///
/// # Errors
/// What `act` says, or the store.
pub fn in_savepoint<S: Session, T, E: From<StoreError>>(
    session: &S,
    act: impl FnOnce(&S) -> Result<T, E>,
) -> Result<T, E> {
    session.control("SAVEPOINT act")?;
    match act(session) {
        Ok(value) => {
            session.control("RELEASE act")?;
            Ok(value)
        }
        Err(error) => {
            if session.stands() {
                session.control("ROLLBACK TO act")?;
                session.control("RELEASE act")?;
            }
            Err(error)
        }
    }
}

fn write<S: Session>(session: &S, queue: &mpsc::Receiver<Job<S>>, tick: &watch::Sender<u64>) {
    let (mut next, mut commits) = (queue.recv().ok(), 0_u32);
    while let Some(first) = next {
        // On a busy machine, whoever is about to hand something over does so first: fewer, larger commits. On an idle one
        // this returns at once.
        thread::yield_now();
        if write_group(session, std::iter::once(first).chain(queue.try_iter().take(MAX_ACTS_PER_COMMIT)), tick) {
            session.scrub();
        }
        commits = commits.saturating_add(1);
        let settled = || {
            if commits >= SETTLE_COMMITS {
                session.settle();
                commits = 0;
            }
            queue.recv_timeout(REST_AFTER).ok()
        };
        let rested = || {
            session.rest();
            queue.recv().ok()
        };
        next = queue.recv_timeout(SETTLE_AFTER).ok().or_else(settled).or_else(rested);
    }
}

/// Runs and commits what waits, and what arrives meanwhile; whether a scrub was asked for.
fn write_group<S: Session>(session: &S, jobs: impl Iterator<Item = Job<S>>, tick: &watch::Sender<u64>) -> bool {
    let (mut begun, mut before, mut answers, mut scrubs) = (None, 0, Vec::<Answer>::new(), false);
    for job in jobs {
        match job {
            Job::Scrub => scrubs = true,
            Job::Act(act) => {
                let begun: &mut Result<(), Failure> = begun.get_or_insert_with(|| {
                    before = session.written();
                    session.begin().map_err(Failure::from)
                });
                let done = act(begun.as_ref().map(|()| session));
                answers.push(done.answer);
                let stands = begun.is_err() || session.stands();
                if done.spoilt || !stands {
                    if stands {
                        drop(session.control("ROLLBACK"));
                    }
                    // What comes after is not run: outside a group it would be durable alone, and be told that it is not.
                    *begun = Err(Failure::Nothing("another act of the same commit failed half-way".into()));
                }
            }
        }
    }
    let Some(begun) = begun else { return scrubs };
    let outcome = begun.and_then(|()| session.commit().map_err(Failure::from));
    if let Err(Failure::Nothing(why) | Failure::Unsure(why)) = &outcome {
        tracing::error!(%why, "a group commit failed");
    }
    let wrote = !matches!(outcome, Err(Failure::Nothing(_))) && session.written() != before;
    for answer in answers {
        answer(&outcome);
    }
    if wrote {
        tick.send_modify(|n| *n = n.wrapping_add(1));
    }
    scrubs
}

#[cfg(test)]
mod tests;
