//! Documents become rows, in the commit that brings them. What a row is made of stands in its table's file.

use preau_shared::{
    documents::{DocId, Fields, Kind, Person, School, Tablet, safe, school, tablet},
    ids::{PersonId, TabletId, Uai},
    journal::Entry,
    replica::{Origin, Shelf, Tombstone, sealing::Notice},
    rig::shelves::{Project, ShelfError},
    time::Stamp,
    wire::Role,
};

use crate::store::{
    Tx, boxes, carries,
    filter_names::{self, Named},
    people, safe_codes, schools, seals, voids,
};

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
        filter_hears(conn, shelf, doc, Some(fields))
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
        filter_hears(conn, shelf, &tombstone.doc, None)
    }
}

/// What the filter reads of a document, which has no fields once it is erased.
fn filter_hears(conn: &Tx, shelf: &Shelf, doc: &DocId, fields: Option<&Fields>) -> Result<(), ShelfError> {
    let Shelf::School(uai) = shelf else {
        return if doc.kind == Kind::Policy { Ok(filter_names::changed(conn, shelf)?) } else { Ok(()) };
    };
    match doc.kind {
        Kind::Tablet => project_tablet(conn, uai, doc, fields)?,
        Kind::Policy | Kind::School => {}
        Kind::Person | Kind::Provisional => {
            let person = PersonId::from_bytes(doc.id);
            if !filter_names::owns(conn, uai, person)? {
                return Ok(());
            }
            if fields.is_none() {
                filter_names::forget_owner(conn, uai, person)?;
            }
        }
        Kind::Class | Kind::Badge | Kind::Case | Kind::Catalogue | Kind::Terms => return Ok(()),
    }
    Ok(filter_names::changed(conn, shelf)?)
}

/// Writes under which name a tablet asks the filter, and whose it is.
pub(crate) fn project_tablet(conn: &Tx, uai: &Uai, doc: &DocId, fields: Option<&Fields>) -> Result<(), ShelfError> {
    let known = fields.and_then(|fields| {
        let tablet = Tablet::from_fields(doc, fields).filter(|tablet| !tablet.deleted)?;
        let (filter, owner) = (tablet::filter_name(fields)?, tablet::owner(fields));
        Some(Named { tablet: tablet.id, filter, owner, lost: tablet.lost })
    });
    match known {
        Some(named) => filter_names::project(conn, uai, &named)?,
        None => filter_names::forget(conn, uai, TabletId::from_bytes(doc.id))?,
    }
    Ok(())
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
