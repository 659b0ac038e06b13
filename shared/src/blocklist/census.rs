//! How many names each category of a list has, counted without keeping any: what a new list is compared by with the one
//! before it takes its place.

use std::collections::BTreeMap;

use super::{
    Piece,
    line::{Form, Line, hosts, read},
};

/// Names of each category. One that a category has twice counts twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    categories: BTreeMap<String, u64>,
    file: Option<(String, Form)>,
}

/// A list lost more than half of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {to} names, the one before has {from}")]
pub struct Shrunk {
    /// Names before.
    pub from: u64,
    /// Names now.
    pub to: u64,
}

impl Census {
    /// Counts what was found in the files of a list.
    pub fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::File { category, .. } => {
                self.categories.entry(category.to_owned()).or_default();
                self.file = Some((category.to_owned(), Form::default()));
            }
            Piece::Line(line) => {
                let Some((category, form)) = &mut self.file else { return };
                let names = match read(line, form) {
                    Line::Name(_) => 1,
                    Line::Hosts(names) => u64::try_from(hosts(names).flatten().count()).unwrap_or(u64::MAX),
                    Line::Except(_) | Line::Nothing | Line::Bad => return,
                };
                if let Some(count) = self.categories.get_mut(category) {
                    *count = count.saturating_add(names);
                }
            }
            Piece::Alias { .. } | Piece::Usage { .. } => {}
        }
    }

    /// Names of all categories.
    pub fn names(&self) -> u64 {
        self.categories.values().fold(0, |all, names| all.saturating_add(*names))
    }

    /// Whether this may take the place of what was there before; then the categories that are gone since.
    ///
    /// # Errors
    /// [`Shrunk`] when it has less than half of the names: nobody meant that.
    pub fn follows<'c>(&'c self, before: &'c Self) -> Result<Vec<&'c str>, Shrunk> {
        let (from, to) = (before.names(), self.names());
        if to < from / 2 { Err(Shrunk { from, to }) } else { Ok(before.not_in(self).collect()) }
    }

    /// Categories with at least one name that another census has none of.
    fn not_in<'c>(&'c self, other: &'c Self) -> impl Iterator<Item = &'c str> {
        let there = |category: &str| other.categories.get(category).is_some_and(|names| *names > 0);
        let full = self.categories.iter().filter(|(_, names)| **names > 0);
        full.map(|(category, _)| category.as_str()).filter(move |category| !there(category))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(categories: &[(&str, &[&str])]) -> Census {
        let mut census = Census::default();
        for (category, lines) in categories {
            census.take(Piece::File { category, file: category });
            lines.iter().for_each(|line| census.take(Piece::Line(line.as_bytes())));
        }
        census
    }

    #[test]
    fn names_are_counted_and_categories_that_went_are_named() {
        let before = census(&[("adult", &["a.example", "0.0.0.0 b.example c.example"]), ("games", &["x.example"])]);
        let now = census(&[("adult", &["a.example", "# no more"]), ("games", &["no name"]), ("new", &["y.example"])]);
        assert_eq!((before.names(), now.names()), (4, 2));
        assert_eq!(before.not_in(&now).collect::<Vec<_>>(), ["games"]);
        assert_eq!(now.not_in(&before).collect::<Vec<_>>(), ["new"]);
        assert_eq!(now.follows(&before), Ok(vec!["games"]));
        let most = census(&[("adult", &["a.example"])]);
        assert_eq!(most.follows(&before), Err(Shrunk { from: 4, to: 1 }));
    }
}
