//! What acts write besides their rows: documents and journal entries of the school's shelf, in the same commit.

use std::sync::Arc;

use preau_shared::{
    dice::Dice,
    documents::Edit,
    journal::Entry,
    replica::shelf::Shelf,
    rig::shelves::{self, Author},
    time::Stamp,
};
use rusqlite::Connection;

use super::Trouble;
use crate::replica::project::Rows;

/// The pen of one act: who writes, where, and at what hour.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) author: Arc<Author>,
    pub(crate) shelf: Shelf,
    pub(crate) dice: Arc<dyn Dice>,
    /// For people to read; no order is decided by it.
    pub(crate) now: Stamp,
}

impl Book {
    /// Appends to the journal.
    pub(crate) fn note(&self, conn: &Connection, entry: &Entry) -> Result<(), Trouble> {
        shelves::journal(conn, &self.author, &self.shelf, self.now, entry)?;
        Ok(())
    }
    /// Edits a document and its rows; an edit that changes nothing writes nothing.
    pub(crate) fn edit(&self, conn: &Connection, edit: &Edit) -> Result<(), Trouble> {
        shelves::edit(conn, &self.author, &self.shelf, self.now, edit, &Rows)?;
        Ok(())
    }
}
