//! What a writing thread asks of a database.

use rusqlite::Connection;

use super::StoreError;
use crate::rig::sql::Sql;

/// A connection that one thread writes through, group after group.
pub trait Session: Sql + Send + 'static {
    /// Begins a group, on a new connection where the last one broke.
    ///
    /// # Errors
    /// What the database says.
    fn begin(&self) -> Result<(), StoreError> {
        self.control("BEGIN")
    }

    /// Makes the group durable. When this errs, the session is left ready for another [`Self::begin`].
    ///
    /// # Errors
    /// [`StoreError::Unsure`] when nobody knows whether it is durable, any other when nothing of it is.
    fn commit(&self) -> Result<(), StoreError>;

    /// Runs one word of transaction control.
    ///
    /// # Errors
    /// What the database says.
    fn control(&self, word: &str) -> Result<(), StoreError>;

    /// Whether the group that has begun still stands: after some errors, such as of a full disk, a database takes all of it
    /// back by itself.
    fn stands(&self) -> bool {
        true
    }

    /// Rows written through this session; wraps.
    fn written(&self) -> u64;

    /// Tidies up what was made durable, when much has come together: called when nothing waits and everybody has an answer.
    fn settle(&self) {}

    /// Gives back memory that only speeds up the next group: called when nothing was written for a while.
    fn rest(&self) {}

    /// Leaves nothing behind of what was erased: called between two groups, after what is erased is durable.
    fn scrub(&self) {}
}

impl Session for Connection {
    fn commit(&self) -> Result<(), StoreError> {
        let done = self.control("COMMIT");
        if done.is_err() && !self.is_autocommit() {
            drop(self.control("ROLLBACK"));
        }
        done
    }

    fn control(&self, word: &str) -> Result<(), StoreError> {
        Sql::execute(self, word, &[]).map(drop)
    }

    fn stands(&self) -> bool {
        !self.is_autocommit()
    }

    fn written(&self) -> u64 {
        self.total_changes()
    }

    fn settle(&self) {
        if let Err(error) = self.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
            tracing::warn!(%error, "the log of the database is not written back");
        }
    }

    /// Pages that were read stay with the system.
    fn rest(&self) {
        if let Err(error) = self.execute_batch("PRAGMA shrink_memory") {
            tracing::warn!(%error, "the database keeps its memory");
        }
    }

    /// Pages are overwritten by `secure_delete`; their old images go with the log. While somebody reads an older state
    /// the log stays, and the next scrub takes it.
    fn scrub(&self) {
        if let Err(error) = self.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the log of the database could not be emptied after an erasure");
        }
    }
}
