//! Read-only connections beside the writer. WAL lets them read while it writes.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, atomic::AtomicUsize, atomic::Ordering},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{sql::Sql, writer::StoreError};

/// A few read-only connections, the first free one taken. Reads are index look-ups of microseconds; a caller may wait for one.
#[derive(Clone)]
pub struct Reader {
    connections: Arc<[Mutex<Connection>]>,
    next: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} connections)", self.connections.len())
    }
}

/// One consistent state: a transaction whose two statements are kept prepared, ended whatever happens in it.
struct State<'c>(&'c Connection);

impl<'c> State<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        Sql::execute(connection, "BEGIN", &[])?;
        Ok(Self(connection))
    }
}

impl Drop for State<'_> {
    fn drop(&mut self) {
        if let Err(error) = Sql::execute(self.0, "COMMIT", &[]) {
            tracing::error!(%error, "a reading does not end");
        }
    }
}

impl Reader {
    /// Opens `connections` (at least one) connections on a file that the writer has made.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, connections: usize) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections: Result<Vec<_>, StoreError> = (0..connections.max(1))
            .map(|_| {
                let connection = Connection::open_with_flags(path, flags)?;
                connection.set_prepared_statement_cache_capacity(64);
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
                connection.execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-200;")?;
                Ok(Mutex::new(connection))
            })
            .collect();
        Ok(Self { connections: connections?.into(), next: Arc::default() })
    }

    /// Reads one consistent state.
    ///
    /// # Errors
    /// What `read` says.
    pub fn read<T, E: From<StoreError>>(&self, read: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let connection = self.free().ok_or(StoreError::Closed)?;
        let state = State::begin(&connection)?;
        read(state.0)
    }

    /// The first connection that nobody reads through: what the others would keep in memory too they never see. With all of
    /// them taken, the wait is for one in turn.
    fn free(&self) -> Option<MutexGuard<'_, Connection>> {
        for connection in &*self.connections {
            match connection.try_lock() {
                Ok(free) => return Some(free),
                Err(TryLockError::Poisoned(free)) => return Some(free.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.connections.len())?;
        Some(self.connections.get(turn)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
