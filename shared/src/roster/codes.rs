//! The QR codes of another system (*l'ENT*), as a city exports them: a CSV of who, and what her code says.
//!
//! The text of such a code may be a password of the other system. It is hashed as it is read, and becomes no value of its
//! own: neither a row nor a doubt carries it.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Ine, MAX_FILE_BYTES, MAX_ROWS, RosterError,
    cells::{Cells, Extent},
    charset,
    header::plain,
};
use crate::{
    badge::{Badge, ForeignCode, ShortCode},
    ids::PersonId,
};

/// Which column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Who.
    Id,
    /// What her code says.
    Text,
}

impl Column {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Id, Self::Text];

    /// The title that we name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Text => "qr_text",
        }
    }

    /// The titles that are understood, as people write them.
    pub const fn accepted(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id", "person_id", "identifiant", "identifiant élève", "id élève", "INE", "numéro INE"],
            Self::Text => &["qr_text", "qr", "qr code", "code qr", "texte", "texte qr", "texte du qr code", "contenu"],
        }
    }

    fn of(title: &str) -> Option<Self> {
        let key = |title: &str| plain(title).chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let asked = key(title);
        Self::ALL.into_iter().find(|column| column.accepted().iter().any(|known| key(known) == asked))
    }
}

/// Whose code it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// By our own identifier, as the badges' file has it.
    Person(PersonId),
    /// By her national number.
    Ine(Ine),
}

impl Whose {
    /// Reads either; none when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        text.parse().ok().map(Self::Person).or_else(|| text.parse().ok().map(Self::Ine))
    }

    /// As it was written.
    pub fn said(&self) -> String {
        match self {
            Self::Person(person) => person.to_string(),
            Self::Ine(ine) => ine.as_str().to_owned(),
        }
    }
}

/// Somebody's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// The line on which it begins, counted from 1.
    pub line: u64,
    /// Whose.
    pub whose: Whose,
    /// What a tablet says of it.
    pub code: ForeignCode,
}

/// Something in one line that a person should look at; the line is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDoubt {
    /// The line of the file, counted from 1.
    pub line: u64,
    /// The column to blame.
    pub column: Column,
    /// What is wrong.
    pub what: CodeSuspicion,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeSuspicion {
    /// Nobody is named.
    #[error("nobody is named")]
    NoId,
    /// Neither an identifier of ours nor a national number.
    #[error("neither an identifier of 32 hexadecimal digits nor a national number (INE)")]
    BadId,
    /// There is no text.
    #[error("there is no text")]
    NoText,
    /// A badge of ours, or a short code: it would open as itself.
    #[error("this is the text of a badge of ours")]
    Ours,
    /// The text went through a wrong encoding.
    #[error("the text went through a wrong encoding: export the file again as UTF-8")]
    Garbled,
    /// The same line stood there before.
    #[error("the same as line {first}")]
    Repeated {
        /// The earlier line.
        first: u64,
    },
    /// Another line gives the same text to somebody else: it is told of both.
    #[error("the same text as line {other}, which names somebody else: one code cannot be of two people")]
    TwoPeople {
        /// The other line.
        other: u64,
    },
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Codes {
    /// In the file's order.
    pub rows: Vec<CodeRow>,
    /// In the file's order; each is a line that was left out.
    pub doubts: Vec<CodeDoubt>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodesError {
    /// As any list of pupils may be unreadable.
    #[error(transparent)]
    Unreadable(#[from] RosterError),
    /// A column that must be there.
    #[error("line {line}: no column {} (accepted: {})", .column.title(), .column.accepted().join(", "))]
    MissingColumn {
        /// The header's line.
        line: u64,
        /// Which.
        column: Column,
    },
    /// More lines than pupils of any school.
    #[error("line {line}: more than {MAX_ROWS} codes")]
    TooMany {
        /// The first line too many.
        line: u64,
    },
    /// A header, and nothing below it.
    #[error("line {line}: the header is there, but no code below it")]
    NoCodes {
        /// The header's line.
        line: u64,
    },
}

/// Reads a file's bytes: UTF-8 or Windows-1252, cells cut by semicolons, commas or tabs; columns by their titles.
///
/// # Errors
/// [`CodesError`] with line and column.
pub fn read(bytes: &[u8]) -> Result<Codes, CodesError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(RosterError::TooLarge { bytes: bytes.len() }.into());
    }
    let (text, _) = charset::decode(bytes)?;
    let Some((line, header)) = Cells::new(&text, ';').peek_line() else { return Err(RosterError::Empty.into()) };
    let known = |separator: char| header.split(separator).filter(|title| Column::of(title).is_some()).count();
    // Of several that cut equally well, the first: semicolons are what French spreadsheets write.
    let separator =
        [',', '\t'].into_iter().fold(';', |best, other| if known(other) > known(best) { other } else { best });
    let mut cells = Cells::new(&text, separator);
    let mut places: [Option<usize>; 2] = [None; 2];
    cells.record(|place, title| {
        for (found, column) in places.iter_mut().zip(Column::ALL) {
            if found.is_none() && Column::of(&title) == Some(column) {
                *found = Some(place);
            }
        }
    })?;
    let [id, qr_text] = places;
    let id = id.ok_or(CodesError::MissingColumn { line, column: Column::Id })?;
    let qr_text = qr_text.ok_or(CodesError::MissingColumn { line, column: Column::Text })?;
    let mut reading = Reading::default();
    while let Some((extent, whose, said)) = record(&mut cells, (id, qr_text))? {
        if reading.lines >= MAX_ROWS {
            return Err(CodesError::TooMany { line: extent.line });
        }
        reading.take(extent.line, &whose, &said);
    }
    if reading.lines == 0 {
        return Err(CodesError::NoCodes { line });
    }
    Ok(reading.end())
}

type Record<'t> = (Extent, Cow<'t, str>, Cow<'t, str>);

fn record<'t>(cells: &mut Cells<'t>, (id, qr_text): (usize, usize)) -> Result<Option<Record<'t>>, RosterError> {
    let (mut whose, mut said) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let extent = cells.record(|place, cell| {
        if place == id {
            whose = cell;
        } else if place == qr_text {
            said = cell;
        }
    })?;
    Ok(extent.map(|extent| (extent, whose, said)))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    lines: usize,
    rows: Vec<CodeRow>,
    doubts: Vec<CodeDoubt>,
}

impl Reading {
    fn take(&mut self, line: u64, whose: &str, said: &str) {
        self.lines = self.lines.saturating_add(1);
        let (whose, said) = (whose.trim(), said.trim());
        let mut doubt = |column, what| self.doubts.push(CodeDoubt { line, column, what });
        if whose.is_empty() {
            return doubt(Column::Id, CodeSuspicion::NoId);
        }
        let Some(whose) = Whose::parse(whose) else { return doubt(Column::Id, CodeSuspicion::BadId) };
        if said.is_empty() {
            return doubt(Column::Text, CodeSuspicion::NoText);
        }
        if said.contains('\u{fffd}') {
            return doubt(Column::Text, CodeSuspicion::Garbled);
        }
        if Badge::parse(said).is_ok() || ShortCode::parse(said).is_some() {
            return doubt(Column::Text, CodeSuspicion::Ours);
        }
        self.rows.push(CodeRow { line, whose, code: ForeignCode::of(said) });
    }

    /// Lines with one text: the same person's once, two people's not at all.
    fn end(self) -> Codes {
        let Self { rows, mut doubts, .. } = self;
        let mut by_code: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, row) in rows.iter().enumerate() {
            by_code.entry(row.code.said()).or_default().push(at);
        }
        let mut kept = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let alike = by_code.get(&row.code.said()).map(Vec::as_slice).unwrap_or_default();
            let of = |other: &usize| rows.get(*other);
            let another = alike.iter().filter_map(of).find(|other| other.whose != row.whose);
            let before = alike.iter().filter(|other| **other < at).find_map(of);
            let what = match (another, before) {
                (Some(other), _) => CodeSuspicion::TwoPeople { other: other.line },
                (None, Some(first)) => CodeSuspicion::Repeated { first: first.line },
                (None, None) => {
                    kept.push(row.clone());
                    continue;
                }
            };
            doubts.push(CodeDoubt { line: row.line, column: Column::Text, what });
        }
        doubts.sort_by_key(|doubt| doubt.line);
        Codes { rows: kept, doubts }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dice::Seeded;

    const LINA: &str = "000102030405060708090a0b0c0d0e0f";
    const NOE: &str = "101112131415161718191a1b1c1d1e1f";

    fn doubts(text: &str) -> Vec<(u64, Column, CodeSuspicion)> {
        let read = read(text.as_bytes()).expect("readable");
        read.doubts.into_iter().map(|doubt| (doubt.line, doubt.column, doubt.what)).collect()
    }

    #[test]
    fn columns_are_found_by_their_titles_whatever_cuts_them() {
        let expected = vec![
            CodeRow {
                line: 2,
                whose: Whose::parse(LINA).expect("id"),
                code: ForeignCode::of("https://ent.example/é?j=1"),
            },
            CodeRow { line: 3, whose: Whose::parse("111111111AA").expect("ine"), code: ForeignCode::of("jeton;2,3") },
        ];
        let text = format!("id;qr_text\n{LINA};https://ent.example/é?j=1\n111111111AA;\"jeton;2,3\"\n");
        let commas = format!(
            "Prénom,Texte du QR code,Identifiant élève\r\nLina,https://ent.example/é?j=1,{LINA}\r\n,\"jeton;2,3\",111111111AA"
        );
        let tabs = format!("\u{feff}QR Code\tINE\nhttps://ent.example/é?j=1\t{LINA}\njeton;2,3\t111111111AA");
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin")).collect();
        for bytes in [text.into_bytes(), commas.into_bytes(), tabs.into_bytes(), latin] {
            let read = read(&bytes).expect("readable");
            assert_eq!((read.rows, read.doubts), (expected.clone(), vec![]), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_column() {
        let ours = Badge::draw(&Seeded::new(1)).payload();
        let text = format!(
            "id;qr_text\n;a\nLina;a\n{LINA};\n{LINA};{ours}\n{LINA};ABCD EFGH\n{LINA};b\n{LINA};b\n{NOE};c\n{LINA};c\n{LINA};d\n"
        );
        assert_eq!(
            doubts(&text),
            [
                (2, Column::Id, CodeSuspicion::NoId),
                (3, Column::Id, CodeSuspicion::BadId),
                (4, Column::Text, CodeSuspicion::NoText),
                (5, Column::Text, CodeSuspicion::Ours),
                (6, Column::Text, CodeSuspicion::Ours),
                (8, Column::Text, CodeSuspicion::Repeated { first: 7 }),
                (9, Column::Text, CodeSuspicion::TwoPeople { other: 10 }),
                (10, Column::Text, CodeSuspicion::TwoPeople { other: 9 }),
            ]
        );
        let kept: Vec<u64> = read(text.as_bytes()).expect("readable").rows.iter().map(|row| row.line).collect();
        assert_eq!(kept, [7, 11]);
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where() {
        for (text, said) in [
            ("", "empty"),
            ("\n\n", "empty"),
            ("name;qr_text\n", "line 1: no column id"),
            ("\nid;name\n", "line 2: no column qr_text"),
            ("id;qr_text\n\n", "line 1: the header is there"),
            ("id;qr_text\n1;\"open", "line 2, column 2"),
            ("PK\u{3}\u{4}\0\0", "not text"),
        ] {
            let error = read(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        let many = format!("id;qr_text\n{}", "x;y\n".repeat(MAX_ROWS + 1));
        assert_eq!(read(many.as_bytes()), Err(CodesError::TooMany { line: 3_002 }));
    }

    #[test]
    fn nothing_that_is_printed_holds_a_code() {
        let text = format!("id;qr_text\n{LINA};sesame-42\n{NOE};sesame-42\n{LINA};open-7\n");
        let printed = format!("{:?}", read(text.as_bytes()).expect("readable"));
        assert!(!printed.contains("sesame") && !printed.contains("open-7"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&bytes);
        }

        #[test]
        fn each_line_is_a_row_or_a_doubt(lines in proptest::collection::vec(("[0-9a-f]{32}|[a-z]{0,5}", "[a-c]{0,2}"), 1..40)) {
            let mut text = "id;qr_text\n".to_owned();
            for (id, said) in &lines {
                text.push_str(&format!("{id};{said}\n"));
            }
            let blank = lines.iter().filter(|(id, said)| id.is_empty() && said.is_empty()).count();
            match read(text.as_bytes()) {
                Ok(read) => {
                    // `;` alone is no blank line.
                    prop_assert_eq!(read.rows.len() + read.doubts.len(), lines.len());
                    for (at, row) in read.rows.iter().enumerate() {
                        prop_assert!(read.rows.iter().skip(at + 1).all(|other| other.code != row.code));
                    }
                }
                Err(_) => prop_assert!(blank == lines.len()),
            }
        }
    }
}
