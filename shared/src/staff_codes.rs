//! Codes that staff hold on paper: one that a secret of her own is chosen with (*code d'activation*), and the one in the
//! school's safe, for a head who forgot hers (*code du coffre*).

use std::time::Duration;

use data_encoding::BASE32_NOPAD;

use crate::dice::Dice;

/// Digits of an activation code.
pub const ACTIVATION_DIGITS: usize = 8;
/// An activation code that nobody used is good no longer, where the clock is to be trusted.
pub const ACTIVATION_LASTS: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Letters of a safe's code: 60 bits, because it lies there for years and its slow hash stands at every box of the school.
pub const SAFE_CHARS: usize = 12;
/// Codes are shown in groups of so many.
const GROUP_CHARS: usize = 4;
/// Longest text that is looked at, in bytes.
const MAX_TEXT_BYTES: usize = 64;

/// Draws an activation code.
pub fn draw_activation(dice: &dyn Dice) -> String {
    (0..ACTIVATION_DIGITS).map(|_| char::from(b'0'.saturating_add(u8::try_from(dice.below(10)).unwrap_or(0)))).collect()
}

/// A code as it is printed: in groups of four.
pub fn in_groups(code: &str) -> String {
    let mut shown = String::new();
    for (at, letter) in code.chars().enumerate() {
        if at > 0 && at.checked_rem(GROUP_CHARS) == Some(0) {
            shown.push(' ');
        }
        shown.push(letter);
    }
    shown
}

/// The code in the school's safe. It has no 0, 1, 8 or 9: what is read as one of them is the letter that looks alike.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeCode(String);

impl SafeCode {
    /// Draws one.
    pub fn draw(dice: &dyn Dice) -> Self {
        let mut bytes = [0; 10];
        dice.fill(&mut bytes);
        Self(BASE32_NOPAD.encode(&bytes).chars().take(SAFE_CHARS).collect())
    }

    /// Reads what was typed; case, spaces and dashes do not matter. None when it is no such code.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        });
        let letters: String = plain.collect();
        let known = letters.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
        (letters.len() == SAFE_CHARS && known).then_some(Self(letters))
    }

    /// Its letters, as they are hashed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SafeCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SafeCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Seeded;

    #[test]
    fn a_safes_code_is_read_back_however_it_is_typed() {
        let dice = Seeded::new(5);
        for _ in 0..500 {
            let code = SafeCode::draw(&dice);
            let printed = in_groups(code.as_str());
            assert_eq!(printed.len(), SAFE_CHARS + 2, "{printed}");
            assert_eq!(SafeCode::parse(&printed.to_lowercase()), Some(code.clone()));
            let misread = printed.replace('O', "0").replace('I', "1").replace('B', "8").replace(' ', "-");
            assert_eq!(SafeCode::parse(&misread), Some(code));
        }
        for wrong in ["", "ABCD EFGH", "ABCD EFGH IJKL M", "ABCD EFGH IJK9", "ABCD EFGH IJKÉ"] {
            assert_eq!(SafeCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_activation_code_is_eight_digits_in_two_groups() {
        let code = draw_activation(&Seeded::new(1));
        assert!(code.len() == ACTIVATION_DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        assert_eq!(in_groups("40913377"), "4091 3377");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            if let Some(code) = SafeCode::parse(&text) {
                prop_assert_eq!(SafeCode::parse(code.as_str()), Some(code.clone()));
            }
        }
    }
}
