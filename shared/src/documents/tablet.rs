//! A tablet.

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::ids::{CaseId, TabletId};

pub(crate) const RULES: &[Rule] = &[
    Rule::new("name", Shape::Text(200)).by_box(),
    Rule::new("model", Shape::Text(200)).by_box(),
    Rule::new("serial", Shape::Text(200)).by_box(),
    Rule::new("case", Shape::Bytes(16)).by_box(),
    Rule::new("key", Shape::Bytes(64)).by_box(),
    Rule::new("lost", Shape::Flag).merged(Merge::TrueWins).by_box(),
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
