//! Answers that were found lately. Two generations of bounded size: when the young one is full it becomes the old one,
//! and what nobody asked for since is gone with the one before. Past its time an answer stays, for when the upstream
//! cannot be asked (RFC 8767).

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{dns::Found, time::Elapsed};

/// Answers of one generation.
const GENERATION: usize = 16_384;
/// Bytes of their records: both generations stay within some twelve megabytes, whatever comes.
const GENERATION_BYTES: usize = 3_000_000;
/// Longer answers are not kept.
const MAX_BYTES: usize = 4_096;
/// The longest time that an answer counts as fresh.
const MAX_FRESH: Duration = Duration::from_secs(3_600);
/// The longest time that a "no" counts as fresh.
const MAX_FRESH_NO: Duration = Duration::from_secs(300);
/// How long past its time an answer may still be used (RFC 8767 §5 proposes one to three days).
const MAX_STALE: Duration = Duration::from_secs(86_400);

/// What the cache knows about a question.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// It may be answered; found so many seconds ago.
    Fresh(Arc<Found>, u32),
    /// It is past its time.
    Stale(Arc<Found>),
}

#[derive(Debug, Clone)]
struct Kept {
    found: Arc<Found>,
    since: Elapsed,
    fresh: Duration,
}

/// By what was asked: see [`crate::dns::Question::key`].
#[derive(Debug, Default)]
struct Generation {
    kept: HashMap<Box<[u8]>, Kept>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Generations>);

impl Cache {
    /// What is known of a question.
    pub(super) fn get(&self, key: &[u8], now: Elapsed) -> Option<Held> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = generations.young.kept.get(key) {
            return kept.held(now);
        }
        let (key, kept) = generations.old.kept.remove_entry(key)?;
        let held = kept.held(now);
        generations.insert(key, kept);
        held
    }

    /// Keeps what was found just now.
    pub(super) fn put(&self, key: &[u8], found: &Arc<Found>, now: Elapsed) {
        if found.bytes() > MAX_BYTES {
            return;
        }
        let longest = if found.is_answer() { MAX_FRESH } else { MAX_FRESH_NO };
        let fresh = Duration::from_secs(u64::from(found.lasts_s)).min(longest);
        let kept = Kept { found: found.clone(), since: now, fresh };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.into(), kept);
    }
}

impl Kept {
    fn held(&self, now: Elapsed) -> Option<Held> {
        let age = now.since(self.since);
        if age < self.fresh {
            return Some(Held::Fresh(self.found.clone(), u32::try_from(age.as_secs()).unwrap_or(u32::MAX)));
        }
        (age < self.fresh.saturating_add(MAX_STALE)).then(|| Held::Stale(self.found.clone()))
    }
}

impl Generations {
    fn insert(&mut self, key: Box<[u8]>, kept: Kept) {
        if self.young.kept.len() >= GENERATION || self.young.bytes >= GENERATION_BYTES {
            self.old = mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(kept.found.bytes());
        self.young.kept.insert(key, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Question;

    const QUESTION: &[u8] = b"\x05often\x07example\0\0\x01\0\x01";

    /// One record that lasts so many seconds, with text of so many bytes.
    fn found(ttl: u8, text: u8) -> Arc<Found> {
        let mut message = b"\0\0\x80\0\0\x01\0\x01\0\0\0\0".to_vec();
        message.extend(QUESTION);
        message.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, ttl, 0, text]);
        message.extend(vec![0; usize::from(text)]);
        Arc::new(Found::read(QUESTION, &message).expect("found"))
    }
    fn at(seconds: u64) -> Elapsed {
        Elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_gone() {
        let cache = Cache::default();
        let query = [&b"\0\0\x01\0\0\x01\0\0\0\0\0\0"[..], QUESTION].concat();
        let question = Question::parse(&query).expect("a question");
        cache.put(question.key(), &found(60, 1), at(0));
        assert!(matches!(cache.get(question.key(), at(59)), Some(Held::Fresh(_, 59))));
        assert!(matches!(cache.get(question.key(), at(60)), Some(Held::Stale(_))));
        assert!(cache.get(question.key(), at(60 + 86_400)).is_none());
        assert!(cache.get(b"often.example\0\x02", at(0)).is_none());
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_asked_for() {
        for (answers, text) in [(50_000, 1), (40_000, 255)] {
            let cache = Cache::default();
            for n in 0..answers {
                cache.put(format!("{n}.example").as_bytes(), &found(60, text), at(0));
                cache.get(b"often", at(0)).is_none().then(|| cache.put(b"often", &found(60, 1), at(0)));
            }
            assert!(cache.get(b"often", at(1)).is_some());
            assert!(cache.get(b"0.example", at(1)).is_none());
            let generations = cache.0.lock().expect("lock");
            for generation in [&generations.young, &generations.old] {
                assert!(generation.kept.len() <= GENERATION && generation.bytes <= GENERATION_BYTES + MAX_BYTES);
            }
        }
    }
}
