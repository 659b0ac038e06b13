//! What an adult should hear of: a badge that was used at two tablets within minutes, many refusals at one tablet, a code
//! of another system that nobody knows yet. Kept
//! in memory: the journal has what happened, this is for whoever stands in the room.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    badge::ShortHash,
    ids::{PersonId, TabletId},
    time::Elapsed,
};

/// A badge is seldom needed at another tablet so soon.
pub(crate) const TWICE_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Told for so long.
const TOLD_FOR: Duration = Duration::from_secs(15 * 60);
/// Refusals of one tablet are counted for so long …
const COUNTED_FOR: Duration = Duration::from_secs(5 * 60);
/// … and so many are many.
pub(crate) const MANY: u32 = 8;
/// Refusals of one tablet that the journal takes in that time: whoever tries all day fills no disk.
pub(crate) const JOURNALLED: u32 = 20;
/// Badges and tablets remembered at most.
const MAX_SEEN: usize = 256;

/// A badge that moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) person: PersonId,
    pub(crate) from: TabletId,
    pub(crate) to: TabletId,
    pub(crate) at: Elapsed,
}

#[derive(Debug, Default)]
struct Seen {
    moved: VecDeque<Moved>,
    refusals: BTreeMap<TabletId, (u32, Elapsed)>,
    strangers: BTreeMap<TabletId, (ShortHash, Elapsed)>,
}

/// The watch.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Seen>);

impl Watch {
    /// Nothing was odd.
    pub(crate) fn forget_all(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    /// A badge was used elsewhere shortly before.
    pub(crate) fn moved(&self, moved: Moved) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.moved.retain(|old| old.person != moved.person);
        if seen.moved.len() >= MAX_SEEN {
            seen.moved.pop_front();
        }
        seen.moved.push_back(moved);
    }

    /// A sign-in was refused at this tablet; how many were of late.
    pub(crate) fn refused(&self, tablet: TabletId, now: Elapsed) -> u32 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.refusals.retain(|_, (_, first)| now.since(*first) < COUNTED_FOR);
        if seen.refusals.len() >= MAX_SEEN && !seen.refusals.contains_key(&tablet) {
            return MANY;
        }
        let (count, _) = seen.refusals.entry(tablet).or_insert((0, now));
        *count = count.saturating_add(1);
        *count
    }

    /// A code of another system was read here, and nobody has said whose it is.
    pub(crate) fn stranger(&self, tablet: TabletId, code: ShortHash, now: Elapsed) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.strangers.retain(|_, (_, since)| now.since(*since) < TOLD_FOR);
        if seen.strangers.len() < MAX_SEEN || seen.strangers.contains_key(&tablet) {
            seen.strangers.insert(tablet, (code, now));
        }
    }

    /// The code that was read at this tablet last.
    pub(crate) fn stranger_at(&self, tablet: TabletId, now: Elapsed) -> Option<ShortHash> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.strangers.get(&tablet).filter(|(_, since)| now.since(*since) < TOLD_FOR).map(|(code, _)| *code)
    }

    /// Somebody said whose it is, or sat down there another way.
    pub(crate) fn met(&self, tablet: TabletId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).strangers.remove(&tablet);
    }

    /// Tablets that read a code of another system of late.
    pub(crate) fn strangers(&self, now: Elapsed) -> Vec<TabletId> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let strangers = seen.strangers.iter().filter(|(_, (_, since))| now.since(*since) < TOLD_FOR);
        strangers.map(|(tablet, _)| *tablet).collect()
    }

    /// Where somebody's badge was used twice of late.
    pub(crate) fn of(&self, person: PersonId, now: Elapsed) -> Option<Moved> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.moved.iter().find(|moved| moved.person == person && now.since(moved.at) < TOLD_FOR).copied()
    }

    /// Tablets with many refusals of late.
    pub(crate) fn refusing(&self, now: Elapsed) -> Vec<(TabletId, u32)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let many = seen.refusals.iter().filter(|(_, (count, first))| *count >= MANY && now.since(*first) < COUNTED_FOR);
        many.map(|(tablet, (count, _))| (*tablet, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_ends_by_itself_and_memory_is_bounded() {
        let (watch, at) = (Watch::default(), |s| Elapsed(Duration::from_secs(s)));
        let (lina, one, two) =
            (PersonId::from_bytes([1; 16]), TabletId::from_bytes([1; 16]), TabletId::from_bytes([2; 16]));
        let moved = Moved { person: lina, from: one, to: two, at: at(10) };
        watch.moved(moved);
        assert_eq!((watch.of(lina, at(20)), watch.of(lina, at(10 + 15 * 60))), (Some(moved), None));
        for n in 1..MANY {
            assert_eq!(watch.refused(one, at(u64::from(n))), n);
        }
        assert_eq!(watch.refusing(at(10)), []);
        watch.refused(one, at(11));
        assert_eq!(watch.refusing(at(12)), [(one, MANY)]);
        assert_eq!(watch.refusing(at(301)), []);
        assert_eq!(watch.refused(one, at(302)), 1);
        for n in 0..1_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_le_bytes());
            watch.refused(TabletId::from_bytes(name), at(303));
            watch.moved(Moved { person: PersonId::from_bytes(name), ..moved });
        }
        let seen = watch.0.lock().expect("lock");
        assert_eq!((seen.moved.len(), seen.refusals.len()), (MAX_SEEN, MAX_SEEN));
    }
}
