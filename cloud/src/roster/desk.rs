//! What this room works with, and why it says no.

use std::{collections::BTreeMap, sync::Arc};

use preau_shared::{
    dice::Dice,
    documents::{Class, DocId, Edit, Fields, Kind, Person, Provisional},
    ids::{PersonId, Uai},
    replica::Shelf,
    rig::{
        shelves::{self, Author, Project, ShelfError},
        writer::StoreError,
    },
    roster::RosterError,
    time::{Clock, Stamp},
    wire::Role,
};

use super::{
    evidence::EvidenceKey,
    plan::Line,
    standing::{Elsewhere, Known, KnownClass, Made, Standing},
};
use crate::store::{Database, Tx, people};

/// Why a roster or a list of staff is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The shelf did not take it.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] RosterError),
    /// It would bring people into a training room.
    #[error("a training room takes no people")]
    Training,
    /// No such school here.
    #[error("no such school")]
    NoSchool,
    /// No such roster, or its plan was forgotten.
    #[error("no such roster")]
    NoRoster,
    /// No shelf holds this badge.
    #[error("no such badge")]
    NoBadge,
    /// No shelf holds this person.
    #[error("nobody of this name stands on a school's shelf")]
    NoPerson,
    /// The school has no such tablet.
    #[error("no such tablet")]
    NoTablet,
    /// Nobody of the school's staff is meant.
    #[error("nobody of the school's staff is meant")]
    NoStaff,
    /// It would take too many away, or looks partial.
    #[error("{leaving} of {enrolled} pupils would leave, {unread} lines were not read")]
    Suspicious {
        /// Pupils who would leave.
        leaving: usize,
        /// Pupils enrolled now.
        enrolled: usize,
        /// Lines left out.
        unread: usize,
    },
    /// The school changed since the plan was shown, or another plan is meant.
    #[error("the school changed since this plan was made: send the file again and read the new plan")]
    Outdated,
    /// A newer import stands on this one, or it was never applied.
    #[error("only the last applied roster of a school can be taken back")]
    NotLast,
    /// A line of the list is not of the expected form.
    #[error("entry {entry}: {what}")]
    Entry {
        /// Which entry, counted from 1.
        entry: usize,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A stored text is not what this program wrote.
    #[error("a stored plan cannot be read")]
    Stored,
}

/// Everything the room touches.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(super) store: Database,
    pub(super) author: Arc<Author>,
    pub(super) project: Arc<dyn Project<Tx>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<dyn Dice>,
    pub(super) badge_key: [u8; 32],
    pub(super) evidence_key: EvidenceKey,
}

/// What a [`Desk`] is made from.
pub(crate) struct DeskParts {
    /// What the coordinator remembers.
    pub(crate) store: Database,
    /// The coordinator's own origin and key.
    pub(crate) author: Arc<Author>,
    /// Projects documents into the coordinator's rows.
    pub(crate) project: Arc<dyn Project<Tx>>,
    /// Stamps.
    pub(crate) clock: Arc<dyn Clock>,
    /// Draws ids and badges.
    pub(crate) dice: Arc<dyn Dice>,
    /// The territory's badge key.
    pub(crate) badge_key: [u8; 32],
    /// A secret that never leaves the coordinator; the evidence key is derived from it.
    pub(crate) secret: [u8; 32],
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Sets the desk up.
    pub(crate) fn new(parts: DeskParts) -> Self {
        Self {
            store: parts.store,
            author: parts.author,
            project: parts.project,
            clock: parts.clock,
            dice: parts.dice,
            badge_key: parts.badge_key,
            evidence_key: EvidenceKey::derived_from(&parts.secret),
        }
    }

    /// One act on one document of a shelf.
    pub(super) fn edit(&self, connection: &Tx, shelf: &Shelf, now: Stamp, edit: &Edit) -> Result<(), ShelfError> {
        shelves::edit(connection, &self.author, shelf, now, edit, self.project.as_ref()).map(|_| ())
    }

    /// The school as it stands; `lines` say which national numbers to look for elsewhere.
    pub(super) fn standing(&self, connection: &Tx, uai: &Uai, lines: &[Line]) -> Result<Standing, DeskError> {
        let shelf = Shelf::School(uai.clone());
        let mut evidence = people::of_school(connection, uai)?;
        let mut standing = Standing::default();
        for person in views(connection, &shelf, Kind::Person, Person::from_fields)? {
            let known = Known {
                evidence: evidence.remove(&person.id).unwrap_or_else(|| people::Evidence {
                    name: self.evidence_key.of_name(&person.family_name, &person.given_name),
                    ..people::Evidence::default()
                }),
                given_name: person.given_name,
                family_name: person.family_name,
                role: person.role,
                level: person.level,
                animal: person.animal,
                deleted: person.deleted,
            };
            standing.people.insert(person.id, known);
        }
        for someone in views(connection, &shelf, Kind::Provisional, Provisional::from_fields)? {
            if someone.role == Role::Pupil && !someone.deleted {
                let Provisional { given_name, animal, pseudonym, .. } = someone;
                standing.made.insert(someone.id, Made { given_name, animal, pseudonym });
            }
        }
        for class in views(connection, &shelf, Kind::Class, Class::from_fields)? {
            let known = KnownClass {
                name: class.name,
                level: class.level,
                school_year: class.school_year,
                members: class.members,
                deleted: class.deleted,
            };
            standing.classes.insert(class.id, known);
        }
        let here = |ine: &String| standing.people.values().any(|p| p.evidence.ine.as_ref() == Some(ine));
        let mut elsewhere: BTreeMap<String, Elsewhere> = BTreeMap::new();
        for ine in lines.iter().filter_map(|line| line.evidence.ine.as_ref()).filter(|ine| !here(ine)) {
            let found = people::elsewhere(connection, ine, uai)?;
            // Nobody comes from a training room, whatever was proved of whom.
            if let Some((person, uai)) = found.filter(|(_, uai)| !uai.is_training()) {
                elsewhere.insert(ine.clone(), Elsewhere { person, uai });
            }
        }
        standing.elsewhere = elsewhere;
        Ok(standing)
    }
}

/// All documents of a kind, by their typed view; those that cannot be read are left out.
pub(super) fn views<T>(
    connection: &Tx,
    shelf: &Shelf,
    kind: Kind,
    view: impl Fn(&DocId, &Fields) -> Option<T>,
) -> Result<Vec<T>, DeskError> {
    let documents = shelves::documents(connection, shelf, kind)?;
    Ok(documents.iter().filter_map(|(doc, fields)| view(doc, fields)).collect())
}

/// One person of a shelf.
pub(super) fn person_on(connection: &Tx, shelf: &Shelf, id: PersonId) -> Result<Option<Person>, DeskError> {
    let doc = Person::doc(id);
    Ok(shelves::document(connection, shelf, &doc)?.and_then(|fields| Person::from_fields(&doc, &fields)))
}
