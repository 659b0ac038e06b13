//! Lines to a list. The order of categories and lines does not change what a list answers.

use std::{cmp::Ordering, collections::BTreeMap, iter::Peekable};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::{
    BadLine, Categories, Category, MAX_CATEGORIES, Piece, Usage,
    exceptions::{Excepted, Exceptions},
    line::{Form, Line, hosts, read},
    perfect::{self, Shape},
    print::{Key, Print},
    table::{self, MAX_NAMES, Meta, TableError},
};
use crate::keys::SigningKey;

/// Bad lines that are kept to be shown; the others are only counted.
const MAX_BAD_LINES: usize = 20;
/// Distinct sets of categories; real lists have some fifty.
const MAX_SETS: usize = 65_536;

/// A list has too many categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_CATEGORIES} categories")]
pub struct TooManyCategories;

/// A list cannot be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Under this seed two names look alike, or have no place: another one helps.
    #[error("two names look alike under this seed: try another one")]
    Seed,
    /// Two lists whose changes are asked for are not of one seed, or not of the same categories.
    #[error("the categories are not those of the list before: all of it must be sent")]
    OtherCategories,
    /// It cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Collects a list.
pub struct Builder {
    seed: [u8; 16],
    key: Key,
    entries: Vec<(Print, Category)>,
    parts: Vec<Part>,
    aliases: Vec<(String, String)>,
    usages: BTreeMap<String, Usage>,
    /// The file that is read: whose it is, what it is called, how many lines there were, what they told.
    file: (Category, String, u64, Form),
    exceptions: Exceptions,
    bad_lines: Vec<BadLine>,
    bad_line_count: u64,
}

/// What is known of a category, by its place.
struct Part {
    name: String,
    usage: Usage,
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
        Self::excepting(seed, &Excepted::default())
    }

    /// Begins anew with the names that the files except, which [`Self::excepted`] found when they were read before.
    pub fn excepting(seed: [u8; 16], excepted: &Excepted) -> Self {
        let key = Key::new(&seed);
        Self {
            seed,
            exceptions: Exceptions::new(&key, excepted),
            key,
            entries: Vec::new(),
            parts: Vec::new(),
            aliases: Vec::new(),
            usages: BTreeMap::new(),
            file: (Category::new(0), String::new(), 0, Form::default()),
            bad_lines: Vec::new(),
            bad_line_count: 0,
        }
    }

    /// What files except and this list knows nothing of yet, because it may stand behind what it takes away: all is to be
    /// read again, [`Self::excepting`] it. None when there is nothing of that kind.
    pub fn excepted(&self) -> Option<Excepted> {
        self.exceptions.met()
    }

    /// Takes what was found in the files of a list.
    ///
    /// # Errors
    /// [`TooManyCategories`] beyond [`MAX_CATEGORIES`].
    pub fn take(&mut self, piece: Piece<'_>) -> Result<(), TooManyCategories> {
        match piece {
            Piece::File { category, file } => {
                let category = self.category(category, Usage::Black)?;
                self.file = (category, file.to_owned(), 0, Form::default());
            }
            Piece::Line(line) => self.line(self.file.0, line),
            Piece::Usage { category, usage } => {
                self.usages.insert(category.to_owned(), usage);
            }
            Piece::Alias { name, category } => self.aliases.push((name.to_owned(), category.to_owned())),
        }
        Ok(())
    }

    /// Begins a category, or goes on with the one of that name.
    ///
    /// # Errors
    /// [`TooManyCategories`] beyond [`MAX_CATEGORIES`].
    pub fn category(&mut self, name: &str, usage: Usage) -> Result<Category, TooManyCategories> {
        let known = self.parts.iter().position(|part| part.name == name);
        let place = u8::try_from(known.unwrap_or(self.parts.len())).map_err(|_| TooManyCategories)?;
        if usize::from(place) >= MAX_CATEGORIES {
            return Err(TooManyCategories);
        }
        let category = Category::new(place);
        if known.is_none() {
            self.parts.push(Part { name: name.to_owned(), usage, content: Context::new(&SHA256) });
            self.exceptions.begin(name, category);
        }
        self.file = (category, name.to_owned(), 0, Form::default());
        Ok(category)
    }

    /// Gives a category another name.
    pub fn alias(&mut self, name: &str, category: Category) {
        if let Some(part) = self.parts.get(category.place()) {
            self.aliases.push((name.to_owned(), part.name.clone()));
        }
    }

    /// Adds one line of a category's file, without its end.
    pub fn line(&mut self, category: Category, line: &[u8]) {
        let (_, _, lines, form) = &mut self.file;
        *lines = lines.saturating_add(1);
        let lines = *lines;
        let line_read = read(line, form);
        if let Some(part) = self.parts.get_mut(category.place()) {
            part.content.update(b"\n");
            part.content.update(line);
        }
        let sound = match line_read {
            Line::Name(name) => self.name(category, &name),
            // Each of them is taken that is a name.
            Line::Hosts(names) => {
                hosts(names).filter(|name| !name.as_ref().is_some_and(|name| self.name(category, name))).count() == 0
            }
            Line::Except(name) => {
                let whose = self.parts.get(category.place()).map_or("", |part| part.name.as_str());
                self.exceptions.meet((whose, &name), (&self.file.1, lines))
            }
            Line::Nothing => true,
            Line::Bad => false,
        };
        if !sound {
            self.bad(BadLine { file: self.file.1.clone(), line: lines });
        }
    }

    /// Whether there was room for the name, or it is excepted.
    fn name(&mut self, category: Category, name: &str) -> bool {
        let room = u64::try_from(self.entries.len()).is_ok_and(|names| names < MAX_NAMES);
        let prints = self.key.suffixes(name);
        if let Some(print) = self.exceptions.judge(category, prints).filter(|_| room) {
            self.entries.push((print, category));
        }
        room
    }

    fn bad(&mut self, line: BadLine) {
        self.bad_line_count = self.bad_line_count.saturating_add(1);
        if self.bad_lines.len() < MAX_BAD_LINES {
            self.bad_lines.push(line);
        }
    }

    /// Sorts, and joins the categories of each name. Categories stand in the order of their names, so that the same files
    /// make the same list in whatever order they were read.
    ///
    /// # Errors
    /// [`CompileError::Seed`] when two names have one hash.
    pub fn listed(mut self) -> Result<Listed, CompileError> {
        for line in std::mem::take(&mut self.exceptions).vain() {
            self.bad(line);
        }
        let Self { seed, mut entries, mut parts, usages, bad_lines, bad_line_count, .. } = self;
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|one, other| parts.get(*one).map(|p| &p.name).cmp(&parts.get(*other).map(|p| &p.name)));
        let place = |old: usize| order.iter().position(|at| *at == old).and_then(|at| u8::try_from(at).ok());
        let moved: Vec<Category> = (0..parts.len()).filter_map(|old| place(old).map(Category::new)).collect();
        for (_, category) in &mut entries {
            *category = moved.get(category.place()).copied().unwrap_or(*category);
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        for part in &mut parts {
            part.usage = usages.get(&part.name).copied().unwrap_or(part.usage);
        }
        let aliases = aliases(self.aliases, &parts);
        let names = joined(entries)?;
        let meta = Meta {
            version: version(&mut parts),
            base: None,
            categories: parts.into_iter().map(|part| (part.name, part.usage)).collect(),
            aliases,
            sets: Vec::new(),
            bad_lines,
            bad_line_count,
        };
        Ok(Listed { seed, names, meta })
    }

    /// Sorts, and compiles.
    ///
    /// # Errors
    /// [`CompileError::Seed`]: begin again with another one.
    pub fn finish(self, signer: Option<&SigningKey>) -> Result<Vec<u8>, CompileError> {
        self.listed()?.compile(signer, |_| ())
    }
}

/// Each name once, with all its categories.
fn joined(mut entries: Vec<(Print, Category)>) -> Result<Vec<(u64, Categories)>, CompileError> {
    entries.sort_unstable();
    let (mut names, mut before) = (Vec::new(), None);
    for group in entries.chunk_by(|one, other| one.0 == other.0) {
        let Some((print, _)) = group.first() else { continue };
        if before.replace(print.hash) == Some(print.hash) {
            return Err(CompileError::Seed);
        }
        names.push((print.hash, group.iter().fold(Categories::default(), |set, (_, category)| set.with(*category))));
    }
    Ok(names)
}

/// Other names of the categories that are there; none of them is a category's own.
fn aliases(found: Vec<(String, String)>, parts: &[Part]) -> Vec<(String, u8)> {
    let place = |name: &str| parts.iter().position(|part| part.name == name);
    let found = found.into_iter().filter(|(name, _)| place(name).is_none());
    let placed: BTreeMap<String, u8> =
        found.filter_map(|(name, of)| Some((name, u8::try_from(place(&of)?).ok()?))).collect();
    placed.into_iter().collect()
}

/// Names the content of all categories.
fn version(parts: &mut [Part]) -> String {
    let mut content = Context::new(&SHA256);
    for part in parts {
        content.update(part.name.as_bytes());
        content.update(if part.usage == Usage::White { b"\0w" } else { b"\0b" });
        content.update(std::mem::replace(&mut part.content, Context::new(&SHA256)).finish().as_ref());
    }
    let digest = HEXLOWER.encode(content.finish().as_ref());
    digest.get(..16).unwrap_or_default().to_owned()
}

/// A list, or what changes of one, before it is compiled: sorted hashes, each with its categories.
#[derive(Debug, Clone)]
pub struct Listed {
    seed: [u8; 16],
    names: Vec<(u64, Categories)>,
    meta: Meta,
}

impl Listed {
    /// How many names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many of them have no category any more: of changes only.
    pub fn gone(&self) -> usize {
        self.names.iter().filter(|(_, set)| *set == Categories::default()).count()
    }

    /// Names the content.
    pub fn version(&self) -> &str {
        &self.meta.version
    }

    /// What must change of a list for it to become this one: new names, and those whose categories are others or none now.
    ///
    /// # Errors
    /// [`CompileError::OtherCategories`] when the two are not of one seed and of the same categories.
    pub fn changes_since(&self, base: &Self) -> Result<Self, CompileError> {
        if (self.seed, &self.meta.categories) != (base.seed, &base.meta.categories) {
            return Err(CompileError::OtherCategories);
        }
        let (mut old, mut new) = (base.names.iter().copied().peekable(), self.names.iter().copied().peekable());
        let names = std::iter::from_fn(|| next_change(&mut old, &mut new)).collect();
        let meta = Meta { base: Some(base.meta.version.clone()), ..self.meta.clone() };
        Ok(Self { seed: self.seed, names, meta })
    }

    /// The bytes of a file. `done` hears how many names have their place.
    ///
    /// # Errors
    /// [`CompileError::Seed`]: begin again with another one.
    pub fn compile(self, signer: Option<&SigningKey>, done: impl FnMut(u64)) -> Result<Vec<u8>, CompileError> {
        let Self { seed, names, mut meta } = self;
        let mut sets = Sets::new();
        let (hashes, sets_of): (Vec<u64>, Vec<u16>) =
            names.iter().map(|(hash, set)| (*hash, sets.number(*set))).unzip();
        drop(names);
        meta.sets = sets.sets;
        let shape = Shape::of(u64::try_from(hashes.len()).unwrap_or(u64::MAX));
        let pilots = perfect::pilots(&hashes, shape, done).ok_or(CompileError::Seed)?;
        Ok(table::write((seed, &meta), (&hashes, &sets_of), &pilots, signer)?)
    }
}

type Names<I> = Peekable<I>;

/// The next name whose categories are not the same in both; one that is gone has none.
fn next_change<I: Iterator<Item = (u64, Categories)>>(
    old: &mut Names<I>,
    new: &mut Names<I>,
) -> Option<(u64, Categories)> {
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.0.cmp(&new.0),
        };
        match order {
            Ordering::Less => return old.next().map(|(hash, _)| (hash, Categories::default())),
            Ordering::Greater => return new.next(),
            Ordering::Equal => {
                let (old, new) = (old.next()?, new.next()?);
                if old.1 != new.1 {
                    return Some(new);
                }
            }
        }
    }
}

/// Numbers the distinct sets.
struct Sets {
    sets: Vec<Categories>,
    numbers: BTreeMap<Categories, u16>,
}

impl Sets {
    /// Number 0 is that of slots which nobody has: a name without categories, one that is gone, has another.
    fn new() -> Self {
        Self { sets: vec![Categories::default()], numbers: BTreeMap::new() }
    }

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::BlockList, *};

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
        let bytes = builder.finish(None).expect("compiled");
        BlockList::open(Arc::new(bytes)).expect("opened")
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
        assert_eq!((list.counts(), list.named(["porn", "none"])), ((4, 0), list.named(["adult"])));
        assert_eq!(list.black(), list.named(["adult", "games"]));
        assert_eq!(list.bad_lines(), (&[BadLine { file: "adult".into(), line: 3 }][..], 1));
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
        let list = BlockList::open(Arc::new(builder.finish(None).expect("compiled"))).expect("opened");
        assert_eq!(list.categories("everywhere.example"), list.black());
        assert_eq!(list.named(["c63"]).first().map(|c| list.name(c)), Some("c63"));
    }
}
