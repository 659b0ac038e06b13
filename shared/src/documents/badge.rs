//! A badge. Whom it opens for and its hash are written once; void is for ever (revocation wins).

use super::{
    DocId, Edit, Fields, Kind, Scalar,
    rule::{Merge, Rule, Shape},
};
use crate::{
    badge::{BadgeHash, ShortHash},
    ids::{BadgeId, PersonId},
    keys::sha256,
    time::Stamp,
};

pub(crate) const RULES: &[Rule] = &[
    Rule::new("person", Shape::Bytes(16)).merged(Merge::Once).by_box(),
    Rule::new("hash", Shape::Bytes(32)).merged(Merge::Once).by_box(),
    Rule::new("void", Shape::Flag).merged(Merge::NeverUndone).by_box(),
    Rule::new("void_reason", Shape::Text(100)).by_box(),
    Rule::new("expires", Shape::Int).by_box(),
    Rule::new("series", Shape::Int).merged(Merge::Once).by_box(),
    Rule::new("short", Shape::Bytes(32)).merged(Merge::Once).by_box(),
];

/// A badge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// A reprint is another badge.
    pub id: BadgeId,
    /// Whose it is.
    pub person: PersonId,
    /// Keyed hash of what the QR code holds.
    pub hash: BadgeHash,
    /// No longer good; never comes back.
    pub void: bool,
    /// A word: `lost`, `reprinted`, …
    pub void_reason: String,
    /// A temporary badge's end.
    pub expires: Option<Stamp>,
    /// Which of her badges it is: the first use of one ends those of a lower series. Zero for the first and for
    /// temporary ones; [`BESIDE`] for what ends none and is ended by none.
    pub series: i64,
    /// Slow hash of the short code printed beside the QR code, or of another system's code that stands for this badge.
    pub short: Option<ShortHash>,
}

impl Badge {
    /// Names a badge's document.
    pub const fn doc(id: BadgeId) -> DocId {
        DocId::new(Kind::Badge, *id.as_bytes())
    }

    /// Reads a badge; none when the document is of another kind or lacks its person or hash (a void that came before
    /// the badge it voids).
    pub fn from_fields(doc: &DocId, fields: &Fields) -> Option<Self> {
        if doc.kind != Kind::Badge {
            return None;
        }
        Some(Self {
            id: BadgeId::from_bytes(doc.id),
            person: PersonId::from_bytes(fields.sixteen("person")?),
            hash: BadgeHash(fields.bytes("hash")?.try_into().ok()?),
            void: fields.flag("void"),
            void_reason: fields.word("void_reason"),
            expires: fields.int("expires").filter(|ms| *ms != 0).map(Stamp),
            series: fields.int("series").unwrap_or(0),
            short: fields.bytes("short").and_then(|hash| hash.try_into().ok()).map(ShortHash),
        })
    }

    /// The edit that makes the document say this, as far as it may: person and hash stay, and void is never undone.
    pub fn edit(&self) -> Edit {
        let edit = Edit::of(Self::doc(self.id))
            .with_bytes("person", self.person.as_bytes())
            .with_bytes("hash", &self.hash.0)
            .with_flag("void", self.void)
            .with_text("void_reason", &self.void_reason)
            .with("expires", Scalar::Int(self.expires.map_or(0, |stamp| stamp.0)));
        // What is written once is not written as nothing first.
        let edit = if self.series == 0 { edit } else { edit.with("series", Scalar::Int(self.series)) };
        match &self.short {
            Some(hash) => edit.with_bytes("short", &hash.0),
            None => edit,
        }
    }
}

/// In a training room a void badge is opened again by another document of the same paper, whose name follows from the name
/// of the one that is void: of two boxes that open it at once, one badge comes. Nothing else ever names a badge so.
pub fn again(badge: BadgeId) -> BadgeId {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
        sha256(&[b"preau training, again 1\0", &badge.as_bytes()[..]].concat());
    BadgeId::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// The series of another system's code.
pub const BESIDE: i64 = -1;

/// Voids a badge; `reason` is a word, never a sentence about somebody.
pub fn void(badge: BadgeId, reason: &str) -> Edit {
    Edit::of(Badge::doc(badge)).with_flag("void", true).with_text("void_reason", reason)
}
