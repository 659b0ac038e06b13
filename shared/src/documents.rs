//! Documents: one Automerge document per entity, flat scalar fields at the root (ARCHITECTURE §2.1).
//!
//! Each type of document is one file: its typed view, its fields with their shape, who may write them and how
//! concurrent writings of one field are settled. A set is flat keys (`member:<id>` = true or false), "deleted" is a
//! field. Only [`Document`] touches Automerge; [`chunk`] and [`saved`] read what comes from outside before Automerge does.

mod allow;
pub mod badge;
pub mod case;
pub mod catalogue;
pub(crate) mod chunk;
pub mod class;
mod document;
mod epoch;
mod history;
mod merge;
pub mod person;
pub mod policy;
pub mod provisional;
pub(crate) mod rule;
pub mod safe;
mod saved;
pub mod school;
pub mod staff;
pub mod tablet;
pub mod terms;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::{
    badge::Badge,
    case::Case,
    catalogue::{Catalogue, CatalogueItem, ItemKind},
    class::Class,
    document::{Document, DocumentError, MAX_DOCUMENT_BYTES},
    epoch::{Rebased, Rebuilt, Stale, rebase},
    person::Person,
    policy::Policy,
    provisional::Provisional,
    rule::{Writer, may_write},
    school::School,
    tablet::Tablet,
    terms::Terms,
};

#[cfg(feature = "rig")]
pub(crate) use self::{
    allow::{needed, permit},
    chunk::{Chunk, dress, strip},
    document::Received,
};

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A pupil or a member of staff.
    Person,
    /// A class or group.
    Class,
    /// A tablet.
    Tablet,
    /// A charging case.
    Case,
    /// A badge.
    Badge,
    /// A school.
    School,
    /// A filtering policy.
    Policy,
    /// A catalogue of applications and links.
    Catalogue,
    /// Somebody whom a box made, until a roster knows her.
    Provisional,
    /// A school's charter.
    Terms,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Person,
        Self::Class,
        Self::Tablet,
        Self::Case,
        Self::Badge,
        Self::School,
        Self::Policy,
        Self::Catalogue,
        Self::Provisional,
        Self::Terms,
    ];

    /// The number the store and the digest keep; never reused.
    pub const fn code(self) -> u8 {
        match self {
            Self::Person => 1,
            Self::Class => 2,
            Self::Tablet => 3,
            Self::Case => 4,
            Self::Badge => 5,
            Self::School => 6,
            Self::Policy => 7,
            Self::Catalogue => 8,
            Self::Provisional => 9,
            Self::Terms => 10,
        }
    }

    /// Reads the number back.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Names a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocId {
    /// What it is about.
    pub kind: Kind,
    /// The entity's own 16 bytes.
    pub id: [u8; 16],
}

impl DocId {
    /// Names the document of an entity.
    pub const fn new(kind: Kind, id: [u8; 16]) -> Self {
        Self { kind, id }
    }

    /// Stands in the first change of each epoch of the document where others write a time: 48 bits of SHA-256. Without
    /// it, the same first edit of two documents would be one change, and what stands on it be of either.
    pub fn mark(&self, epoch: u32) -> i64 {
        let mut bytes = b"preau document 1\0".to_vec();
        bytes.push(self.kind.code());
        bytes.extend(self.id);
        bytes.extend(epoch.to_le_bytes());
        let [a, b, c, d, e, f, ..] = crate::keys::sha256(&bytes);
        i64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Scalar {
    /// Whether this is what an absent field reads as.
    pub(crate) fn is_default(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Int(number) => *number == 0,
            Self::Flag(flag) => !flag,
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }
    /// What an absent field of this sort reads as.
    pub(crate) fn emptied(&self) -> Self {
        match self {
            Self::Text(_) => Self::Text(String::new()),
            Self::Int(_) => Self::Int(0),
            Self::Flag(_) => Self::Flag(false),
            Self::Bytes(_) => Self::Bytes(Vec::new()),
        }
    }
    /// How many bytes a text or bytes have.
    pub(crate) fn bytes_count(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Int(_) | Self::Flag(_) => 0,
        }
    }
}

/// The fields of a document, conflicts settled. An absent field reads as empty, zero or false.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fields(BTreeMap<String, Scalar>);

impl Fields {
    /// The text of a field.
    pub fn text(&self, key: &str) -> Option<&str> {
        if let Some(Scalar::Text(text)) = self.0.get(key) { Some(text) } else { None }
    }
    /// The number of a field.
    pub fn int(&self, key: &str) -> Option<i64> {
        if let Some(Scalar::Int(number)) = self.0.get(key) { Some(*number) } else { None }
    }
    /// The flag of a field; false when absent.
    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key) == Some(&Scalar::Flag(true))
    }
    /// The bytes of a field.
    pub fn bytes(&self, key: &str) -> Option<&[u8]> {
        if let Some(Scalar::Bytes(bytes)) = self.0.get(key) { Some(bytes) } else { None }
    }
    /// The fields whose key starts with `prefix`, by what follows it, in order.
    pub fn prefixed<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Scalar)> {
        self.0.range(prefix.to_owned()..).map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
    }
    /// The members of a set of flat keys: what follows `prefix` wherever the flag is true.
    pub fn members<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.prefixed(prefix).filter(|(_, value)| **value == Scalar::Flag(true)).map(|(member, _)| member)
    }
    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(crate) fn get(&self, key: &str) -> Option<&Scalar> {
        self.0.get(key)
    }
    /// Every field, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Scalar)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
    /// The key whose family and suffix these are.
    pub(crate) fn key_of(&self, prefix: &str, member: &str) -> Option<&str> {
        self.0.get_key_value(format!("{prefix}{member}").as_str()).map(|(key, _)| key.as_str())
    }
    pub(crate) fn insert(&mut self, key: String, value: Scalar) {
        self.0.insert(key, value);
    }
    /// A text, empty when absent.
    pub(crate) fn word(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().to_owned()
    }
    /// A set of texts.
    pub(crate) fn words(&self, prefix: &str) -> BTreeSet<String> {
        self.members(prefix).map(str::to_owned).collect()
    }
    /// A set of identifiers; what is not one is left out.
    pub(crate) fn ids<I: std::str::FromStr + Ord>(&self, prefix: &str) -> BTreeSet<I> {
        self.members(prefix).filter_map(|text| text.parse().ok()).collect()
    }
    /// Sixteen bytes.
    pub(crate) fn sixteen(&self, key: &str) -> Option<[u8; 16]> {
        self.bytes(key)?.try_into().ok()
    }
}

/// One act on one document: fields to set, all in one change. A value that is already there changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which document.
    pub doc: DocId,
    /// What to set.
    pub set: Vec<(String, Scalar)>,
    /// Prefixes of sets given whole: members that `set` does not name are taken out.
    pub whole: Vec<&'static str>,
}

impl Edit {
    /// An edit of nothing yet.
    pub const fn of(doc: DocId) -> Self {
        Self { doc, set: Vec::new(), whole: Vec::new() }
    }
    /// … and sets this field.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: Scalar) -> Self {
        self.set.push((key.into(), value));
        self
    }
    pub(crate) fn with_text(self, key: &str, text: &str) -> Self {
        self.with(key, Scalar::Text(text.to_owned()))
    }
    pub(crate) fn with_flag(self, key: &str, flag: bool) -> Self {
        self.with(key, Scalar::Flag(flag))
    }
    pub(crate) fn with_bytes(self, key: &str, bytes: &[u8]) -> Self {
        self.with(key, Scalar::Bytes(bytes.to_vec()))
    }
    /// … and makes this set hold exactly these members.
    pub(crate) fn with_set(mut self, prefix: &'static str, members: impl Iterator<Item = String>) -> Self {
        self.set.extend(members.map(|member| (format!("{prefix}{member}"), Scalar::Flag(true))));
        self.whole.push(prefix);
        self
    }
}

#[cfg(test)]
mod tests;
