//! The keyed hash of a name and of everything that it stands under, in one pass over its labels from the right.
//!
//! SipHash-1-3 with 128 bits (<https://www.aumasson.jp/siphash/siphash.pdf>) of the labels from the last to the first, each
//! with a zero behind it: nobody who lacks the seed can prepare two names that are taken for each other.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What a list keeps of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Print {
    /// Finds the name, and is compared.
    pub(super) hash: u64,
    /// Tells two names of one `hash` apart while a list is compiled.
    pub(super) check: u64,
}

/// Hashes under one seed.
#[derive(Clone)]
pub(super) struct Key(SipHasher13);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    pub(super) fn new(seed: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(seed))
    }

    /// Prints of a folded name's suffixes: of `a.b.c` those of `c`, `b.c`, `a.b.c`.
    pub(super) fn suffixes<'n>(&self, name: &'n str) -> impl Iterator<Item = Print> + use<'n> {
        let mut state = self.0;
        name.rsplit('.').map(move |label| {
            state.write(label.as_bytes());
            state.write(&[0]);
            let both = state.finish128();
            Print { hash: both.h1, check: both.h2 }
        })
    }

    /// The print of a whole name.
    pub(super) fn print(&self, name: &str) -> Print {
        self.suffixes(name).last().unwrap_or_default()
    }
}
