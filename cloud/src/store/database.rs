//! The one seam of the coordinator: which database holds what it remembers.

use std::{path::Path, sync::Arc};

use preau_shared::{
    rig::{
        reader::Reader,
        store::{Sqlite, Store},
        task::Tasks,
        writer::{StoreError, Writer},
    },
    time::Clock,
};
use rusqlite::Connection;
use tokio::{sync::watch, time::sleep};

use super::{
    Tx,
    leases::{self, Held, Holder},
    postgres::{Address, Postgres},
    schema,
};

/// Connections that read a SQLite file.
const READERS: usize = 4;
/// What the connection that writes keeps of the file, in KiB (negative, as SQLite wants it): a little of each school is
/// written now and then, and the system keeps what was read.
const CACHE: i64 = -200;

/// A SQLite file of this coordinator alone, or a PostgreSQL that several coordinators may share.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens (or makes) the file, and brings it to the newest version.
    ///
    /// # Errors
    /// When it cannot be opened, or belongs to a newer program.
    pub(crate) fn file(path: &Path) -> Result<Self, StoreError> {
        let small = |connection: &mut Connection| -> Result<(), StoreError> {
            connection.pragma_update(None, "cache_size", CACHE)?;
            schema::migrate(connection)
        };
        let writer = Writer::open(path, small)?;
        Ok(Self::Sqlite(Sqlite { writer, reader: Reader::open(path, READERS)? }))
    }

    /// Connects, and brings the schema to the newest version.
    ///
    /// # Errors
    /// When the server cannot be reached, says no, or its schema belongs to a newer program.
    pub(crate) async fn server(address: Address, holder: Holder) -> Result<Self, StoreError> {
        Postgres::open(address, holder).await.map(Self::Postgres)
    }

    /// Which shelves this coordinator holds, by key, and under which fences; nothing when it has the database to itself.
    pub(crate) fn held(&self) -> Option<watch::Receiver<Arc<Held>>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server) => Some(server.held()),
        }
    }

    /// Starts the task that keeps the leases, where there are any. They are let go when the program stops.
    pub(crate) fn keep_leases(&self, clock: Arc<dyn Clock>, tasks: &Tasks) {
        let Self::Postgres(server) = self.clone() else { return };
        let mut stop = tasks.stopping();
        tasks.spawn("leases", async move {
            let (mut renewed, mut tried) = (clock.elapsed(), None);
            loop {
                let now = clock.elapsed();
                let renew = tried.is_none_or(|at| now.since(at) >= leases::RENEW_EVERY);
                if renew {
                    tried = Some(now);
                }
                match server.keep(renew).await {
                    Ok(()) if renew => renewed = now,
                    Ok(()) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the leases could not be kept");
                        // At the next look, not in three seconds.
                        tried = None;
                    }
                }
                if clock.elapsed().since(renewed) >= leases::LIFE {
                    server.lose();
                }
                tokio::select! {
                    () = sleep(leases::LOOK_EVERY) => {}
                    () = stop.wait() => break,
                }
            }
            if let Err(error) = server.release().await {
                tracing::warn!(%error, "the leases end by themselves");
            }
        });
    }
}

impl Database {
    /// As [`Store::commit`].
    pub(crate) async fn commit<T, E>(&self, act: impl FnOnce(&Tx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(file) => file.writer.commit(|conn| act(conn)).await,
            Self::Postgres(server) => server.commit(|session| act(session)).await,
        }
    }

    /// As [`Store::read`].
    pub(crate) async fn read<T, E>(&self, read: impl FnOnce(&Tx) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match self {
            Self::Sqlite(file) => file.reader.read(|conn| read(conn)),
            Self::Postgres(server) => server.read(|session| read(session)).await,
        }
    }
}

impl Store for Database {
    type Tx = Tx;

    fn commit<T, E>(
        &self,
        act: impl FnOnce(&Tx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Self::commit(self, act)
    }

    fn read<T, E>(
        &self,
        read: impl FnOnce(&Tx) -> Result<T, E> + Send + 'static,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Self::read(self, read)
    }

    fn committed(&self) -> watch::Receiver<u64> {
        match self {
            Self::Sqlite(file) => file.committed(),
            Self::Postgres(server) => server.committed(),
        }
    }

    fn scrub(&self) {
        match self {
            Self::Sqlite(file) => file.scrub(),
            // The server's own vacuum does it, at its own time.
            Self::Postgres(_) => {}
        }
    }
}
