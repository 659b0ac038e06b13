//! The envelope: a message is sealed for one hop, so that a broker in between sees sizes only.
//!
//! ```text
//! version = 1 | seal = 1 | key | nonce (12 bytes) | AES-256-GCM of the body | tag (16 bytes)
//! ```
//! The key of a direction is HKDF-SHA256 (RFC 5869) of the X25519 secret (RFC 7748) that the two ends of the hop share;
//! the ends agree on their public keys when a box is claimed, and may change them: `key` says which pair was used. The
//! additional data is the topic, so that a batch cannot be moved to another box or turned round. Nonces are random: at
//! one message a second a key would last for a century before 2^32 of them are used (NIST SP 800-38D §8.3).

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hkdf::{HKDF_SHA256, Salt},
};
use serde::{Deserialize, Serialize};

use super::{batch::MAX_BATCH_BYTES, rights::Side};
use crate::{dice::Dice, ids::BoxId, keys::KeyError};

/// Version of the envelope.
pub const VERSION: u8 = 1;
/// What the envelope adds to a body, in bytes.
pub const OVERHEAD_BYTES: usize = 3 + NONCE_BYTES + TAG_BYTES;

const SEALED: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Most keys of one hop at a time: the new one, the old one, and one more for a change that was interrupted.
const MAX_KEYS: usize = 4;

/// The secret half of an end's sealing key: 32 random bytes. Secret: kept in a file of mode 0600, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SealSecret([u8; 32]);

/// The public half of an end's sealing key (X25519).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SealPublic(pub [u8; 32]);

impl SealSecret {
    /// Draws a new one.
    pub fn draw(dice: &dyn Dice) -> Self {
        let mut bytes = [0; 32];
        dice.fill(&mut bytes);
        Self(bytes)
    }
    /// Reads one back.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The bytes to keep.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// The public half.
    ///
    /// # Errors
    /// [`KeyError`] when the provider refuses the key.
    pub fn public(&self) -> Result<SealPublic, KeyError> {
        let public = self.private()?.compute_public_key().map_err(|_| KeyError)?;
        public.as_ref().try_into().map(SealPublic).map_err(|_| KeyError)
    }
    fn private(&self) -> Result<PrivateKey, KeyError> {
        PrivateKey::from_private_key(&X25519, &self.0).map_err(|_| KeyError)
    }
}

impl std::fmt::Debug for SealSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealSecret")
    }
}

/// Why a batch is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Shorter than its envelope.
    #[error("the batch has {0} bytes, fewer than its envelope")]
    Short(usize),
    /// Longer than a batch may be.
    #[error("the batch has {0} bytes, more than {MAX_BATCH_BYTES}")]
    Long(usize),
    /// Of an unknown version.
    #[error("the batch is of version {0}, this program reads version {VERSION}: update the older side")]
    Version(u8),
    /// Not sealed, or sealed in an unknown way.
    #[error("the batch is sealed in way {0}, this program opens way {SEALED} only: update the older side")]
    Way(u8),
    /// Sealed with a key that is not known here.
    #[error("the batch is sealed with key {0}, which this end does not have")]
    Key(u8),
    /// Damaged on its way, or not from the other end of the hop.
    #[error("the batch was damaged on its way, or is not from the other end")]
    Damaged,
}

/// The two keys of one hop: one for each direction.
pub struct Hop {
    key: u8,
    seals: LessSafeKey,
    opens: LessSafeKey,
}

impl std::fmt::Debug for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hop(key {})", self.key)
    }
}

/// Which end of a hop this is: both ends must say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Lower,
    Upper,
}

impl Hop {
    /// Agrees on the keys between a box and its coordinator. `key` names the pair of keys, the same at both ends.
    ///
    /// # Errors
    /// [`KeyError`] when the other end's key is none.
    pub fn agree(mine: &SealSecret, theirs: &SealPublic, side: Side, key: u8) -> Result<Self, KeyError> {
        Self::between(mine, theirs, if side == Side::Coordinator { End::Upper } else { End::Lower }, key)
    }

    /// Agrees on the keys between two boxes of a school.
    ///
    /// # Errors
    /// [`KeyError`] when the other end's key is none.
    pub fn agree_siblings(mine: (&SealSecret, BoxId), theirs: (&SealPublic, BoxId), key: u8) -> Result<Self, KeyError> {
        Self::between(mine.0, theirs.0, if mine.1 > theirs.1 { End::Upper } else { End::Lower }, key)
    }

    fn between(mine: &SealSecret, theirs: &SealPublic, end: End, key: u8) -> Result<Self, KeyError> {
        let public = mine.public()?;
        let (lower, upper) = if end == End::Lower { (public, *theirs) } else { (*theirs, public) };
        let peer = UnparsedPublicKey::new(&X25519, theirs.0);
        let derive = |secret: &[u8]| -> Result<(LessSafeKey, LessSafeKey), KeyError> {
            let root = Salt::new(HKDF_SHA256, b"preau hop 1").extract(secret);
            let key_of = |direction: &[u8]| -> Result<LessSafeKey, KeyError> {
                let info = [direction, &lower.0, &upper.0];
                let okm = root.expand(&info, &AES_256_GCM).map_err(|_| KeyError)?;
                Ok(LessSafeKey::new(UnboundKey::from(okm)))
            };
            Ok((key_of(b"up")?, key_of(b"down")?))
        };
        let (up, down) = agree(&mine.private()?, peer, KeyError, derive)?;
        let (seals, opens) = if end == End::Lower { (up, down) } else { (down, up) };
        Ok(Self { key, seals, opens })
    }

    /// Seals a body for the other end; `topic` is where it will be published.
    ///
    /// # Errors
    /// [`SealError::Long`] when it is more than a batch may hold.
    pub fn seal(&self, dice: &dyn Dice, topic: &str, body: &[u8]) -> Result<Vec<u8>, SealError> {
        let length = body.len().saturating_add(OVERHEAD_BYTES);
        if length > MAX_BATCH_BYTES {
            return Err(SealError::Long(length));
        }
        let mut nonce = [0; NONCE_BYTES];
        dice.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(length);
        sealed.extend([VERSION, SEALED, self.key]);
        sealed.extend(nonce);
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.seals.seal_in_place_append_tag(nonce, Aad::from(topic), &mut body).map_err(|_| SealError::Long(length))?;
        sealed.extend(body);
        Ok(sealed)
    }

    fn open(&self, topic: &str, nonce: [u8; NONCE_BYTES], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut body = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.opens.open_in_place(nonce, Aad::from(topic), &mut body).map_err(|_| SealError::Damaged)?;
        let length = opened.len();
        body.truncate(length);
        Ok(body)
    }
}

/// The keys of one hop: the last one seals, all open.
#[derive(Debug)]
pub struct Keyring(Vec<Hop>);

impl Keyring {
    /// A hop with one key.
    pub fn new(hop: Hop) -> Self {
        Self(vec![hop])
    }

    /// … that seals with this key from now on, and still opens what the older ones sealed.
    #[must_use]
    pub fn with(mut self, hop: Hop) -> Self {
        self.0.retain(|old| old.key != hop.key);
        if self.0.len() >= MAX_KEYS {
            self.0.remove(0);
        }
        self.0.push(hop);
        self
    }

    /// Seals a body with the newest key.
    ///
    /// # Errors
    /// [`SealError::Long`], or [`SealError::Key`] without any key.
    pub fn seal(&self, dice: &dyn Dice, topic: &str, body: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.last().ok_or(SealError::Key(0))?.seal(dice, topic, body)
    }

    /// Opens a batch; gives its body and the key that it was sealed with. Nothing of the body is read before its tag fits.
    ///
    /// # Errors
    /// [`SealError`], which names what is wrong.
    pub fn open(&self, topic: &str, bytes: &[u8]) -> Result<(Vec<u8>, u8), SealError> {
        if bytes.len() > MAX_BATCH_BYTES {
            return Err(SealError::Long(bytes.len()));
        }
        let short = SealError::Short(bytes.len());
        let [version, way, key, rest @ ..] = bytes else { return Err(short) };
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        if *way != SEALED {
            return Err(SealError::Way(*way));
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(short)?;
        let hop = self.0.iter().find(|hop| hop.key == *key).ok_or(SealError::Key(*key))?;
        Ok((hop.open(topic, *nonce, sealed)?, *key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Seeded;

    const TOPIC: &str = "preau/1/t/0900001A/000102030405060708090a0b0c0d0e0f/up";

    fn ends(key: u8) -> (Hop, Hop) {
        let dice = Seeded::new(u64::from(key));
        let (a_box, coordinator) = (SealSecret::draw(&dice), SealSecret::draw(&dice));
        let publics = (a_box.public().expect("public"), coordinator.public().expect("public"));
        (
            Hop::agree(&a_box, &publics.1, Side::Box, key).expect("box"),
            Hop::agree(&coordinator, &publics.0, Side::Coordinator, key).expect("coordinator"),
        )
    }

    #[test]
    fn each_end_opens_what_the_other_sealed_and_nothing_else() {
        let dice = Seeded::new(9);
        let (low, high) = ends(1);
        let (low, high) = (Keyring::new(low), Keyring::new(high));
        let sealed = low.seal(&dice, TOPIC, b"Louane").expect("seal");
        assert_eq!(sealed.len(), 6 + OVERHEAD_BYTES);
        assert!(!sealed.windows(6).any(|w| w == b"Louane"));
        assert_eq!(high.open(TOPIC, &sealed), Ok((b"Louane".to_vec(), 1)));
        // Not turned round, not moved to another topic, not by another key.
        assert_eq!(low.open(TOPIC, &sealed), Err(SealError::Damaged));
        assert_eq!(high.open("elsewhere", &sealed), Err(SealError::Damaged));
        assert_eq!(Keyring::new(ends(2).1).open(TOPIC, &sealed), Err(SealError::Key(1)));
    }

    #[test]
    fn keys_change_while_messages_are_on_their_way() {
        let dice = Seeded::new(9);
        let (old_low, old_high) = ends(1);
        let (new_low, new_high) = ends(2);
        let (low, high) = (Keyring::new(old_low), Keyring::new(old_high));
        let on_its_way = low.seal(&dice, TOPIC, b"before").expect("seal");
        let high = high.with(new_high);
        assert_eq!(high.open(TOPIC, &on_its_way), Ok((b"before".to_vec(), 1)));
        let low = low.with(new_low);
        assert_eq!(high.open(TOPIC, &low.seal(&dice, TOPIC, b"after").expect("seal")), Ok((b"after".to_vec(), 2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_changed_byte_is_found(at in 0_usize..100, by in 1_u8..=255) {
            let (low, high) = ends(1);
            let mut sealed = low.seal(&Seeded::new(1), TOPIC, &[5; 100]).expect("seal");
            let at = at % sealed.len();
            sealed[at] ^= by;
            prop_assert!(Keyring::new(high).open(TOPIC, &sealed).is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Keyring::new(ends(1).1).open(TOPIC, &bytes).is_err());
        }
    }
}
