//! Names that a list does not mean, though it lists them or something that they stand under.
//!
//! A compiled list says of each name what it is in, never what it is not in. So an exception takes its name, and what stands
//! under it, away while the list is compiled. Where the list also has a name that the excepted one stands under, that would
//! not be enough: the exception is counted among the bad lines, and the name stays listed.

use std::collections::{BTreeMap, BTreeSet};

use super::{BadLine, Category, print::Print};

/// Exceptions that are kept; those of public lists are some thousands. The others are bad lines.
const MAX_EXCEPTIONS: usize = 65_536;

/// Exceptions of categories, each with the line that says it first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excepted(BTreeMap<(String, String), BadLine>);

/// Exceptions at work while a list is collected.
#[derive(Default)]
pub(super) struct Exceptions {
    /// Known from the start.
    known: Vec<Known>,
    by_name: BTreeSet<(String, String)>,
    /// Met, and not among those.
    met: Excepted,
    /// What is known of the categories that have begun: names, and what these stand under.
    names: BTreeSet<(Print, Category)>,
    above: BTreeMap<(Print, Category), Vec<usize>>,
    /// Of `known`, those that stand under a listed name.
    vain: BTreeSet<usize>,
}

struct Known {
    category: String,
    prints: Vec<Print>,
    line: BadLine,
}

impl Exceptions {
    pub(super) fn new(key: &super::print::Key, excepted: &Excepted) -> Self {
        let known = excepted.0.iter().map(|((category, name), line)| Known {
            category: category.clone(),
            prints: key.suffixes(name).collect(),
            line: line.clone(),
        });
        Self { known: known.collect(), by_name: excepted.0.keys().cloned().collect(), ..Self::default() }
    }

    /// All that is known and was met, when there is more than was known.
    pub(super) fn met(&self) -> Option<Excepted> {
        if self.met.0.is_empty() {
            return None;
        }
        let known = self.by_name.iter().cloned().zip(self.known.iter().map(|known| known.line.clone()));
        Some(Excepted(known.chain(self.met.0.clone()).collect()))
    }

    /// A category begins.
    pub(super) fn begin(&mut self, name: &str, category: Category) {
        for (at, known) in self.known.iter().enumerate().filter(|(_, known)| known.category == name) {
            let Some((print, above)) = known.prints.split_last() else { continue };
            self.names.insert((*print, category));
            for print in above {
                self.above.entry((*print, category)).or_default().push(at);
            }
        }
    }

    /// A line of a category excepts a name. Whether that is known, or can be next time.
    pub(super) fn meet(&mut self, (category, name): (&str, &str), (file, line): (&str, u64)) -> bool {
        let key = (category.to_owned(), name.to_owned());
        if self.by_name.contains(&key) || self.met.0.contains_key(&key) {
            return true;
        }
        let room = self.met.0.len().saturating_add(self.known.len()) < MAX_EXCEPTIONS;
        if room {
            self.met.0.insert(key, BadLine { file: file.to_owned(), line });
        }
        room
    }

    /// The print of a name of a category, the last of these; none when the name is excepted.
    pub(super) fn judge(&mut self, category: Category, mut prints: impl Iterator<Item = Print>) -> Option<Print> {
        if self.names.is_empty() {
            return prints.last();
        }
        let mut own = None;
        for print in prints.by_ref() {
            if self.names.contains(&(print, category)) {
                return None;
            }
            own = Some(print);
        }
        let under = own.and_then(|print| self.above.get(&(print, category)));
        self.vain.extend(under.into_iter().flatten());
        own
    }

    /// Lines that could not be heeded: their names stand under listed ones, or nobody read the files again.
    pub(super) fn vain(self) -> impl Iterator<Item = BadLine> {
        let Self { known, vain, met, .. } = self;
        let under = known.into_iter().enumerate().filter(move |(at, _)| vain.contains(at)).map(|(_, known)| known.line);
        under.chain(met.0.into_values())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{BlockList, Builder, Categories, Usage};

    /// Compiles lines of one category twice, as whoever reads files does.
    fn list(lines: &[&str]) -> (BlockList, Vec<u64>) {
        let mut builder = Builder::new([7; 16]);
        loop {
            let category = builder.category("ads", Usage::Black).expect("room");
            lines.iter().for_each(|line| builder.line(category, line.as_bytes()));
            let Some(excepted) = builder.excepted() else { break };
            builder = Builder::excepting([7; 16], &excepted);
        }
        let list = BlockList::open(Arc::new(builder.finish(None).expect("compiled"))).expect("opened");
        let bad = list.bad_lines().0.iter().map(|bad| bad.line).collect();
        (list, bad)
    }

    #[test]
    fn an_exception_takes_its_name_and_what_stands_under_it_away() {
        let lines = ["@@||good.example^", "||good.example^", "||ads.good.example^", "||ads.example^"];
        let (list, bad) = list(&lines);
        assert_eq!((list.counts().0, bad), (1, vec![]));
        assert_eq!(list.categories("ads.good.example"), Categories::default());
        assert_ne!(list.categories("ads.example"), Categories::default());
    }

    #[test]
    fn an_exception_under_a_listed_name_is_said_and_blocks_as_before() {
        let lines = ["||ads.example^", "@@||good.ads.example^", "@@||fine.example^", "||x.fine.example^"];
        let (list, bad) = list(&lines);
        assert_eq!((list.counts().0, bad), (1, vec![2]));
        assert_ne!(list.categories("good.ads.example"), Categories::default());
    }

    #[test]
    fn an_exception_whose_listed_name_is_excepted_too_is_heeded() {
        let (list, bad) = list(&["||b.example^", "@@||x.b.example^", "@@||b.example^", "||c.example^"]);
        assert_eq!((list.counts().0, bad), (1, vec![]));
        assert_eq!(list.categories("x.b.example"), Categories::default());
    }

    #[test]
    fn an_exception_that_nobody_reads_again_for_is_a_bad_line() {
        let mut builder = Builder::new([7; 16]);
        let category = builder.category("ads", Usage::Black).expect("room");
        for line in ["||ads.example^", "@@||good.example^"] {
            builder.line(category, line.as_bytes());
        }
        let list = BlockList::open(Arc::new(builder.finish(None).expect("compiled"))).expect("opened");
        assert_eq!(list.bad_lines().1, 1);
    }
}
