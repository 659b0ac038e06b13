//! PostgreSQL under the coordinator: one connection that writes, a few that read, each with its thread.
//!
//! The seam is synchronous, because an act is: it reads, decides and writes in one go. So a thread runs it, as with
//! SQLite, over the blocking face of the client; a pool for asynchronous callers would have nobody to serve. One writer
//! for each coordinator keeps what SQLite gives: acts of a program follow each other and share a commit. Several
//! coordinators write side by side, each to the shelves whose lease it holds.

mod dialect;
mod session;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use postgres::Config;
use preau_shared::rig::writer::{Session as _, StoreError, Writer};
use tokio::sync::{oneshot, watch};

use self::session::Session;
use super::{
    leases::{self, Held, Holder},
    schema,
};

/// Connections that read.
const READERS: usize = 4;
/// Readings that may wait.
const MAX_WAITING_READS: usize = 1_024;

/// Where the server is, and how to speak to it.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    /// With `sslmode=require`: the authority that signed the server's certificate, PEM.
    authority: Option<String>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The password stays out.
        write!(f, "{:?}/{}", self.config.get_hosts(), self.config.get_dbname().unwrap_or_default())
    }
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`; `authority` is the file of its authority.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub(crate) fn read(url: &str, authority: Option<&Path>) -> Result<Self, String> {
        let config: Config = url.parse().map_err(|error: postgres::Error| error.to_string())?;
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
        Ok(Self { config, authority: authority.map(read).transpose()? })
    }
}

type Reading = Box<dyn FnOnce(Result<&Session, StoreError>) + Send>;

/// A handle on a PostgreSQL database; clones are the same one.
#[derive(Clone)]
pub(crate) struct Postgres {
    writer: Writer<Session>,
    /// Beside the writer: a renewal does not wait for what is being written.
    keeper: Writer<Session>,
    readings: mpsc::SyncSender<Reading>,
    holding: Arc<Holding>,
}

/// What this life of this coordinator holds, as it last knew.
pub(crate) struct Holding {
    holder: Holder,
    held: watch::Sender<Arc<Held>>,
}

impl Holding {
    fn held(&self) -> Arc<Held> {
        self.held.borrow().clone()
    }

    fn set(&self, held: Held) {
        self.held.send_if_modified(|known| {
            let news = **known != held;
            if news {
                *known = Arc::new(held);
            }
            news
        });
    }

    fn found(&self, shelf: &str, fence: i64) {
        if self.held.borrow().get(shelf) != Some(&fence) {
            self.held.send_modify(|known| _ = Arc::make_mut(known).insert(shelf.to_owned(), fence));
        }
    }

    fn lost(&self, shelf: &str) {
        if self.held.borrow().contains_key(shelf) {
            self.held.send_modify(|known| _ = Arc::make_mut(known).remove(shelf));
        }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    /// Connects, brings the schema to the newest version and starts the threads. They end with the last handle.
    ///
    /// # Errors
    /// When the server cannot be reached or says no; [`StoreError::Newer`] when its schema is of a newer program.
    pub(super) async fn open(address: Address, holder: Holder) -> Result<Self, StoreError> {
        let holding = Arc::new(Holding { holder, held: watch::Sender::default() });
        let writing = Session::new(address.clone()).holding(holding.clone());
        let migrated = tokio::task::spawn_blocking(move || migrate(&writing).map(|()| writing));
        let writer = Writer::over(migrated.await.map_err(|_| StoreError::Closed)??)?;
        let keeper = Writer::over(Session::new(address.clone()))?;
        let (readings, queue) = mpsc::sync_channel::<Reading>(MAX_WAITING_READS);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..READERS {
            let (session, queue) = (Session::new(address.clone()), queue.clone());
            thread::Builder::new()
                .name("reader".into())
                .spawn(move || read(&session, &queue))
                .map_err(|_| StoreError::Closed)?;
        }
        Ok(Self { writer, keeper, readings, holding })
    }

    /// As [`preau_shared::rig::store::Store::commit`].
    pub(super) async fn commit<T, E>(&self, act: impl FnOnce(&Session) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.commit(act).await
    }

    /// As [`preau_shared::rig::store::Store::read`].
    pub(super) async fn read<T, E>(&self, read: impl FnOnce(&Session) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let reading: Reading = Box::new(move |session| {
            // The caller may have gone away.
            drop(send.send(session.map_err(E::from).and_then(read)));
        });
        self.readings.try_send(reading).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => StoreError::Full,
            mpsc::TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        receive.await.map_err(|_| StoreError::Closed)?
    }

    /// What this coordinator holds, and what it holds then.
    pub(super) fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.holding.held.subscribe()
    }

    /// Looks after the leases: with `renew` prolongs them, and takes or gives up shelves up to this coordinator's share.
    pub(super) async fn keep(&self, renew: bool) -> Result<(), StoreError> {
        let (holder, known) = (self.holding.holder, self.holding.held());
        let kept = self.keeper.commit::<_, StoreError>(move |conn| {
            let held = if renew { leases::renew(conn, &holder)? } else { Held::clone(&known) };
            leases::balance(conn, &holder, held)
        });
        self.holding.set(kept.await?);
        Ok(())
    }

    /// Holds nothing any more, by its own clock: the leases could not be renewed in time.
    pub(super) fn lose(&self) {
        self.holding.set(Held::new());
    }

    /// Lets go of all: another coordinator may go on at once.
    pub(super) async fn release(&self) -> Result<(), StoreError> {
        self.holding.set(Held::new());
        let holder = self.holding.holder;
        self.keeper.commit(move |conn| leases::release_all(conn, &holder)).await
    }

    /// As [`preau_shared::rig::store::Store::committed`].
    pub(super) fn committed(&self) -> watch::Receiver<u64> {
        self.writer.committed()
    }
}

fn read(session: &Session, queue: &Mutex<mpsc::Receiver<Reading>>) {
    loop {
        // One waits at the queue, the others at the lock; it is free again before the reading begins.
        let reading = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(reading) = reading else { return };
        let begun = session.begin_reading();
        let ready = begun.is_ok();
        reading(begun.map(|()| session));
        if ready {
            session.roll_back();
        }
    }
}

/// Brings the schema to the newest version. Coordinators that start together wait for each other.
fn migrate(session: &Session) -> Result<(), StoreError> {
    session.begin()?;
    let migrated = schema::migrate_server(session, dialect::schema);
    match migrated {
        Ok(()) => session.commit(),
        Err(error) => {
            session.roll_back();
            Err(error)
        }
    }
}
