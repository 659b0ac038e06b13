//! The only source of random bytes. Programs pass the operating system's ([`crate::rig::dice`]); tests pass a seed.

use std::sync::Mutex;

use aws_lc_rs::digest;

/// Fills buffers with bytes that nobody can foretell.
pub trait Dice: Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// Sixty-four random bits.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound` (0 when `bound` is 0); the bias is under `bound / 2^64`.
    fn below(&self, bound: u64) -> u64 {
        self.u64().checked_rem(bound).unwrap_or(0)
    }
}

/// Dice that replay: SHA-256 of (seed, counter). For tests, the simulator and invented schools, never for keys.
#[derive(Debug)]
pub struct Seeded {
    seed: u64,
    counter: Mutex<u64>,
}

impl Seeded {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Dice for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut counter = self.counter.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(digest::SHA256_OUTPUT_LEN) {
            let mut block = [0; 16];
            let (seed, count) = block.split_at_mut(8);
            seed.copy_from_slice(&self.seed.to_le_bytes());
            count.copy_from_slice(&counter.to_le_bytes());
            *counter = counter.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(digest::digest(&digest::SHA256, &block).as_ref()) {
                *to = *from;
            }
        }
    }
}
