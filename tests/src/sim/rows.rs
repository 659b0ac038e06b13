//! Rows as a program makes them of documents and entries.

use preau_shared::{
    documents::{DocId, Fields},
    journal::Entry,
    replica::{Origin, Shelf},
    rig::shelves::{Project, ShelfError},
    time::Stamp,
};
use rusqlite::{Connection, params};

pub(super) const TABLES: &str = "
CREATE TABLE sim_documents (shelf TEXT, kind INTEGER, id BLOB, fields TEXT, PRIMARY KEY (shelf, kind, id)) STRICT;
CREATE TABLE sim_entries (shelf TEXT, origin TEXT, number INTEGER, entry TEXT, PRIMARY KEY (shelf, origin, number)) STRICT;
";

/// Makes the rows; an entry that came twice breaks their key.
pub(super) struct Rows;

impl Project for Rows {
    fn document(&self, conn: &Connection, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        conn.prepare_cached("INSERT OR REPLACE INTO sim_documents VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            shelf.as_key(),
            doc.kind.code(),
            doc.id,
            format!("{fields:?}")
        ])?;
        Ok(())
    }
    fn entry(
        &self,
        conn: &Connection,
        shelf: &Shelf,
        origin: &Origin,
        number: u64,
        _received: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        conn.prepare_cached("INSERT INTO sim_entries VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            shelf.as_key(),
            origin.to_string(),
            number,
            format!("{entry:?}")
        ])?;
        Ok(())
    }
}
