//! Documents become rows, in the commit that brings them. What a row is made of stands in its table's file.

use preau_shared::{
    documents::{DocId, Fields, Kind, School},
    journal::Entry,
    replica::{Origin, Shelf},
    rig::shelves::{Project, ShelfError},
    time::Stamp,
};
use rusqlite::Connection;

use crate::store::schools;

/// Keeps the coordinator's projected tables in step with the shelves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Projection;

impl Project for Projection {
    fn document(&self, conn: &Connection, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        // Everything else is read from the documents themselves, where it is needed.
        if let (Shelf::School(uai), Kind::School) = (shelf, doc.kind)
            && let Some(school) = School::from_fields(doc, fields).filter(|school| school.uai == *uai)
        {
            schools::project(conn, &school)?;
        }
        Ok(())
    }

    fn entry(&self, _: &Connection, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        // Entries are kept as they came and counted where they stand.
        Ok(())
    }
}
