//! What is done to bytes and numbers. Everything comes from one seed.

use preau_shared::dice::{Dice as _, Seeded};

/// Dice with the throws that harm needs.
pub(crate) struct Hand(Seeded);

impl Hand {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }
    pub(crate) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.below(u64::try_from(bound).expect("small"))).expect("small")
    }
    /// True once in so many throws.
    pub(crate) fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
    pub(crate) fn fill<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
    pub(crate) fn byte(&self) -> u8 {
        let [byte] = self.fill();
        if self.once_in(3) { *self.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]) } else { byte }
    }
    /// A number at the edges, or near this one.
    pub(crate) fn number(&self, near: u64) -> u64 {
        let edges = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, u64::from(u32::MAX), 1 << 20];
        match self.below(4) {
            0 => *self.pick(&edges),
            1 => near.saturating_add(1 + u64::from(self.byte())),
            2 => near.saturating_sub(u64::from(self.byte() % 4)),
            _ => near,
        }
    }

    /// Some bytes overwritten, a piece doubled or taken out, a great number put in, the end cut off.
    pub(crate) fn harm(&self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            if bytes.is_empty() {
                bytes.push(self.byte());
            }
            let at = self.below(bytes.len());
            match self.below(12) {
                0..6 => bytes[at] = self.byte(),
                6..8 => bytes[at] ^= 1 << self.below(8),
                8 => {
                    let piece: Vec<u8> = bytes[at..].iter().take(1 + self.below(40)).copied().collect();
                    let to = self.below(bytes.len());
                    drop(bytes.splice(to..to, piece));
                }
                9 => drop(bytes.splice(at..bytes.len().min(at + 1 + self.below(24)), [])),
                10 => drop(bytes.splice(at..at + 1, [vec![0xff; 1 + self.below(9)], vec![0x01]].concat())),
                _ => bytes.truncate(at),
            }
        }
    }

    /// The same, and never as they were: a byte may be overwritten by itself.
    pub(crate) fn damaged(&self, bytes: &[u8]) -> Vec<u8> {
        loop {
            let damaged = self.harmed(bytes);
            if damaged != bytes {
                return damaged;
            }
        }
    }

    pub(crate) fn harmed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        self.harm(&mut bytes);
        bytes
    }
}

/// A few bytes that unfold to so many; no more of it is ever in memory here.
pub(crate) fn bomb(plain: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    zstd::stream::copy_encode(std::io::Read::take(std::io::repeat(0), plain), &mut bytes, 1).expect("zstd");
    bytes
}

/// A frame that asks for a window of 128 MiB and holds next to nothing (RFC 8878 §3.1.1).
pub(crate) fn wide_window() -> Vec<u8> {
    // Magic; no content size; exponent 17: 2^27 bytes; one last raw block of one byte.
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x09, 0x00, 0x00, 0x00]
}
