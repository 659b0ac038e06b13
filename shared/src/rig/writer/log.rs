//! The write-ahead log of a SQLite file is moved into the file by a thread of its own (<https://sqlite.org/wal.html>,
//! "Checkpointing"): it takes milliseconds, in which children would wait for the thread that writes.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// A thread that moves the log when it is asked to. It ends with this handle.
pub(super) struct Log {
    ask: Option<mpsc::SyncSender<()>>,
    /// Held while the log is moved.
    moving: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// For a file that is in WAL mode.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch("PRAGMA synchronous=FULL; PRAGMA cache_size=-100;")?;
        // One that is asked for while another is moved sees to it that nothing stays behind.
        let (ask, asked) = mpsc::sync_channel(1);
        let moving = Arc::<Mutex<()>>::default();
        let held = Arc::clone(&moving);
        let moves = move || {
            while asked.recv().is_ok() {
                let _moving = held.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
                    tracing::warn!(%error, "the log of the database is not written back");
                }
            }
        };
        let thread = thread::Builder::new().name("log".into()).spawn(moves).map_err(|_| StoreError::Closed)?;
        Ok(Self { ask: Some(ask), moving, thread: Some(thread) })
    }

    /// Asks that what is durable in the log is moved; returns at once.
    pub(super) fn settle(&self) {
        self.ask.as_ref().map(|ask| ask.try_send(()));
    }

    /// Waits until nothing is moved; nothing will be while the guard lives. SQLite itself refuses a second one at the same
    /// time without waiting.
    pub(super) fn still(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.ask.take());
        self.thread.take().map(JoinHandle::join);
    }
}
