//! Documents become rows, in the commit that brings them. What a row is made of stands in its table's file.

use preau_shared::{
    documents::{Badge, DocId, Fields, Kind, Person, School},
    journal::Entry,
    replica::{Origin, Shelf},
    rig::shelves::{Project, ShelfError},
    time::Stamp,
};
use rusqlite::Connection;

use crate::store::{badges, headcount, schools};

/// Keeps the coordinator's projected tables in step with the shelves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Projection;

impl Project for Projection {
    fn document(&self, conn: &Connection, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        // What is the territory's is read from the documents themselves.
        let Shelf::School(uai) = shelf else { return Ok(()) };
        match doc.kind {
            Kind::School => {
                if let Some(school) = School::from_fields(doc, fields).filter(|school| school.uai == *uai) {
                    schools::project(conn, &school)?;
                }
            }
            Kind::Person => {
                if let Some(person) = Person::from_fields(doc, fields) {
                    headcount::project(conn, uai, &person)?;
                }
            }
            Kind::Badge => {
                if let Some(badge) = Badge::from_fields(doc, fields) {
                    badges::project(conn, uai, &badge)?;
                }
            }
            Kind::Class | Kind::Tablet | Kind::Case | Kind::Policy | Kind::Catalogue => {}
        }
        Ok(())
    }

    fn entry(&self, _: &Connection, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        // Entries are kept as they came and counted where they stand.
        Ok(())
    }
}
