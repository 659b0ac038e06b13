//! A block list in memory: names of UT1-like categories, each standing for itself and everything under it.
//!
//! A name is kept as a 64-bit keyed fingerprint and the number of its set of categories, ten bytes in all, sorted and
//! found through an index of the first 16 bits. With five million names an unlisted one is taken for listed with a
//! chance of 3·10⁻¹³; the key is drawn at each start, so nobody can prepare such a name.

mod builder;
mod line;

use std::hash::{DefaultHasher, Hasher as _};

pub use builder::{Builder, TooManyCategories};

use crate::policy::scope::suffixes;

/// The most categories of one list: they are bits of a word.
pub const MAX_CATEGORIES: usize = 64;

/// A category, by its place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Category(u8);

impl Category {
    /// The category at a place below [`MAX_CATEGORIES`]; higher ones are taken round.
    pub const fn new(place: u8) -> Self {
        Self(place & 63)
    }
    /// Its place.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Categories(u64);

impl Categories {
    /// Those in both sets.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Those in one of the sets.
    #[must_use]
    pub const fn either(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// With one more.
    #[must_use]
    pub const fn with(self, category: Category) -> Self {
        Self(self.0 | 1 << category.0)
    }
    /// The first one.
    pub fn first(self) -> Option<Category> {
        u8::try_from(self.0.trailing_zeros()).ok().filter(|place| *place < 64).map(Category)
    }
}

/// What a category's author means it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// To block.
    Black,
    /// To allow, where all else is blocked.
    White,
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The category's name.
    pub category: String,
    /// The line in its file, counted from 1.
    pub line: u64,
}

/// A list, ready to be asked.
#[derive(Debug, Clone)]
pub struct BlockList {
    seed: [u8; 16],
    /// Where the fingerprints with each first 16 bits begin; one more at the end.
    starts: Vec<u32>,
    fingerprints: Vec<u64>,
    /// For each fingerprint, a place in `sets`.
    set_of: Vec<u16>,
    sets: Vec<Categories>,
    categories: Vec<(String, Usage)>,
    /// Other names of categories.
    aliases: Vec<(String, Category)>,
    version: String,
    bad_lines: Vec<BadLine>,
    bad_line_count: u64,
}

impl BlockList {
    /// The categories of a folded name and of what it stands under.
    pub fn categories(&self, name: &str) -> Categories {
        suffixes(name)
            .filter(|suffix| suffix.contains('.'))
            .filter_map(|suffix| self.find(fingerprint(&self.seed, suffix)))
            .fold(Categories::default(), Categories::either)
    }

    /// The set of these categories; a name that the list does not have is no category.
    pub fn named<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Categories {
        names.into_iter().filter_map(|name| self.category(name)).fold(Categories::default(), Categories::with)
    }

    /// The categories meant to block.
    pub fn black(&self) -> Categories {
        self.named(self.categories.iter().filter(|(_, usage)| *usage == Usage::Black).map(|(name, _)| name.as_str()))
    }

    /// The name of a category; empty when it is not of this list.
    pub fn name(&self, category: Category) -> &str {
        self.categories.get(category.place()).map_or("", |(name, _)| name)
    }

    /// All names of categories, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.categories.iter().map(|(name, _)| name.as_str())
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// Names the content: the same files have the same version, wherever they are read.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Lines that were left out: the first few, and how many in all.
    pub fn bad_lines(&self) -> (&[BadLine], u64) {
        (&self.bad_lines, self.bad_line_count)
    }

    fn category(&self, name: &str) -> Option<Category> {
        let place = self.categories.iter().position(|(known, _)| known == name);
        let own = place.and_then(|place| u8::try_from(place).ok()).map(Category::new);
        own.or_else(|| self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, category)| *category))
    }

    fn find(&self, fingerprint: u64) -> Option<Categories> {
        let bucket = bucket(fingerprint);
        let from = usize::try_from(*self.starts.get(bucket)?).ok()?;
        let to = usize::try_from(*self.starts.get(bucket.saturating_add(1))?).ok()?;
        let at = self.fingerprints.get(from..to)?.binary_search(&fingerprint).ok()?;
        let set = self.set_of.get(from.saturating_add(at))?;
        self.sets.get(usize::from(*set)).copied()
    }
}

/// SipHash-1-3 behind a secret start: nobody who lacks the seed can prepare two names that collide.
fn fingerprint(seed: &[u8; 16], name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(seed);
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The first 16 bits of a fingerprint.
fn bucket(fingerprint: u64) -> usize {
    usize::try_from(fingerprint >> 48).unwrap_or(0)
}
