//! Whose rules apply: policies of documents become a book of rules by level.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    blocklist::{BlockList, Categories},
    documents::policy::Policy,
};

/// Names that stay open when nothing says what a pupil may see: the ministry's and two that are made for children.
pub const ALWAYS: [&str; 5] = ["education.fr", "education.gouv.fr", "lumni.fr", "vikidia.org", "reseau-canope.fr"];

/// The block lists of a program, as the rules see them.
#[derive(Debug, Clone, Default)]
pub enum Lists {
    /// None is configured: no name is blocked by category.
    #[default]
    None,
    /// They are configured and cannot be read: whoever has a blocked category sees only what is allowed by name.
    Lost,
    /// They are there.
    Loaded(Arc<BlockList>),
}

impl Lists {
    /// The categories of a name.
    pub fn categories(&self, name: &str) -> Categories {
        match self {
            Self::None | Self::Lost => Categories::default(),
            Self::Loaded(list) => list.categories(name),
        }
    }
}

/// Names, each standing for itself and everything under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    names: BTreeSet<String>,
    /// How long they are: a suffix of another length is none of them, and need not be looked for.
    lengths: BTreeSet<usize>,
}

impl Names {
    /// Takes names as people write them: any case, a final dot, a leading `*.`.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let fold = |name: &str| {
            let name = name.trim().trim_end_matches('.').to_ascii_lowercase();
            name.strip_prefix("*.").map_or(name.clone(), str::to_owned)
        };
        let names: BTreeSet<String> = names.into_iter().map(fold).filter(|name| !name.is_empty()).collect();
        Self { lengths: names.iter().map(String::len).collect(), names }
    }
    /// Whether a folded name is one of them or under one of them.
    pub fn cover(&self, name: &str) -> bool {
        self.lengths.iter().any(|length| {
            let Some(at) = name.len().checked_sub(*length) else { return false };
            let before = at.checked_sub(1).and_then(|before| name.as_bytes().get(before));
            // At its beginning, or behind a dot.
            before.is_none_or(|byte| *byte == b'.') && name.get(at..).is_some_and(|name| self.names.contains(name))
        })
    }
}

/// A name and what it stands under: `a.b.c`, `b.c`, `c`.
pub fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |rest| rest.split_once('.').map(|(_, parent)| parent))
}

/// What one kind of asker may not see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Blocked categories.
    pub blocked: Categories,
    /// Names that are open whatever their category.
    pub allow: Names,
    /// Names that are closed whatever else is said.
    pub deny: Names,
    /// Only `allow` is open: no policy says anything, or its lists are lost.
    pub closed: bool,
}

impl Rules {
    /// The rules of somebody whom no policy names: only [`ALWAYS`] is open.
    pub fn closed() -> Self {
        Self { allow: Names::of(ALWAYS), closed: true, ..Self::default() }
    }

    /// Several policies for one level count together, and deny wins.
    fn of(policies: &[&Policy], lists: &Lists) -> Self {
        if policies.is_empty() {
            return Self::closed();
        }
        let categories = || policies.iter().flat_map(|policy| &policy.blocked).map(String::as_str);
        let (blocked, closed) = match lists {
            Lists::None => (Categories::default(), false),
            Lists::Lost => (Categories::default(), categories().next().is_some()),
            Lists::Loaded(list) => (list.named(categories()), false),
        };
        let allow = policies.iter().flat_map(|policy| &policy.allow).map(String::as_str);
        Self {
            blocked,
            closed,
            allow: if closed { Names::of(allow.chain(ALWAYS)) } else { Names::of(allow) },
            deny: Names::of(policies.iter().flat_map(|policy| &policy.deny).map(String::as_str)),
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// One live session: the levels of everybody on the tablet. Staff has none and falls under "everybody else".
    Seated(BTreeSet<String>),
    /// Several live sessions on one address: all their levels, and the strictest counts.
    Shared(BTreeSet<String>),
    /// Nobody is known there: the strictest of all policies counts.
    Unknown,
}

impl Asker {
    /// Whether searches are led to their safe side: for everybody who is not known to be of the staff.
    pub fn searches_safely(&self) -> bool {
        match self {
            Self::Seated(levels) | Self::Shared(levels) => levels.is_empty() || levels.iter().any(|l| !l.is_empty()),
            Self::Unknown => true,
        }
    }
}

/// The rules of every level.
#[derive(Debug, Clone)]
pub struct Book {
    levels: BTreeMap<String, Rules>,
    others: Rules,
}

impl Book {
    /// Draws the rules from the policies. A level that no policy names has those of "everybody else"; when there are
    /// none either, it is closed.
    pub fn new(policies: &[Policy], lists: &Lists) -> Self {
        let of = |level: &str| -> Vec<&Policy> {
            policies.iter().filter(|policy| !policy.deleted && policy.levels.contains(level)).collect()
        };
        let named: BTreeSet<&String> = policies.iter().flat_map(|policy| &policy.levels).collect();
        let levels = named
            .into_iter()
            .filter(|level| !level.is_empty() && !of(level).is_empty())
            .map(|level| (level.clone(), Rules::of(&of(level), lists)))
            .collect();
        Self { levels, others: Rules::of(&of(""), lists) }
    }

    /// The rules that somebody must satisfy, all of them.
    pub fn rules<'b>(&'b self, asker: &'b Asker) -> impl Iterator<Item = &'b Rules> {
        let (named, others) = match asker {
            Asker::Seated(levels) | Asker::Shared(levels) => (Some(levels), levels.is_empty()),
            Asker::Unknown => (None, true),
        };
        let theirs = named.into_iter().flatten().map(|level| self.levels.get(level).unwrap_or(&self.others));
        let all = named.is_none().then(|| self.levels.values()).into_iter().flatten();
        theirs.chain(all).chain(others.then_some(&self.others))
    }
}

impl Default for Book {
    fn default() -> Self {
        Self::new(&[], &Lists::None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn names_cover_what_stands_under_them_and_nothing_else(
            names in prop::collection::vec("[ab.]{0,6}", 0..5),
            asked in "[ab.é]{0,9}",
        ) {
            let covered = Names::of(names.iter().map(String::as_str));
            let listed = |suffix: &str| covered.names.contains(suffix);
            prop_assert_eq!(covered.cover(&asked), suffixes(&asked).any(listed), "{:?}", covered);
        }
    }
}
