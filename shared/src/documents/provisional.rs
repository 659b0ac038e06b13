//! Somebody whom a box made while no roster named her: a new pupil on her first day, a substitute teacher
//! (*remplaçant*). The coordinator says later whom the roster calls her.

use super::{
    DocId, Edit, Fields, Kind, Scalar,
    person::role,
    rule::{Merge, Rule, Shape},
};
use crate::{ids::PersonId, time::Stamp, wire::Role};

pub(crate) const RULES: &[Rule] = &[
    Rule::new("pseudonym", Shape::Bytes(16)).merged(Merge::Once).by_box(),
    Rule::new("given_name", Shape::Text(200)).by_box(),
    Rule::new("role", Shape::Text(40)).merged(Merge::LeastRole).by_box(),
    Rule::new("level", Shape::Text(100)).by_box(),
    Rule::new("animal", Shape::Text(100)).by_box(),
    Rule::new("expires", Shape::Int).by_box(),
    Rule::new("pin", Shape::Text(200)).by_box(),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins).by_box(),
    // Who she is on the roster; the coordinator's alone.
    Rule::new("person", Shape::Bytes(16)).merged(Merge::Once),
];

/// Somebody made at a box.
#[derive(Clone, PartialEq, Eq)]
pub struct Provisional {
    /// For life, among the identifiers of people.
    pub id: PersonId,
    /// The only name journals know; random.
    pub pseudonym: [u8; 16],
    /// As she is called in class.
    pub given_name: String,
    /// A pupil or a teacher; a head is never made at a box.
    pub role: Role,
    /// *Niveau*; empty for a teacher.
    pub level: String,
    /// The animal shown beside the name.
    pub animal: String,
    /// Until when; a pupil stays until the roster knows her.
    pub expires: Option<Stamp>,
    /// A teacher's PIN as a PHC string; empty for a pupil.
    pub pin: String,
    /// Gone, or known to the roster.
    pub deleted: bool,
}

impl Provisional {
    /// Names the document of somebody provisional.
    pub const fn doc(id: PersonId) -> DocId {
        DocId::new(Kind::Provisional, *id.as_bytes())
    }

    /// Reads one; none when the document is another's, or lacks a pseudonym or a role that a box may give.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        let role = role(fields.text("role")?).filter(|role| *role != Role::Head)?;
        if doc.kind != Kind::Provisional {
            return None;
        }
        Some(Self {
            id: PersonId::from_bytes(doc.id),
            pseudonym: fields.sixteen("pseudonym")?,
            given_name: fields.word("given_name"),
            role,
            level: fields.word("level"),
            animal: fields.word("animal"),
            expires: fields.int("expires").filter(|ms| *ms != 0).map(Stamp),
            pin: fields.word("pin"),
            deleted: fields.flag("deleted") || fields.sixteen("person").is_some(),
        })
    }

    /// The edit that makes the document say this.
    pub fn edit(&self) -> Edit {
        Edit::of(Self::doc(self.id))
            .with_bytes("pseudonym", &self.pseudonym)
            .with_text("given_name", &self.given_name)
            .with_text("role", self.role.as_str())
            .with_text("level", &self.level)
            .with_text("animal", &self.animal)
            .with("expires", Scalar::Int(self.expires.map_or(0, |stamp| stamp.0)))
            .with_text("pin", &self.pin)
            .with_flag("deleted", self.deleted)
    }
}

impl std::fmt::Debug for Provisional {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provisional({})", self.id)
    }
}

/// She leaves.
pub fn leave(person: PersonId) -> Edit {
    Edit::of(Provisional::doc(person)).with_flag("deleted", true)
}
