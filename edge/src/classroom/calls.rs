//! Children who wait for an adult at a tablet. Kept in memory: after a restart the child shows her badge again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    ids::{PersonId, TabletId},
    time::Elapsed,
};

/// Who has waited for so long has found another way.
const LASTS: Duration = Duration::from_secs(15 * 60);
/// Calls kept at once: more than a school has tablets in use.
pub(crate) const MAX_CALLS: usize = 512;

/// The raised hands.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeMap<PersonId, (TabletId, Elapsed)>>);

impl Calls {
    /// A child waits at this tablet; true when that is news. Of too many the oldest is forgotten.
    pub(crate) fn raise(&self, person: PersonId, tablet: TabletId, now: Elapsed) -> bool {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|who, (at, since)| now.since(*since) < LASTS && (*at != tablet || *who == person));
        if calls.get(&person).is_some_and(|(at, _)| *at == tablet) {
            return false;
        }
        if calls.len() >= MAX_CALLS
            && let Some(oldest) = calls.iter().min_by_key(|(_, (_, since))| *since).map(|(who, _)| *who)
        {
            calls.remove(&oldest);
        }
        calls.insert(person, (tablet, now));
        true
    }

    /// Nobody waits.
    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Somebody sat down: her call is answered, and whoever called at that tablet has left it.
    pub(crate) fn settle(&self, people: &[PersonId], tablet: TabletId) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|who, (at, _)| *at != tablet && !people.contains(who));
    }

    /// Where somebody waits, and for how long.
    pub(crate) fn of(&self, person: PersonId, now: Elapsed) -> Option<(TabletId, Duration)> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tablet, since) = calls.get(&person)?;
        Some((*tablet, now.since(*since))).filter(|(_, waited)| *waited < LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_lasts_until_it_is_answered_or_the_tablet_is_taken() {
        let (calls, at) = (Calls::default(), |s| Elapsed(Duration::from_secs(s)));
        let (lina, noe) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let (one, two) = (TabletId::from_bytes([1; 16]), TabletId::from_bytes([2; 16]));
        assert!(calls.raise(lina, one, at(0)));
        assert!(!calls.raise(lina, one, at(5)), "no news");
        assert!(calls.raise(noe, two, at(5)));
        assert_eq!(calls.of(lina, at(10)), Some((one, Duration::from_secs(10))));
        calls.settle(&[noe], one);
        assert_eq!((calls.of(lina, at(10)), calls.of(noe, at(10))), (None, None));
        assert!(calls.raise(lina, one, at(20)));
        assert!(calls.raise(noe, one, at(21)), "another child took the tablet over");
        assert_eq!(calls.of(lina, at(22)), None);
        assert_eq!(calls.of(noe, at(21 + 15 * 60)), None, "nobody waits that long");
    }

    #[test]
    fn memory_is_bounded() {
        let calls = Calls::default();
        for n in 0..2_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_le_bytes());
            calls.raise(
                PersonId::from_bytes(name),
                TabletId::from_bytes(name),
                Elapsed(Duration::from_millis(n.into())),
            );
        }
        assert_eq!(calls.0.lock().expect("lock").len(), MAX_CALLS);
    }
}
