//! Wrong tries, counted in memory per badge, account, tablet and address: secrets of few bits are not to be guessed.
//!
//! Only what can be guessed counts (second factors, passwords, enrolment codes): a badge has 128 random bits. Nothing
//! locks for ever, or a classmate could lock a child out; an adult lets in meanwhile.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{
    ids::{PersonId, TabletId},
    refusal::Refusal,
    time::Elapsed,
};

use crate::store::Trouble;

/// Names remembered at once; the one that was wrong longest ago is forgotten first.
pub(crate) const MAX_NAMES: usize = 4_096;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// Second factors and passwords of this person.
    Person(PersonId),
    /// An account's identifier, as the first 16 bytes of its SHA-256: it may be of nobody.
    Account([u8; 16]),
    /// Secrets tried at this tablet.
    Tablet(TabletId),
    /// Short codes tried at this tablet.
    ShortCodes(TabletId),
    /// Secrets tried at the staff's page from this address.
    Address(IpAddr),
    /// Enrolment codes, from wherever.
    Enrolment,
    /// Codes of the school's safe, from wherever.
    Safe,
}

impl Name {
    /// So many wrong tries within so long; then nothing more until that time is over.
    const fn limit(self) -> (u32, Duration) {
        match self {
            Self::Person(_) | Self::Account(_) => (5, Duration::from_secs(300)),
            Self::Tablet(_) => (15, Duration::from_secs(300)),
            // Forty bits: who reads badly may try often, and whoever guesses still finds nobody.
            Self::ShortCodes(_) => (30, Duration::from_secs(300)),
            Self::Address(_) => (30, Duration::from_secs(300)),
            Self::Enrolment => (10, Duration::from_secs(60)),
            // Sixty bits: who reads badly may go on within the ten minutes, and whoever guesses finds nothing.
            Self::Safe => (5, Duration::from_secs(60)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    wrong: u32,
    first: Elapsed,
    last: Elapsed,
}

/// The wrong tries of late.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<BTreeMap<Name, Tally>>);

impl Tries {
    /// Refuses while one of these is locked.
    pub(crate) fn check(&self, names: &[Name], now: Elapsed) -> Result<(), Trouble> {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let (limit, window) = name.limit();
            if let Some(tally) = tallies.get(name) {
                let since = now.since(tally.first);
                if tally.wrong >= limit && since < window {
                    let left = window.saturating_sub(since).as_secs().saturating_add(1);
                    return Err(Trouble::for_now(Refusal::LockedOut, left));
                }
            }
        }
        Ok(())
    }

    /// Counts a wrong try; gives how many the first of these names has now.
    pub(crate) fn wrong(&self, names: &[Name], now: Elapsed) -> u32 {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let (_, window) = name.limit();
            let tally = tallies.entry(*name).or_insert(Tally { wrong: 0, first: now, last: now });
            if now.since(tally.first) >= window {
                *tally = Tally { wrong: 0, first: now, last: now };
            }
            tally.wrong = tally.wrong.saturating_add(1);
            tally.last = now;
            if tallies.len() > MAX_NAMES
                && let Some(oldest) = tallies.iter().min_by_key(|(_, t)| t.last).map(|(n, _)| *n)
            {
                tallies.remove(&oldest);
            }
        }
        names.first().and_then(|first| tallies.get(first)).map_or(0, |tally| tally.wrong)
    }

    /// Nobody tried anything.
    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets: the right secret came, or an adult let in.
    pub(crate) fn forget(&self, name: Name) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_tries_lock_for_a_while_and_an_adult_unlocks() {
        let (tries, at) = (Tries::default(), |s| Elapsed(Duration::from_secs(s)));
        let lina = Name::Person(PersonId::from_bytes([1; 16]));
        for n in 0..5 {
            assert!(tries.check(&[lina], at(n)).is_ok(), "try {n}");
            tries.wrong(&[lina], at(n));
        }
        assert!(matches!(
            tries.check(&[Name::Enrolment, lina], at(10)),
            Err(Trouble::Refused { refusal: Refusal::LockedOut, retry_after_s: Some(291), .. })
        ));
        assert!(tries.check(&[lina], at(300)).is_ok());
        tries.forget(lina);
        assert!(tries.check(&[lina], at(10)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let tries = Tries::default();
        for n in 0..6_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_le_bytes());
            tries.wrong(&[Name::Account(name)], Elapsed(Duration::from_millis(n.into())));
        }
        assert_eq!(tries.0.lock().expect("lock").len(), MAX_NAMES);
    }
}
