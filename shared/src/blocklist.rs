//! A block list: names of UT1-like categories, each standing for itself and everything under it.
//!
//! It is compiled once, to bytes that are read where they stand ([`table`]), a file that several programs map. A name takes
//! some seven bytes: 40 bits of a keyed hash and the number of its set of categories, in a slot that a minimal perfect hash
//! gives it ([`perfect`]). An unlisted name is taken for listed with a chance of 10⁻¹²; the key is drawn with each list, so
//! nobody can prepare such a name for all of them. What changed since is a second, small list of the same form.

mod builder;
mod census;
mod exceptions;
mod line;
mod perfect;
mod print;
pub mod schedule;
mod table;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::table::{Meta, Table};
pub use self::{
    builder::{Builder, CompileError, Listed, TooManyCategories},
    census::{Census, Shrunk},
    exceptions::Excepted,
    table::{BLOCK_BYTES, Bytes, TableError},
};
use crate::keys::{BadSignature, PublicKey};

/// The most categories of one list: they are bits of a word.
pub const MAX_CATEGORIES: usize = 64;

/// Names that are looked up together: most names stand under two or three.
const AT_ONCE: usize = 4;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
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
    /// All of them, in their order.
    pub fn each(self) -> impl Iterator<Item = Category> {
        (0..64).filter(move |place| self.0 >> place & 1 == 1).map(Category)
    }
}

/// What a category's author means it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Usage {
    /// To block.
    Black,
    /// To allow, where all else is blocked.
    White,
}

impl Usage {
    /// Reads a category's file `usage`: its words outside comments; what does not say `white` alone is meant to block.
    pub fn read(text: &str) -> Self {
        let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        let white = words.clone().any(|word| word == "white") && !words.any(|word| word == "black");
        if white { Self::White } else { Self::Black }
    }
}

/// A line that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    /// Its file, as it is called in its folder.
    pub file: String,
    /// The line in its file, counted from 1.
    pub line: u64,
}

/// What is found in the files of a list, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'p> {
    /// A file of a category begins; a category may have several.
    File {
        /// The category's name.
        category: &'p str,
        /// What the file is called in its folder.
        file: &'p str,
    },
    /// A line of that file, without its end.
    Line(&'p [u8]),
    /// What a category is for; until it is said, to block.
    Usage {
        /// The category's name.
        category: &'p str,
        /// What it is for.
        usage: Usage,
    },
    /// Another name of a category.
    Alias {
        /// That name.
        name: &'p str,
        /// The category's own.
        category: &'p str,
    },
}

/// A name as lists have it: lower case, without a final dot, in its ASCII form (IDNA); none when it is no name of two
/// labels or more.
pub fn folded(name: &str) -> Option<Cow<'_, str>> {
    match line::folded(name.trim()) {
        line::Folded::Name(name) => Some(name),
        line::Folded::Address | line::Folded::Bad => None,
    }
}

/// A list, ready to be asked: what was compiled, and what changed since.
#[derive(Debug, Clone)]
pub struct BlockList {
    base: Table,
    changes: Option<Table>,
}

impl BlockList {
    /// Reads a compiled list where it stands. Its names are looked at when they are asked for: see [`Self::check`].
    ///
    /// # Errors
    /// [`TableError`] when the bytes are none, or only say what changed of another one.
    pub fn open(bytes: Bytes) -> Result<Self, TableError> {
        let base = Table::open(bytes)?;
        match base.meta.base {
            None => Ok(Self { base, changes: None }),
            Some(_) => Err(TableError::Nonsense("it holds the changes of another list alone")),
        }
    }

    /// The same with what changed since, in place of other changes.
    ///
    /// # Errors
    /// [`TableError`] when the bytes are no list, or the changes of another one.
    pub fn with_changes(self, bytes: Bytes) -> Result<Self, TableError> {
        let changes = Table::open(bytes)?;
        let of = (changes.meta.base.as_deref(), changes.seed, &changes.meta.categories);
        if of != (Some(self.base.meta.version.as_str()), self.base.seed, &self.base.meta.categories) {
            return Err(TableError::Nonsense("these are the changes of another list"));
        }
        Ok(Self { base: self.base, changes: Some(changes) })
    }

    /// Compares every block with what was compiled. Reads all of it: call it where waiting is allowed.
    ///
    /// # Errors
    /// [`TableError::Block`] names the first that differs.
    pub fn check(&self) -> Result<(), TableError> {
        let bad = self.tables().find_map(Table::bad_block);
        bad.map_or(Ok(()), Err)
    }

    /// Whether this key signed all of it.
    ///
    /// # Errors
    /// [`BadSignature`] when it did not.
    pub fn signed_by(&self, key: &PublicKey) -> Result<(), BadSignature> {
        self.tables().try_for_each(|table| table.signed_by(key))
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        [&self.base].into_iter().chain(&self.changes)
    }

    /// What is said of it now.
    fn meta(&self) -> &Meta {
        &self.changes.as_ref().unwrap_or(&self.base).meta
    }

    /// The categories of a folded name and of what it stands under.
    pub fn categories(&self, name: &str) -> Categories {
        // A whole top-level domain is never meant.
        let mut prints = self.base.key.suffixes(name).skip(1);
        let (mut all, mut more) = (Categories::default(), true);
        while more {
            // One that is not there is nobody's.
            let some = [(); AT_ONCE].map(|()| prints.next());
            more = some.last().is_some_and(Option::is_some);
            let asked = some.map(Option::unwrap_or_default);
            let found = self.base.find_each(asked);
            let changed = self.changes.as_ref().map(|changes| changes.find_each(asked));
            for (at, print) in some.iter().enumerate() {
                let changed = changed.as_ref().and_then(|changed| changed.get(at).copied().flatten());
                let found = changed.or_else(|| found.get(at).copied().flatten());
                all = all.either(found.filter(|_| print.is_some()).unwrap_or_default());
            }
        }
        all
    }

    /// Which of the names that a folded name stands under are listed, itself last, each with its categories.
    pub fn why<'n>(&self, name: &'n str) -> Vec<(&'n str, Categories)> {
        let mut found: Vec<_> = crate::policy::scope::suffixes(name)
            .filter_map(|suffix| {
                let print = self.base.key.print(suffix);
                let changed = self.changes.as_ref().and_then(|changes| changes.find(print));
                Some((suffix, changed.or_else(|| self.base.find(print))?)).filter(|_| suffix.contains('.'))
            })
            .filter(|(_, set)| *set != Categories::default())
            .collect();
        found.reverse();
        found
    }

    /// The set of these categories; a name that the list does not have is no category.
    pub fn named<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Categories {
        names.into_iter().filter_map(|name| self.category(name)).fold(Categories::default(), Categories::with)
    }

    /// The categories meant to block.
    pub fn black(&self) -> Categories {
        let black = self.meta().categories.iter().filter(|(_, usage)| *usage == Usage::Black);
        self.named(black.map(|(name, _)| name.as_str()))
    }

    /// The name of a category; empty when it is not of this list.
    pub fn name(&self, category: Category) -> &str {
        self.meta().categories.get(category.place()).map_or("", |(name, _)| name)
    }

    /// All names of categories, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.meta().categories.iter().map(|(name, _)| name.as_str())
    }

    /// What a category is for.
    pub fn usage(&self, category: Category) -> Option<Usage> {
        self.meta().categories.get(category.place()).map(|(_, usage)| *usage)
    }

    /// Other names of a category.
    pub fn aliases(&self, category: Category) -> impl Iterator<Item = &str> {
        let hers = move |of: &u8| usize::from(*of) == category.place();
        self.meta().aliases.iter().filter(move |(_, of)| hers(of)).map(|(name, _)| name.as_str())
    }

    /// Under which names are hashed: what changes of it must be of the same one.
    pub fn seed(&self) -> [u8; 16] {
        self.base.seed
    }

    /// How many names were compiled, and how many have changed since.
    pub fn counts(&self) -> (u64, u64) {
        (self.base.names, self.changes.as_ref().map_or(0, |changes| changes.names))
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.counts() == (0, 0)
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> usize {
        self.tables().map(Table::bytes).sum()
    }

    /// Names the content: the same files have the same version, wherever they are read.
    pub fn version(&self) -> &str {
        &self.meta().version
    }

    /// Lines that were left out: the first few, and how many in all.
    pub fn bad_lines(&self) -> (&[BadLine], u64) {
        (&self.meta().bad_lines, self.meta().bad_line_count)
    }

    fn category(&self, name: &str) -> Option<Category> {
        let Meta { categories, aliases, .. } = self.meta();
        let own = categories.iter().position(|(known, _)| known == name);
        let own = own.and_then(|place| u8::try_from(place).ok());
        let alias = || aliases.iter().find(|(alias, _)| alias == name).map(|(_, category)| *category);
        own.or_else(alias).map(Category::new)
    }
}

#[cfg(test)]
mod tests;
