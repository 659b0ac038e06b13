//! One database, as replication needs it: acts that are durable when they return, readings of one state, and news.
//!
//! The box's is a SQLite file ([`Sqlite`]); the coordinator brings its own, which may also be PostgreSQL.

use std::future::Future;

use rusqlite::Connection;
use tokio::sync::watch;

use super::{
    reader::Reader,
    sql::Sql,
    writer::{StoreError, Writer},
};

/// A handle on a database; clones are the same one.
pub trait Store: Clone + Send + Sync + 'static {
    /// What an act or a reading is given.
    type Tx: Sql + ?Sized;

    /// Runs `act` alone or in a group with others, and returns when it is durable; when it errs, only it is rolled back.
    ///
    /// # Errors
    /// What `act` says, or [`StoreError`] when it could not be queued or committed.
    fn commit<T, E>(
        &self,
        act: impl FnOnce(&Self::Tx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static;

    /// Reads one consistent state.
    ///
    /// # Errors
    /// What `read` says, or [`StoreError`] when nothing can be read.
    fn read<T, E>(
        &self,
        read: impl FnOnce(&Self::Tx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static;

    /// Ticks after each commit that wrote something.
    fn committed(&self) -> watch::Receiver<u64>;

    /// Something was erased: nothing of it is to stay behind in the files of the database. Done soon.
    fn scrub(&self);
}

/// A SQLite file: one thread that writes, a few connections that read.
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// Writes.
    pub writer: Writer,
    /// Reads.
    pub reader: Reader,
}

impl Store for Sqlite {
    type Tx = Connection;

    async fn commit<T, E>(&self, act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.commit(act).await
    }

    // Look-ups of microseconds in a file that is mostly in memory: not worth a thread.
    async fn read<T, E>(&self, read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.reader.read(read)
    }

    fn committed(&self) -> watch::Receiver<u64> {
        self.writer.committed()
    }

    fn scrub(&self) {
        self.writer.scrub();
    }
}
