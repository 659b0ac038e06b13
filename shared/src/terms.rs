//! A school's charter (*charte d'usage*): a few short paragraphs for whoever uses its tablets, by cycle.
//!
//! It is plain text: paragraphs with empty lines between. A version is made of the words themselves, so that nobody can
//! say that something else was read than what stood there; the same words again are the same version.

mod shipped;

use std::fmt;

pub use self::shipped::shipped;
use crate::{keys::sha256, wire::Role};

/// Paragraphs of a charter, at most: a page for a child, not a rule book.
pub const MAX_PARAGRAPHS: usize = 12;
/// Letters of a paragraph, at most.
pub const MAX_PARAGRAPH_CHARS: usize = 300;
/// Bytes of a file that are looked at.
pub const MAX_FILE_BYTES: usize = 32 * 1024;

/// For whom a charter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Pupils up to CE2, and those whose level nobody wrote down: the simplest words.
    Cycle2,
    /// CM1, CM2 and sixième.
    Cycle3,
    /// Teachers, the head, substitutes.
    Adults,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cycle2, Self::Cycle3, Self::Adults];

    /// The word of the contract, of the document and of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cycle2 => "cycle2",
            Self::Cycle3 => "cycle3",
            Self::Adults => "adults",
        }
    }
    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|audience| audience.as_str() == word)
    }
    /// To whom somebody belongs.
    pub fn of(role: Role, level: &str) -> Self {
        match role {
            Role::Teacher | Role::Head => Self::Adults,
            Role::Pupil if matches!(level, "CM1" | "CM2" | "6E") => Self::Cycle3,
            Role::Pupil => Self::Cycle2,
        }
    }
}

/// Which words were read: the first eight bytes of SHA-256 of the paragraphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub [u8; 8]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Version {
    /// Reads sixteen hexadecimal digits back.
    pub fn from_word(word: &str) -> Option<Self> {
        let digits = word.len() == 16 && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| u64::from_str_radix(word, 16).ok().map(|number| Self(number.to_be_bytes()))).flatten()
    }
}

/// A charter for one audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter(Vec<String>);

/// Why a file is no charter. Line and column are counted from 1, in letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct CharterError {
    /// In which line.
    pub line: usize,
    /// At which letter of it.
    pub column: usize,
    /// What is wrong there.
    pub what: CharterFault,
}

/// What may be wrong with a charter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CharterFault {
    /// Not text.
    #[error("this is not UTF-8: save the file as plain text, UTF-8")]
    NotUtf8,
    /// A sign that nobody sees.
    #[error("an invisible sign stands here: take it out")]
    Invisible,
    /// A paragraph is too long.
    #[error("this paragraph has more than {MAX_PARAGRAPH_CHARS} letters: make two of it, with an empty line between")]
    Long,
    /// Too many paragraphs.
    #[error("more than {MAX_PARAGRAPHS} paragraphs: a child reads a page")]
    Many,
    /// Nothing at all.
    #[error("the charter is empty")]
    Empty,
    /// Far larger than a charter.
    #[error("the file is larger than a charter can be")]
    Huge,
}

impl Charter {
    /// Reads a file: UTF-8, with or without a byte order mark, lines ended as anywhere; lines that follow each other are
    /// one paragraph.
    ///
    /// # Errors
    /// [`CharterError`] says where and what.
    pub fn parse(bytes: &[u8]) -> Result<Self, CharterError> {
        let fault = |line, column, what| CharterError { line, column, what };
        if bytes.len() > MAX_FILE_BYTES {
            return Err(fault(1, 1, CharterFault::Huge));
        }
        let (text, is_cut) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => {
                let sound = bytes.get(..error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(sound).unwrap_or_default(), true)
            }
        };
        if is_cut {
            let (line, column) = end_of(text);
            return Err(fault(line, column, CharterFault::NotUtf8));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (mut paragraphs, mut open) = (Vec::<String>::new(), false);
        for (at, line) in text.lines().enumerate() {
            let number = at.saturating_add(1);
            if let Some(place) = line.chars().position(is_invisible) {
                return Err(fault(number, place.saturating_add(1), CharterFault::Invisible));
            }
            let mut words = line.split_whitespace().peekable();
            if words.peek().is_none() {
                open = false;
                continue;
            }
            if !open {
                if paragraphs.len() == MAX_PARAGRAPHS {
                    return Err(fault(number, 1, CharterFault::Many));
                }
                paragraphs.push(String::new());
                open = true;
            }
            let Some(paragraph) = paragraphs.last_mut() else { continue };
            for word in words {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(word);
            }
            if paragraph.chars().count() > MAX_PARAGRAPH_CHARS {
                return Err(fault(number, 1, CharterFault::Long));
            }
        }
        if paragraphs.is_empty() { Err(fault(1, 1, CharterFault::Empty)) } else { Ok(Self(paragraphs)) }
    }

    /// Its paragraphs.
    pub fn paragraphs(&self) -> &[String] {
        &self.0
    }

    /// Its text, as [`Self::parse`] reads it back.
    pub fn text(&self) -> String {
        self.0.join("\n\n")
    }

    /// Its version.
    pub fn version(&self) -> Version {
        let [a, b, c, d, e, f, g, h, ..] = sha256(format!("preau charter 1\0{}", self.text()).as_bytes());
        Version([a, b, c, d, e, f, g, h])
    }
}

/// Where a text ends: the place of the letter after its last.
fn end_of(text: &str) -> (usize, usize) {
    let last = text.rsplit('\n').next().unwrap_or_default();
    (text.split('\n').count(), last.chars().count().saturating_add(1))
}

/// Signs that hide something: controls other than a tab and the carriage return that some editors leave, marks of
/// direction, joiners and marks of byte order.
fn is_invisible(letter: char) -> bool {
    let control = letter.is_control() && !matches!(letter, '\t' | '\r');
    control
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
