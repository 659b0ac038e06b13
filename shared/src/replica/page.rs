//! Snapshots and repair: documents as they are, a page at a time, asked for by whoever lacks them.
//!
//! Whoever serves keeps no state: the cursor is in the question, and each page is one consistent reading. A page taken
//! twice, or half of the pages, changes nothing but time, because documents merge.

use serde::{Deserialize, Serialize};

use super::{
    run::{Run, compress, decompressed},
    shelf::{Mark, Origin, Shelf},
    tombstone::Erasure,
};
use crate::documents::DocId;

/// Bytes of saved documents asked from the store for one page; the last document may exceed it.
pub const PAGE_BYTES: usize = 384 * 1024;
/// Largest page after decompression.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// Buckets of a shelf's digest: a document is in that of the first byte of its identifier.
pub const BUCKETS: usize = 256;
/// Most changes handed over to mend the other end.
pub const MAX_LOOSE: usize = 2_000;

/// Which documents of a shelf are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// All of them, and all tombstones: I am new, or what I lack was folded away.
    Everything,
    /// Those in these buckets: ours differ.
    Buckets(Vec<u8>),
}

/// Asks for a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Of which shelf.
    pub shelf: Shelf,
    /// Which documents.
    pub wanted: Wanted,
    /// Those after this one, in the order of [`DocId`]; from the beginning without.
    pub after: Option<DocId>,
}

/// A document as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Which document.
    pub doc: DocId,
    /// Which of its histories.
    pub epoch: u32,
    /// Of a history that was left behind: its heads when it was. None of the current one.
    pub cut: Option<Vec<[u8; 32]>>,
    /// [`crate::documents::Document`] saved, not deflated.
    pub saved: Vec<u8>,
}

/// A journal entry that says how things are, not only what happened: whoever begins with a snapshot needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whose entry.
    pub origin: Origin,
    /// Its number.
    pub number: u64,
    /// As in [`super::Item::Entry`].
    pub salt: [u8; 16],
    /// As in [`super::Item::Entry`].
    pub body: Vec<u8>,
}

/// What a page holds. Entries stand on the first page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sheet {
    /// Documents, in order.
    pub copies: Vec<Copy>,
    /// Documents that are erased, in order.
    pub erased: Vec<Erasure>,
    /// Entries that still hold: the credentials of staff.
    pub entries: Vec<Kept>,
}

/// The answer to a [`Pull`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// What was asked.
    pub pull: Pull,
    /// The last document of this page, when others follow.
    pub next: Option<DocId>,
    /// What the server held when it read this page.
    pub marks: Vec<Mark>,
    /// The runs at which these marks stand, without their items, so that whoever holds a mark can show who signed it. On
    /// the first page.
    pub heads: Vec<Run>,
    /// zstd of postcard of a [`Sheet`].
    pub payload: Vec<u8>,
}

/// A change that stands in no run: handed over one by one to mend the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loose {
    /// Of which document,
    pub doc: DocId,
    /// of which of its histories.
    pub epoch: u32,
    /// Of the first change of a history: as in [`super::Item::First`].
    pub cut: Vec<[u8; 32]>,
    /// As in [`super::Item::Change`].
    pub bytes: Vec<u8>,
}

/// What the other end lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lacking {
    /// Whose the changes are: they name the lives that made them by a hash only.
    pub lives: Vec<Origin>,
    /// Changes of documents.
    pub changes: Vec<Loose>,
    /// Tombstones.
    pub erased: Vec<Erasure>,
}

impl Lacking {
    /// In pieces, each of which fits in a message.
    pub fn in_pieces(self) -> Vec<Self> {
        let mut pieces = Pieces { lives: self.lives, ..Pieces::default() };
        for erasure in self.erased {
            pieces.room_for(erasure.changes.len().saturating_mul(16)).erased.push(erasure);
        }
        for change in self.changes {
            let bytes = change.cut.len().saturating_mul(32).saturating_add(change.bytes.len());
            pieces.room_for(bytes).changes.push(change);
        }
        if pieces.count > 0 {
            pieces.end_one();
        }
        pieces.full
    }
}

#[derive(Default)]
struct Pieces {
    lives: Vec<Origin>,
    full: Vec<Lacking>,
    last: Lacking,
    count: usize,
    bytes: usize,
}

impl Pieces {
    /// The piece in which so many bytes more have room: the last one, or another.
    fn room_for(&mut self, bytes: usize) -> &mut Lacking {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.count > MAX_LOOSE || (self.bytes > PAGE_BYTES && self.count > 1) {
            self.end_one();
            (self.count, self.bytes) = (1, bytes);
        }
        &mut self.last
    }

    fn end_one(&mut self) {
        let piece = std::mem::take(&mut self.last);
        let lives = if piece.changes.is_empty() { Vec::new() } else { self.lives.clone() };
        self.full.push(Lacking { lives, ..piece });
    }
}

impl Page {
    /// Writes a page.
    ///
    /// # Errors
    /// None when it is more than a page may hold.
    pub fn new(pull: Pull, sheet: &Sheet, next: Option<DocId>, marks: Vec<Mark>) -> Option<Self> {
        let plain = postcard::to_stdvec(sheet).ok().filter(|plain| plain.len() <= MAX_PAGE_BYTES)?;
        Some(Self { pull, next, marks, heads: Vec::new(), payload: compress(&plain)? })
    }

    /// … with the runs at which its marks stand.
    #[must_use]
    pub fn with_heads(self, heads: Vec<Run>) -> Self {
        Self { heads, ..self }
    }

    /// Reads what it holds; at most [`MAX_PAGE_BYTES`] are decompressed. None when it is no sheet.
    pub fn sheet(&self) -> Option<Sheet> {
        let plain = decompressed(&self.payload, MAX_PAGE_BYTES)?;
        let (sheet, rest) = postcard::take_from_bytes(&plain).ok()?;
        rest.is_empty().then_some(sheet)
    }
}

/// The bucket of a document.
pub fn bucket(doc: &DocId) -> u8 {
    let [first, ..] = doc.id;
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{documents::Kind, ids::BoxId, replica::Tombstone};

    #[test]
    fn what_lacks_goes_in_pieces_that_fit() {
        let doc = DocId::new(Kind::Case, [7; 16]);
        let loose = |len: usize| Loose { doc, epoch: 0, cut: Vec::new(), bytes: vec![1; len] };
        let erasure = |names: usize| Erasure {
            tombstone: Tombstone { doc, pseudonym: None },
            changes: vec![[1; 16]; names],
            proof: vec![2; 64],
        };
        let pieces = |changes: Vec<Loose>, erased: Vec<Erasure>| {
            let lives = vec![Origin { box_id: BoxId::from_bytes([3; 16]), incarnation: 4 }];
            let all = Lacking { lives, changes, erased };
            let pieces = all.clone().in_pieces();
            let mut again = Lacking { lives: all.lives.clone(), ..Lacking::default() };
            for piece in &pieces {
                again.changes.extend(piece.changes.iter().cloned());
                again.erased.extend(piece.erased.iter().cloned());
                assert_eq!(piece.lives.is_empty(), piece.changes.is_empty());
            }
            assert_eq!(again, all);
            pieces.iter().map(|piece| piece.changes.len() + piece.erased.len()).collect::<Vec<_>>()
        };
        assert_eq!(pieces(Vec::new(), Vec::new()), [0; 0]);
        assert_eq!(pieces(vec![loose(9)], vec![erasure(1)]), [2]);
        assert_eq!(pieces(vec![loose(9); MAX_LOOSE + 1], vec![erasure(1)]), [MAX_LOOSE, 2]);
        assert_eq!(pieces(vec![loose(64 * 1024); 7], Vec::new()), [6, 1]);
        assert_eq!(pieces(vec![loose(PAGE_BYTES + 1); 2], vec![erasure(2_000); 20]), [12, 8, 1, 1]);
    }
}
