//! One pupil of a roster, with the few values that have a shape of their own.

use std::{fmt, str::FromStr};

/// One pupil of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line of the file on which it begins, counted from 1.
    pub line: u64,
    /// Family name, never empty.
    pub family_name: String,
    /// Usage name, when it is another.
    pub usage_name: Option<String>,
    /// Given name, never empty.
    pub given_name: String,
    /// Birth date.
    pub birth_date: Option<BirthDate>,
    /// Sex, as the register writes it.
    pub sex: Option<Sex>,
    /// National number; often absent in September.
    pub ine: Option<Ine>,
    /// The pupil's own level, written short when it is known (`CE2`); empty when the file says nothing.
    pub level: String,
    /// The cycle, as written; may be empty.
    pub cycle: String,
    /// The label of the class; empty for a pupil without one.
    pub class_name: String,
    /// ONDE's own number of the class.
    pub class_ref: Option<String>,
}

/// A day of the calendar, between 1900 and 2099.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BirthDate {
    year: u16,
    month: u8,
    day: u8,
}

impl BirthDate {
    /// A day, if it exists.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        ((1900..=2099).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }
    /// Reads `31/12/2016`, as ONDE writes it, or `2016-12-31`, as a spreadsheet may have turned it.
    pub fn parse(text: &str) -> Option<Self> {
        let (separator, lengths) = if text.contains('/') { ('/', [2, 2, 4]) } else { ('-', [4, 2, 2]) };
        let mut parts = [0_u16; 3];
        let mut pieces = text.split(separator);
        for (part, length) in parts.iter_mut().zip(lengths) {
            let piece = pieces.next()?;
            if piece.len() != length || !piece.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *part = piece.parse().ok()?;
        }
        let [first, month, last] = parts;
        let (year, day) = if separator == '/' { (last, first) } else { (first, last) };
        let found = Self::new(year, month.try_into().ok()?, day.try_into().ok()?)?;
        pieces.next().is_none().then_some(found)
    }
    /// The way ONDE writes it: `31/12/2016`.
    pub fn french(self) -> String {
        format!("{:02}/{:02}/{:04}", self.day, self.month, self.year)
    }
}

impl fmt::Display for BirthDate {
    /// ISO 8601: `2016-12-31`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Sex, as the register writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sex {
    /// `F`.
    Female,
    /// `M`.
    Male,
}

impl Sex {
    /// The register's letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Female => "F",
            Self::Male => "M",
        }
    }
    /// Reads the register's letter.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "F" | "f" => Some(Self::Female),
            "M" | "m" | "G" | "g" => Some(Self::Male),
            _ => None,
        }
    }
}

/// A pupil's national number (*identifiant national élève*): eleven characters in one of three shapes. No public rule
/// checks more than the shape. Sensitive: it stays at the coordinator, so its debug form is masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ine(String);

impl Ine {
    /// The eleven characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ine {
    type Err = ();
    /// Nine digits and two letters (since 2018), ten digits and a letter, or four digits, `A`, five digits, a letter.
    fn from_str(text: &str) -> Result<Self, ()> {
        let upper: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        let shape: String = upper
            .chars()
            .map(|c| match c {
                '0'..='9' => '9',
                'A'..='Z' => 'A',
                _ => '?',
            })
            .collect();
        let apprentice = shape == "9999A99999A" && upper.chars().nth(4) == Some('A');
        if shape == "999999999AA" || shape == "9999999999A" || apprentice { Ok(Self(upper)) } else { Err(()) }
    }
}

impl fmt::Debug for Ine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ine(…)")
    }
}

/// The short form of a level, as far as the product knows it, from its short or its long French name.
pub(super) fn level(text: &str) -> Option<&'static str> {
    let key: String =
        super::plain(text).chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().replace("annee", "");
    Some(match key.as_str() {
        "tps" | "toutepetitesection" => "TPS",
        "ps" | "petitesection" => "PS",
        "ms" | "moyennesection" => "MS",
        "gs" | "grandesection" => "GS",
        "cp" | "courspreparatoire" => "CP",
        "ce1" | "courselementaire1" | "courselementaire1re" | "courselementaire1ere" => "CE1",
        "ce2" | "courselementaire2" | "courselementaire2e" | "courselementaire2eme" => "CE2",
        "cm1" | "coursmoyen1" | "coursmoyen1re" | "coursmoyen1ere" => "CM1",
        "cm2" | "coursmoyen2" | "coursmoyen2e" | "coursmoyen2eme" => "CM2",
        "ulis" | "clis" => "ULIS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_do_not_exist_are_no_birth_dates() {
        for (text, iso) in [
            ("29/02/2016", Some("2016-02-29")),
            ("29/02/2015", None),
            ("31/04/2016", None),
            ("2016-12-31", Some("2016-12-31")),
            ("01/01/2001", Some("2001-01-01")),
            ("1/1/2001", None),
            ("01/01/01", None),
            ("01/01/2001/1", None),
            ("+1/01/2001", None),
            ("01/13/2016", None),
            ("", None),
        ] {
            assert_eq!(BirthDate::parse(text).map(|d| d.to_string()).as_deref(), iso, "{text}");
        }
    }

    #[test]
    fn an_ine_has_one_of_three_shapes() {
        for (text, sound) in [
            ("123456789AB", true),
            ("1111111111a", true),
            ("1234A56789B", true),
            ("1234B56789B", false),
            ("123456789A", false),
            ("12345678901", false),
            ("", false),
            ("１２３456789AB", false),
        ] {
            assert_eq!(text.parse::<Ine>().is_ok(), sound, "{text}");
        }
    }

    #[test]
    fn long_names_of_levels_become_short() {
        for (text, short) in [
            ("CE2", Some("CE2")),
            ("Cours Préparatoire", Some("CP")),
            ("COURS ELEMENTAIRE 1ERE ANNEE", Some("CE1")),
            ("Cours moyen 2e année", Some("CM2")),
            ("6e", None),
        ] {
            assert_eq!(level(text), short, "{text}");
        }
    }
}
