//! The short code printed under a QR code (*code de secours*): eight letters that a child copies when no camera reads.

use data_encoding::BASE32_NOPAD;

use super::VERSION;
use crate::dice::Dice;

/// Letters of a short code.
pub const SHORT_CHARS: usize = 8;
/// A short code is shown in groups of so many letters.
const GROUP_CHARS: usize = 4;

/// A well-formed short code: 40 bits, so it is tried on enrolled tablets only, counted, and stored slowly hashed.
#[derive(Clone, PartialEq, Eq)]
pub struct ShortCode(String);

/// All that is stored of it, or of a code of another system: a slow hash of 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortHash(pub [u8; 32]);

impl ShortCode {
    /// Draws one that no payload begins with: whoever types a payload is not taken at the eighth letter.
    pub fn draw(dice: &dyn Dice) -> Self {
        loop {
            let mut bytes = [0; 5];
            dice.fill(&mut bytes);
            if bytes[0] != VERSION {
                return Self(BASE32_NOPAD.encode(&bytes));
            }
        }
    }

    /// Reads what was typed; case, spaces and dashes do not matter. None when it is no short code.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > super::MAX_TEXT_BYTES {
            return None;
        }
        let letters = super::letters(text);
        let bytes = BASE32_NOPAD.decode(letters.as_bytes()).ok()?;
        (letters.len() == SHORT_CHARS && bytes.first() != Some(&VERSION)).then_some(Self(letters))
    }

    /// Its eight letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is printed: `ABCD EFGH`.
    pub fn in_groups(&self) -> String {
        let (one, two) = self.0.split_at_checked(GROUP_CHARS).unwrap_or((&self.0, ""));
        format!("{one} {two}")
    }
}

impl std::fmt::Debug for ShortCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShortCode(..)")
    }
}

impl std::fmt::Debug for ShortHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShortHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{badge::Badge, dice::Seeded};

    /// What the tablet's page goes by (`screens.js`): the version's eight bits end within the second letter.
    fn begins_like_a_payload(letters: &str) -> bool {
        ["AE", "AF", "AG", "AH"].iter().any(|begin| letters.starts_with(begin))
    }

    #[test]
    fn a_short_code_is_read_back_and_is_no_beginning_of_a_payload() {
        let dice = Seeded::new(3);
        for _ in 0..2_000 {
            let code = ShortCode::draw(&dice);
            assert_eq!(ShortCode::parse(&code.in_groups().to_lowercase()), Some(code.clone()));
            assert!(!begins_like_a_payload(code.as_str()), "{}", code.as_str());
            assert!(begins_like_a_payload(&Badge::draw(&dice).payload()));
        }
        let payload = Badge::draw(&dice).payload();
        for wrong in [payload.as_str(), &payload[..8], "", "ABCDEFG", "ABCDEFG1", "ABCDEFGHI"] {
            assert_eq!(ShortCode::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let _ = ShortCode::parse(&text);
        }
    }
}
