//! How often, by hour and by what became of it. Never which name, never who.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use preau_shared::{policy::Reason, rig::dns_front::Outcome, time::Stamp};

/// Hours that are kept: two days, enough for the coordinator to have heard them.
const MAX_HOURS: usize = 48;
const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Became(Outcome),
    /// Blocked under lists that are not in use any more, by the word that it had there.
    Named(String),
    SharedAddress,
}

/// The counters of one filter. At most [`MAX_HOURS`] hours of at most some seventy counters each.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<BTreeMap<i64, BTreeMap<What, u64>>>);

impl Counters {
    /// One more question became this.
    pub(super) fn add(&self, now: Stamp, outcome: Outcome) {
        self.more(now, What::Became(outcome));
    }

    /// One more question came from an address with several sessions. The first of each hour is worth a look: an
    /// access point hides its tablets, and all of them get the strictest policy.
    pub(super) fn shared_address(&self, now: Stamp) {
        if self.more(now, What::SharedAddress) == 1 {
            tracing::warn!("several sessions share one address: the strictest of their policies counts");
        }
    }

    fn more(&self, now: Stamp, what: What) -> u64 {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now.0.div_euclid(HOUR_MS);
        let count = hours.entry(hour).or_default().entry(what).or_default();
        *count = count.saturating_add(1);
        let count = *count;
        while hours.len() > MAX_HOURS {
            hours.pop_first();
        }
        count
    }

    /// Gives what was blocked so far the words that its reasons have now.
    pub(super) fn name(&self, word: impl Fn(Reason) -> String) {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for counts in hours.values_mut() {
            for (what, n) in std::mem::take(counts) {
                let what = match what {
                    What::Became(Outcome::Blocked(reason)) => What::Named(word(reason)),
                    What::Became(_) | What::Named(_) | What::SharedAddress => what,
                };
                let count = counts.entry(what).or_default();
                *count = count.saturating_add(n);
            }
        }
    }

    /// Hour (since 1970, UTC), what, how often.
    pub(super) fn read(&self, word: impl Fn(Reason) -> String) -> Vec<(i64, String, u64)> {
        let hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |what: &What| match what {
            What::SharedAddress => "shared_address".to_owned(),
            What::Named(word) => format!("blocked:{word}"),
            What::Became(Outcome::Answered) => "answered".to_owned(),
            What::Became(Outcome::Stale) => "stale".to_owned(),
            What::Became(Outcome::Blocked(reason)) => format!("blocked:{}", word(*reason)),
            What::Became(Outcome::Local) => "local".to_owned(),
            What::Became(Outcome::Unreachable) => "unreachable".to_owned(),
            What::Became(Outcome::Crowded) => "crowded".to_owned(),
            What::Became(Outcome::Malformed) => "malformed".to_owned(),
        };
        let mut lines = Vec::new();
        for (hour, counts) in hours.iter() {
            // Under two lists one word may stand twice.
            let mut words = BTreeMap::<String, u64>::new();
            for (what, n) in counts {
                let count = words.entry(name(what)).or_default();
                *count = count.saturating_add(*n);
            }
            lines.extend(words.into_iter().map(|(word, n)| (*hour, word, n)));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_apart_and_forgotten() {
        let counters = Counters::default();
        for hour in 0..100 {
            for _ in 0..2 {
                counters.add(Stamp(hour * HOUR_MS + 5), Outcome::Blocked(Reason::Denied));
            }
            counters.shared_address(Stamp(hour * HOUR_MS));
        }
        let read = counters.read(|_| "denied".to_owned());
        assert_eq!(read.len(), 2 * MAX_HOURS);
        assert_eq!(read.first(), Some(&(52, "blocked:denied".to_owned(), 2)));
        assert_eq!(read.last(), Some(&(99, "shared_address".to_owned(), 1)));
    }
}
