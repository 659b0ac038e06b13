//! A charging case.

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::ids::CaseId;

pub(crate) const RULES: &[Rule] =
    &[Rule::new("name", Shape::Text(200)).by_box(), Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins).by_box()];

/// A charging case of tablets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// For life.
    pub id: CaseId,
    /// What is written on it.
    pub name: String,
    /// Retired.
    pub deleted: bool,
}

impl Case {
    /// Names a case's document.
    pub const fn doc(id: CaseId) -> DocId {
        DocId::new(Kind::Case, *id.as_bytes())
    }

    /// Reads a case; none when the document is of another kind.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        (doc.kind == Kind::Case).then(|| Self {
            id: CaseId::from_bytes(doc.id),
            name: fields.word("name"),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this.
    pub fn edit(&self) -> Edit {
        Edit::of(Self::doc(self.id)).with_text("name", &self.name).with_flag("deleted", self.deleted)
    }
}
