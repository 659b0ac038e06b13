//! The one thread that writes a SQLite file.
//!
//! Acts queue up; the thread takes all that wait, runs each in its own savepoint, commits them together with one fsync,
//! and only then answers (invariant 1). No timer waits for company: thirty tablets at once cost one fsync because the
//! others arrive while the first one is being committed. Thus a lone act is as quick as the disk.

use std::{path::Path, sync::mpsc, thread};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{oneshot, watch};

/// Acts that may wait; beyond it a caller is told that the box is overloaded.
pub const MAX_WAITING_ACTS: usize = 1_024;
/// Acts in one commit: bounds how long the first waits for the last.
pub const MAX_ACTS_PER_COMMIT: usize = 256;
/// Statements kept prepared.
const STATEMENT_CACHE: usize = 128;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no; the act was rolled back.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
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

type Outcome = Result<(), String>;
type Answer = Box<dyn FnOnce(&Outcome) + Send>;
/// Runs in the group that has begun, or learns why none could begin.
type Act = Box<dyn FnOnce(Result<&Connection, &str>) -> Answer + Send>;

/// A handle on the writing thread. The thread ends when the last handle is dropped, after what waits is committed.
#[derive(Clone)]
pub struct Writer {
    acts: mpsc::SyncSender<Act>,
    committed: watch::Receiver<u64>,
}

impl std::fmt::Debug for Writer {
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
        connection.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;
             PRAGMA busy_timeout=5000; PRAGMA cache_size=-2000; PRAGMA temp_store=MEMORY;",
        )?;
        migrate(&mut connection)?;
        let (acts, queue) = mpsc::sync_channel(MAX_WAITING_ACTS);
        let (tick, committed) = watch::channel(0);
        thread::Builder::new()
            .name("writer".into())
            .spawn(move || write(&connection, &queue, &tick))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { acts, committed })
    }

    /// Runs `act` in a savepoint of the next group commit. Returns after the fsync; when `act` errs, only it is rolled back.
    ///
    /// # Errors
    /// What `act` says, or [`StoreError`] when it could not be queued or committed.
    pub async fn commit<T, E>(&self, act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = self.queue(act)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// [`Self::commit`] for threads outside the runtime.
    ///
    /// # Errors
    /// As for [`Self::commit`].
    pub fn commit_blocking<T, E>(&self, act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = self.queue(act)?;
        answer.blocking_recv().map_err(|_| StoreError::Closed)?
    }

    /// Ticks after each group commit that wrote something.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    fn queue<T, E>(
        &self,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, E>>, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let act: Act = Box::new(move |group| {
            let result = match group {
                Ok(connection) => in_savepoint(connection, act),
                Err(why) => Err(StoreError::Commit(why.to_owned()).into()),
            };
            Box::new(move |outcome| {
                let result = match (result, outcome) {
                    (Ok(_), Err(why)) => Err(StoreError::Commit(why.clone()).into()),
                    (result, _) => result,
                };
                // The caller may have gone away; what it asked for stays done.
                drop(send.send(result));
            })
        });
        self.acts.try_send(act).map_err(|e| match e {
            mpsc::TrySendError::Full(_) => StoreError::Full,
            mpsc::TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        Ok(receive)
    }
}

fn in_savepoint<T, E: From<StoreError>>(
    connection: &Connection,
    act: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    run(connection, "SAVEPOINT act")?;
    match act(connection) {
        Ok(value) => {
            run(connection, "RELEASE act")?;
            Ok(value)
        }
        Err(error) => {
            run(connection, "ROLLBACK TO act")?;
            run(connection, "RELEASE act")?;
            Err(error)
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ()).map_err(StoreError::from)
}

fn write(connection: &Connection, queue: &mpsc::Receiver<Act>, tick: &watch::Sender<u64>) {
    while let Ok(first) = queue.recv() {
        let begun = run(connection, "BEGIN").map_err(|e| e.to_string());
        let changes = connection.total_changes();
        let group = begun.as_ref().map(|()| connection).map_err(String::as_str);
        let mut answers = vec![first(group)];
        answers.extend(queue.try_iter().take(MAX_ACTS_PER_COMMIT).map(|act| act(group)));
        let outcome = begun.and_then(|()| run(connection, "COMMIT").map_err(|e| e.to_string()));
        if let Err(why) = &outcome {
            tracing::error!(%why, "a group commit failed");
            if !connection.is_autocommit() {
                drop(run(connection, "ROLLBACK"));
            }
        }
        let wrote = outcome.is_ok() && connection.total_changes() != changes;
        for answer in answers {
            answer(&outcome);
        }
        if wrote {
            tick.send_modify(|n| *n = n.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Writer {
        Writer::open(&dir.join("t.db"), |c| {
            Ok(c.execute_batch("CREATE TABLE IF NOT EXISTS t(n INTEGER UNIQUE) STRICT")?)
        })
        .expect("open")
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static {
        move |c| Ok(c.execute("INSERT INTO t VALUES (?1)", [n]).map(|_| ())?)
    }

    #[test]
    fn one_act_that_errs_does_not_take_the_others_with_it() {
        let dir = tempfile::tempdir().expect("dir");
        let writer = open(dir.path());
        let threads: Vec<_> = (0..40)
            .map(|n| {
                let writer = writer.clone();
                thread::spawn(move || writer.commit_blocking(insert(n / 2)).is_ok())
            })
            .collect();
        let done = threads.into_iter().map(|t| t.join().expect("thread")).filter(|ok| *ok).count();
        assert_eq!(done, 20, "each number once");
        drop(writer);
        let count: i64 = Connection::open(dir.path().join("t.db"))
            .expect("again")
            .query_row("SELECT count(*) FROM t", [], |r| r.get(0))
            .expect("count");
        assert_eq!(count, 20);
    }
}
