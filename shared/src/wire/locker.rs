//! What two boxes of one school tell each other of what pupils keep (*casiers*): each asks the other what has changed since
//! it last looked, then fetches the bytes that it lacks, a piece at a time. Both ask, both answer, over one connection.
//!
//! Ages stand where hours would: a box has no battery clock. What is later is told by turns (`turn`, `author`).

use serde::{Deserialize, Serialize};

use crate::ids::{BoxId, PersonId, WorkId};

/// What both ends say they speak (ALPN).
pub const PROTOCOL: &[u8] = b"preau-works/1";
/// Lines of a page.
pub const MAX_LINES: usize = 500;
/// A piece of a work, in bytes: what a box holds in memory for another one.
pub const MAX_PIECE_BYTES: usize = 128 * 1024;
/// Turns that a line may have had; one that counts further is not believed.
pub const MAX_TURN: u64 = 1 << 40;
/// Longest name, in bytes: 80 characters.
const MAX_NAME_BYTES: usize = 80 * 4;
/// Longest media type, in bytes.
const MAX_MEDIA_BYTES: usize = 64;

/// One thing said. A promise of the wire: variants are added at the end, never moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// What changed after this number? Whoever asks has all up to it on disk. Answered by a [`Page`], which may come late:
    /// when something changes, or when it is time to say that nothing did.
    Since(u64),
    /// What changed.
    Page(Page),
    /// The bytes of a work, from this one on?
    From {
        /// Which work.
        file: WorkId,
        /// First byte.
        at: u64,
    },
    /// A piece of them; nothing where they are not here.
    Piece {
        /// Of which work.
        file: WorkId,
        /// Where it begins.
        at: u64,
        /// The piece, [`MAX_PIECE_BYTES`] at most.
        bytes: Vec<u8>,
    },
}

/// What changed at a box, in the order of its numbers, each line as it stands now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// [`MAX_LINES`] at most.
    pub lines: Vec<Line>,
    /// All up to this number is told.
    pub last: u64,
    /// There is more.
    pub more: bool,
    /// This box has no room for what others keep.
    pub full: bool,
}

/// A work of one person, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose.
    pub person: PersonId,
    /// Its bytes.
    pub file: WorkId,
    /// How often this line was changed.
    pub turn: u64,
    /// By which box last.
    pub author: BoxId,
    /// How it stands.
    pub state: State,
}

/// How a work stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Replaced or taken away, and the time to have it back is over.
    Gone,
    /// It can be had back; so for this time, in milliseconds.
    Former(About, u64),
    /// She has it.
    Now(About),
}

/// What a work is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name, hers to choose.
    pub name: String,
    /// Its media type.
    pub media: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How long ago it was kept, in milliseconds.
    pub age_ms: u64,
    /// Whether its bytes are durable at the box that says so.
    pub here: bool,
}

/// Why bytes say nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockerError {
    /// Not of this form, or followed by something else.
    #[error("it is not of the described form")]
    Form,
    /// More than a limit allows.
    #[error("it has too many or too large {0}")]
    Limit(&'static str),
}

impl Said {
    /// The bytes for the wire.
    ///
    /// # Errors
    /// [`LockerError::Limit`] where no other box would read it.
    pub fn encode(&self) -> Result<Vec<u8>, LockerError> {
        self.is_within_limits()?;
        postcard::to_stdvec(self).map_err(|_| LockerError::Form)
    }

    /// Reads what came.
    ///
    /// # Errors
    /// [`LockerError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LockerError> {
        let (said, rest) = postcard::take_from_bytes::<Self>(bytes).map_err(|_| LockerError::Form)?;
        if !rest.is_empty() {
            return Err(LockerError::Form);
        }
        said.is_within_limits()?;
        Ok(said)
    }

    fn is_within_limits(&self) -> Result<(), LockerError> {
        match self {
            Self::Since(_) | Self::From { .. } => Ok(()),
            Self::Piece { bytes, .. } if bytes.len() > MAX_PIECE_BYTES => Err(LockerError::Limit("bytes")),
            Self::Piece { .. } => Ok(()),
            Self::Page(page) if page.lines.len() > MAX_LINES => Err(LockerError::Limit("lines")),
            Self::Page(page) => page.lines.iter().try_for_each(Line::is_within_limits),
        }
    }
}

impl Line {
    fn is_within_limits(&self) -> Result<(), LockerError> {
        if self.turn > MAX_TURN {
            return Err(LockerError::Limit("turns"));
        }
        match self.state.about() {
            Some(about) if about.name.len() > MAX_NAME_BYTES => Err(LockerError::Limit("names")),
            Some(about) if about.media.len() > MAX_MEDIA_BYTES => Err(LockerError::Limit("media types")),
            Some(_) | None => Ok(()),
        }
    }
}

impl State {
    /// What it is, while it is something.
    pub const fn about(&self) -> Option<&About> {
        match self {
            Self::Gone => None,
            Self::Former(about, _) | Self::Now(about) => Some(about),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::replica::batch::MAX_BATCH_BYTES;

    fn about() -> impl Strategy<Value = About> {
        (".{0,80}", "[a-z/]{0,64}", any::<(u64, [u8; 32], u64, bool)>()).prop_map(
            |(name, media, (size_bytes, sha256, age_ms, here))| About { name, media, size_bytes, sha256, age_ms, here },
        )
    }

    fn line() -> impl Strategy<Value = Line> {
        let state = prop_oneof![
            Just(State::Gone),
            (about(), any::<u64>()).prop_map(|(about, ms)| State::Former(about, ms)),
            about().prop_map(State::Now)
        ];
        (any::<([u8; 16], [u8; 16], [u8; 16])>(), 0..=MAX_TURN, state).prop_map(|((person, file, by), turn, state)| {
            Line {
                person: PersonId::from_bytes(person),
                file: WorkId::from_bytes(file),
                turn,
                author: BoxId::from_bytes(by),
                state,
            }
        })
    }

    fn said() -> impl Strategy<Value = Said> {
        let file = any::<[u8; 16]>().prop_map(WorkId::from_bytes);
        prop_oneof![
            any::<u64>().prop_map(Said::Since),
            (prop::collection::vec(line(), 0..8), any::<(u64, bool, bool)>())
                .prop_map(|(lines, (last, more, full))| Said::Page(Page { lines, last, more, full })),
            (file.clone(), any::<u64>()).prop_map(|(file, at)| Said::From { file, at }),
            (file, any::<u64>(), prop::collection::vec(any::<u8>(), 0..300))
                .prop_map(|(file, at, bytes)| Said::Piece { file, at, bytes }),
        ]
    }

    #[test]
    fn what_is_too_much_is_neither_written_nor_read() {
        let file = WorkId::from_bytes([1; 16]);
        let line = Line {
            person: PersonId::from_bytes([2; 16]),
            file,
            turn: 1,
            author: BoxId::from_bytes([3; 16]),
            state: State::Gone,
        };
        let page = |lines| Said::Page(Page { lines, ..Page::default() });
        for said in [
            page(vec![line.clone(); MAX_LINES + 1]),
            page(vec![Line { turn: MAX_TURN + 1, ..line }]),
            Said::Piece { file, at: 0, bytes: vec![0; MAX_PIECE_BYTES + 1] },
        ] {
            assert!(matches!(said.encode(), Err(LockerError::Limit(_))));
            let bytes = postcard::to_stdvec(&said).expect("bytes");
            assert!(matches!(Said::decode(&bytes), Err(LockerError::Limit(_))));
        }
    }

    #[test]
    fn the_largest_page_and_piece_fit_in_a_frame() {
        let about = About {
            name: "\u{1F98A}".repeat(80),
            media: "x".repeat(MAX_MEDIA_BYTES),
            size_bytes: u64::MAX,
            sha256: [9; 32],
            age_ms: u64::MAX,
            here: true,
        };
        let line = Line {
            person: PersonId::from_bytes([2; 16]),
            file: WorkId::from_bytes([1; 16]),
            turn: MAX_TURN,
            author: BoxId::from_bytes([3; 16]),
            state: State::Former(about, u64::MAX),
        };
        let page = Said::Page(Page { lines: vec![line; MAX_LINES], last: u64::MAX, more: true, full: true });
        let piece = Said::Piece { file: WorkId::from_bytes([1; 16]), at: u64::MAX, bytes: vec![9; MAX_PIECE_BYTES] };
        for said in [page, piece] {
            assert!(said.encode().expect("within the limits").len() <= MAX_BATCH_BYTES);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(said in said()) {
            prop_assert_eq!(Said::decode(&said.encode().expect("within the limits")), Ok(said));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(said) = Said::decode(&bytes) {
                prop_assert_eq!(Said::decode(&said.encode().expect("within the limits")), Ok(said));
            }
        }

        #[test]
        fn a_cut_or_lengthened_word_is_refused(said in said(), cut in any::<prop::sample::Index>()) {
            let mut bytes = said.encode().expect("within the limits");
            prop_assert!(Said::decode(&bytes[..cut.index(bytes.len())]).is_err());
            bytes.push(0);
            prop_assert_eq!(Said::decode(&bytes), Err(LockerError::Form));
        }
    }
}
