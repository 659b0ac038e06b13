//! The simple reference: what was promised to people, in plain maps.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use preau_shared::{
    documents::{DocId, Edit, Kind, Scalar},
    replica::Shelf,
    rig::shelves,
};

use super::{
    Place,
    node::{Act, Node},
};

/// Stands in every text about a person, before the person's number.
pub(super) const MARKER: &str = "PLANTED-";

/// An entry that somebody was told is kept.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) by: Place,
    /// Whom it names.
    pub(super) who: Option<u8>,
}

/// What was promised.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Entries by their bodies; a body is written once only.
    pub(super) entries: BTreeMap<(Shelf, Vec<u8>), Said>,
    /// Every value that was ever written to a field.
    pub(super) written: BTreeMap<(Shelf, DocId, String), Vec<Scalar>>,
    pub(super) voided: BTreeSet<(Shelf, DocId)>,
    /// Erased for good.
    pub(super) erased: BTreeSet<(Shelf, DocId)>,
    /// Erased, perhaps: whoever erased them was not told that it was done, or the disk was lost.
    pub(super) perhaps: BTreeSet<(Shelf, DocId)>,
    /// Said when everybody knew everything.
    pub(super) last_words: BTreeMap<(Shelf, DocId), String>,
    /// People that can be named now: each number is given once.
    pub(super) people: Vec<u8>,
    pub(super) next_person: u8,
    count: u64,
}

impl Truth {
    pub(super) fn new(few: u8) -> Self {
        Self { people: (0..few).collect(), next_person: few, ..Self::default() }
    }

    /// Remembered before it is answered: a program may die right after the commit.
    pub(super) fn remember(&mut self, act: &Act) {
        match act {
            Act::Edit(shelf, edit) => {
                for (key, value) in &edit.set {
                    let written = self.written.entry((shelf.clone(), edit.doc, key.clone())).or_default();
                    if !written.contains(value) {
                        written.push(value.clone());
                    }
                }
            }
            Act::Erase(shelf, tombstones) => {
                self.perhaps.extend(tombstones.iter().map(|tombstone| (shelf.clone(), tombstone.doc)));
                self.voided.retain(|key| !self.perhaps.contains(key));
            }
            Act::Entry(..) | Act::RollOver(_) => {}
        }
    }

    /// It was answered: it is a promise.
    pub(super) fn promise(&mut self, by: Place, act: &Act, who: Option<u8>) -> Result<()> {
        match act {
            Act::Entry(shelf, entry) => {
                self.entries.insert((shelf.clone(), entry.encode()?), Said { by, who });
            }
            Act::Edit(shelf, edit) if is_void(edit) => {
                let key = (shelf.clone(), edit.doc);
                if !self.perhaps.contains(&key) {
                    self.voided.insert(key);
                }
            }
            Act::Erase(shelf, tombstones) => {
                self.erased.extend(tombstones.iter().map(|tombstone| (shelf.clone(), tombstone.doc)));
            }
            Act::Edit(..) | Act::RollOver(_) => {}
        }
        Ok(())
    }

    /// A disk was lost: what stands on no other is promised no more.
    pub(super) fn recount(&mut self, trusted: &[&Node]) -> Result<()> {
        let shelves: BTreeSet<Shelf> = self.entries.keys().map(|(shelf, _)| shelf.clone()).collect();
        let mut found: BTreeMap<Shelf, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for shelf in shelves {
            for node in trusted {
                found.entry(shelf.clone()).or_default().extend(node.disk.bodies(&shelf)?);
            }
        }
        self.entries.retain(|(shelf, body), said| {
            let erased = said.who.is_some_and(|who| self.perhaps.contains(&(shelf.clone(), person(who))));
            erased || found.get(shelf).is_some_and(|bodies| bodies.contains(body))
        });
        let (mut void, mut erased) = (BTreeSet::new(), BTreeSet::new());
        for node in trusted {
            let known = node.rows.known();
            void.extend(known.voids);
            erased.extend(known.erased.into_keys());
        }
        self.voided.retain(|key| void.contains(key));
        self.erased.retain(|key| erased.contains(key));
        Ok(())
    }

    /// A word that was never said.
    pub(super) fn word(&mut self, what: &str) -> String {
        self.count = self.count.saturating_add(1);
        format!("{what} {}", self.count)
    }

    /// … about a person.
    pub(super) fn marked(&mut self, who: u8) -> String {
        self.word(&format!("{MARKER}{who}-"))
    }
}

/// A person's document.
pub(super) const fn person(who: u8) -> DocId {
    DocId::new(Kind::Person, [who; 16])
}

/// A person's badge.
pub(super) const fn badge(who: u8) -> DocId {
    DocId::new(Kind::Badge, [who; 16])
}

fn is_void(edit: &Edit) -> bool {
    edit.set.iter().any(|(key, value)| key == "void" && *value == Scalar::Flag(true))
}

/// Whether a shelf stands at a program.
pub(super) fn keeps(node: &Node, shelf: &Shelf) -> bool {
    node.place == Place::Cloud || *shelf == Shelf::Territory || *shelf == Shelf::School(node.uai.clone())
}

/// Whether a badge is void at a program.
pub(super) fn void_at(node: &Node, shelf: &Shelf, doc: &DocId) -> Result<bool> {
    Ok(shelves::document(&*node.disk.base(), shelf, doc)?.is_some_and(|fields| fields.flag("void")))
}
