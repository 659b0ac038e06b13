//! The pupils' file of ONDE, the ministry's register: `Nom élève;Nom d'usage élève;…`, 22 columns as it is exported,
//! fewer and in another order when a head teacher made a personal extraction.

use std::{borrow::Cow, collections::BTreeMap};

pub use super::write::write;
use super::{
    BirthDate, Column, Doubt, Ine, MAX_DOUBTS, MAX_FILE_BYTES, MAX_ROWS, Roster, RosterError, Row, Sex, Suspicion,
    cells::{Cells, Extent},
    charset::{decode, is_foreign, is_garbled},
    header::{Places, is_guardian},
    plain, row,
};

/// The exact header of an export, the space before `Cycle` included.
pub const HEADER: &str = "Nom élève;Nom d'usage élève;Prénom élève;Date naissance;Sexe;INE;Adresse1;Cp1;Commune1;Pays1;\
    Adresse2;Cp2;Commune2;Pays2; Cycle;Niveau;Libellé classe;Identifiant classe;Attestation fournie;\
    Autorisation associations;Autorisation photo;Décision de passage";

/// Reads a pupils' file. Pure; any bytes are answered, by rows and doubts or by the reason why not.
pub fn read(bytes: &[u8]) -> Result<Roster, RosterError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(RosterError::TooLarge { bytes: bytes.len() });
    }
    let (text, charset) = decode(bytes)?;
    let mut cells = Cells::new(&text, ';');
    let (line, places) = header(&mut cells)?;
    let mut reading = Reading::default();
    for column in &places.twice {
        reading.doubt(line, Some(*column), Suspicion::ColumnTwice);
    }
    let mut pupils = 0_usize;
    while let Some((extent, kept)) = record(&mut cells, &places)? {
        if kept.values().all(String::is_empty) {
            continue;
        }
        pupils = pupils.saturating_add(1);
        if pupils > MAX_ROWS {
            return Err(RosterError::TooManyRows { line: extent.line });
        }
        reading.take(extent, kept, &places);
    }
    if pupils == 0 {
        return Err(RosterError::NoPupils { line });
    }
    let columns = places.columns();
    Ok(Roster {
        rows: reading.rows,
        doubts: reading.doubts,
        more_doubts: reading.more_doubts,
        charset,
        dropped_columns: places.width.saturating_sub(columns.len()),
        columns,
    })
}

/// Reads the header, or says what stands in its place.
fn header(cells: &mut Cells<'_>) -> Result<(u64, Places), RosterError> {
    let (line, text) = cells.peek_line().ok_or(RosterError::Empty)?;
    if let Some(seen) = other_separator(text) {
        return Err(RosterError::WrongSeparator { line, seen });
    }
    let mut titles: Vec<Cow<'_, str>> = Vec::new();
    cells.record(|_, title| titles.push(title))?;
    let places = Places::of(titles.iter().map(AsRef::as_ref));
    if titles.iter().any(|title| is_guardian(title)) {
        return Err(RosterError::Guardians { line });
    }
    let Some(column) = places.missing() else { return Ok((line, places)) };
    if places.known() < 2 && titles.iter().any(|title| looks_like_data(title.trim())) {
        return Err(RosterError::NoHeader { line });
    }
    if titles.iter().any(|title| is_foreign(title)) {
        return Err(RosterError::WrongEncoding { line });
    }
    Err(RosterError::MissingColumn { line, column })
}

/// The separator of a first line that a semicolon does not cut: the one that cuts it into known titles, or else into
/// many cells.
fn other_separator(line: &str) -> Option<char> {
    let known = |separator: char| {
        let titles = line.split(separator).map(|title| title.trim().trim_matches('"'));
        Places::of(titles).known()
    };
    let by_semicolon = known(';');
    let better = [',', '\t', '|'].into_iter().find(|other| known(*other) > by_semicolon.max(1));
    let many = |other: &char| line.split(*other).count() >= 5;
    better.or_else(|| if line.contains(';') { None } else { [',', '\t', '|'].into_iter().find(many) })
}

fn looks_like_data(cell: &str) -> bool {
    BirthDate::parse(cell).is_some() || cell.parse::<Ine>().is_ok() || row::level(cell).is_some()
}

/// One record's wanted cells, white space tidied.
type Kept = BTreeMap<Column, String>;

fn record(cells: &mut Cells<'_>, places: &Places) -> Result<Option<(Extent, Kept)>, RosterError> {
    let mut kept = Kept::new();
    let extent = cells.record(|place, cell| {
        for column in Column::ALL {
            if places.place(column) == Some(place) {
                kept.insert(column, cell.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    })?;
    Ok(extent.map(|extent| (extent, kept)))
}

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    rows: Vec<Row>,
    doubts: Vec<Doubt>,
    more_doubts: usize,
    /// The lines of the national numbers that were seen.
    by_ine: BTreeMap<Ine, u64>,
    /// The places in `rows` of the pupils of one name.
    by_name: BTreeMap<(String, String), Vec<usize>>,
}

impl Reading {
    fn doubt(&mut self, line: u64, column: Option<Column>, what: Suspicion) {
        if self.doubts.len() < MAX_DOUBTS {
            self.doubts.push(Doubt { line, column, what });
        } else {
            self.more_doubts = self.more_doubts.saturating_add(1);
        }
    }

    fn take(&mut self, extent: Extent, mut kept: Kept, places: &Places) {
        let line = extent.line;
        if extent.width > places.width {
            return self.doubt(line, None, Suspicion::TooManyCells);
        }
        if let Some(column) = kept.iter().find(|(_, cell)| is_garbled(cell)).map(|(column, _)| *column) {
            return self.doubt(line, Some(column), Suspicion::Garbled);
        }
        for column in [Column::FamilyName, Column::GivenName] {
            if kept.get(&column).is_none_or(String::is_empty) {
                return self.doubt(line, Some(column), Suspicion::NoName);
            }
        }
        let mut text = |column| kept.remove(&column).unwrap_or_default();
        let usage = text(Column::UsageName);
        let family_name = text(Column::FamilyName);
        let number = text(Column::ClassRef);
        let row = Row {
            line,
            usage_name: (!usage.is_empty() && usage != family_name).then_some(usage),
            family_name,
            given_name: text(Column::GivenName),
            cycle: text(Column::Cycle),
            class_name: text(Column::ClassName),
            class_ref: (!number.is_empty()).then_some(number),
            birth_date: self.shaped(line, Column::BirthDate, &text(Column::BirthDate), BirthDate::parse),
            sex: self.shaped(line, Column::Sex, &text(Column::Sex), Sex::parse),
            ine: self.shaped(line, Column::Ine, &text(Column::Ine), |ine| ine.parse().ok()),
            level: self.level(line, text(Column::Level)),
        };
        if row.class_name.is_empty() {
            self.doubt(line, Some(Column::ClassName), Suspicion::Empty);
        }
        self.add(row);
    }

    /// A cell that has a shape, when it is not empty; a doubt when it does not have it.
    fn shaped<T>(&mut self, line: u64, column: Column, cell: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = parse(cell);
        if value.is_none() && !cell.is_empty() {
            let what = match column {
                Column::BirthDate => Suspicion::BadDate,
                Column::Sex => Suspicion::BadSex,
                Column::Ine
                | Column::FamilyName
                | Column::UsageName
                | Column::GivenName
                | Column::Cycle
                | Column::Level
                | Column::ClassName
                | Column::ClassRef => Suspicion::BadIne,
            };
            self.doubt(line, Some(column), what);
        }
        value
    }

    fn level(&mut self, line: u64, cell: String) -> String {
        match row::level(&cell) {
            Some(short) => short.to_owned(),
            None => {
                let what = if cell.is_empty() { Suspicion::Empty } else { Suspicion::UnknownLevel };
                self.doubt(line, Some(Column::Level), what);
                cell
            }
        }
    }

    /// Adds a pupil who does not stand on an earlier line.
    fn add(&mut self, row: Row) {
        if let Some(first) = row.ine.as_ref().and_then(|ine| self.by_ine.get(ine)).copied() {
            return self.doubt(row.line, Some(Column::Ine), Suspicion::Repeated { first });
        }
        let name = (plain(&row.family_name), plain(&row.given_name));
        let namesakes: Vec<&Row> =
            self.by_name.get(&name).into_iter().flatten().filter_map(|at| self.rows.get(*at)).collect();
        if let Some(first) = namesakes.iter().find(|other| is_same(other, &row)).map(|other| other.line) {
            return self.doubt(row.line, None, Suspicion::Repeated { first });
        }
        if let Some(first) = namesakes.first().map(|other| other.line) {
            self.doubt(row.line, Some(Column::FamilyName), Suspicion::Homonym { first });
        }
        if let Some(ine) = &row.ine {
            self.by_ine.insert(ine.clone(), row.line);
        }
        self.by_name.entry(name).or_default().push(self.rows.len());
        self.rows.push(row);
    }
}

/// Whether two lines of one name are one pupil. Two national numbers are two pupils; the same birth date is one; with
/// no birth date, only the same line twice is.
fn is_same(one: &Row, other: &Row) -> bool {
    if let (Some(mine), Some(theirs)) = (&one.ine, &other.ine) {
        return mine == theirs;
    }
    match (one.birth_date, other.birth_date) {
        (Some(mine), Some(theirs)) => mine == theirs,
        (None, None) => Row { line: other.line, ..one.clone() } == *other,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
