//! What a pupil knows besides her badge (*code secret*): three pictures of twelve, or four digits.
//!
//! Such a secret has ten to thirteen bits: whoever may try it freely finds it, however slowly it is hashed. What guards it
//! is that tries are counted and that what is stored is a hash under the territory's badge key, which no tablet has.

use crate::{ids::PersonId, keys};

/// The pictures to choose from, by the names that travel.
pub const PICTURES: [&str; 12] = [
    "chat", "chien", "lapin", "cheval", "vache", "poisson", "oiseau", "papillon", "tortue", "souris", "abeille",
    "elephant",
];
/// Pictures of a secret, in their order.
pub const PICTURES_COUNT: usize = 3;
/// Digits of a secret.
pub const DIGITS_COUNT: usize = 4;
/// Longest text that is looked at, in bytes.
pub const MAX_TEXT_BYTES: usize = 64;

/// Which sort of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// Three pictures of twelve, for those who do not read yet.
    Pictures,
    /// Four digits.
    Digits,
}

impl Factor {
    /// The word of the contract and of the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Digits => "digits",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pictures, Self::Digits].into_iter().find(|factor| factor.as_str() == word)
    }
}

/// Why a text is no secret of that sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not three of the pictures, joined by `-`.
    #[error("a code is {PICTURES_COUNT} of the {} pictures, by their names, joined by `-`", PICTURES.len())]
    Pictures,
    /// Not four digits.
    #[error("a code has {DIGITS_COUNT} digits")]
    Digits,
}

/// A well-formed secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>, Factor);

/// All that is stored of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl Secret {
    /// Reads what a pupil gave: `chat-chien-lapin`, `4217`.
    ///
    /// # Errors
    /// When it is not of that sort; never panics and looks at [`MAX_TEXT_BYTES`] bytes at most.
    pub fn parse(factor: Factor, text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let parts: Option<Vec<u8>> = match factor {
            _ if text.len() > MAX_TEXT_BYTES => None,
            Factor::Pictures => text.split('-').map(place).collect(),
            Factor::Digits => text.chars().map(|c| c.to_digit(10).and_then(|d| u8::try_from(d).ok())).collect(),
        };
        match (factor, parts) {
            (Factor::Pictures, Some(parts)) if parts.len() == PICTURES_COUNT => Ok(Self(parts, factor)),
            (Factor::Digits, Some(parts)) if parts.len() == DIGITS_COUNT => Ok(Self(parts, factor)),
            (Factor::Pictures, _) => Err(SecretError::Pictures),
            (Factor::Digits, _) => Err(SecretError::Digits),
        }
    }

    /// Whether a classmate would try it first: one thing again and again, or digits that count up or down.
    pub fn is_too_simple(&self) -> bool {
        let same_step = |step: i16| {
            let mut pairs = self.0.iter().zip(self.0.iter().skip(1));
            pairs.all(|(one, next)| i16::from(*next).saturating_sub(i16::from(*one)) == step)
        };
        match self.1 {
            Factor::Pictures => same_step(0),
            Factor::Digits => [0, 1, -1].into_iter().any(same_step),
        }
    }

    /// What is stored of it: HMAC-SHA256 under the territory's badge key, of this person's secret and of nobody else's.
    pub fn keyed_hash(&self, territory_badge_key: &[u8; 32], person: PersonId) -> SecretHash {
        let mut bytes = b"preau second factor 1\0".to_vec();
        bytes.extend(person.as_bytes());
        bytes.extend(self.1.as_str().as_bytes());
        bytes.extend(&self.0);
        SecretHash(keys::hmac_sha256(territory_badge_key, &bytes))
    }
}

impl SecretHash {
    /// Whether this is the hash of that secret, in a time that does not tell where they differ.
    pub fn is(&self, other: &Self) -> bool {
        keys::same_secret(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

fn place(name: &str) -> Option<u8> {
    PICTURES.iter().position(|picture| *picture == name).and_then(|at| u8::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_one_persons_and_of_one_sort() {
        let (lina, noe) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let of = |factor, text: &str, person| Secret::parse(factor, text).expect("secret").keyed_hash(&[7; 32], person);
        let hers = of(Factor::Pictures, "chat-chien-lapin", lina);
        assert!(hers.is(&of(Factor::Pictures, " chat-chien-lapin ", lina)));
        assert!(!hers.is(&of(Factor::Pictures, "chien-chat-lapin", lina)), "their order counts");
        assert!(!hers.is(&of(Factor::Pictures, "chat-chien-lapin", noe)));
        for (factor, wrong) in [
            (Factor::Pictures, "chat-chien"),
            (Factor::Pictures, "chat-chien-loup"),
            (Factor::Pictures, ""),
            (Factor::Pictures, "4217"),
            (Factor::Digits, "421"),
            (Factor::Digits, "42171"),
            (Factor::Digits, "42a7"),
            (Factor::Digits, "٤٢١٧"),
        ] {
            assert!(Secret::parse(factor, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_classmate_tries_first_is_too_simple() {
        let simple = |factor, text| Secret::parse(factor, text).expect("secret").is_too_simple();
        for text in ["0000", "1234", "6789", "4321"] {
            assert!(simple(Factor::Digits, text), "{text}");
        }
        assert!(!simple(Factor::Digits, "4217"));
        assert!(simple(Factor::Pictures, "chat-chat-chat"));
        assert!(!simple(Factor::Pictures, "chat-chien-lapin"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            for factor in [Factor::Pictures, Factor::Digits] {
                if let Ok(secret) = Secret::parse(factor, &text) {
                    let _ = secret.is_too_simple();
                }
            }
        }
    }
}
