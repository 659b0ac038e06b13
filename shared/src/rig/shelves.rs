//! Shelves on disk: documents, journals, runs and marks in SQLite, the same at the box and at the coordinator.
//!
//! Every function takes a connection and runs inside one act of [`crate::rig::writer::Writer`] (or of a reader, where it
//! only reads): an error rolls the act back, so that nothing here is ever half-done.
//!
//! | file | its one idea |
//! |---|---|
//! | [`mod@line`] | one row per shelf and origin: how far it is numbered, closed into runs, acknowledged; who I am |
//! | [`library`] | documents: snapshot and changes since, heads, fields, digest; changes that wait for another |
//! | [`runs`] | items are closed into runs; runs from others are checked, applied, handed on, pruned, quarantined |

mod library;
mod line;
mod runs;

use std::sync::Arc;

use rusqlite::Connection;

pub use self::{
    library::{digest, document, documents},
    line::{Acknowledged, Exposure, acknowledge, chain_at, exposure, marks, new_incarnation, origin},
    runs::{close_runs, commit_run, prune, quarantine, quarantine_bytes, quarantined, runs_after},
};
use crate::{
    dice::Dice,
    documents::{DocId, DocumentError, Edit, Fields, Writer},
    journal::{Entry, JournalError},
    keys::SigningKey,
    replica::{Origin, RunError, Shelf},
    rig::writer::StoreError,
    time::Stamp,
};

/// Creates the tables. Sizes and retention stand beside each.
pub const MIGRATION: &str = "
-- Who I am; one row.
CREATE TABLE replica_self (
    one INTEGER PRIMARY KEY CHECK (one = 1), box BLOB NOT NULL, incarnation INTEGER NOT NULL
) STRICT;
-- One row per shelf and origin: last number given or held, end and hash of the last run, how far the peer has it.
CREATE TABLE replica_lines (
    line INTEGER PRIMARY KEY, shelf TEXT NOT NULL, box BLOB NOT NULL, incarnation INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, chain BLOB NOT NULL DEFAULT (zeroblob(32)),
    acked INTEGER NOT NULL DEFAULT 0, lag_ms INTEGER,
    UNIQUE (shelf, box, incarnation)
) STRICT;
CREATE INDEX replica_lines_open ON replica_lines (box, incarnation) WHERE last > held;
-- Journal entries of everybody (kind 1), and my own changes until they stand in a run (kind 0).
CREATE TABLE replica_items (
    line INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, doc_kind INTEGER, doc_id BLOB, salt BLOB,
    body BLOB NOT NULL, committed INTEGER NOT NULL,
    PRIMARY KEY (line, number)
) STRICT, WITHOUT ROWID;
-- Runs as they were signed. The payload goes 14 days after the peer has it.
CREATE TABLE replica_runs (
    line INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL,
    payload BLOB, signature BLOB NOT NULL, stored INTEGER NOT NULL, oldest INTEGER NOT NULL, newest INTEGER NOT NULL,
    PRIMARY KEY (line, last)
) STRICT;
-- Documents: saved state, sorted heads, settled fields.
CREATE TABLE replica_documents (
    doc INTEGER PRIMARY KEY, shelf TEXT NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL, snapshot BLOB,
    heads BLOB NOT NULL, fields BLOB NOT NULL, fields_version INTEGER NOT NULL,
    tail_count INTEGER NOT NULL DEFAULT 0, tail_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (shelf, kind, id)
) STRICT;
-- Changes since the saved state; folded at 64 or 16 KB.
CREATE TABLE replica_changes (
    doc INTEGER NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (doc, place)
) STRICT;
CREATE TABLE replica_digests (shelf TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT;
-- Changes that stand on one that is not here yet; 1,000 a shelf.
CREATE TABLE replica_waiting (
    place INTEGER PRIMARY KEY, shelf TEXT NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL, by_box INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX replica_waiting_doc ON replica_waiting (shelf, kind, id);
-- What was refused, for people to look at; the newest 100.
CREATE TABLE replica_quarantine (
    place INTEGER PRIMARY KEY, origin TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, reason TEXT NOT NULL,
    bytes BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
";

/// Who writes here: a name to number under, a key to sign with.
pub struct Author {
    /// The origin of what is written.
    pub origin: Origin,
    /// Signs runs.
    pub key: SigningKey,
    /// Draws the salts of entries.
    pub dice: Arc<dyn Dice>,
    /// On whose side: what may not be written here is refused before it is signed.
    pub writer: Writer,
}

impl std::fmt::Debug for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Author({}, {:?})", self.origin, self.writer)
    }
}

/// Why a shelf did not take something.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run does not follow what is held: the ones between are missing.
    #[error("runs are missing: {held} is held")]
    Gap {
        /// The last number held.
        held: u64,
    },
    /// A run contradicts what is held under the same numbers, or its chain does.
    #[error("the run contradicts what is held up to {held}")]
    Fork {
        /// The last number held.
        held: u64,
    },
    /// A run, a change or an entry is refused; the whole run with it.
    #[error("refused: {reason}")]
    Refused {
        /// For the operator; names no person.
        reason: String,
    },
    /// Too many changes wait for changes that have not come; send again later.
    #[error("too many changes wait for others")]
    Waiting,
    /// The asked runs are no longer kept.
    #[error("runs up to {pruned} are no longer kept")]
    Pruned {
        /// The last number that is gone.
        pruned: u64,
    },
}

impl From<rusqlite::Error> for ShelfError {
    fn from(why: rusqlite::Error) -> Self {
        Self::Store(why.into())
    }
}
impl From<DocumentError> for ShelfError {
    fn from(why: DocumentError) -> Self {
        Self::Refused { reason: why.to_string() }
    }
}
impl From<JournalError> for ShelfError {
    fn from(why: JournalError) -> Self {
        Self::Refused { reason: why.to_string() }
    }
}
impl From<RunError> for ShelfError {
    fn from(why: RunError) -> Self {
        Self::Refused { reason: why.to_string() }
    }
}

/// Keeps a program's own rows in step with documents and entries, in the same act.
pub trait Project: Send + Sync {
    /// A document now reads so.
    ///
    /// # Errors
    /// What the store says; the act is rolled back.
    fn document(&self, conn: &Connection, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError>;

    /// An entry of another origin came. `number` is, with the origin, its identity; `received` is by the clock here.
    /// Own entries are projected by whoever writes them.
    ///
    /// # Errors
    /// What the store says; the act is rolled back.
    #[expect(clippy::too_many_arguments, reason = "what an entry is: where, whose, which, when, what")]
    fn entry(
        &self,
        conn: &Connection,
        shelf: &Shelf,
        origin: &Origin,
        number: u64,
        received: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError>;
}

/// Writes one edit of a document: the change is numbered and waits for the next run, the document is projected.
/// Gives the number, or none when the document said so already.
///
/// # Errors
/// [`ShelfError::Refused`] when the author may not write a field, or the field may not hold the value.
pub fn edit(
    conn: &Connection,
    author: &Author,
    shelf: &Shelf,
    now: Stamp,
    edit: &Edit,
    project: &dyn Project,
) -> Result<Option<u64>, ShelfError> {
    let Some((change, fields)) = library::edit(conn, author, shelf, edit)? else { return Ok(None) };
    let number = line::append(conn, shelf, &author.origin, now, line::Own::Change { doc: &edit.doc, bytes: &change })?;
    project.document(conn, shelf, &edit.doc, &fields)?;
    Ok(Some(number))
}

/// Writes one entry to the journal; gives its number.
///
/// # Errors
/// [`ShelfError::Refused`] when the entry is too large or not this author's to write.
pub fn journal(
    conn: &Connection,
    author: &Author,
    shelf: &Shelf,
    now: Stamp,
    entry: &Entry,
) -> Result<u64, ShelfError> {
    if !entry.may_come_from(author.writer) {
        return Err(ShelfError::Refused { reason: "this entry is not this writer's".into() });
    }
    let body = entry.encode()?;
    let mut salt = [0; 16];
    author.dice.fill(&mut salt);
    line::append(conn, shelf, &author.origin, now, line::Own::Entry { salt, body: &body })
}

/// How many entries of journals are held on a shelf, of one origin or of all.
///
/// # Errors
/// When the store cannot be read.
pub fn entry_count(conn: &Connection, shelf: &Shelf, origin: Option<&Origin>) -> Result<u64, ShelfError> {
    line::entry_count(conn, shelf, origin)
}

/// The identity of every entry held on a shelf.
///
/// # Errors
/// When the store cannot be read.
pub fn entry_ids(conn: &Connection, shelf: &Shelf) -> Result<Vec<(Origin, u64)>, ShelfError> {
    line::entry_ids(conn, shelf)
}

/// Entries of one origin after a number, oldest first, `most` of them, each with the stamp of its commit here.
///
/// # Errors
/// When the store cannot be read. Entries of a later version are left out.
pub fn entries(
    conn: &Connection,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    most: u32,
) -> Result<Vec<(u64, Stamp, Entry)>, ShelfError> {
    line::entries(conn, shelf, origin, after, most)
}

#[cfg(test)]
mod tests;
