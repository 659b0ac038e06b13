//! Who asks under which name, drawn from what each school's shelf says. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use preau_shared::{
    documents::Policy,
    ids::{FilterId, Uai},
    policy::{Asker, Book, Lists},
};

/// Who asks, and by which rules.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// Whose the tablet is.
    pub(super) asker: Asker,
    /// Her school's rules.
    pub(super) book: Arc<Book>,
}

/// What the filter reads on a school's shelf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct School {
    /// Tablets that may ask, by name, each with whose it is.
    pub(super) tablets: Vec<(FilterId, Asker)>,
    /// The school's own policies, beside the territory's.
    pub(super) policies: Vec<Policy>,
}

/// What the filter reads on every shelf.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Policies that hold in every school.
    pub(super) territory: Vec<Policy>,
    /// What each school adds.
    pub(super) schools: BTreeMap<Uai, School>,
}

impl Index {
    /// Everybody who may ask. A name that two tablets have is nobody's: what a box writes is its own word, and it must not
    /// put another school's tablet under its own rules.
    pub(super) fn names(&self, lists: &Lists) -> HashMap<FilterId, Who> {
        let everywhere = Arc::new(Book::new(&self.territory, lists));
        let (mut names, mut twice) = (HashMap::new(), BTreeSet::new());
        for school in self.schools.values() {
            let book = if school.policies.is_empty() {
                Arc::clone(&everywhere)
            } else {
                let both: Vec<Policy> = self.territory.iter().chain(&school.policies).cloned().collect();
                Arc::new(Book::new(&both, lists))
            };
            for (name, asker) in &school.tablets {
                match names.entry(*name) {
                    Entry::Vacant(free) => {
                        free.insert(Who { asker: asker.clone(), book: Arc::clone(&book) });
                    }
                    Entry::Occupied(_) => {
                        twice.insert(*name);
                    }
                }
            }
        }
        for name in &twice {
            names.remove(name);
        }
        if !twice.is_empty() {
            tracing::warn!(
                names = twice.len(),
                "several tablets ask under one name: they are refused until one has another"
            );
        }
        names
    }
}
