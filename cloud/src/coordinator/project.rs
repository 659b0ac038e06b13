//! Documents become rows, in the commit that brings them. What a row is made of stands in its table's file.

use preau_shared::{
    documents::{DocId, Fields, Kind, Person, School, safe, school},
    ids::{PersonId, Uai},
    journal::Entry,
    replica::{Origin, Shelf, Tombstone, sealing::Notice},
    rig::shelves::{Project, ShelfError},
    time::Stamp,
    wire::Role,
};

use crate::store::{Tx, boxes, carries, people, safe_codes, schools, seals, voids};

/// Keeps the coordinator's projected tables in step with the shelves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Projection;

impl Project<Tx> for Projection {
    fn document(&self, conn: &Tx, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        carries::note(conn, shelf, doc)?;
        // Everything else is read from the documents themselves, where it is needed.
        if let (Shelf::School(uai), Kind::School) = (shelf, doc.kind)
            && let Some(school) = School::from_fields(doc, fields).filter(|school| school.uai == *uai)
        {
            schools::project(conn, &school)?;
            hear_seals(conn, &school.uai, fields)?;
        }
        if let (Shelf::School(uai), Kind::Person, Some(safe)) = (shelf, doc.kind, safe::safe_code(fields)) {
            let is_head = Person::from_fields(doc, fields).is_some_and(|p| p.role == Role::Head && !p.deleted);
            safe_codes::project(conn, uai, PersonId::from_bytes(doc.id), is_head.then_some(safe.used))?;
        }
        Ok(())
    }

    fn entry(
        &self,
        conn: &Tx,
        shelf: &Shelf,
        origin: &Origin,
        _: u64,
        received: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError> {
        // Entries are kept as they came and counted where they stand; but many voids in a day are looked at.
        if let (Shelf::School(uai), Entry::BadgeVoided { badge, .. }) = (shelf, entry) {
            voids::heard(conn, *badge, uai, (origin.box_id, received))?;
        }
        Ok(())
    }

    fn erased(&self, conn: &Tx, shelf: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
        if let (Shelf::School(uai), Kind::Person) = (shelf, tombstone.doc.kind) {
            let person = PersonId::from_bytes(tombstone.doc.id);
            people::forget(conn, person, uai)?;
            safe_codes::project(conn, uai, person, None)?;
        }
        Ok(())
    }
}

/// Boxes tell their sealing keys in the school's document. What is not signed by the box it names is passed over.
fn hear_seals(conn: &Tx, uai: &Uai, fields: &Fields) -> Result<(), ShelfError> {
    for (box_id, bytes) in school::box_seals(fields) {
        let Some(row) = boxes::find(conn, box_id)?.filter(|row| row.uai == *uai) else { continue };
        match Notice::read(bytes, box_id, &row.signing_key) {
            Some(notice) => seals::announce(conn, box_id, notice.number, &notice.public)?,
            None => tracing::warn!(%box_id, "a sealing key that the box did not sign was passed over"),
        }
    }
    Ok(())
}
