//! Lines to a list. The order of categories and lines does not change what a list answers.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::{
    BadLine, BlockList, Categories, Category, MAX_CATEGORIES, Usage, bucket, fingerprint,
    line::{Line, read},
};

/// Bad lines that are kept to be shown; the others are only counted.
const MAX_BAD_LINES: usize = 20;
/// Distinct sets of categories; real lists have some fifty.
const MAX_SETS: usize = 65_536;
/// The most names; public lists have five million.
const MAX_NAMES: usize = 16_000_000;

/// A list has too many categories, or one has a name too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_CATEGORIES} categories")]
pub struct TooManyCategories;

/// Collects a list.
pub struct Builder {
    seed: [u8; 16],
    entries: Vec<(u64, Category)>,
    categories: Vec<(String, Usage)>,
    aliases: Vec<(String, Category)>,
    lines: u64,
    bad_lines: Vec<BadLine>,
    bad_line_count: u64,
    content: Context,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("names", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Builder {
    /// Begins; the seed is drawn for each list.
    pub fn new(seed: [u8; 16]) -> Self {
        Self {
            seed,
            entries: Vec::new(),
            categories: Vec::new(),
            aliases: Vec::new(),
            lines: 0,
            bad_lines: Vec::new(),
            bad_line_count: 0,
            content: Context::new(&SHA256),
        }
    }

    /// Begins a category.
    ///
    /// # Errors
    /// [`TooManyCategories`] beyond [`MAX_CATEGORIES`].
    pub fn category(&mut self, name: &str, usage: Usage) -> Result<Category, TooManyCategories> {
        let place = u8::try_from(self.categories.len()).map_err(|_| TooManyCategories)?;
        if usize::from(place) >= MAX_CATEGORIES {
            return Err(TooManyCategories);
        }
        self.categories.push((name.to_owned(), usage));
        self.lines = 0;
        self.content.update(b"\0");
        self.content.update(name.as_bytes());
        Ok(Category::new(place))
    }

    /// Gives a category another name.
    pub fn alias(&mut self, name: &str, category: Category) {
        self.aliases.push((name.to_owned(), category));
    }

    /// Adds one line of a category's file, without its end.
    pub fn line(&mut self, category: Category, line: &[u8]) {
        self.lines = self.lines.saturating_add(1);
        self.content.update(b"\n");
        self.content.update(line);
        match read(line) {
            Line::Name(name) if self.entries.len() < MAX_NAMES => {
                self.entries.push((fingerprint(&self.seed, &name), category));
            }
            Line::Nothing => {}
            Line::Name(_) | Line::Bad => {
                self.bad_line_count = self.bad_line_count.saturating_add(1);
                if self.bad_lines.len() < MAX_BAD_LINES {
                    let category = self.categories.get(category.place()).map(|(name, _)| name.clone());
                    self.bad_lines.push(BadLine { category: category.unwrap_or_default(), line: self.lines });
                }
            }
        }
    }

    /// Sorts, joins the categories of each name, and indexes.
    pub fn finish(self) -> BlockList {
        let mut entries = self.entries;
        entries.sort_unstable();
        entries.dedup();
        let (mut fingerprints, mut set_of) = (Vec::new(), Vec::new());
        let mut sets = Sets::default();
        for group in entries.chunk_by(|one, other| one.0 == other.0) {
            let Some((fingerprint, _)) = group.first() else { continue };
            let set = group.iter().fold(Categories::default(), |set, (_, category)| set.with(*category));
            fingerprints.push(*fingerprint);
            set_of.push(sets.number(set));
        }
        fingerprints.shrink_to_fit();
        set_of.shrink_to_fit();
        let digest = HEXLOWER.encode(self.content.finish().as_ref());
        BlockList {
            seed: self.seed,
            starts: starts(&fingerprints),
            fingerprints,
            set_of,
            sets: sets.sets,
            categories: self.categories,
            aliases: self.aliases,
            version: digest.get(..16).unwrap_or_default().to_owned(),
            bad_lines: self.bad_lines,
            bad_line_count: self.bad_line_count,
        }
    }
}

/// Numbers the distinct sets.
#[derive(Default)]
struct Sets {
    sets: Vec<Categories>,
    numbers: BTreeMap<Categories, u16>,
}

impl Sets {
    /// The number of a set. When there are no numbers left, the first category alone stands for the set, so that the
    /// name stays listed.
    fn number(&mut self, set: Categories) -> u16 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        // Sixty-four numbers are kept back for the sets of one category.
        let room = self.sets.len() < MAX_SETS.saturating_sub(MAX_CATEGORIES);
        let single = set.first().map_or(set, |first| Categories::default().with(first));
        let set = if room { set } else { single };
        match (self.numbers.get(&set), u16::try_from(self.sets.len())) {
            (Some(number), _) => *number,
            (None, Ok(number)) => {
                self.sets.push(set);
                self.numbers.insert(set, number);
                number
            }
            (None, Err(_)) => 0,
        }
    }
}

fn starts(fingerprints: &[u64]) -> Vec<u32> {
    let mut starts = Vec::with_capacity(65_537);
    for (place, fingerprint) in fingerprints.iter().enumerate() {
        while starts.len() <= bucket(*fingerprint) {
            starts.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }
    let end = u32::try_from(fingerprints.len()).unwrap_or(u32::MAX);
    starts.resize(65_537, end);
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(seed: [u8; 16]) -> BlockList {
        let mut builder = Builder::new(seed);
        for (category, usage, lines) in [
            ("adult", Usage::Black, "adult.example\nshared.example\nCOM\n"),
            ("bank", Usage::White, "bank.example\n"),
            ("games", Usage::Black, "Jeux.Example.\nshared.example\n192.0.2.7\n"),
        ] {
            let category = builder.category(category, usage).expect("room");
            for line in lines.lines() {
                builder.line(category, line.as_bytes());
            }
        }
        builder.alias("porn", Category::new(0));
        builder.finish()
    }

    #[test]
    fn a_name_stands_for_everything_under_it() {
        let list = list([1; 16]);
        let names = |name: &str| -> Vec<&str> {
            let found = list.categories(name);
            list.names().filter(|category| found.both(list.named([*category])) != Categories::default()).collect()
        };
        for (name, expected) in [
            ("adult.example", vec!["adult"]),
            ("a.b.adult.example", vec!["adult"]),
            ("notadult.example", vec![]),
            ("example", vec![]),
            ("shared.example", vec!["adult", "games"]),
            ("jeux.example", vec!["games"]),
            ("bank.example", vec!["bank"]),
            ("", vec![]),
        ] {
            assert_eq!(names(name), expected, "{name}");
        }
        assert_eq!((list.len(), list.named(["porn", "none"])), (4, list.named(["adult"])));
        assert_eq!(list.black(), list.named(["adult", "games"]));
        assert_eq!(list.bad_lines(), (&[BadLine { category: "adult".into(), line: 3 }][..], 1));
        assert_eq!(list.version(), self::list([2; 16]).version(), "a version names the content, not the seed");
    }

    #[test]
    fn there_is_room_for_sixty_four_categories() {
        let mut builder = Builder::new([0; 16]);
        for n in 0..64 {
            let category = builder.category(&format!("c{n}"), Usage::Black).expect("room");
            builder.line(category, b"everywhere.example");
        }
        assert_eq!(builder.category("more", Usage::Black), Err(TooManyCategories));
        let list = builder.finish();
        assert_eq!(list.categories("everywhere.example"), list.black());
        assert_eq!(list.named(["c63"]).first().map(|c| list.name(c)), Some("c63"));
    }
}
