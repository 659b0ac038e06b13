//! Runs: contiguous items of one origin and shelf, compressed, chained and signed once by their origin.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use super::shelf::{Origin, Shelf};
use crate::{
    documents::DocId,
    keys::{PublicKey, SigningKey, sha256},
};

/// A run is closed at so many bytes of items, before compression.
pub const CLOSE_AT_BYTES: usize = 64 * 1024;
/// … or so many items.
pub const CLOSE_AT_ITEMS: usize = 200;
/// Largest item, in bytes: a change or a journal body.
pub const MAX_ITEM_BYTES: usize = 64 * 1024;
/// Largest run after decompression: what closes it, one more item, and room for lengths.
pub const MAX_PLAIN_BYTES: usize = CLOSE_AT_BYTES + MAX_ITEM_BYTES + 16 * 1024;
/// Largest run on the wire.
pub const MAX_RUN_BYTES: usize = MAX_PLAIN_BYTES + 1024;
const ZSTD_LEVEL: i32 = 3;

/// One numbered item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A change of a document: one plain Automerge change chunk.
    Change {
        /// Which document.
        doc: DocId,
        /// The chunk.
        bytes: Vec<u8>,
    },
    /// A journal entry. Number and chain outlive the body.
    Entry {
        /// Random, so that an erased body cannot be guessed from its hash.
        salt: [u8; 16],
        /// A [`crate::journal::Entry`], encoded.
        body: Vec<u8>,
    },
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
    #[error("the run's items cannot be read")]
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
        let plain = postcard::to_stdvec(items).map_err(|_| RunError::Items)?;
        let count = u32::try_from(items.len()).map_err(|_| RunError::Size)?;
        if items.is_empty() || plain.len() > MAX_PLAIN_BYTES {
            return Err(RunError::Size);
        }
        let payload = zstd::encode_all(plain.as_slice(), ZSTD_LEVEL).map_err(|_| RunError::Items)?;
        let mut run = Self { shelf, origin, first, count, prev, payload, signature: Vec::new() };
        run.signature = key.sign(&run.hash());
        Ok(run)
    }

    /// Number of the last item.
    pub fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }

    /// SHA-256 over everything but the signature; the next run names it as `prev`.
    pub fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(self.payload.len().saturating_add(128));
        bytes.extend(b"preau run 1\0");
        bytes.extend(self.shelf.as_key().as_bytes());
        bytes.push(0);
        bytes.extend(self.origin.box_id.as_bytes());
        bytes.extend(self.origin.incarnation.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.prev);
        bytes.extend(&self.payload);
        sha256(&bytes)
    }

    /// Checks size and signature; nothing inside is looked at before.
    ///
    /// # Errors
    /// [`RunError::Size`] or [`RunError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), RunError> {
        let no_end = self.first.checked_add(u64::from(self.count)).is_none();
        if self.count == 0 || self.first == 0 || no_end || self.payload.len() > MAX_RUN_BYTES {
            return Err(RunError::Size);
        }
        key.verify(&self.hash(), &self.signature).map_err(|_| RunError::Signature)
    }

    /// Reads the items; at most [`MAX_PLAIN_BYTES`] are decompressed.
    ///
    /// # Errors
    /// [`RunError::Items`] when they are not what the run announces.
    pub fn items(&self) -> Result<Vec<Item>, RunError> {
        let limit = u64::try_from(MAX_PLAIN_BYTES).unwrap_or(u64::MAX);
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::new(self.payload.as_slice()).map_err(|_| RunError::Items)?;
        decoder.take(limit.saturating_add(1)).read_to_end(&mut plain).map_err(|_| RunError::Items)?;
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(RunError::Items);
        }
        let (items, rest): (Vec<Item>, &[u8]) = postcard::take_from_bytes(&plain).map_err(|_| RunError::Items)?;
        let announced = usize::try_from(self.count).map_err(|_| RunError::Items)?;
        if items.len() != announced || !rest.is_empty() { Err(RunError::Items) } else { Ok(items) }
    }
}
