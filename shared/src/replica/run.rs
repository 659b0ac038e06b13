//! Runs: contiguous items of one origin and shelf, compressed, chained and signed once by their origin.
//!
//! The signature covers the hashes of the items, so that one item of a stored run can be replaced by its hash (erasure,
//! retention) and the run still proves the rest: number, chain and signature stay.

use serde::{Deserialize, Serialize};

use super::{
    shelf::{Origin, Shelf},
    tombstone::Erasure,
};
use crate::{
    documents::DocId,
    keys::{PublicKey, SigningKey, sha256},
};

/// A run is closed at so many bytes of items, before compression.
pub const CLOSE_AT_BYTES: usize = 64 * 1024;
/// … or so many items. No run has more: a hole takes a few compressed bytes of a run, and a row of whoever takes it.
pub const CLOSE_AT_ITEMS: usize = 200;
/// Largest item, in bytes: a change or a journal body.
pub const MAX_ITEM_BYTES: usize = 64 * 1024;
/// Largest run after decompression: what closes it, one more item, and room for lengths.
pub const MAX_PLAIN_BYTES: usize = CLOSE_AT_BYTES + MAX_ITEM_BYTES + 16 * 1024;
/// Largest run on the wire.
pub const MAX_RUN_BYTES: usize = MAX_PLAIN_BYTES + 1024;
const ZSTD_LEVEL: i32 = 3;

/// One numbered item. A promise of the wire: variants are added at the end, never moved.
///
/// The bytes of a change leave out the first eight of its chunk (magic and checksum): they follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A change that stands on no other: it says of which document and document epoch it is.
    First {
        /// Which document.
        doc: DocId,
        /// Which of its histories; only the coordinator begins another than 0.
        epoch: u32,
        /// Heads of the history that it leaves behind: what the coordinator knew of it. None for epoch 0.
        cut: Vec<[u8; 32]>,
        /// A plain Automerge change chunk without its first eight bytes.
        bytes: Vec<u8>,
    },
    /// Every other change: its document is found by what it stands on.
    Change {
        /// A plain Automerge change chunk without its first eight bytes.
        bytes: Vec<u8>,
    },
    /// A journal entry. Number and chain outlive the body.
    Entry {
        /// Random, so that an erased body cannot be guessed from its hash.
        salt: [u8; 16],
        /// A [`crate::journal::Entry`], encoded.
        body: Vec<u8>,
    },
    /// A tombstone: this document is erased, for ever and everywhere. The coordinator's only.
    Erased(Erasure),
    /// What stood here was erased, or is past its time: the hash of the item.
    Gone {
        /// [`Item::hash`] of what stood here.
        hash: [u8; 32],
        /// Whether it was a journal entry: the hole is counted.
        entry: bool,
    },
    /// What a former life of the run's own box numbered and no run of that life is known to hold: said again by a later
    /// one. It may stand in a run of the former life after all, under the same number; it is one item nevertheless.
    Former {
        /// Which life.
        incarnation: u64,
        /// Its number there.
        number: u64,
        /// The item, encoded: neither another of these nor one that is gone.
        item: Vec<u8>,
    },
    /// What a box knows of a document that was erased, and its tombstone did not say: names of changes, as in
    /// [`Erasure::changes`]. It is believed about those that the box made itself.
    Traces {
        /// Which document.
        doc: DocId,
        /// The names.
        changes: Vec<[u8; 16]>,
    },
}

impl Item {
    /// What is left of it once it is gone.
    #[must_use]
    pub fn gone(&self) -> Self {
        let entry = matches!(self, Self::Entry { .. } | Self::Gone { entry: true, .. });
        Self::Gone { hash: self.hash(), entry }
    }

    /// Says again what a former life numbered; none for what is gone, or was said again already.
    pub fn former(&self, incarnation: u64, number: u64) -> Option<Self> {
        match self {
            Self::Gone { .. } | Self::Former { .. } => None,
            Self::First { .. } | Self::Change { .. } | Self::Entry { .. } | Self::Erased(_) | Self::Traces { .. } => {
                Some(Self::Former { incarnation, number, item: postcard::to_stdvec(self).ok()? })
            }
        }
    }

    /// What is said again here, in which life and under which number; none when it is anything else, or cannot be read.
    pub fn said_before(&self) -> Option<(u64, u64, Self)> {
        let Self::Former { incarnation, number, item } = self else { return None };
        let (item, rest): (Self, &[u8]) = postcard::take_from_bytes(item).ok()?;
        let is_one = !matches!(item, Self::Gone { .. } | Self::Former { .. }) && rest.is_empty();
        is_one.then_some((*incarnation, *number, item))
    }

    /// The bytes of the change that it is, or says again.
    pub fn change(&self) -> Option<Vec<u8>> {
        match self {
            Self::First { bytes, .. } | Self::Change { bytes } => Some(bytes.clone()),
            Self::Former { .. } => self.said_before().and_then(|(_, _, said)| said.change()),
            Self::Entry { .. } | Self::Erased(_) | Self::Gone { .. } | Self::Traces { .. } => None,
        }
    }

    /// SHA-256 of the encoded item; of what was gone, the hash that it left.
    pub fn hash(&self) -> [u8; 32] {
        if let Self::Gone { hash, .. } = self { *hash } else { sha256(&postcard::to_stdvec(self).unwrap_or_default()) }
    }
}

/// A signed run. `payload` is zstd of postcard of the items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which shelf.
    pub shelf: Shelf,
    /// Whose items.
    pub origin: Origin,
    /// Number of the first item.
    pub first: u64,
    /// How many items; at least one.
    pub count: u32,
    /// Hash of the run before (zeros for the first).
    pub prev: [u8; 32],
    /// SHA-256 of the hashes of the items, one after the other.
    pub root: [u8; 32],
    /// The items, compressed.
    pub payload: Vec<u8>,
    /// Ed25519 over [`Self::hash`].
    pub signature: Vec<u8>,
}

/// Why a run is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Larger than a run may be, or empty.
    #[error("the run is empty or too large")]
    Size,
    /// Not signed by the origin it names.
    #[error("the run is not signed by its origin")]
    Signature,
    /// The payload does not decompress to the items it announces.
    #[error("the run's items cannot be read, or are not those that were signed")]
    Items,
}

impl Run {
    /// Closes items into a run.
    ///
    /// # Errors
    /// [`RunError::Size`] when there is no item, or too much of it; [`RunError::Items`] when they do not encode.
    pub fn close(
        shelf: Shelf,
        origin: Origin,
        first: u64,
        prev: [u8; 32],
        items: &[Item],
        key: &SigningKey,
    ) -> Result<Self, RunError> {
        let count = u32::try_from(items.len()).map_err(|_| RunError::Size)?;
        if items.is_empty() || items.len() > CLOSE_AT_ITEMS {
            return Err(RunError::Size);
        }
        let (payload, root) = (compressed(items)?, root(items));
        let mut run = Self { shelf, origin, first, count, prev, root, payload, signature: Vec::new() };
        run.signature = key.sign(&run.hash());
        Ok(run)
    }

    /// Number of the last item.
    pub fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// SHA-256 over everything but payload and signature, the items by their hashes; the next run names it as `prev`.
    pub fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(160);
        bytes.extend(b"preau run 1\0");
        bytes.extend(self.shelf.as_key().as_bytes());
        bytes.push(0);
        bytes.extend(self.origin.box_id.as_bytes());
        bytes.extend(self.origin.incarnation.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.prev);
        bytes.extend(self.root);
        sha256(&bytes)
    }

    /// Checks size and signature; nothing inside is looked at before.
    ///
    /// # Errors
    /// [`RunError::Size`] or [`RunError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), RunError> {
        let no_end = self.first.checked_add(u64::from(self.count)).is_none();
        let too_many = usize::try_from(self.count).is_ok_and(|count| count > CLOSE_AT_ITEMS);
        if self.count == 0 || too_many || self.first == 0 || no_end || self.payload.len() > MAX_RUN_BYTES {
            return Err(RunError::Size);
        }
        key.verify(&self.hash(), &self.signature).map_err(|_| RunError::Signature)
    }

    /// Reads the items; at most [`MAX_PLAIN_BYTES`] are decompressed. They are those that were signed.
    ///
    /// # Errors
    /// [`RunError::Items`] when they are not what the run announces.
    pub fn items(&self) -> Result<Vec<Item>, RunError> {
        let plain = decompressed(&self.payload, MAX_PLAIN_BYTES).ok_or(RunError::Items)?;
        let (items, rest): (Vec<Item>, &[u8]) = postcard::take_from_bytes(&plain).map_err(|_| RunError::Items)?;
        let announced = usize::try_from(self.count).map_err(|_| RunError::Items)?;
        if items.len() == announced && rest.is_empty() && root(&items) == self.root {
            Ok(items)
        } else {
            Err(RunError::Items)
        }
    }

    /// The same run with some items replaced by their hashes; none when there is nothing to replace.
    ///
    /// # Errors
    /// [`RunError`] when its items cannot be read.
    pub fn without(&self, mut goes: impl FnMut(u64, &Item) -> bool) -> Result<Option<Self>, RunError> {
        let mut items = self.items()?;
        let mut changed = false;
        for (number, item) in (self.first..).zip(&mut items) {
            if !matches!(item, Item::Gone { .. }) && goes(number, item) {
                *item = item.gone();
                changed = true;
            }
        }
        Ok(if changed { Some(Self { payload: compressed(&items)?, ..self.clone() }) } else { None })
    }
}

fn root(items: &[Item]) -> [u8; 32] {
    let mut hashes = Vec::with_capacity(items.len().saturating_mul(32));
    items.iter().for_each(|item| hashes.extend(item.hash()));
    sha256(&hashes)
}

fn compressed(items: &[Item]) -> Result<Vec<u8>, RunError> {
    let plain = postcard::to_stdvec(items).map_err(|_| RunError::Items)?;
    if plain.len() > MAX_PLAIN_BYTES {
        return Err(RunError::Size);
    }
    compress(&plain).ok_or(RunError::Items)
}

/// Compresses what goes on the wire.
pub(super) fn compress(plain: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::compress(plain, ZSTD_LEVEL).ok()
}

/// Decompresses a frame that says how long it is: `most` bytes at most. None when it is none of ours. In one piece, so that
/// nothing is allocated but what it says, whatever window it asks for.
pub(super) fn decompressed(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let says = zstd::zstd_safe::get_frame_content_size(bytes).ok()??;
    let says = usize::try_from(says).ok().filter(|says| *says <= most)?;
    let plain = zstd::bulk::decompress(bytes, says).ok()?;
    (plain.len() == says).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BoxId;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[3; 32]).expect("key")
    }

    fn run() -> Run {
        let entry = |n: u8| Item::Entry { salt: [n; 16], body: vec![n; 40] };
        let origin = Origin { box_id: BoxId::from_bytes([1; 16]), incarnation: 5 };
        Run::close(Shelf::Territory, origin, 7, [0; 32], &[entry(1), entry(2), entry(3)], &key()).expect("run")
    }

    #[test]
    fn an_erased_item_leaves_number_chain_and_signature() {
        let run = run();
        let erased = run.without(|number, _| number == 8).expect("run").expect("changed");
        assert_eq!((erased.hash(), erased.last()), (run.hash(), 9));
        assert_eq!(erased.verify(&key().public()), Ok(()));
        let items = erased.items().expect("items");
        assert_eq!(items[1], run.items().expect("items")[1].gone());
        assert_eq!((&items[0], &items[2]), (&run.items().expect("items")[0], &run.items().expect("items")[2]));
        assert_eq!(erased.without(|number, _| number == 8), Ok(None));
    }

    #[test]
    fn items_that_were_not_signed_are_refused() {
        let mut forged = run();
        let mut items = forged.items().expect("items");
        items[0] = Item::Entry { salt: [9; 16], body: vec![] };
        forged.payload = compressed(&items).expect("payload");
        assert_eq!(forged.verify(&key().public()), Ok(()), "the signature is over the hashes");
        assert_eq!(forged.items(), Err(RunError::Items));
    }

    #[test]
    fn no_run_has_more_items_than_closes_it() {
        let many = vec![Item::Gone { hash: [1; 32], entry: true }; CLOSE_AT_ITEMS + 1];
        let close = |items: &[Item]| Run::close(Shelf::Territory, run().origin, 1, [0; 32], items, &key());
        assert_eq!(close(&many), Err(RunError::Size));
        let mut run = close(&many[1..]).expect("run");
        assert_eq!(run.verify(&key().public()), Ok(()));
        run.count += 1;
        run.signature = key().sign(&run.hash());
        assert_eq!(run.verify(&key().public()), Err(RunError::Size));
    }

    #[test]
    fn a_frame_says_how_long_it_is() {
        // Magic; no content size; exponent of the window; one last block of nothing (RFC 8878 §3.1.1).
        let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3, 0x01, 0x00, 0x00];
        assert_eq!(decompressed(&frame(20 - 10), 9), None);
        let page = vec![7; crate::replica::page::MAX_PAGE_BYTES];
        let packed = compress(&page).expect("zstd");
        assert_eq!(decompressed(&packed, page.len() - 1), None);
        assert_eq!(decompressed(&packed, page.len()), Some(page));
        assert_eq!(decompressed(&[packed, vec![0]].concat(), 9_000_000), None, "nothing stands behind it");
    }

    #[test]
    fn a_bomb_is_not_unfolded() {
        let mut bomb = run();
        bomb.payload = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("zstd");
        assert!(bomb.payload.len() < MAX_RUN_BYTES);
        assert_eq!(bomb.items(), Err(RunError::Items));
    }
}
