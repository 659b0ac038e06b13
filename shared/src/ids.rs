//! Identifiers. Each is a newtype, so that two of them cannot be swapped by mistake.
//!
//! All but the school's are 128 bits, drawn once and kept for life. They are random and without meaning, but that of a
//! session, which is of UUID version 7 (RFC 9562): one that began later is greater. They are written as 32 lower-case
//! hexadecimal digits in JSON, on the wire of HTTP and in logs, and as 16 bytes everywhere else.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{dice::Dice, time::Stamp};

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not exactly 32 hexadecimal digits.
    #[error("an identifier is 32 hexadecimal digits")]
    NotHex,
    /// A school's UAI is seven digits and a letter.
    #[error("a UAI is seven digits and one letter")]
    NotUai,
}

macro_rules! random_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps 16 bytes read back from a store or from the wire.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// Draws a new one.
            pub fn draw(dice: &dyn Dice) -> Self {
                let mut bytes = [0; 16];
                dice.fill(&mut bytes);
                Self(bytes)
            }
            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| IdError::NotHex)?;
                bytes.try_into().map(Self).map_err(|_| IdError::NotHex)
            }
        }
        impl TryFrom<&[u8]> for $name {
            type Error = IdError;
            fn try_from(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::NotHex)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(D::Error::custom)
                } else {
                    Ok(Self(<[u8; 16]>::deserialize(d)?))
                }
            }
        }
    )*};
}

random_ids! {
    /// A pupil, a teacher or any other person.
    PersonId;
    /// A class or a group (*classe*, *groupe*).
    ClassId;
    /// A tablet, for life; its key may change, this does not.
    TabletId;
    /// A charging case (*valise*) of fifteen tablets with its access point.
    CaseId;
    /// A printed badge; a reprint is another badge.
    BadgeId;
    /// One stay of one person (or pair, or guest) on one tablet.
    SessionId;
    /// The host name on which the pages of one session run; never used again.
    SessionHostId;
    /// One clearing of one tablet.
    WipeId;
    /// The bytes of a kept work (*travail*).
    WorkId;
    /// A box; also its certificate name and its MQTT client id.
    BoxId;
    /// A filtering policy.
    PolicyId;
    /// The name under which a tablet asks the filter: it chooses a policy and grants nothing, and may be replaced.
    FilterId;
    /// A catalogue of applications and links.
    CatalogueId;
    /// A roster received by the coordinator (one plan, one apply, one undo).
    RosterId;
    /// A claim of a box, from code to certificate.
    ClaimId;
    /// An import of another system's QR codes.
    ImportId;
}

impl SessionId {
    /// Draws that of a session that begins now: its milliseconds, then 74 random bits. A table that is sorted by it grows at
    /// its end, however many sign in. A clock that goes back does no harm.
    pub fn draw_at(now: Stamp, dice: &dyn Dice) -> Self {
        let Self(mut bytes) = Self::draw(dice);
        let [_, _, when @ ..] = now.0.to_be_bytes();
        let [a, b, c, d, e, f, version, _, variant, ..] = &mut bytes;
        [*a, *b, *c, *d, *e, *f] = when;
        *version = *version & 0x0f | 0x70;
        *variant = *variant & 0x3f | 0x80;
        Self(bytes)
    }
}

/// A school's national number (*unité administrative immatriculée*): seven digits and a check letter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uai([u8; 8]);

/// The 23 check letters of a UAI: no I, O or Q.
const UAI_LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPRSTUVWXYZ";
/// The letter of training rooms, which is nobody's check letter.
const TRAINING_LETTER: u8 = b'Q';
/// Digits of a training room, of which the first three name a *département*: there is none of that number.
const TRAINING_DIGITS: &[u8; 3] = b"000";
/// Training rooms that a territory may number.
const MAX_TRAINING: u16 = 9_999;

impl Uai {
    /// The name of a training room (*salle de formation*), by its number in the territory, from 1 on: `000` and the number,
    /// with a letter that no school has. Nothing that names a school can name it, and it is never anything else:
    /// certificates, topics and shelves are of one UAI for life.
    pub fn training(number: u16) -> Option<Self> {
        (1..=MAX_TRAINING).contains(&number).then(|| format!("000{number:04}Q").parse().ok())?
    }
    /// Whether this names a training room, where nobody is real.
    pub fn is_training(&self) -> bool {
        self.0.starts_with(TRAINING_DIGITS) && self.0.ends_with(&[TRAINING_LETTER])
    }
    /// The letter that the seven digits ask for: `digits mod 23` in an alphabet without I, O and Q.
    pub fn letter_for(digits: u32) -> char {
        let at = usize::try_from(digits % 23).unwrap_or(0);
        char::from(UAI_LETTERS.get(at).copied().unwrap_or(b'A'))
    }
    /// Whether the check letter is the right one. Public files carry wrong ones, so only creating a school insists.
    pub fn is_sound(&self) -> bool {
        let text = self.as_str();
        let digits: Option<u32> = text.get(..7).and_then(|d| d.parse().ok());
        digits.is_some_and(|d| text.ends_with(Self::letter_for(d)))
    }
    /// The eight characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Uai {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let upper = text.trim().to_ascii_uppercase();
        let bytes: [u8; 8] = upper.as_bytes().try_into().map_err(|_| IdError::NotUai)?;
        let (digits, letter) = bytes.split_at(7);
        if digits.iter().all(u8::is_ascii_digit) && letter.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(bytes))
        } else {
            Err(IdError::NotUai)
        }
    }
}
impl fmt::Display for Uai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Uai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uai({})", self.as_str())
    }
}
impl Serialize for Uai {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Uai {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Seeded;

    #[test]
    fn a_session_that_began_later_is_greater_and_of_version_seven() {
        let dice = Seeded::new(7);
        let drawn: Vec<_> = (0..100).map(|n| SessionId::draw_at(Stamp(1_767_225_600_000 + n), &dice)).collect();
        assert!(drawn.is_sorted());
        for id in &drawn {
            let text = id.to_string();
            assert_eq!((text.get(12..13), text.get(..6)), (Some("7"), Some("019b76")), "{text}");
            assert!(text.get(16..17).is_some_and(|digit| "89ab".contains(digit)), "{text}");
        }
        // A machine without a battery, and one whose clock is nonsense.
        for when in [0, -1, i64::MIN, i64::MAX] {
            SessionId::draw_at(Stamp(when), &dice);
        }
    }

    #[test]
    fn a_training_room_is_none_of_the_schools_there_can_be() {
        for number in [1, 2, 999, 9_999] {
            let room = Uai::training(number).expect("a number");
            assert!(room.is_training() && !room.is_sound(), "{room}");
        }
        assert_eq!((Uai::training(0), Uai::training(10_000)), (None, None));
        // Of that number, with each letter that a school's can be.
        for letter in UAI_LETTERS {
            let school: Uai = format!("0000001{}", char::from(*letter)).parse().expect("a form");
            assert!(!school.is_training(), "{school}");
        }
    }

    proptest! {
        #[test]
        fn a_sound_number_never_names_a_training_room(digits in 0..10_000_000_u32) {
            let school: Uai = format!("{digits:07}{}", Uai::letter_for(digits)).parse().expect("a form");
            prop_assert!(school.is_sound() && !school.is_training());
        }
    }

    #[test]
    fn the_letter_of_a_uai_is_checked() {
        for (text, sound) in [("0400740M", true), ("0310047H", true), ("7200583W", true), ("0441234A", false)] {
            let uai: Uai = text.parse().expect(text);
            assert_eq!(uai.is_sound(), sound, "{text}");
        }
        for text in ["", "0400740", "04007400", "0400740M1", "é400740M", "040074OM"] {
            assert!(text.parse::<Uai>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_identifier_is_its_hexadecimal_text() {
        let id = PersonId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).expect("json"), format!("\"{id}\""));
        assert_eq!("AB".repeat(16).parse::<PersonId>(), Err(IdError::NotHex));
    }
}
