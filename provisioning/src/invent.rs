//! Invented schools: pupils whose names are drawn from lists, ONDE files written as the register writes them, staff,
//! and block lists. Nobody in them exists; the same seed invents the same people.

pub mod lists;
mod names;

use preau_shared::{
    dice::Dice,
    ids::Uai,
    roster::{BirthDate, Charset, Row, Sex, onde},
    time::Stamp,
};

/// An invented school.
#[derive(Debug, Clone)]
pub struct Invented {
    /// A sound number that no school of the country bears.
    pub uai: Uai,
    /// Its name.
    pub name: &'static str,
    /// Degrees north and east.
    pub place: (f64, f64),
    /// Its pupils as an ONDE file.
    pub onde: Vec<u8>,
}

struct Plan {
    digits: u32,
    name: &'static str,
    place: (f64, f64),
    classes: &'static [(&'static str, &'static [(&'static str, u32)])],
}

/// Classes with their pupils by level; *CP/CE1* is taught together, as small schools do.
const SCHOOLS: [Plan; 2] = [
    Plan {
        digits: 900_991,
        name: "Jean Moulin (Belfort)",
        place: (47.6397, 6.8638),
        classes: &[
            ("CP A", &[("CP", 23)]),
            ("CP/CE1", &[("CP", 10), ("CE1", 12)]),
            ("CE1 B", &[("CE1", 24)]),
            ("CE2", &[("CE2", 25)]),
            ("CM1", &[("CM1", 25)]),
            ("CM2", &[("CM2", 24)]),
        ],
    },
    Plan {
        digits: 900_992,
        name: "Les Sources (Évette-Salbert)",
        place: (47.6836, 6.7992),
        classes: &[
            ("CP", &[("CP", 22)]),
            ("CE1", &[("CE1", 23)]),
            ("CE2", &[("CE2", 24)]),
            ("CE2/CM1", &[("CE2", 9), ("CM1", 14)]),
            ("CM2", &[("CM2", 25)]),
        ],
    },
];

/// The two schools of the pilot. Of charsets, one file has the register's and one what a spreadsheet makes of it.
pub fn schools(dice: &dyn Dice, now: Stamp) -> Vec<Invented> {
    SCHOOLS
        .iter()
        .zip([Charset::Windows1252, Charset::Utf8])
        .filter_map(|(plan, charset)| {
            let uai = format!("{:07}{}", plan.digits, Uai::letter_for(plan.digits)).parse().ok()?;
            let onde = onde::write(&pupils(plan, dice, school_year(now)), charset);
            Some(Invented { uai, name: plan.name, place: plan.place, onde })
        })
        .collect()
}

/// The year in which the running school year began: August is the first month of the new one.
pub fn school_year(now: Stamp) -> u16 {
    let (year, month, _) = now.date();
    let began = if month >= 8 { year } else { year.saturating_sub(1) };
    u16::try_from(began).unwrap_or(2026)
}

/// `2026-2027`.
pub fn school_year_label(now: Stamp) -> String {
    let began = school_year(now);
    format!("{began}-{}", began.saturating_add(1))
}

/// Draws one of `from`.
pub(crate) fn pick<'a>(from: &[&'a str], dice: &dyn Dice) -> &'a str {
    let bound = u64::try_from(from.len()).unwrap_or(0);
    usize::try_from(dice.below(bound)).ok().and_then(|at| from.get(at).copied()).unwrap_or_default()
}

/// A given name and a family name for a member of staff.
pub fn adult(dice: &dyn Dice) -> (String, String) {
    let given = if dice.below(2) == 0 { pick(&names::ADULT_WOMEN, dice) } else { pick(&names::ADULT_MEN, dice) };
    (given.to_owned(), pick(&names::FAMILY, dice).to_owned())
}

fn pupils(plan: &Plan, dice: &dyn Dice, school_year: u16) -> Vec<Row> {
    let mut rows = Vec::<Row>::new();
    for (class_name, levels) in plan.classes {
        for (level, count) in *levels {
            for _ in 0..*count {
                let mut row = pupil(dice, school_year, level, class_name);
                // Homonyms are the roster's own test; here each child has a name of its own.
                while rows.iter().any(|r| r.given_name == row.given_name && r.family_name == row.family_name) {
                    row = pupil(dice, school_year, level, class_name);
                }
                row.line = u64::try_from(rows.len()).unwrap_or(u64::MAX).saturating_add(2);
                rows.push(row);
            }
        }
    }
    rows
}

fn pupil(dice: &dyn Dice, school_year: u16, level: &str, class_name: &str) -> Row {
    let (sex, given) = if dice.below(2) == 0 {
        (Sex::Female, pick(&names::GIRLS, dice))
    } else {
        (Sex::Male, pick(&names::BOYS, dice))
    };
    let age = match level {
        "CP" => 6,
        "CE1" => 7,
        "CE2" => 8,
        "CM1" => 9,
        _ => 10,
    };
    let month = u8::try_from(dice.below(12)).unwrap_or(0).saturating_add(1);
    let day = u8::try_from(dice.below(28)).unwrap_or(0).saturating_add(1);
    let letters = "ABCDEFGHJKLMNPRSTUVWXYZ".chars().collect::<Vec<_>>();
    let letter = || usize::try_from(dice.below(23)).ok().and_then(|at| letters.get(at)).copied().unwrap_or('A');
    let ending = [letter(), letter()];
    let ine = format!("99{:07}{}", dice.below(10_000_000), String::from_iter(ending));
    Row {
        line: 0,
        family_name: pick(&names::FAMILY, dice).to_uppercase(),
        usage_name: None,
        given_name: given.to_owned(),
        birth_date: BirthDate::new(school_year.saturating_sub(age), month, day),
        sex: Some(sex),
        ine: ine.parse().ok().filter(|_| dice.below(20) != 0),
        level: level.to_owned(),
        cycle: if matches!(level, "CM1" | "CM2") { "CYCLE III" } else { "CYCLE II" }.to_owned(),
        class_name: class_name.to_owned(),
        class_ref: None,
    }
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn invented_schools_are_read_without_a_doubt() {
        let now = Stamp(1_795_464_000_000);
        let invented = schools(&Seeded::new(1), now);
        let mut pupils = 0;
        for school in &invented {
            assert!(school.uai.is_sound() && school.uai.as_str().starts_with("0900"), "{}", school.uai);
            let roster = onde::read(&school.onde).expect("an ONDE file");
            assert_eq!(roster.doubts, vec![], "{}", school.name);
            pupils += roster.rows.len();
        }
        assert!((250..=270).contains(&pupils), "{pupils}");
        assert_eq!(schools(&Seeded::new(1), now)[0].onde, invented[0].onde);
    }

    #[test]
    fn a_school_year_begins_in_august() {
        for (stamp, year) in
            [(0, 1969), (1_785_542_399_000, 2025), (1_785_542_400_000, 2026), (1_798_761_600_000, 2026)]
        {
            assert_eq!(school_year(Stamp(stamp)), year, "{stamp}");
        }
    }
}
