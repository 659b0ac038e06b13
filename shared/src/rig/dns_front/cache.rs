//! Answers that were found lately. Two generations of bounded size: when the young one is full it becomes the old one,
//! and what nobody asked for since is gone with the one before. Past its time an answer stays, for when the upstream
//! cannot be asked (RFC 8767).

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_proto::rr::RecordType;

use crate::{dns::Found, time::Elapsed};

/// Answers of one generation.
const GENERATION: usize = 2_048;
/// Answers with more records are not kept, so that the cache stays within a few megabytes.
const MAX_RECORDS: usize = 16;
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

type Generation = HashMap<(String, RecordType), Kept>;

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<(Generation, Generation)>);

impl Cache {
    pub(super) fn get(&self, name: &str, kind: RecordType, now: Elapsed) -> Option<Held> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *generations;
        let key = (name.to_owned(), kind);
        if !young.contains_key(&key) {
            let kept = old.remove(&key)?;
            insert(young, old, key.clone(), kept);
        }
        let kept = young.get(&key)?;
        let age = now.since(kept.since);
        if age < kept.fresh {
            return Some(Held::Fresh(kept.found.clone(), u32::try_from(age.as_secs()).unwrap_or(u32::MAX)));
        }
        (age < kept.fresh.saturating_add(MAX_STALE)).then(|| Held::Stale(kept.found.clone()))
    }

    pub(super) fn put(&self, name: &str, kind: RecordType, found: &Arc<Found>, now: Elapsed) {
        if found.answers.len().saturating_add(found.authorities.len()) > MAX_RECORDS {
            return;
        }
        let ttl = |records: &[hickory_proto::rr::Record]| records.iter().map(|record| record.ttl).min();
        let (ttl, longest) = match ttl(&found.answers) {
            Some(ttl) => (ttl, MAX_FRESH),
            None => (ttl(&found.authorities).unwrap_or(30), MAX_FRESH_NO),
        };
        let fresh = Duration::from_secs(u64::from(ttl)).min(longest);
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = &mut *generations;
        insert(young, old, (name.to_owned(), kind), Kept { found: found.clone(), since: now, fresh });
    }
}

fn insert(young: &mut Generation, old: &mut Generation, key: (String, RecordType), kept: Kept) {
    if young.len() >= GENERATION {
        *old = mem::take(young);
    }
    young.insert(key, kept);
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::ResponseCode,
        rr::{Name, RData, Record},
    };

    use super::*;

    fn found(ttl: u32) -> Arc<Found> {
        let record = Record::from_rdata(Name::root(), ttl, RData::A(std::net::Ipv4Addr::LOCALHOST.into()));
        Arc::new(Found { code: ResponseCode::NoError, answers: vec![record], authorities: vec![] })
    }
    fn at(seconds: u64) -> Elapsed {
        Elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn an_answer_is_fresh_then_stale_then_gone() {
        let cache = Cache::default();
        cache.put("a.example", RecordType::A, &found(60), at(0));
        assert!(matches!(cache.get("a.example", RecordType::A, at(59)), Some(Held::Fresh(_, 59))));
        assert!(matches!(cache.get("a.example", RecordType::A, at(60)), Some(Held::Stale(_))));
        assert!(cache.get("a.example", RecordType::A, at(60 + 86_400)).is_none());
        assert!(cache.get("a.example", RecordType::AAAA, at(0)).is_none());
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_asked_for() {
        let cache = Cache::default();
        for n in 0..20_000 {
            cache.put(&format!("{n}.example"), RecordType::A, &found(60), at(0));
            cache.put("often.example", RecordType::A, &found(60), at(0));
        }
        assert!(cache.get("often.example", RecordType::A, at(1)).is_some());
        assert!(cache.get("0.example", RecordType::A, at(1)).is_none());
        let generations = cache.0.lock().expect("lock");
        assert!(generations.0.len() + generations.1.len() <= 2 * GENERATION);
    }
}
