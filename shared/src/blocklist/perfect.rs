//! A minimal perfect hash: each of n known hashes has a slot of its own among n / 0.97. Hashes fall into buckets of four on
//! average, and each bucket has a *pilot* of 16 bits under which all of its own fall into free slots; full buckets choose
//! first. (G. E. Pibiri, R. Trani, *PTHash: Revisiting FCH Minimal Perfect Hashing*, SIGIR 2021, without its encodings.)

/// Hashes in a bucket on average.
const BUCKET: u64 = 4;
/// Of so many slots …
const SLOTS: u64 = 100;
/// … so many are taken.
const TAKEN: u64 = 97;

/// How large the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) buckets: u64,
    pub(super) slots: u64,
}

impl Shape {
    /// For so many hashes.
    pub(super) fn of(hashes: u64) -> Self {
        let slots = hashes.saturating_mul(SLOTS).div_ceil(TAKEN);
        Self { buckets: hashes.div_ceil(BUCKET).max(1), slots: slots.max(1) }
    }

    /// The bucket of a hash: its first bits.
    pub(super) fn bucket(self, hash: u64) -> u64 {
        within(hash, self.buckets)
    }

    /// The slot of a hash under its bucket's pilot.
    pub(super) fn slot(self, hash: u64, pilot: u16) -> u64 {
        let turn = u64::from(pilot).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (hash ^ turn).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        within((mixed ^ (mixed >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb), self.slots)
    }
}

/// A number below `end`, as `hash` is among all numbers.
fn within(hash: u64, end: u64) -> u64 {
    let wide = u128::from(hash).wrapping_mul(u128::from(end)) >> 64;
    u64::try_from(wide).unwrap_or(0)
}

/// Finds the pilots of sorted, distinct hashes; none where a bucket has none, which another seed helps.
pub(super) fn pilots(sorted: &[u64], shape: Shape, mut done: impl FnMut(u64)) -> Option<Vec<u16>> {
    let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut taken = vec![0_u64; place(shape.slots.div_ceil(64))];
    let mut pilots = vec![0_u16; place(shape.buckets)];
    let mut buckets: Vec<&[u64]> = sorted.chunk_by(|a, b| shape.bucket(*a) == shape.bucket(*b)).collect();
    buckets.sort_by_key(|bucket| std::cmp::Reverse(bucket.len()));
    let mut slots = Vec::new();
    for bucket in buckets {
        let pilot = (0..=u16::MAX).find(|pilot| {
            slots.clear();
            bucket.iter().all(|hash| {
                let slot = shape.slot(*hash, *pilot);
                let word = taken.get(place(slot / 64)).copied().unwrap_or(u64::MAX);
                let free = word >> (slot % 64) & 1 == 0 && !slots.contains(&slot);
                slots.push(slot);
                free
            })
        })?;
        for slot in &slots {
            if let Some(word) = taken.get_mut(place(slot / 64)) {
                *word |= 1 << (slot % 64);
            }
        }
        let first = bucket.first().copied().unwrap_or(0);
        if let Some(kept) = pilots.get_mut(place(shape.bucket(first))) {
            *kept = pilot;
        }
        done(u64::try_from(bucket.len()).unwrap_or(0));
    }
    Some(pilots)
}
