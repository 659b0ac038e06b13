//! Wrong claim codes by address: five an hour, then the address waits. A code has 80 random bits; this keeps the log and
//! the writer quiet rather than the code safe.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::time::Elapsed;

/// Wrong codes that an address may send …
pub(crate) const MAX_WRONG: u32 = 5;
/// … in so long.
pub(crate) const WINDOW: Duration = Duration::from_secs(60 * 60);
/// Addresses remembered; beyond it the oldest is forgotten.
const MAX_ADDRESSES: usize = 1_024;

/// Wrong tries of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<BTreeMap<IpAddr, (Elapsed, u32)>>);

impl Tries {
    /// How long this address must wait, if it must.
    pub(crate) fn wait(&self, from: IpAddr, now: Elapsed) -> Option<Duration> {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, wrong) = tries.get(&from)?;
        let left = WINDOW.saturating_sub(now.since(*since));
        (*wrong >= MAX_WRONG && !left.is_zero()).then_some(left)
    }

    /// Counts a wrong code.
    pub(crate) fn wrong(&self, from: IpAddr, now: Elapsed) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, (since, _)| now.since(*since) < WINDOW);
        if tries.len() >= MAX_ADDRESSES && !tries.contains_key(&from) {
            let oldest = tries.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                tries.remove(&oldest);
            }
        }
        let entry = tries.entry(from).or_insert((now, 0));
        entry.1 = entry.1.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_try_of_an_hour_waits() {
        let tries = Tries::default();
        let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let at = |minutes: u64| Elapsed(Duration::from_secs(60 * minutes));
        for minute in 0..5 {
            assert_eq!(tries.wait(here, at(minute)), None);
            tries.wrong(here, at(minute));
        }
        assert_eq!(tries.wait(here, at(5)), Some(Duration::from_secs(55 * 60)));
        assert_eq!(tries.wait(there, at(5)), None);
        assert_eq!(tries.wait(here, at(60)), None);
    }
}
