//! Rosters: the files of pupils that a city really has, read into rows and doubts.
//!
//! A reader is a pure function of the file's bytes. It keeps what the product uses and drops the rest unread:
//! addresses, guardians and authorisations never become values. What cannot be read at all is a [`RosterError`]; what
//! can be read but looks wrong is a [`Doubt`] that names line, column and cure, so that a person decides. Neither ever
//! carries the text of a cell: a log that prints them prints no child's name.

mod cells;
mod charset;
pub mod codes;
mod header;
pub mod onde;
mod row;
mod write;

pub use charset::Charset;
pub use header::{Column, plain};
pub use row::{BirthDate, Ine, Row, Sex};

use crate::messages::{Catalogue, Lang};

/// The largest file that is read, in bytes: ten times the largest school's.
pub const MAX_FILE_BYTES: usize = 5 * 1024 * 1024;
/// The most pupils in one file: the largest primary school has about 700.
pub const MAX_ROWS: usize = 3_000;
/// The longest cell, in bytes: beyond it a quotation mark was surely left open.
pub const MAX_CELL_BYTES: usize = 1_024;
/// The most columns of a header: ONDE has 22, a personal extraction a few more.
pub const MAX_COLUMNS: usize = 128;
/// The most doubts that are listed; the others are only counted.
pub const MAX_DOUBTS: usize = 500;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The pupils, in the file's order.
    pub rows: Vec<Row>,
    /// What looked wrong, in the file's order, at most [`MAX_DOUBTS`].
    pub doubts: Vec<Doubt>,
    /// Doubts beyond [`MAX_DOUBTS`].
    pub more_doubts: usize,
    /// How the bytes were understood.
    pub charset: Charset,
    /// The columns that were used.
    pub columns: Vec<Column>,
    /// The header's other columns, dropped unread.
    pub dropped_columns: usize,
}

impl Roster {
    /// How many lines with a pupil were left out because of a doubt.
    pub fn left_out(&self) -> usize {
        self.doubts.iter().filter(|doubt| doubt.what.leaves_out()).count()
    }
}

/// Something in one line that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The line of the file, counted from 1.
    pub line: u64,
    /// The column, when one is to blame.
    pub column: Option<Column>,
    /// What looks wrong.
    pub what: Suspicion,
}

/// What looks wrong in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// A name is missing: the line is left out.
    NoName,
    /// Class or level is missing: the pupil is kept without.
    Empty,
    /// Not a day of the calendar: the pupil is kept without a birth date.
    BadDate,
    /// None of the three shapes of an INE: the pupil is kept without.
    BadIne,
    /// Neither `M` nor `F`: the pupil is kept without.
    BadSex,
    /// A level that the product does not know: kept as written.
    UnknownLevel,
    /// The text went through a wrong encoding: the line is left out.
    Garbled,
    /// More cells than the header has columns, so that they may be shifted: the line is left out.
    TooManyCells,
    /// The same pupil stands on an earlier line: this line is left out.
    Repeated {
        /// The earlier line.
        first: u64,
    },
    /// Another pupil of that name stands on an earlier line: both are kept.
    Homonym {
        /// The earlier line.
        first: u64,
    },
    /// Two columns of the header mean the same: the first is used.
    ColumnTwice,
}

impl Suspicion {
    /// The catalogue's key: `roster-doubt-…`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::NoName => "roster-doubt-no-name",
            Self::Empty => "roster-doubt-empty",
            Self::BadDate => "roster-doubt-bad-date",
            Self::BadIne => "roster-doubt-bad-ine",
            Self::BadSex => "roster-doubt-bad-sex",
            Self::UnknownLevel => "roster-doubt-unknown-level",
            Self::Garbled => "roster-doubt-garbled",
            Self::TooManyCells => "roster-doubt-too-many-cells",
            Self::Repeated { .. } => "roster-doubt-repeated",
            Self::Homonym { .. } => "roster-doubt-homonym",
            Self::ColumnTwice => "roster-doubt-column-twice",
        }
    }
    /// Whether the line is left out of [`Roster::rows`].
    pub const fn leaves_out(self) -> bool {
        match self {
            Self::NoName | Self::Garbled | Self::TooManyCells | Self::Repeated { .. } => true,
            Self::Empty
            | Self::BadDate
            | Self::BadIne
            | Self::BadSex
            | Self::UnknownLevel
            | Self::Homonym { .. }
            | Self::ColumnTwice => false,
        }
    }
}

impl Doubt {
    /// The doubt in words, and what to do about it.
    pub fn say(&self, catalogue: &Catalogue, lang: Lang) -> (String, String) {
        let first = match self.what {
            Suspicion::Repeated { first } | Suspicion::Homonym { first } => first.to_string(),
            Suspicion::NoName
            | Suspicion::Empty
            | Suspicion::BadDate
            | Suspicion::BadIne
            | Suspicion::BadSex
            | Suspicion::UnknownLevel
            | Suspicion::Garbled
            | Suspicion::TooManyCells
            | Suspicion::ColumnTwice => String::new(),
        };
        let column = self.column.map_or("", Column::title);
        say(
            catalogue,
            lang,
            self.what.key(),
            &[("line", &self.line.to_string()), ("column", column), ("first", &first)],
        )
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// There is no line in it.
    #[error("the file is empty")]
    Empty,
    /// A header, and nothing below it.
    #[error("line {line}: the header is there, but no pupil below it")]
    NoPupils {
        /// The header's line.
        line: u64,
    },
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("the file has {bytes} bytes, more than {MAX_FILE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// More pupils than [`MAX_ROWS`].
    #[error("line {line}: more than {MAX_ROWS} pupils")]
    TooManyRows {
        /// The first line too many.
        line: u64,
    },
    /// Not a text at all (a spreadsheet, a PDF, an image).
    #[error("the file is not text")]
    NotText,
    /// Accents were lost on the way.
    #[error("line {line}: the header's accents are damaged (wrong encoding)")]
    WrongEncoding {
        /// The header's line.
        line: u64,
    },
    /// The cells are separated by something else than a semicolon.
    #[error("line {line}: cells are separated by `{seen}`, expected `;`")]
    WrongSeparator {
        /// The header's line.
        line: u64,
        /// The separator that was seen.
        seen: char,
    },
    /// The first line is a pupil already.
    #[error("line {line}: the first line looks like a pupil, not like a header")]
    NoHeader {
        /// The first line.
        line: u64,
    },
    /// A column without which a pupil cannot be enrolled.
    #[error("line {line}: no column {} (accepted: {})", .column.title(), .column.accepted().join(", "))]
    MissingColumn {
        /// The header's line.
        line: u64,
        /// The first such column.
        column: Column,
    },
    /// The guardians' file, which is not wanted.
    #[error("line {line}: this is the guardians' file")]
    Guardians {
        /// The header's line.
        line: u64,
    },
    /// More columns than [`MAX_COLUMNS`].
    #[error("line {line}: more than {MAX_COLUMNS} columns")]
    TooManyColumns {
        /// The line.
        line: u64,
    },
    /// A cell longer than [`MAX_CELL_BYTES`], or that never ends: a quotation mark was left open.
    #[error("line {line}, column {column}: a cell of more than {MAX_CELL_BYTES} bytes (a quotation mark left open?)")]
    EndlessCell {
        /// The line on which the record begins.
        line: u64,
        /// The column, counted from 1.
        column: usize,
    },
}

impl RosterError {
    /// The catalogue's key: `roster-…`.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Empty => "roster-empty",
            Self::NoPupils { .. } => "roster-no-pupils",
            Self::TooLarge { .. } => "roster-too-large",
            Self::TooManyRows { .. } => "roster-too-many-rows",
            Self::NotText => "roster-not-text",
            Self::WrongEncoding { .. } => "roster-wrong-encoding",
            Self::WrongSeparator { .. } => "roster-wrong-separator",
            Self::NoHeader { .. } => "roster-no-header",
            Self::MissingColumn { .. } => "roster-missing-column",
            Self::Guardians { .. } => "roster-guardians",
            Self::TooManyColumns { .. } => "roster-too-many-columns",
            Self::EndlessCell { .. } => "roster-endless-cell",
        }
    }
    /// The line to look at, when there is one.
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::Empty | Self::TooLarge { .. } | Self::NotText => None,
            Self::NoPupils { line }
            | Self::TooManyRows { line }
            | Self::WrongEncoding { line }
            | Self::WrongSeparator { line, .. }
            | Self::NoHeader { line }
            | Self::MissingColumn { line, .. }
            | Self::Guardians { line }
            | Self::TooManyColumns { line }
            | Self::EndlessCell { line, .. } => Some(*line),
        }
    }
    /// The column to look at, as text, when there is one.
    pub fn column(&self) -> Option<String> {
        match self {
            Self::MissingColumn { column, .. } => Some(column.title().to_owned()),
            Self::EndlessCell { column, .. } => Some(column.to_string()),
            Self::Empty
            | Self::NoPupils { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRows { .. }
            | Self::NotText
            | Self::WrongEncoding { .. }
            | Self::WrongSeparator { .. }
            | Self::NoHeader { .. }
            | Self::Guardians { .. }
            | Self::TooManyColumns { .. } => None,
        }
    }
    /// The cause in words, and the cure.
    pub fn say(&self, catalogue: &Catalogue, lang: Lang) -> (String, String) {
        let line = self.line().map(|line| line.to_string()).unwrap_or_default();
        let column = self.column().unwrap_or_default();
        let accepted = match self {
            Self::MissingColumn { column, .. } => column.accepted().join(", "),
            Self::Empty
            | Self::NoPupils { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRows { .. }
            | Self::NotText
            | Self::WrongEncoding { .. }
            | Self::WrongSeparator { .. }
            | Self::NoHeader { .. }
            | Self::Guardians { .. }
            | Self::TooManyColumns { .. }
            | Self::EndlessCell { .. } => String::new(),
        };
        let seen = if let Self::WrongSeparator { seen, .. } = self { separator_name(*seen) } else { String::new() };
        let limit = if let Self::TooLarge { .. } = self { MAX_FILE_BYTES } else { MAX_ROWS }.to_string();
        say(
            catalogue,
            lang,
            self.key(),
            &[("line", &line), ("column", &column), ("accepted", &accepted), ("seen", &seen), ("limit", &limit)],
        )
    }
}

fn say(catalogue: &Catalogue, lang: Lang, key: &str, args: &[(&str, &str)]) -> (String, String) {
    let cause = catalogue.say_with(lang, key, args).into_owned();
    (cause, catalogue.say_with(lang, &format!("{key}.next"), args).into_owned())
}

/// A separator as people can see it on paper.
fn separator_name(seen: char) -> String {
    if seen == '\t' { "TAB".to_owned() } else { format!("« {seen} »") }
}

#[cfg(test)]
mod tests;
