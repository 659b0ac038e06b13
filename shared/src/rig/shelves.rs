//! Shelves on disk: documents, journals, runs and marks, the same at the box and at the coordinator, in SQLite and in
//! PostgreSQL (see [`crate::rig::sql`]).
//!
//! Every function takes a connection and runs inside one act of [`crate::rig::writer::Writer`] (or of a reader, where it
//! only reads): an error rolls the act back, so that nothing here is ever half-done.
//!
//! | file | its one idea |
//! |---|---|
//! | [`mod@line`] | one row per shelf and origin: how far it is numbered, closed into runs, acknowledged; whose disk this is |
//! | [`library`] | documents: snapshot and changes since, heads, fields, digest |
//! | [`hashes`] | which document a change is of; changes that wait for another |
//! | [`desk`] | what comes from outside is applied to documents |
//! | [`runs`] | items are closed into runs; runs from others are checked, applied, handed on |
//! | [`epochs`] | a document is begun anew, and late edits of its past are carried over |
//! | [`mod@erase`] | a document goes, with everything that was ever said of it |
//! | [`pages`] | documents as they are, for whoever lacks them: snapshot and repair |
//! | [`compare`] | what two ends lack of each other's documents |
//! | [`lost`] | what nobody keeps any more |
//! | [`fold`] | what everybody has is cut; who counts as everybody |
//! | [`lives`] | every start is another life, and says again what a former one left half-done |
//! | [`quarantine`] | what was refused, for people to look at |

pub mod compare;
mod desk;
mod epochs;
mod erase;
pub mod fold;
mod hashes;
mod library;
mod line;
mod lives;
pub mod lost;
pub mod pages;
pub mod quarantine;
mod runs;

use std::sync::Arc;

pub use self::{
    desk::Taking,
    epochs::roll_over,
    erase::{erase, is_erased},
    library::{digest, document, document_count, documents, sums},
    line::{Acknowledged, Exposure, acknowledge, chain_at, exposure, marks, marks_of},
    lives::begin,
    runs::{Following, close_runs, commit_each, commit_run, runs_after},
};
use crate::{
    dice::Dice,
    documents::{DocId, DocumentError, Edit, Fields, Writer},
    journal::{Entry, JournalError},
    keys::SigningKey,
    replica::{Item, Origin, RunError, Shelf, Tombstone},
    rig::{sql::Sql, writer::StoreError},
    time::Stamp,
};

/// Creates the tables. Sizes and retention stand beside each.
pub const MIGRATION: &str = "
-- Whose disk this is; one row.
CREATE TABLE replica_self (
    one INTEGER NOT NULL CHECK (one = 1), box BLOB NOT NULL, PRIMARY KEY (one)
) STRICT;
-- One row per shelf and origin: last number given or held, end and hash of the last run, how far the peer has it, and
-- up to where runs are not kept.
CREATE TABLE replica_lines (
    line INTEGER PRIMARY KEY, shelf TEXT NOT NULL, box BLOB NOT NULL, incarnation INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0, chain BLOB NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0, lag_ms INTEGER, base INTEGER NOT NULL DEFAULT 0,
    UNIQUE (shelf, box, incarnation)
) STRICT;
CREATE INDEX replica_lines_open ON replica_lines (box, incarnation) WHERE last > held;
-- Journal entries of everybody (kind 1), and what else I wrote until it stands in a run (kind 0). Of an entry that is
-- gone its hash is left.
CREATE TABLE replica_items (
    line INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, salt BLOB, body BLOB NOT NULL, gone BLOB,
    committed INTEGER NOT NULL, PRIMARY KEY (line, number)
) STRICT, WITHOUT ROWID;
-- Runs as they were signed, after the line's base; the one that ends there has no payload.
CREATE TABLE replica_runs (
    line INTEGER NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, prev BLOB NOT NULL, root BLOB NOT NULL,
    hash BLOB NOT NULL, payload BLOB, signature BLOB NOT NULL, stored INTEGER NOT NULL, oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL, PRIMARY KEY (line, last)
) STRICT;
-- Documents, one row per epoch: saved state, sorted heads, settled fields. State 0 is the current epoch, 1 one that was
-- left behind (120 days), 2 a tombstone (for ever), 3 what is left of one that was left behind: names of its changes.
CREATE TABLE replica_documents (
    doc INTEGER PRIMARY KEY, shelf TEXT NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL, epoch INTEGER NOT NULL,
    state INTEGER NOT NULL, bucket INTEGER NOT NULL, snapshot BLOB, heads BLOB NOT NULL, fields BLOB NOT NULL,
    fields_version INTEGER NOT NULL, tail_count INTEGER NOT NULL DEFAULT 0, tail_bytes INTEGER NOT NULL DEFAULT 0,
    began INTEGER NOT NULL DEFAULT 0, cut BLOB, carried INTEGER NOT NULL, pseudonym BLOB, proof BLOB,
    UNIQUE (shelf, kind, id, epoch)
) STRICT;
CREATE INDEX replica_documents_past ON replica_documents (shelf, state) WHERE state > 0;
-- Of tombstones of people: every entry that names somebody is looked up here.
CREATE INDEX replica_documents_erased ON replica_documents (shelf, pseudonym) WHERE pseudonym IS NOT NULL;
-- Changes since the saved state; folded at 64 or 16 KB.
CREATE TABLE replica_changes (
    doc INTEGER NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (doc, place)
) STRICT;
-- Of which document each change is: 16 bytes of a hash, as long as the document or its tombstone.
CREATE TABLE replica_hashes (name BLOB NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (name)) STRICT, WITHOUT ROWID;
CREATE INDEX replica_hashes_doc ON replica_hashes (doc);
-- Changes that stand on one that is not here yet, and in which run they came; 1,000 a shelf, 120 days.
CREATE TABLE replica_waiting (
    place INTEGER PRIMARY KEY, shelf TEXT NOT NULL, dep BLOB NOT NULL, by_box INTEGER NOT NULL, bytes BLOB NOT NULL,
    line INTEGER, number INTEGER, since INTEGER NOT NULL
) STRICT;
CREATE INDEX replica_waiting_dep ON replica_waiting (shelf, dep);
-- Of changes that waited in vain: their names, of what they stand on, and who made them; of a shelf, those among the
-- newest 10,000.
CREATE TABLE replica_given_up (
    place INTEGER PRIMARY KEY, shelf TEXT NOT NULL, name BLOB NOT NULL UNIQUE, dep BLOB NOT NULL, actor BLOB NOT NULL
) STRICT;
CREATE INDEX replica_given_up_dep ON replica_given_up (dep);
-- Fields that a late edit of an epoch left behind would have set: for the history page; no values.
CREATE TABLE replica_overridden (
    place INTEGER PRIMARY KEY, shelf TEXT NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL, field TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
-- At the coordinator: how far each box holds each line, and when it was last heard.
CREATE TABLE replica_holders (
    holder BLOB NOT NULL, line INTEGER NOT NULL, number INTEGER NOT NULL, heard INTEGER NOT NULL,
    PRIMARY KEY (holder, line)
) STRICT;
-- Numbers that nobody keeps any more: what a coordinator restored from an old backup has lost.
CREATE TABLE replica_lost (
    place INTEGER PRIMARY KEY, shelf TEXT NOT NULL, box BLOB NOT NULL, incarnation INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
-- What was refused, for people to look at; the newest 100.
CREATE TABLE replica_quarantine (
    place INTEGER PRIMARY KEY, origin TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, reason TEXT NOT NULL,
    bytes BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
";

/// Who writes here: a name to number under, a key to sign with.
#[derive(Clone)]
pub struct Author {
    /// The origin of what is written.
    pub origin: Origin,
    /// Signs runs.
    pub key: Arc<SigningKey>,
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
    /// Changes from outside cannot be applied until the program is started again.
    #[error("changes from outside are not applied now: restart the program, and look at what is in quarantine")]
    Stuck,
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
pub trait Project<S: ?Sized>: Send + Sync {
    /// A document now reads so.
    ///
    /// # Errors
    /// What the store says; the act is rolled back.
    fn document(&self, conn: &S, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError>;

    /// An entry of another origin came. `number` is, with the origin, its identity; `received` is by the clock here.
    /// Own entries are projected by whoever writes them.
    ///
    /// # Errors
    /// What the store says; the act is rolled back.
    #[expect(clippy::too_many_arguments, reason = "what an entry is: where, whose, which, when, what")]
    fn entry(
        &self,
        conn: &S,
        shelf: &Shelf,
        origin: &Origin,
        number: u64,
        received: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError>;

    /// A document is erased: every row made of it, and everything that is kept because of it, goes.
    ///
    /// # Errors
    /// What the store says; the act is rolled back.
    fn erased(&self, conn: &S, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError>;
}

/// Writes one edit of a document: the change is numbered and waits for the next run, the document is projected.
/// Gives the number, or none when the document said so already.
///
/// # Errors
/// [`ShelfError::Refused`] when the author may not write a field, or the field may not hold the value.
pub fn edit<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    shelf: &Shelf,
    now: Stamp,
    edit: &Edit,
    project: &dyn Project<S>,
) -> Result<Option<u64>, ShelfError> {
    let Some((item, fields)) = library::edit(conn, author, shelf, edit)? else { return Ok(None) };
    let number = line::append(conn, shelf, &author.origin, now, &item)?;
    project.document(conn, shelf, &edit.doc, &fields)?;
    Ok(Some(number))
}

/// Writes one entry to the journal; gives its number.
///
/// # Errors
/// [`ShelfError::Refused`] when the entry is too large or not this author's to write.
pub fn journal<S: Sql + ?Sized>(
    conn: &S,
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
    let item = Item::Entry { salt, body };
    // Of somebody who was erased meanwhile a hole is left, as everywhere.
    let item = if erase::is_about_the_erased(conn, shelf, entry)? { item.gone() } else { item };
    line::append(conn, shelf, &author.origin, now, &item)
}

/// How many entries of journals are held on a shelf, of one origin or of all.
///
/// # Errors
/// When the store cannot be read.
pub fn entry_count<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, origin: Option<&Origin>) -> Result<u64, ShelfError> {
    line::entry_count(conn, shelf, origin)
}

/// The identity of every entry held on a shelf.
///
/// # Errors
/// When the store cannot be read.
pub fn entry_ids<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<(Origin, u64)>, ShelfError> {
    line::entry_ids(conn, shelf)
}

/// Entries of one origin after a number, oldest first, `most` of them, each with the stamp of its commit here.
///
/// # Errors
/// When the store cannot be read. Entries of a later version are left out.
pub fn entries<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    most: u32,
) -> Result<Vec<(u64, Stamp, Entry)>, ShelfError> {
    line::entries(conn, shelf, origin, after, most)
}

#[cfg(test)]
mod tests;
