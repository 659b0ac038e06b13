//! The other boxes of the school, as far as kept works go: what each has heard, and whether there is room. In memory: a box
//! that starts hears it anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use preau_shared::ids::BoxId;

/// One of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sister {
    /// It has all changes of this box up to this number on its disk.
    heard: u64,
    /// It has no room for what others keep.
    pub(crate) is_full: bool,
    /// This box has no room for what it keeps.
    pub(crate) lacks_room: bool,
}

/// All of them; none until the school's document was looked at.
#[derive(Debug, Default)]
pub(crate) struct Sisters(Mutex<Option<BTreeMap<BoxId, Sister>>>);

impl Sisters {
    /// Whether it is known that these they are.
    pub(crate) fn are_known(&self, now: &BTreeSet<BoxId>) -> bool {
        self.all().as_ref().is_some_and(|known| known.keys().eq(now))
    }

    /// These they are, by the school's document.
    pub(crate) fn are(&self, now: &BTreeSet<BoxId>) {
        let mut known = self.all();
        let before = known.take().unwrap_or_default();
        *known = Some(now.iter().map(|id| (*id, before.get(id).copied().unwrap_or_default())).collect());
    }

    /// One of them; as nothing is known of it, when it is none of the school.
    pub(crate) fn of(&self, id: BoxId) -> Sister {
        self.all().as_ref().and_then(|all| all.get(&id)).copied().unwrap_or_default()
    }

    /// It has so much on its disk.
    pub(crate) fn heard(&self, id: BoxId, heard: u64) {
        self.change(id, |sister| sister.heard = heard);
    }

    /// Whether it has room.
    pub(crate) fn is_full(&self, id: BoxId, is_full: bool) {
        self.change(id, |sister| sister.is_full = is_full);
    }

    /// Whether there is room here for what it keeps. Told when that is news.
    pub(crate) fn lacks_room(&self, id: BoxId, lacks: bool) -> bool {
        let was = self.of(id).lacks_room;
        self.change(id, |sister| sister.lacks_room = lacks);
        was != lacks
    }

    /// Up to which number every one of them has heard; all, where there is none, and nothing, before they are known.
    pub(crate) fn all_heard(&self) -> u64 {
        self.all().as_ref().map_or(0, |all| all.values().map(|sister| sister.heard).min().unwrap_or(u64::MAX))
    }

    fn change(&self, id: BoxId, change: impl FnOnce(&mut Sister)) {
        if let Some(sister) = self.all().as_mut().and_then(|all| all.get_mut(&id)) {
            change(sister);
        }
    }

    fn all(&self) -> MutexGuard<'_, Option<BTreeMap<BoxId, Sister>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_let_go_of_when_every_box_has_heard_of_it() {
        let (sisters, id) = (Sisters::default(), |n| BoxId::from_bytes([n; 16]));
        assert_eq!(sisters.all_heard(), 0, "nobody knows yet who they are");
        sisters.are(&BTreeSet::from([id(1), id(2)]));
        sisters.heard(id(1), 9);
        assert_eq!(sisters.all_heard(), 0, "the second one has heard of nothing");
        sisters.heard(id(2), 4);
        sisters.heard(id(3), 1);
        assert_eq!(sisters.all_heard(), 4, "a stranger does not count");
        assert!(sisters.are_known(&BTreeSet::from([id(1), id(2)])));
        assert!(!sisters.are_known(&BTreeSet::from([id(1)])));
        sisters.are(&BTreeSet::from([id(1)]));
        assert_eq!(sisters.all_heard(), 9);
        sisters.are(&BTreeSet::new());
        assert_eq!(sisters.all_heard(), u64::MAX, "alone");
    }
}
