//! A filtering policy.

use std::collections::BTreeSet;

use super::{
    DocId, Edit, Fields, Kind,
    rule::{Merge, Rule, Shape},
};
use crate::ids::PolicyId;

const LEVEL: &str = "level:";
const BLOCKED: &str = "blocked:";
const ALLOW: &str = "allow:";
const DENY: &str = "deny:";
/// Stands for "everybody else" in the flat keys of levels, whose suffix cannot be empty.
const EVERYBODY_ELSE: &str = "*";

pub(crate) const RULES: &[Rule] = &[
    Rule::new("name", Shape::Text(200)),
    Rule::new(LEVEL, Shape::Flag).merged(Merge::TrueWins),
    // What is stricter wins.
    Rule::new(BLOCKED, Shape::Flag).merged(Merge::TrueWins),
    Rule::new(ALLOW, Shape::Flag).merged(Merge::FalseWins),
    Rule::new(DENY, Shape::Flag).merged(Merge::TrueWins),
    Rule::new("deleted", Shape::Flag).merged(Merge::TrueWins),
];

/// A policy: for some levels, the categories and names that are blocked, and the names that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// For life.
    pub id: PolicyId,
    /// What the DSI calls it.
    pub name: String,
    /// For whom: levels; the empty word is everybody else.
    pub levels: BTreeSet<String>,
    /// Blocked categories of the block list.
    pub blocked: BTreeSet<String>,
    /// Names allowed whatever their category.
    pub allow: BTreeSet<String>,
    /// Names refused whatever their category.
    pub deny: BTreeSet<String>,
    /// Gone.
    pub deleted: bool,
}

impl Policy {
    /// Names a policy's document.
    pub const fn doc(id: PolicyId) -> DocId {
        DocId::new(Kind::Policy, *id.as_bytes())
    }

    /// Reads a policy; none when the document is of another kind.
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        (doc.kind == Kind::Policy).then(|| Self {
            id: PolicyId::from_bytes(doc.id),
            name: fields.word("name"),
            levels: levels_of(fields),
            blocked: fields.words(BLOCKED),
            allow: fields.words(ALLOW),
            deny: fields.words(DENY),
            deleted: fields.flag("deleted"),
        })
    }

    /// The edit that makes the document say this.
    pub fn edit(&self) -> Edit {
        Edit::of(Self::doc(self.id))
            .with_text("name", &self.name)
            .with_set(LEVEL, level_words(&self.levels))
            .with_set(BLOCKED, self.blocked.iter().cloned())
            .with_set(ALLOW, self.allow.iter().cloned())
            .with_set(DENY, self.deny.iter().cloned())
            .with_flag("deleted", self.deleted)
    }
}

pub(crate) fn levels_of(fields: &Fields) -> BTreeSet<String> {
    let word = |level: &str| if level == EVERYBODY_ELSE { String::new() } else { level.to_owned() };
    fields.members(LEVEL).map(word).collect()
}

pub(crate) fn level_words(levels: &BTreeSet<String>) -> impl Iterator<Item = String> {
    levels.iter().map(|level| if level.is_empty() { EVERYBODY_ELSE.to_owned() } else { level.clone() })
}
