//! Documents and journal entries become rows, in the commit that stores them.

use preau_shared::{
    documents::{
        self, Badge, Catalogue, Class, DocId, Fields, Kind, Person, Policy, Provisional, School, Tablet, Terms, person,
        staff::{self, Standing},
    },
    journal::{CredentialKind, Entry},
    replica::{Origin, Shelf, Tombstone},
    rig::shelves::{self, Project, ShelfError},
    second_factor::Factor,
    terms::Version,
    time::Stamp,
    wire::Role,
};
use rusqlite::Connection;

use crate::{
    store::{
        badges, catalogue, classes, credentials, erased, factors,
        people::{self, Secrets},
        policies, safe_codes, school, staff_secrets, tablets, terms,
    },
    tablets::life,
};

fn secrets_of(fields: &Fields) -> Secrets {
    let secret = |factor| person::secret(fields, factor);
    Secrets { pictures: secret(Factor::Pictures), digits: secret(Factor::Digits) }
}

/// Somebody made at a box; she stands in the shade of a roster's document of the same name.
fn provisional(conn: &Connection, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
    let Some(someone) = Provisional::from_fields(doc, fields) else { return Ok(()) };
    people::project_provisional(conn, &someone, secrets_of(fields))?;
    people::project_settings(conn, doc, &person::settings(fields))?;
    if someone.role == Role::Teacher {
        let phc = if someone.deleted { String::new() } else { someone.pin };
        let (person, kind, login) = (someone.id, CredentialKind::Pin, String::new());
        credentials::replace(conn, &credentials::Credential { person, kind, phc, login })?;
    }
    Ok(())
}

/// Writes the box's projected tables.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rows;

impl Project<Connection> for Rows {
    /// A document whose fields are not complete yet (its first change is still on its way) shows no row.
    fn document(&self, conn: &Connection, shelf: &Shelf, doc: &DocId, fields: &Fields) -> Result<(), ShelfError> {
        match doc.kind {
            Kind::Person => {
                if let Some(person) = Person::from_fields(doc, fields) {
                    people::project(conn, &person, secrets_of(fields))?;
                    people::project_settings(conn, doc, &person::settings(fields))?;
                    let standing = if person.deleted { Standing::Given } else { staff::standing(fields) };
                    staff_secrets::project(conn, doc, &standing)?;
                    safe_codes::project(conn, doc, (!person.deleted).then_some(fields))?;
                    if person.deleted {
                        credentials::forget(conn, person.id)?;
                        // A roster that was taken back: she is again what a box made her.
                        let made = Provisional::doc(person.id);
                        if let Some(fields) = shelves::document(conn, shelf, &made)? {
                            provisional(conn, &made, &fields)?;
                        }
                    }
                }
            }
            Kind::Provisional => provisional(conn, doc, fields)?,
            Kind::Class => {
                if let Some(class) = Class::from_fields(doc, fields) {
                    classes::project(conn, &class)?;
                }
            }
            Kind::Badge => {
                if let Some(badge) = Badge::from_fields(doc, fields) {
                    badges::project(conn, &badge)?;
                }
            }
            Kind::Tablet => {
                if let Some(tablet) = Tablet::from_fields(doc, fields) {
                    tablets::project(conn, &tablet)?;
                    tablets::project_owner(conn, tablet.id, documents::tablet::owner(fields))?;
                    tablets::project_filter(conn, tablet.id, documents::tablet::filter_name(fields))?;
                    life::follow(conn, &tablet)?;
                }
            }
            Kind::Policy => {
                if let Some(policy) = Policy::from_fields(doc, fields) {
                    policies::project(conn, &policy)?;
                }
            }
            Kind::Catalogue => {
                if let Some(catalogue) = Catalogue::from_fields(doc, fields) {
                    catalogue::project(conn, &catalogue)?;
                }
            }
            Kind::School => {
                if let Some(school) = School::from_fields(doc, fields) {
                    let frames = documents::school::frames_on_box(fields);
                    school::project(conn, &school, documents::school::accounts(fields), frames)?;
                    factors::project(conn, &documents::school::factors(fields))?;
                }
            }
            Kind::Terms => {
                if let (Shelf::School(uai), Some(own)) = (shelf, Terms::from_fields(doc, fields))
                    && own.uai == *uai
                {
                    terms::project(conn, &own)?;
                }
            }
            Kind::Case => {}
        }
        Ok(())
    }

    fn entry(
        &self,
        conn: &Connection,
        _: &Shelf,
        _: &Origin,
        _: u64,
        _: Stamp,
        entry: &Entry,
    ) -> Result<(), ShelfError> {
        if let Entry::Credential { person, kind, phc, login } = entry {
            let credential =
                credentials::Credential { person: *person, kind: *kind, phc: phc.clone(), login: login.clone() };
            credentials::replace(conn, &credential)?;
        }
        if let Entry::TermsRead { person, version } = entry {
            terms::read(conn, *person, Version(*version))?;
        }
        Ok(())
    }

    fn erased(&self, conn: &Connection, _: &Shelf, tombstone: &Tombstone) -> Result<(), ShelfError> {
        if let Some(person) = tombstone.pseudonym {
            terms::forget(conn, person)?;
        }
        Ok(erased::forget(conn, &tombstone.doc)?)
    }
}
