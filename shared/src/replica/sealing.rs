//! The sealing keys of a hop in the course of time: which pairs open, which pair seals, how new keys come into use.
//!
//! Each end numbers its own keys and holds its two newest; the other end learns the public halves (at the claim, then by
//! the school's document, under a signature). A pair is named in the envelope by the last four bits of both numbers.
//! Nobody seals with a key that the other end may not have:
//! - *Mine*: the one that the other end used last, in a batch that opened. An announced new one comes into use when the
//!   other end proves that it knows it.
//! - *Theirs*: the newest announced. Whoever announced it holds it; unless its disk was restored since. An end that
//!   still seals with its older key after [`STALE`] batches has lost the newer: it is written to with the older again.
//!
//! An older key is dropped when its end withdraws it, which it does after all others have used the newer.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use litemap::LiteMap;

use super::{
    rights::Side,
    seal::{Hop, Keyring, SealError, SealPublic, SealSecret},
};
use crate::{
    dice::Dice,
    ids::BoxId,
    keys::{KeyError, PublicKey, SigningKey},
};

/// Keys of one end that count: its newest.
pub const KEPT: usize = 2;
/// So many batches in a row under an older key than the announced one mean that the newer is lost.
pub const STALE: u32 = 64;
/// Bytes of a [`Notice`].
pub const NOTICE_BYTES: usize = 4 + 32 + 64;

const NIBBLE: u32 = 0x0f;

/// Keys by number: one or two, for each of thousands of hops.
pub type Numbered<K> = LiteMap<u32, K>;

/// What one end holds of a hop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Its own keys.
    pub own: Numbered<SealSecret>,
    /// The other end's.
    pub theirs: Numbered<SealPublic>,
}

/// Reads what is held now; `None` when it cannot be read, which changes nothing.
pub type Look = Arc<dyn Fn() -> Option<Held> + Send + Sync>;
/// Told the number of an own key that the other end has used for the first time since the start.
pub type Proved = Arc<dyn Fn(u32) + Send + Sync>;

/// Seals and opens the batches of one hop. One per link; shared by whoever tells it of new keys.
pub struct Sealing {
    side: Side,
    look: Look,
    proved: Proved,
    state: RwLock<State>,
}

struct State {
    held: Held,
    ring: Keyring,
    /// Own number and their number of the pair that seals.
    pair: (u32, u32),
    /// The own number that they used last.
    used: Option<u32>,
    /// Batches in a row under an older key of theirs than the one that seals.
    stale: u32,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealing({:?}, pair {:?})", self.side, self.read().pair)
    }
}

impl Sealing {
    /// The hop of what `look` finds.
    ///
    /// # Errors
    /// [`KeyError`] when an end has no key, or one that is none.
    pub fn new(side: Side, look: Look, proved: Proved) -> Result<Self, KeyError> {
        let held = newest(look().ok_or(KeyError)?);
        let state = State::of(side, held, None, None)?;
        Ok(Self { side, look, proved, state: RwLock::new(state) })
    }

    /// Seals a body for the other end; `topic` is where it will be published.
    ///
    /// # Errors
    /// [`SealError::Long`] when it is more than a batch may hold.
    pub fn seal(&self, dice: &dyn Dice, topic: &str, body: &[u8]) -> Result<Vec<u8>, SealError> {
        self.read().ring.seal(dice, topic, body)
    }

    /// Opens a batch of the other end. Under a key that is not known, what is held is read again first.
    ///
    /// # Errors
    /// [`SealError`], which names what is wrong.
    pub fn open(&self, topic: &str, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let first = self.read().ring.open(topic, bytes);
        let (body, key) = match first {
            Err(SealError::Key(_)) => {
                self.refresh();
                self.read().ring.open(topic, bytes)?
            }
            other => other?,
        };
        self.used(key);
        Ok(body)
    }

    /// Reads again what is held: call it when the document that tells of keys may have changed, or a key was drawn.
    pub fn refresh(&self) {
        let Some(held) = (self.look)().map(newest) else { return };
        let mut state = self.write();
        if state.held == held {
            return;
        }
        // A key that cannot be used leaves all as it was.
        if let Ok(next) = State::of(self.side, held, state.used, None) {
            *state = next;
        }
    }

    /// Own number and their number of the pair that seals now; for a page or a test.
    pub fn pair(&self) -> (u32, u32) {
        self.read().pair
    }

    fn used(&self, key: u8) {
        let (own, theirs) = if self.side == Side::Box { (key >> 4, key & 0x0f) } else { (key & 0x0f, key >> 4) };
        let news = {
            let state = self.read();
            let own = by_nibble(state.held.own.keys(), own);
            // Beside the one that seals: an older one, or a newer one again.
            let other = by_nibble(state.held.theirs.keys(), theirs).filter(|number| *number != state.pair.1);
            (state.used != own || other.is_some() || state.stale > 0).then_some((own, other))
        };
        let Some((own, other)) = news else { return };
        let first = {
            let mut state = self.write();
            let first = state.used != own;
            state.used = own;
            let older = other.is_some_and(|number| number < state.pair.1);
            let newer = other.is_some_and(|number| number > state.pair.1);
            state.stale = if older { state.stale.saturating_add(1) } else { 0 };
            let lost = state.stale >= STALE;
            if (first || lost || newer)
                && let Ok(next) = State::of(self.side, state.held.clone(), own, lost.then_some(theirs))
            {
                let stale = state.stale;
                *state = next;
                state.stale = if lost { 0 } else { stale };
            }
            first
        };
        if let (true, Some(number)) = (first, own) {
            (self.proved)(number);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(side: Side, held: Held, used: Option<u32>, only: Option<u8>) -> Result<Self, KeyError> {
        // Nothing heard yet: the oldest of mine is the one that they know if they know any.
        let mine =
            used.filter(|number| held.own.contains_key(number)).or_else(|| held.own.first().map(|(number, _)| *number));
        let fallback = only.and_then(|nibble| by_nibble(held.theirs.keys(), nibble));
        let theirs = fallback.or_else(|| held.theirs.last().map(|(number, _)| *number));
        let (Some(mine), Some(theirs)) = (mine, theirs) else { return Err(KeyError) };
        let mut hops = Vec::new();
        for (own, secret) in &held.own {
            for (number, public) in &held.theirs {
                let hop = Hop::agree(secret, public, side, pair_id(side, *own, *number))?;
                // The last one seals.
                if (*own, *number) == (mine, theirs) { hops.push(hop) } else { hops.insert(0, hop) }
            }
        }
        let mut hops = hops.into_iter();
        let first = hops.next().ok_or(KeyError)?;
        let ring = hops.fold(Keyring::new(first), Keyring::with);
        Ok(Self { held, ring, pair: (mine, theirs), used, stale: 0 })
    }
}

/// The byte that names a pair: the box's number, then the coordinator's, four bits each.
fn pair_id(side: Side, own: u32, theirs: u32) -> u8 {
    let (of_box, of_coordinator) = if side == Side::Box { (own, theirs) } else { (theirs, own) };
    u8::try_from(((of_box & NIBBLE) << 4) | (of_coordinator & NIBBLE)).unwrap_or_default()
}

fn by_nibble<'a>(mut numbers: impl Iterator<Item = &'a u32>, nibble: u8) -> Option<u32> {
    numbers.find(|number| **number & NIBBLE == u32::from(nibble)).copied()
}

fn newest(mut held: Held) -> Held {
    keep_newest(&mut held.own);
    keep_newest(&mut held.theirs);
    held
}

/// Leaves the newest [`KEPT`]. An older key of the same name as the newest goes too: whoever was away for sixteen changes.
pub fn keep_newest<K>(keys: &mut Numbered<K>) {
    let surplus = keys.len().saturating_sub(KEPT);
    let older: Vec<u32> = keys.keys().take(surplus).copied().collect();
    older.iter().for_each(|number| drop(keys.remove(number)));
    let same = |a: &u32, b: &u32| a & NIBBLE == b & NIBBLE;
    if let (Some((&oldest, _)), Some((&newest, _))) = (keys.first(), keys.last())
        && oldest != newest
        && same(&oldest, &newest)
    {
        keys.remove(&oldest);
    }
}

/// A box's announcement of its sealing key, as it stands in the school's document: number, key, signature. Signed,
/// because every box of the school may write there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Which of its keys.
    pub number: u32,
    /// The key.
    pub public: SealPublic,
}

impl Notice {
    /// The bytes for the document.
    pub fn sign(&self, box_id: BoxId, key: &SigningKey) -> Vec<u8> {
        let signature = key.sign(&self.statement(box_id));
        [&self.number.to_be_bytes()[..], &self.public.0, &signature].concat()
    }

    /// Reads the bytes of a document; `None` unless this box signed them.
    pub fn read(bytes: &[u8], box_id: BoxId, key: &PublicKey) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk::<4>()?;
        let (public, signature) = rest.split_first_chunk::<32>()?;
        let notice = Self { number: u32::from_be_bytes(*number), public: SealPublic(*public) };
        key.verify(&notice.statement(box_id), signature).ok().map(|()| notice)
    }

    fn statement(&self, box_id: BoxId) -> Vec<u8> {
        let number = self.number.to_be_bytes();
        [b"preau sealing key 1\0".as_slice(), box_id.as_bytes(), &number, &self.public.0].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::dice::Seeded;

    const TOPIC: &str = "preau/1/belfort/0900001A/000102030405060708090a0b0c0d0e0f/up";

    /// One end and the shelf it looks at.
    struct Party {
        sealing: Sealing,
        held: Arc<Mutex<Held>>,
        proved: Arc<Mutex<Vec<u32>>>,
    }

    impl Party {
        fn new(side: Side, own: &SealSecret, theirs: &SealSecret) -> Self {
            let held = Arc::new(Mutex::new(Held {
                own: Numbered::from_iter([(1, own.clone())]),
                theirs: Numbered::from_iter([(1, theirs.public().expect("public"))]),
            }));
            let proved = Arc::new(Mutex::new(Vec::new()));
            let (seen, told) = (held.clone(), proved.clone());
            let look: Look = Arc::new(move || Some(seen.lock().expect("held").clone()));
            let on: Proved = Arc::new(move |number| told.lock().expect("proved").push(number));
            Self { sealing: Sealing::new(side, look, on).expect("sealing"), held, proved }
        }
        fn draws(&self, number: u32, secret: &SealSecret) {
            self.held.lock().expect("held").own.insert(number, secret.clone());
            self.sealing.refresh();
        }
        fn learns(&self, number: u32, secret: &SealSecret) {
            self.held.lock().expect("held").theirs.insert(number, secret.public().expect("public"));
            self.sealing.refresh();
        }
        fn says(&self, to: &Self) -> Result<(), SealError> {
            let sealed = self.sealing.seal(&Seeded::new(5), TOPIC, b"runs").expect("sealed");
            to.sealing.open(TOPIC, &sealed).map(|body| assert_eq!(body, b"runs"))
        }
    }

    fn secret(n: u64) -> SealSecret {
        SealSecret::draw(&Seeded::new(n))
    }

    fn parties() -> (Party, Party) {
        (Party::new(Side::Box, &secret(1), &secret(2)), Party::new(Side::Coordinator, &secret(2), &secret(1)))
    }

    #[test]
    fn a_new_key_of_the_coordinator_comes_into_use_when_the_box_knows_it() {
        let (a_box, cloud) = parties();
        let new = secret(3);
        cloud.draws(2, &new);
        assert_eq!(cloud.says(&a_box), Ok(()), "the box does not know it yet and hears all the same");
        assert_eq!(a_box.says(&cloud), Ok(()));
        assert_eq!(cloud.sealing.pair(), (1, 1));
        a_box.learns(2, &new);
        assert_eq!(a_box.sealing.pair(), (1, 2), "whoever announced it holds it");
        assert_eq!(a_box.says(&cloud), Ok(()));
        assert_eq!(cloud.sealing.pair(), (2, 1), "now it is proved");
        assert_eq!(*cloud.proved.lock().expect("proved"), [1, 2]);
        assert_eq!(cloud.says(&a_box), Ok(()));
    }

    #[test]
    fn a_new_key_of_the_box_does_the_same_and_both_may_change_at_once() {
        let (a_box, cloud) = parties();
        let (of_box, of_cloud) = (secret(3), secret(4));
        a_box.draws(2, &of_box);
        cloud.draws(2, &of_cloud);
        for _ in 0..3 {
            assert_eq!((a_box.says(&cloud), cloud.says(&a_box)), (Ok(()), Ok(())));
        }
        cloud.learns(2, &of_box);
        assert_eq!((cloud.says(&a_box), a_box.says(&cloud)), (Ok(()), Ok(())));
        a_box.learns(2, &of_cloud);
        for _ in 0..2 {
            assert_eq!((a_box.says(&cloud), cloud.says(&a_box)), (Ok(()), Ok(())));
        }
        assert_eq!((a_box.sealing.pair(), cloud.sealing.pair()), ((2, 2), (2, 2)));
    }

    #[test]
    fn an_end_that_lost_its_newest_key_is_written_to_with_the_older_again() {
        let (a_box, cloud) = parties();
        let new = secret(3);
        cloud.draws(2, &new);
        a_box.learns(2, &new);
        assert_eq!((a_box.says(&cloud), cloud.says(&a_box)), (Ok(()), Ok(())));
        let restored = Party::new(Side::Coordinator, &secret(2), &secret(1));
        assert_eq!(a_box.says(&restored), Err(SealError::Key(0x12)));
        for _ in 0..STALE {
            assert_eq!(restored.says(&a_box), Ok(()), "the box keeps what the coordinator did not withdraw");
        }
        assert_eq!(a_box.says(&restored), Ok(()));
        assert_eq!(a_box.sealing.pair(), (1, 1));
        restored.draws(2, &new);
        assert_eq!((a_box.says(&restored), a_box.sealing.pair()), (Ok(()), (1, 1)));
        a_box.sealing.refresh();
        // Its key is found again: the first batch under it ends the exception.
        let with_new = Party::new(Side::Coordinator, &new, &secret(1));
        with_new.held.lock().expect("held").own = Numbered::from_iter([(2, new.clone())]);
        with_new.sealing.refresh();
        assert_eq!((with_new.says(&a_box), a_box.sealing.pair()), (Ok(()), (1, 2)));
    }

    #[test]
    fn whoever_was_away_for_sixteen_changes_keeps_the_newest() {
        let (a_box, cloud) = parties();
        let new = secret(3);
        a_box.learns(17, &new);
        cloud.draws(17, &new);
        assert_eq!((a_box.sealing.pair(), cloud.sealing.pair()), ((1, 17), (17, 1)));
        assert_eq!((a_box.says(&cloud), cloud.says(&a_box)), (Ok(()), Ok(())));
    }

    #[test]
    fn what_is_withdrawn_opens_no_more_and_an_unknown_key_is_looked_up() {
        let (a_box, cloud) = parties();
        let new = secret(3);
        let before = a_box.sealing.seal(&Seeded::new(5), TOPIC, b"old").expect("sealed");
        // Known on disk; nobody told the sealing.
        cloud.held.lock().expect("held").own.insert(2, new.clone());
        a_box.learns(2, &new);
        assert_eq!(a_box.says(&cloud), Ok(()), "looked up");
        cloud.held.lock().expect("held").own.remove(&1);
        cloud.sealing.refresh();
        assert_eq!(cloud.sealing.open(TOPIC, &before), Err(SealError::Key(0x11)));
        assert_eq!(a_box.says(&cloud), Ok(()));
    }

    #[test]
    fn an_announcement_is_the_boxs_own() {
        let (key, other) =
            (SigningKey::from_seed(&[1; 32]).expect("key"), SigningKey::from_seed(&[2; 32]).expect("key"));
        let (a, b) = (BoxId::from_bytes([1; 16]), BoxId::from_bytes([2; 16]));
        let notice = Notice { number: 3, public: secret(3).public().expect("public") };
        let bytes = notice.sign(a, &key);
        assert_eq!(bytes.len(), NOTICE_BYTES);
        assert_eq!(Notice::read(&bytes, a, &key.public()), Some(notice));
        assert_eq!(Notice::read(&bytes, b, &key.public()), None);
        assert_eq!(Notice::read(&bytes, a, &other.public()), None);
        assert_eq!(Notice::read(&bytes[..50], a, &key.public()), None);
    }
}
