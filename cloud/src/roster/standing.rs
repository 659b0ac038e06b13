//! Who is on a school's shelf now, and what is known of them: the facts that a plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use preau_shared::{
    ids::{ClassId, PersonId, Uai},
    wire::Role,
};

use super::evidence::{Evidence, folded};

/// A person of the school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) role: Role,
    pub(super) level: String,
    pub(super) animal: String,
    /// Left the school; may come back.
    pub(super) deleted: bool,
    pub(super) evidence: Evidence,
}

/// A pupil whom a box put on a class's list, until a roster names her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) given_name: String,
    pub(super) animal: String,
    pub(super) pseudonym: [u8; 16],
}

/// A class of the school.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownClass {
    pub(super) name: String,
    pub(super) level: String,
    pub(super) school_year: String,
    pub(super) members: BTreeSet<PersonId>,
    pub(super) deleted: bool,
}

/// A person of another school of the territory, found by national number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) person: PersonId,
    pub(super) uai: Uai,
}

/// The school as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Standing {
    pub(super) people: BTreeMap<PersonId, Known>,
    pub(super) classes: BTreeMap<ClassId, KnownClass>,
    /// Pupils made at a box, those whom a roster has named since among them.
    pub(super) made: BTreeMap<PersonId, Made>,
    /// By trace of the national number: only those that the file names.
    pub(super) elsewhere: BTreeMap<String, Elsewhere>,
}

impl Standing {
    /// Pupils enrolled now.
    pub(super) fn pupils(&self) -> impl Iterator<Item = (PersonId, &Known)> {
        self.people.iter().filter(|(_, p)| p.role == Role::Pupil && !p.deleted).map(|(id, p)| (*id, p))
    }

    /// The open classes that hold this person.
    pub(super) fn classes_of(&self, person: PersonId) -> BTreeSet<ClassId> {
        let holds = |class: &KnownClass| !class.deleted && class.members.contains(&person);
        self.classes.iter().filter(|(_, class)| holds(class)).map(|(id, _)| *id).collect()
    }

    /// The class of this label and school year, open or closed: labels come back every year, classes do not.
    pub(super) fn class_named(&self, label: &str, school_year: &str) -> Option<(ClassId, &KnownClass)> {
        let label = folded(label);
        self.classes
            .iter()
            .filter(|(_, class)| class.school_year == school_year && folded(&class.name) == label)
            .min_by_key(|(_, class)| class.deleted)
            .map(|(id, class)| (*id, class))
    }

    /// The names of classes, for a person to read.
    pub(super) fn class_names(&self, classes: &BTreeSet<ClassId>) -> Vec<String> {
        classes.iter().filter_map(|id| self.classes.get(id)).map(|class| class.name.clone()).collect()
    }
}
