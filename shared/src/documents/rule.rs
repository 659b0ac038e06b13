//! The rules of fields: shape, merge, writer. Each type of document lists its own.

pub(crate) use super::merge::Merge;
use super::{
    Kind, Scalar, badge, case, catalogue, class, person, policy, provisional, safe, school, staff, tablet, terms,
};

/// Longest key of a field, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 300;
/// Longest text or bytes of a field that this version does not know.
pub(crate) const MAX_UNKNOWN_BYTES: usize = 16 * 1024;

/// On whose side a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The coordinator.
    Coordinator,
    /// A box of the school.
    Box,
}

/// What a field may hold; sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text(usize),
    Int,
    Flag,
    Bytes(usize),
}

/// A field, or a set of flat keys when `key` ends with a colon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    pub(crate) merge: Merge,
    /// Whether a box may write it; the coordinator may write everything.
    pub(crate) by_box: bool,
}

impl Rule {
    /// A field that only the coordinator writes, settled by the last writer.
    pub(crate) const fn new(key: &'static str, shape: Shape) -> Self {
        Self { key, shape, merge: Merge::Latest, by_box: false }
    }
    /// … that a box writes too.
    pub(crate) const fn by_box(self) -> Self {
        Self { by_box: true, ..self }
    }
    /// … settled otherwise.
    pub(crate) const fn merged(self, merge: Merge) -> Self {
        Self { merge, ..self }
    }
}

impl Shape {
    pub(crate) fn fits(self, value: &Scalar) -> bool {
        match (self, value) {
            (Self::Text(most), Scalar::Text(text)) => text.len() <= most,
            (Self::Int, Scalar::Int(_)) | (Self::Flag, Scalar::Flag(_)) => true,
            (Self::Bytes(most), Scalar::Bytes(bytes)) => bytes.len() <= most,
            (Self::Text(_) | Self::Int | Self::Flag | Self::Bytes(_), _) => false,
        }
    }
}

/// The rules of a kind, and those that it shares with another.
fn rules(kind: Kind) -> impl Iterator<Item = &'static Rule> {
    let shared = match kind {
        Kind::Person | Kind::Provisional => person::CHOSEN,
        Kind::Class
        | Kind::Tablet
        | Kind::Case
        | Kind::Badge
        | Kind::School
        | Kind::Policy
        | Kind::Catalogue
        | Kind::Terms => &[],
    };
    let (known, safe): (&[Rule], &[Rule]) = if kind == Kind::Person { (staff::RULES, safe::RULES) } else { (&[], &[]) };
    let own = match kind {
        Kind::Person => person::RULES,
        Kind::Class => class::RULES,
        Kind::Tablet => tablet::RULES,
        Kind::Case => case::RULES,
        Kind::Badge => badge::RULES,
        Kind::School => school::RULES,
        Kind::Policy => policy::RULES,
        Kind::Catalogue => catalogue::RULES,
        Kind::Provisional => provisional::RULES,
        Kind::Terms => terms::RULES,
    };
    own.iter().chain(shared).chain(known).chain(safe)
}

/// The rule of a key; none when this version does not know it.
pub(crate) fn rule(kind: Kind, key: &str) -> Option<&'static Rule> {
    rules(kind).find(|rule| {
        if rule.key.ends_with(':') { key.len() > rule.key.len() && key.starts_with(rule.key) } else { key == rule.key }
    })
}

/// Whether this writer may write this field. A box writes badges, tablets, cases, the life of classes, people whom no
/// roster names yet, and what a person or a head chooses for herself; the rest of persons and schools, policies and
/// catalogues are the coordinator's. Fields this version does not know are the coordinator's too.
pub fn may_write(writer: Writer, kind: Kind, key: &str) -> bool {
    match writer {
        Writer::Coordinator => true,
        Writer::Box => rule(kind, key).is_some_and(|rule| rule.by_box),
    }
}
