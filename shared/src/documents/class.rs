//! A class or a group: its life is the school's, so boxes write it too.

use std::collections::BTreeSet;

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::ids::{ClassId, PersonId};

const MEMBER: &str = "member:";
const TEACHER: &str = "teacher:";

pub(crate) const RULES: &[Rule] = &[
    Rule::new("name", Shape::Text(200)).by_box(),
    Rule::new("level", Shape::Text(100)).by_box(),
    Rule::new("school_year", Shape::Text(20)).by_box(),
    // A child too many on a list is harmless, a child missing is not.
    Rule::new(MEMBER, Shape::Flag).merged(Merge::TrueWins).by_box(),
    Rule::new(TEACHER, Shape::Flag).merged(Merge::TrueWins).by_box(),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins).by_box(),
];

/// A class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// For life.
    pub id: ClassId,
    /// `CE2 A`.
    pub name: String,
    /// *Niveau*, or several joined by a space.
    pub level: String,
    /// `2026-2027`.
    pub school_year: String,
    /// Its pupils.
    pub members: BTreeSet<PersonId>,
    /// Its teachers.
    pub teachers: BTreeSet<PersonId>,
    /// Gone.
    pub deleted: bool,
}

impl Class {
    /// Names a class's document.
    pub const fn doc(id: ClassId) -> DocId {
        DocId::new(Kind::Class, *id.as_bytes())
    }

    /// Reads a class; none when the document is of another kind.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        if doc.kind != Kind::Class {
            return None;
        }
        Some(Self {
            id: ClassId::from_bytes(doc.id),
            name: fields.word("name"),
            level: fields.word("level"),
            school_year: fields.word("school_year"),
            members: fields.ids(MEMBER),
            teachers: fields.ids(TEACHER),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this, members and teachers being exactly these.
    pub fn edit(&self) -> Edit {
        Edit::of(Self::doc(self.id))
            .with_text("name", &self.name)
            .with_text("level", &self.level)
            .with_text("school_year", &self.school_year)
            .with_set(MEMBER, self.members.iter().map(PersonId::to_string))
            .with_set(TEACHER, self.teachers.iter().map(PersonId::to_string))
            .with_flag("deleted", self.deleted)
    }
}

/// Puts a pupil on the class's list.
pub fn join(class: ClassId, person: PersonId) -> Edit {
    Edit::of(Class::doc(class)).with_flag(&format!("{MEMBER}{person}"), true)
}

/// Lets somebody teach the class.
pub fn teach(class: ClassId, person: PersonId) -> Edit {
    Edit::of(Class::doc(class)).with_flag(&format!("{TEACHER}{person}"), true)
}

/// Takes a pupil off the class's list; a concurrent [`join`] wins.
pub fn leave(class: ClassId, person: PersonId) -> Edit {
    Edit::of(Class::doc(class)).with_flag(&format!("{MEMBER}{person}"), false)
}
