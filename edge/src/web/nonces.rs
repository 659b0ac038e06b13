//! Freshness of DPoP proofs without a wall clock (ARCHITECTURE §5.2): nonces of two minutes, and each `jti` once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use preau_shared::{
    dice::Dice,
    keys::{hmac_sha256, same_secret, sha256},
    refusal::Refusal,
    time::Elapsed,
};

/// A nonce is the current one for so long, then the previous one for as long again.
pub(crate) const TURN: Duration = Duration::from_secs(120);
/// Proofs remembered per key over the current and the previous nonce.
pub(crate) const MAX_PROOFS: usize = 1_024;
/// Keys remembered, enough for a territory's 2,800 tablets; only proofs that came with a token or an enrolment code of ours
/// are.
pub(crate) const MAX_KEYS: usize = 4_096;

/// Makes and knows nonces: MACs of the turn's number under a secret drawn at the start.
pub(crate) struct Nonces {
    secret: [u8; 32],
    /// Those of this turn and of the one before, made once a turn.
    good: Mutex<Vec<(u64, Arc<str>)>>,
}

impl Nonces {
    /// Draws this start's secret.
    pub(crate) fn draw(dice: &dyn Dice) -> Self {
        let mut secret = [0; 32];
        dice.fill(&mut secret);
        Self { secret, good: Mutex::default() }
    }

    /// The nonce to use now.
    pub(crate) fn current(&self, now: Elapsed) -> Arc<str> {
        self.good(now).first().map(|(_, nonce)| Arc::clone(nonce)).unwrap_or_default()
    }

    /// The turn of a nonce that is still good: the current one's or the previous one's.
    pub(crate) fn turn_of(&self, nonce: &str, now: Elapsed) -> Option<u64> {
        let good = self.good(now);
        good.iter().find(|(_, known)| same_secret(known.as_bytes(), nonce.as_bytes())).map(|(turn, _)| *turn)
    }

    /// This turn's, then the one before.
    fn good(&self, now: Elapsed) -> MutexGuard<'_, Vec<(u64, Arc<str>)>> {
        let current = turn(now);
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.first().is_none_or(|(turn, _)| *turn != current) {
            let turns = [Some(current), current.checked_sub(1)].into_iter().flatten();
            *good = turns.map(|turn| (turn, self.of(turn).into())).collect();
        }
        good
    }

    fn of(&self, turn: u64) -> String {
        let mac = hmac_sha256(&self.secret, &turn.to_le_bytes());
        BASE64URL_NOPAD.encode(mac.get(..16).unwrap_or(&mac))
    }
}

fn turn(now: Elapsed) -> u64 {
    now.0.as_secs().checked_div(TURN.as_secs()).unwrap_or(0)
}

type Turns = BTreeMap<u64, BTreeSet<[u8; 16]>>;

/// The proofs seen of late, by the key that made them.
#[derive(Debug)]
pub(crate) struct Replays<K>(Mutex<BTreeMap<K, Turns>>);

impl<K> Default for Replays<K> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord + Copy> Replays<K> {
    /// Takes a proof, once.
    ///
    /// # Errors
    /// `proof_replayed` the second time; `locked_out` (429) when this key made more than [`MAX_PROOFS`] proofs, or when
    /// more than [`MAX_KEYS`] keys did.
    pub(crate) fn take(&self, key: K, turn: u64, jti: &str) -> Result<(), Refusal> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(jti.as_bytes());
        let name = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            keys.retain(|_, turns| turns.keys().any(|t| t.saturating_add(1) >= turn));
            if keys.len() >= MAX_KEYS {
                return Err(Refusal::LockedOut);
            }
        }
        let turns = keys.entry(key).or_default();
        turns.retain(|t, _| t.saturating_add(1) >= turn);
        if turns.values().map(BTreeSet::len).sum::<usize>() >= MAX_PROOFS {
            return Err(Refusal::LockedOut);
        }
        if turns.entry(turn).or_default().insert(name) { Ok(()) } else { Err(Refusal::ProofReplayed) }
    }
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    fn at(seconds: u64) -> Elapsed {
        Elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn a_nonce_is_good_for_its_turn_and_the_next() {
        let nonces = Nonces::draw(&Seeded::new(1));
        let first = nonces.current(at(10));
        assert_eq!(nonces.current(at(119)), first);
        assert_eq!(nonces.turn_of(&first, at(239)), Some(0));
        assert_eq!(nonces.turn_of(&first, at(240)), None);
        assert_eq!(nonces.turn_of("", at(0)), None);
        assert_eq!(Nonces::draw(&Seeded::new(2)).turn_of(&first, at(10)), None, "another start, another secret");
    }

    #[test]
    fn a_proof_is_taken_once_and_they_are_counted() {
        let proofs = Replays::default();
        assert_eq!(proofs.take(1, 5, "a"), Ok(()));
        assert_eq!(proofs.take(1, 5, "a"), Err(Refusal::ProofReplayed));
        assert_eq!(proofs.take(2, 5, "a"), Ok(()), "another tablet");
        for n in 1..MAX_PROOFS {
            assert_eq!(proofs.take(1, 6, &n.to_string()), Ok(()), "{n}");
        }
        assert_eq!(proofs.take(1, 6, "one more"), Err(Refusal::LockedOut));
        assert_eq!(proofs.take(1, 7, "a turn later"), Ok(()), "the one of turn 5 is forgotten");
        assert_eq!(proofs.take(1, 7, "again"), Err(Refusal::LockedOut), "those of turn 6 still count");
        assert_eq!(proofs.take(1, 8, "two turns later"), Ok(()));
    }
}
