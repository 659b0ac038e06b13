//! What the QR code of a badge holds.
//!
//! Twenty bytes: version (1), identifier (16 random), check (first 3 of SHA-256 over the others), written as 32
//! characters of base32 (RFC 4648 §6, no padding), so that a QR code needs its alphanumeric mode only. The text says
//! nothing about the person. What a box stores is the keyed hash of those 17 bytes.

mod foreign;
mod short;

use data_encoding::BASE32_NOPAD;

pub use self::{
    foreign::ForeignCode,
    short::{SHORT_CHARS, ShortCode, ShortHash},
};
use crate::{dice::Dice, ids::Uai, keys};

/// Length of a payload, in characters.
pub const PAYLOAD_CHARS: usize = 32;
/// Longest text a reader will look at: a payload typed with spaces or dashes between groups.
pub const MAX_TEXT_BYTES: usize = 64;
const VERSION: u8 = 1;

/// The key of badges at a school: the territory's, so that a child's badge opens at every school where she is enrolled. A
/// training room has one of its own, which tells nothing of the territory's: no badge of one opens at the other, whatever
/// documents they hold, and a box that stands in a training room need not be guarded like a school's.
pub fn key_at(school: &Uai, territory_badge_key: &[u8; 32]) -> [u8; 32] {
    if school.is_training() {
        keys::hmac_sha256(territory_badge_key, format!("preau training room {school}").as_bytes())
    } else {
        *territory_badge_key
    }
}

/// Why a text is not a badge of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadgeError {
    /// Longer than any badge.
    #[error("a badge has {PAYLOAD_CHARS} characters")]
    TooLong,
    /// Not base32, or not of the right length: some other QR code.
    #[error("this is not a badge of this territory")]
    NotABadge,
    /// A later version of the format.
    #[error("badge version {0} is newer than this program")]
    Version(u8),
    /// A character was misread or mistyped.
    #[error("one character of this badge was misread")]
    Check,
}

/// A well-formed badge. Whether anybody holds it is for the store to say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Badge([u8; 16]);

/// What opens in a badge's place: few bits, or bits of others. Tried on enrolled tablets only, counted, slowly hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StandIn {
    /// The letters printed under our QR code.
    Short(ShortCode),
    /// Another system's QR code.
    Foreign(ForeignCode),
}

impl StandIn {
    /// Reads what a tablet said; none when it is neither.
    pub fn parse(said: &str) -> Option<Self> {
        ForeignCode::parse(said).map(Self::Foreign).or_else(|| ShortCode::parse(said).map(Self::Short))
    }

    /// What is hashed, apart for each sort.
    pub fn secret(&self) -> Vec<u8> {
        let (sort, bytes) = match self {
            Self::Short(code) => (b's', code.as_str().as_bytes()),
            Self::Foreign(code) => (b'f', code.as_bytes()),
        };
        [&[sort], bytes].concat()
    }
}

/// HMAC-SHA256(territory badge key, version ‖ identifier): all that is stored of a badge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BadgeHash(pub [u8; 32]);

impl std::fmt::Debug for BadgeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BadgeHash(..)")
    }
}

impl Badge {
    /// Draws a new badge.
    pub fn draw(dice: &dyn Dice) -> Self {
        let mut id = [0; 16];
        dice.fill(&mut id);
        Self(id)
    }

    /// Reads what a camera or a keyboard gave. Case, spaces and dashes do not matter; the rest must be exact.
    ///
    /// # Errors
    /// Says which of the four ways the text fails; never panics and looks at [`MAX_TEXT_BYTES`] bytes at most.
    pub fn parse(text: &str) -> Result<Self, BadgeError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(BadgeError::TooLong);
        }
        let compact = letters(text);
        if compact.len() != PAYLOAD_CHARS {
            return Err(BadgeError::NotABadge);
        }
        let bytes = BASE32_NOPAD.decode(compact.as_bytes()).map_err(|_| BadgeError::NotABadge)?;
        let (&[version], rest) = bytes.split_first_chunk::<1>().ok_or(BadgeError::NotABadge)?;
        let (id, check) = rest.split_first_chunk::<16>().ok_or(BadgeError::NotABadge)?;
        if version != VERSION {
            return Err(BadgeError::Version(version));
        }
        let badge = Self(*id);
        if check == badge.check() { Ok(badge) } else { Err(BadgeError::Check) }
    }

    /// The 32 characters for the QR code.
    pub fn payload(&self) -> String {
        let mut bytes = self.body().to_vec();
        bytes.extend(self.check());
        BASE32_NOPAD.encode(&bytes)
    }

    /// What is stored of it.
    pub fn keyed_hash(&self, territory_badge_key: &[u8; 32]) -> BadgeHash {
        BadgeHash(keys::hmac_sha256(territory_badge_key, &self.body()))
    }

    fn body(&self) -> [u8; 17] {
        let mut body = [VERSION; 17];
        if let Some((_, id)) = body.split_first_mut() {
            id.copy_from_slice(&self.0);
        }
        body
    }

    fn check(&self) -> [u8; 3] {
        let [a, b, c, ..] = keys::sha256(&self.body());
        [a, b, c]
    }
}

/// What was typed, without the spaces and dashes between groups.
fn letters(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect()
}

impl std::fmt::Debug for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Badge(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Seeded;

    #[test]
    fn a_badge_is_read_back_however_it_is_typed() {
        let badge = Badge::draw(&Seeded::new(1));
        let payload = badge.payload();
        assert_eq!(payload.len(), PAYLOAD_CHARS);
        assert_eq!(Badge::parse(&payload), Ok(badge));
        assert_eq!(Badge::parse(&payload.to_lowercase()), Ok(badge));
        let grouped: Vec<&str> = payload.as_bytes().chunks(4).map(|c| std::str::from_utf8(c).expect("ascii")).collect();
        assert_eq!(Badge::parse(&grouped.join("-")), Ok(badge));
    }

    #[test]
    fn a_training_room_has_a_key_of_its_own() {
        let (territory, badge) = ([9; 32], Badge::draw(&Seeded::new(3)));
        let keys =
            ["0310047H", "0400740M", "0000001Q", "0000002Q"].map(|uai| key_at(&uai.parse().expect("uai"), &territory));
        assert_eq!((keys[0], keys[1]), (territory, territory), "one key at all schools");
        assert!(keys[2] != territory && keys[2] != keys[3]);
        assert_ne!(badge.keyed_hash(&keys[2]), badge.keyed_hash(&territory));
    }

    #[test]
    fn each_wrong_character_is_noticed() {
        let payload = Badge::draw(&Seeded::new(2)).payload();
        for at in 0..payload.len() {
            let mut wrong = payload.clone().into_bytes();
            wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
            assert!(Badge::parse(std::str::from_utf8(&wrong).expect("ascii")).is_err(), "character {at}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let _ = Badge::parse(&text);
        }
    }
}
