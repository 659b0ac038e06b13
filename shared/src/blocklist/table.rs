//! A compiled list as bytes, to be mapped from a file and read where it stands. Integers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `preaubl1` |
//! | 8 | 16 | the seed under which names are hashed |
//! | 24 | 8 | names |
//! | 32 | 8 | slots of the perfect hash ([`super::perfect`]) |
//! | 40 | 8 | its buckets |
//! | 48 | 8 | bytes of the meta data |
//! | 56 | 8 | bytes of the number of a set of categories: 1 or 2 |
//! | 64 | 32 | SHA-256 of the first 64 bytes and of the hashes of the blocks |
//! | 96 | 64 | Ed25519 signature (RFC 8032) of the first 96 bytes; zeros where nobody signed |
//! | 160 | 32 each | SHA-256 of each block of [`BLOCK_BYTES`] of what follows |
//! | then | | meta data: a [`Meta`] in postcard |
//! | then | 2 each | pilots |
//! | then | 5 or more each | slots: the lower 40 bits of a hash, and the number of its set |
//!
//! Nothing in it is trusted: lengths are checked when it is opened, every place when it is read, and blocks when
//! [`Table::bad_block`] is asked.

use std::{fmt, ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    BadLine, Categories, MAX_CATEGORIES, Usage,
    perfect::Shape,
    print::{Key, Print},
};
use crate::keys::{BadSignature, PublicKey, Sha256, SigningKey, sha256};

/// What is checked at once.
pub const BLOCK_BYTES: usize = 65_536;
/// The most names of a list; public ones have five million.
pub(super) const MAX_NAMES: u64 = 16_000_000;
const MAGIC: &[u8; 8] = b"preaubl1";
const HEADER_BYTES: usize = 96;
const BOUND_AT: usize = 64;
const SIGNATURE_BYTES: usize = 64;
const HASHES_AT: usize = HEADER_BYTES + SIGNATURE_BYTES;
const HASH_BYTES: usize = 32;
/// Of a hash, kept in a slot.
const KEPT_BYTES: usize = 5;
/// Sets, categories and the like: far below.
const MAX_META_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// They do not begin as one.
    #[error("this is not a compiled block list")]
    NotAList,
    /// A later program wrote it.
    #[error("this block list was compiled by a newer program: update this one")]
    Newer,
    /// They are not as long as they say.
    #[error("the block list is {found} bytes long and should be {expected}: it was not copied whole")]
    Length {
        /// What it says.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// The block with this number is not what was compiled.
    #[error("the block list is damaged at byte {}", .0.saturating_mul(BLOCK_BYTES))]
    Block(usize),
    /// A number or a word in it cannot be.
    #[error("the block list is damaged: {0}")]
    Nonsense(&'static str),
}

/// What is said of a list beside its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Names the content.
    pub(super) version: String,
    /// The list that this one changes; none for a whole one.
    pub(super) base: Option<String>,
    pub(super) categories: Vec<(String, Usage)>,
    /// Other names of categories, by their places.
    pub(super) aliases: Vec<(String, u8)>,
    /// The sets that names have; the first one is empty, and of slots that nobody has.
    pub(super) sets: Vec<Categories>,
    pub(super) bad_lines: Vec<BadLine>,
    pub(super) bad_line_count: u64,
}

/// Bytes in memory, or mapped from a file.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A list as it stands in its bytes.
#[derive(Clone)]
pub(super) struct Table {
    bytes: Bytes,
    pub(super) key: Key,
    pub(super) seed: [u8; 16],
    pub(super) names: u64,
    shape: Shape,
    blocks: usize,
    pilots: Range<usize>,
    slots: Range<usize>,
    /// Of a slot.
    slot_bytes: usize,
    pub(super) meta: Meta,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("version", &self.meta.version).field("names", &self.names).finish_non_exhaustive()
    }
}

impl Table {
    /// Reads what stands before the names. Whether the names are what was compiled is for [`Self::bad_block`] to say.
    pub(super) fn open(bytes: Bytes) -> Result<Self, TableError> {
        let all = (*bytes).as_ref();
        let header: &[u8; HEADER_BYTES] = all.first_chunk().ok_or(TableError::NotAList)?;
        match header.split_first_chunk::<8>() {
            Some((magic, _)) if magic == MAGIC => {}
            Some((magic, _)) if magic.starts_with(b"preaubl") => return Err(TableError::Newer),
            Some(_) | None => return Err(TableError::NotAList),
        }
        let number = |at: usize| -> u64 {
            let bytes = header.get(at..at.saturating_add(8)).and_then(|bytes| bytes.try_into().ok());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        let seed = header.get(8..24).and_then(|seed| seed.try_into().ok()).unwrap_or_default();
        let (names, shape) = (number(24), Shape { slots: number(32), buckets: number(40) });
        let width = number(56);
        if names > MAX_NAMES || shape != Shape::of(names) || !(1..=2).contains(&width) {
            return Err(TableError::Nonsense("its size"));
        }
        let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (meta_bytes, slot_bytes) = (place(number(48)), KEPT_BYTES.saturating_add(place(width)));
        if meta_bytes > MAX_META_BYTES {
            return Err(TableError::Nonsense("its size"));
        }
        let pilot_bytes = place(shape.buckets).saturating_mul(2);
        let body = meta_bytes.saturating_add(pilot_bytes).saturating_add(place(shape.slots).saturating_mul(slot_bytes));
        let blocks = body.div_ceil(BLOCK_BYTES);
        let body_at = HASHES_AT.saturating_add(blocks.saturating_mul(HASH_BYTES));
        let expected = body_at.saturating_add(body);
        if all.len() != expected {
            return Err(TableError::Length { expected, found: all.len() });
        }
        let pilots_at = body_at.saturating_add(meta_bytes);
        let slots_at = pilots_at.saturating_add(pilot_bytes);
        let hashes = all.get(HASHES_AT..body_at).unwrap_or_default();
        if header.get(BOUND_AT..) != Some(&bound(header, hashes)[..]) {
            return Err(TableError::Nonsense("its size, its seed or the hashes of its blocks"));
        }
        let meta = all.get(body_at..pilots_at).unwrap_or_default();
        let meta = Meta::read(meta).ok_or(TableError::Nonsense("its description"))?;
        let key = Key::new(&seed);
        let (pilots, slots) = (pilots_at..slots_at, slots_at..expected);
        Ok(Self { key, seed, names, shape, blocks, pilots, slots, slot_bytes, meta, bytes })
    }

    /// The set of a name; none when it is not listed.
    pub(super) fn find(&self, print: Print) -> Option<Categories> {
        let [found] = self.find_each([print]);
        found
    }

    /// The sets of several names. Each takes two places of a file that no cache holds: the first ones are fetched together,
    /// and then the second ones.
    pub(super) fn find_each<const N: usize>(&self, prints: [Print; N]) -> [Option<Categories>; N] {
        let all = (*self.bytes).as_ref();
        let pilots = prints.map(|print| (print, self.pilot(all, print)));
        pilots.map(|(print, pilot)| self.in_slot(all, print, pilot?))
    }

    fn pilot(&self, all: &[u8], print: Print) -> Option<u16> {
        let bucket = usize::try_from(self.shape.bucket(print.hash)).ok()?;
        let at = self.pilots.start.saturating_add(bucket.saturating_mul(2));
        Some(u16::from_le_bytes(all.get(at..)?.first_chunk().copied()?))
    }

    fn in_slot(&self, all: &[u8], print: Print, pilot: u16) -> Option<Categories> {
        let slot = usize::try_from(self.shape.slot(print.hash, pilot)).ok()?;
        let at = self.slots.start.saturating_add(slot.saturating_mul(self.slot_bytes));
        let (kept, set) = all.get(at..at.saturating_add(self.slot_bytes))?.split_first_chunk::<KEPT_BYTES>()?;
        if Some(kept) != print.hash.to_le_bytes().first_chunk() {
            return None;
        }
        let set = set.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.meta.sets.get(set).copied().filter(|_| set > 0)
    }

    /// Whose signature it bears.
    pub(super) fn signed_by(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let (header, rest) = (*self.bytes).as_ref().split_at_checked(HEADER_BYTES).ok_or(BadSignature)?;
        key.verify(header, rest.get(..SIGNATURE_BYTES).unwrap_or_default())
    }

    /// The first block that is not what was compiled. Reads all of it: call it where waiting is allowed.
    pub(super) fn bad_block(&self) -> Option<TableError> {
        let all = (*self.bytes).as_ref();
        let body_at = HASHES_AT.saturating_add(self.blocks.saturating_mul(HASH_BYTES));
        let (hashes, _) = all.get(HASHES_AT..body_at).unwrap_or_default().as_chunks::<HASH_BYTES>();
        let blocks = all.get(body_at..).unwrap_or_default().chunks(BLOCK_BYTES);
        let bad = blocks.zip(hashes).position(|(block, hash)| sha256(block) != *hash);
        bad.map(TableError::Block)
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        (*self.bytes).as_ref().len()
    }
}

impl Meta {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (meta, rest) = postcard::take_from_bytes::<Self>(bytes).ok()?;
        let sound = rest.is_empty()
            && meta.categories.len() <= MAX_CATEGORIES
            && meta.aliases.iter().all(|(_, category)| usize::from(*category) < meta.categories.len());
        sound.then_some(meta)
    }
}

/// What binds the head of a list to its blocks: with one bit of its seed another, it would block nothing.
fn bound(header: &[u8], block_hashes: &[u8]) -> [u8; 32] {
    let mut both = Sha256::default();
    both.update(header.get(..BOUND_AT).unwrap_or_default());
    both.update(block_hashes);
    both.finish()
}

/// Writes a list. `sets` gives the set of each of the sorted hashes, by its number in the meta data.
pub(super) fn write(
    (seed, meta): ([u8; 16], &Meta),
    (hashes, sets): (&[u64], &[u16]),
    pilots: &[u16],
    signer: Option<&SigningKey>,
) -> Result<Vec<u8>, TableError> {
    let names = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
    let shape = Shape::of(names);
    let width = if meta.sets.len() <= 256 { 1_usize } else { 2 };
    let slot_bytes = KEPT_BYTES.saturating_add(width);
    let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut slots = vec![0_u8; place(shape.slots).saturating_mul(slot_bytes)];
    for (hash, set) in hashes.iter().zip(sets) {
        let pilot = pilots.get(place(shape.bucket(*hash))).copied().unwrap_or(0);
        let at = place(shape.slot(*hash, pilot)).saturating_mul(slot_bytes);
        let Some(slot) = slots.get_mut(at..at.saturating_add(slot_bytes)) else { continue };
        let bytes = hash.to_le_bytes().into_iter().take(KEPT_BYTES).chain(set.to_le_bytes());
        slot.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    }
    let mut body = postcard::to_stdvec(meta).map_err(|_| TableError::Nonsense("its description"))?;
    let meta_bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
    body.extend(pilots.iter().flat_map(|pilot| pilot.to_le_bytes()));
    body.extend(slots);
    let block_hashes = body.chunks(BLOCK_BYTES).map(sha256).collect::<Vec<_>>().concat();
    let mut bytes = Vec::with_capacity(HASHES_AT.saturating_add(block_hashes.len()).saturating_add(body.len()));
    bytes.extend(MAGIC);
    bytes.extend(seed);
    for number in [names, shape.slots, shape.buckets, meta_bytes, u64::try_from(width).unwrap_or(2)] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(bound(&bytes, &block_hashes));
    let signature = signer.map_or(vec![0; SIGNATURE_BYTES], |key| key.sign(&bytes));
    bytes.extend(signature);
    bytes.extend(block_hashes);
    bytes.extend(body);
    Ok(bytes)
}
