//! How a screen suits somebody: what she chose for herself, the same at any tablet.

use crate::messages::Lang;

/// How large letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TextSize {
    /// As designed.
    #[default]
    Normal,
    /// Larger.
    Large,
    /// Largest.
    Largest,
}

impl TextSize {
    /// The word of the contract and of the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Large => "large",
            Self::Largest => "largest",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Normal, Self::Large, Self::Largest].into_iter().find(|size| size.as_str() == word)
    }
}

/// What somebody chose; the default is for those who chose nothing, and for guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Language of the screen; the tablet's own when none was chosen.
    pub lang: Option<Lang>,
    /// Size of letters.
    pub text: TextSize,
    /// Strong contrasts.
    pub contrast: bool,
    /// Nothing moves.
    pub still: bool,
    /// Nothing sounds.
    pub mute: bool,
}

impl Settings {
    /// For two at one tablet: the language of the first, and of the rest what is kinder to each.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        Self {
            lang: self.lang,
            text: self.text.max(other.text),
            contrast: self.contrast || other.contrast,
            still: self.still || other.still,
            mute: self.mute || other.mute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_a_tablet_get_what_is_kinder_to_each() {
        let lina = Settings { lang: Some(Lang::En), text: TextSize::Large, still: true, ..Settings::default() };
        let noe = Settings { lang: Some(Lang::Fr), contrast: true, mute: true, ..Settings::default() };
        let both = Settings { contrast: true, mute: true, ..lina };
        assert_eq!((lina.beside(noe), noe.beside(lina)), (both, Settings { lang: Some(Lang::Fr), ..both }));
    }
}
