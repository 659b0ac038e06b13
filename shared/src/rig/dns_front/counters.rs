//! How often, by hour and by what became of it. Never which name, never who.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::Outcome;
use crate::{
    blocklist::{Category, MAX_CATEGORIES},
    policy::Reason,
    time::Stamp,
};

/// Hours that are kept: two days, enough for whoever gathers them to have heard them.
const MAX_HOURS: usize = 48;
const HOUR_MS: i64 = 3_600_000;

/// What is counted beside names blocked by category, in the order of its places.
const WORDS: [&str; 10] = [
    "answered",
    "stale",
    "local",
    "unreachable",
    "crowded",
    "malformed",
    "refused",
    "shared_address",
    "denied",
    "closed",
];
const SHARED_ADDRESS: usize = 7;
const DENIED: usize = 8;
const CLOSED: usize = 9;
const PLACES: usize = WORDS.len() + MAX_CATEGORIES;

/// The place of what became of a question.
fn place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Answered => 0,
        Outcome::Stale => 1,
        Outcome::Local => 2,
        Outcome::Unreachable => 3,
        Outcome::Crowded => 4,
        Outcome::Malformed => 5,
        Outcome::Refused => 6,
        Outcome::Blocked(Reason::Denied) => DENIED,
        Outcome::Blocked(Reason::Closed) => CLOSED,
        Outcome::Blocked(Reason::Listed(category)) => WORDS.len().saturating_add(category.place()),
    }
}

/// What was blocked and is counted at this place.
fn reason(place: usize) -> Option<Reason> {
    match place {
        DENIED => Some(Reason::Denied),
        CLOSED => Some(Reason::Closed),
        place => u8::try_from(place.checked_sub(WORDS.len())?).ok().map(|place| Reason::Listed(Category::new(place))),
    }
}

#[derive(Debug)]
struct Hour {
    counts: [u64; PLACES],
    /// Blocked under lists that are not in use any more, by the word that it had there.
    named: BTreeMap<String, u64>,
}

impl Default for Hour {
    fn default() -> Self {
        Self { counts: [0; PLACES], named: BTreeMap::new() }
    }
}

/// The counters of one filter. At most [`MAX_HOURS`] hours of some seventy counters each.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<i64, Hour>>);

impl Counters {
    /// One more question became this.
    pub fn add(&self, now: Stamp, outcome: Outcome) {
        self.more(now, place(outcome));
    }

    /// One more question came from an address with several sessions. The first of each hour is worth a look: an
    /// access point hides its tablets, and all of them get the strictest policy.
    pub fn shared_address(&self, now: Stamp) {
        if self.more(now, SHARED_ADDRESS) == 1 {
            tracing::warn!("several sessions share one address: the strictest of their policies counts");
        }
    }

    fn more(&self, now: Stamp, place: usize) -> u64 {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = hours.entry(now.0.div_euclid(HOUR_MS)).or_default();
        let count = hour.counts.get_mut(place).map_or(0, |count| {
            *count = count.saturating_add(1);
            *count
        });
        while hours.len() > MAX_HOURS {
            hours.pop_first();
        }
        count
    }

    /// Gives what was blocked so far the words that its reasons have now.
    pub fn name(&self, word: impl Fn(Reason) -> String) {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Hour { counts, named } in hours.values_mut() {
            for (place, n) in counts.iter_mut().enumerate().filter(|(_, n)| **n > 0) {
                let Some(reason) = reason(place) else { continue };
                let count = named.entry(word(reason)).or_default();
                *count = count.saturating_add(std::mem::take(n));
            }
        }
    }

    /// Hour (since 1970, UTC), what, how often.
    pub fn read(&self, word: impl Fn(Reason) -> String) -> Vec<(i64, String, u64)> {
        let hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for (hour, Hour { counts, named }) in hours.iter() {
            // Under two lists one word may stand twice.
            let mut words: BTreeMap<String, u64> =
                named.iter().map(|(word, n)| (format!("blocked:{word}"), *n)).collect();
            for (place, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let what = match reason(place) {
                    Some(reason) => format!("blocked:{}", word(reason)),
                    None => WORDS.get(place).copied().unwrap_or_default().to_owned(),
                };
                let count = words.entry(what).or_default();
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
