//! Text to cells: semicolons, quotation marks, lines. A cell is borrowed from the text, so one that nobody asks for
//! is passed over and never copied.

use std::borrow::Cow;

use super::{MAX_CELL_BYTES, MAX_COLUMNS, RosterError};

/// Walks over a text whose lines end with `\n`.
#[derive(Debug, Clone)]
pub(super) struct Cells<'t> {
    rest: &'t str,
    line: u64,
    separator: char,
}

/// Where a record began and how wide it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The line on which it began, counted from 1.
    pub(super) line: u64,
    /// How many cells it has up to the last that is not empty.
    pub(super) width: usize,
}

impl<'t> Cells<'t> {
    /// Starts at the first line.
    pub(super) const fn new(text: &'t str, separator: char) -> Self {
        Self { rest: text, line: 1, separator }
    }

    /// The text of the line that comes next, blank ones skipped.
    pub(super) fn peek_line(&mut self) -> Option<(u64, &'t str)> {
        loop {
            let line = self.rest.split('\n').next().unwrap_or_default();
            if !line.trim().is_empty() {
                return Some((self.line, line));
            }
            self.rest = self.rest.get(line.len()..)?.strip_prefix('\n')?;
            self.line = self.line.saturating_add(1);
        }
    }

    /// Reads one record, handing each cell with its place (from 0) to `keep`. `None` at the end of the text.
    pub(super) fn record(&mut self, mut keep: impl FnMut(usize, Cow<'t, str>)) -> Result<Option<Extent>, RosterError> {
        let Some((line, _)) = self.peek_line() else { return Ok(None) };
        let mut extent = Extent { line, width: 0 };
        for place in 0..MAX_COLUMNS {
            let endless = RosterError::EndlessCell { line, column: place.saturating_add(1) };
            let cell = self.cell().filter(|cell| cell.len() <= MAX_CELL_BYTES).ok_or(endless)?;
            if !cell.trim().is_empty() {
                extent.width = place.saturating_add(1);
            }
            keep(place, cell);
            if let Some(rest) = self.rest.strip_prefix(self.separator) {
                self.rest = rest;
            } else {
                self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
                self.line = self.line.saturating_add(1);
                return Ok(Some(extent));
            }
        }
        Err(RosterError::TooManyColumns { line })
    }

    /// One cell, up to a separator or the line's end, neither of them taken. `None` when its quotation never ends.
    fn cell(&mut self) -> Option<Cow<'t, str>> {
        let Some(quoted) = self.rest.strip_prefix('"') else { return Some(Cow::Borrowed(self.plain())) };
        let mut text = Cow::Borrowed("");
        self.rest = quoted;
        loop {
            let inside = self.rest.split('"').next()?;
            let after = self.rest.get(inside.len()..)?.strip_prefix('"')?;
            let breaks = inside.bytes().filter(|b| *b == b'\n').count();
            self.line = self.line.saturating_add(u64::try_from(breaks).unwrap_or(u64::MAX));
            self.rest = after;
            text += inside;
            match after.strip_prefix('"') {
                Some(more) => {
                    text += "\"";
                    self.rest = more;
                }
                None => {
                    text += self.plain();
                    return Some(text);
                }
            }
        }
    }

    fn plain(&mut self) -> &'t str {
        let end = self.rest.find([self.separator, '\n']).unwrap_or(self.rest.len());
        let (cell, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(u64, Vec<String>)>, RosterError> {
        let mut cells = Cells::new(text, ';');
        let mut records = Vec::new();
        loop {
            let mut record = Vec::new();
            match cells.record(|_, cell| record.push(cell.into_owned()))? {
                Some(extent) => records.push((extent.line, record)),
                None => return Ok(records),
            }
        }
    }

    #[test]
    fn quotation_marks_hold_separators_marks_and_line_ends() {
        let text = "\n\na;\"b;\"\"c\"\"\nd\";e\n \nf\"g;;\"\"\nz";
        let expected: &[(u64, &[&str])] = &[(3, &["a", "b;\"c\"\nd", "e"]), (6, &["f\"g", "", ""]), (7, &["z"])];
        let read = all(text).expect("readable");
        let read: Vec<(u64, Vec<&str>)> =
            read.iter().map(|(line, cells)| (*line, cells.iter().map(String::as_str).collect())).collect();
        let expected: Vec<(u64, Vec<&str>)> = expected.iter().map(|(line, cells)| (*line, cells.to_vec())).collect();
        assert_eq!(read, expected);
        assert_eq!(all("a;b\nc;\"d"), Err(RosterError::EndlessCell { line: 2, column: 2 }));
        assert_eq!(all(&";".repeat(200)), Err(RosterError::TooManyColumns { line: 1 }));
        assert_eq!(all(""), Ok(Vec::new()));
    }
}
