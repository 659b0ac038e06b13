//! A tablet.

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::ids::{CaseId, FilterId, PersonId, TabletId};

const OWNER: &str = "owner";
const FILTER: &str = "filter";
/// A person and the turn of the school's accounts in which the tablet became hers.
const OWNER_BYTES: usize = 24;

pub(crate) const RULES: &[Rule] = &[
    Rule::new("name", Shape::Text(200)).by_box(),
    Rule::new("model", Shape::Text(200)).by_box(),
    Rule::new("serial", Shape::Text(200)).by_box(),
    Rule::new("case", Shape::Bytes(16)).by_box(),
    Rule::new("key", Shape::Bytes(64)).by_box(),
    Rule::new("lost", Shape::Flag).merged(Merge::TrueWins).by_box(),
    // One field, so that of two boxes that give it at once one wins whole; empty while it is nobody's.
    Rule::new(OWNER, Shape::Bytes(OWNER_BYTES)).by_box(),
    Rule::new(FILTER, Shape::Bytes(16)).by_box(),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins).by_box(),
];

/// A tablet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablet {
    /// For life.
    pub id: TabletId,
    /// What is written on it.
    pub name: String,
    /// Maker's model.
    pub model: String,
    /// Maker's serial number.
    pub serial: String,
    /// The case it lives in.
    pub case: Option<CaseId>,
    /// Thumbprint of its key (RFC 7638); empty before enrolment.
    pub key: Vec<u8>,
    /// Said to be lost.
    pub lost: bool,
    /// Retired.
    pub deleted: bool,
}

impl Tablet {
    /// Names a tablet's document.
    pub const fn doc(id: TabletId) -> DocId {
        DocId::new(Kind::Tablet, *id.as_bytes())
    }

    /// Reads a tablet; none when the document is of another kind.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        if doc.kind != Kind::Tablet {
            return None;
        }
        Some(Self {
            id: TabletId::from_bytes(doc.id),
            name: fields.word("name"),
            model: fields.word("model"),
            serial: fields.word("serial"),
            case: fields.sixteen("case").map(CaseId::from_bytes),
            key: fields.bytes("key").unwrap_or_default().to_vec(),
            lost: fields.flag("lost"),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this.
    pub fn edit(&self) -> Edit {
        let case: &[u8] = self.case.as_ref().map_or(&[], |case| case.as_bytes());
        Edit::of(Self::doc(self.id))
            .with_text("name", &self.name)
            .with_text("model", &self.model)
            .with_text("serial", &self.serial)
            .with_bytes("case", case)
            .with_bytes("key", &self.key)
            .with_flag("lost", self.lost)
            .with_flag("deleted", self.deleted)
    }
}

/// The tablet is somebody's in this turn of the school's accounts, or nobody's.
pub fn give(id: TabletId, to: Option<(PersonId, i64)>) -> Edit {
    let bytes = to.map(|(person, turn)| [&person.as_bytes()[..], &turn.to_be_bytes()].concat());
    Edit::of(Tablet::doc(id)).with_bytes(OWNER, &bytes.unwrap_or_default())
}

/// Whose it was said to be, and in which turn.
pub fn owner(fields: &Fields) -> Option<(PersonId, i64)> {
    let (person, turn) = fields.bytes(OWNER)?.split_first_chunk::<16>()?;
    Some((PersonId::from_bytes(*person), i64::from_be_bytes(turn.try_into().ok()?)))
}

/// The tablet asks the filter under this name from now on.
pub fn name_for_filter(id: TabletId, name: FilterId) -> Edit {
    Edit::of(Tablet::doc(id)).with_bytes(FILTER, name.as_bytes())
}

/// The name under which it asks the filter, once it has one.
pub fn filter_name(fields: &Fields) -> Option<FilterId> {
    fields.sixteen(FILTER).map(FilterId::from_bytes)
}
