//! Slips for staff: a code that is good once, whose it is and what to do with it, in three steps. Activation codes stand four
//! on a page, to cut out; what goes into a safe has a page of its own.

use krilla::{Document, SerializeSettings, metadata::Metadata, page::PageSettings, surface::Surface};

use super::{
    PrintError,
    ink::{Faces, MM, Side, cut_line, wrapped, write},
};
use crate::{
    messages::{Catalogue, Lang},
    staff_codes::{ACTIVATION_LASTS, in_groups},
    time::Stamp,
};

/// Most slips in one PDF.
pub const MAX_SLIPS: usize = 200;

/// A4, in points.
const A4: (f32, f32) = (210.0 * MM, 297.0 * MM);
/// White around what stands on a page.
const MARGIN: f32 = 10.0 * MM;
/// White inside a slip.
const INSIDE: f32 = 6.0 * MM;
/// Slips of one page.
const ON_A_PAGE: usize = 4;
const HIGH: f32 = 66.0 * MM;
/// Seconds of a day.
const DAY_S: u64 = 24 * 3_600;

/// Somebody and her code.
#[derive(Clone, PartialEq, Eq)]
pub struct Slip {
    /// Her name, as she finds it among others.
    pub name: String,
    /// Her school.
    pub school: String,
    /// The code.
    pub code: String,
}

impl std::fmt::Debug for Slip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slip(..)")
    }
}

/// What a slip says, in words.
struct Said {
    title: String,
    whose: String,
    steps: [String; 3],
    code: String,
    last: String,
}

/// Prints activation codes; gives the PDF. `ends` is absent where no clock was to be trusted when they were drawn.
///
/// # Errors
/// [`PrintError`]; nothing is printed in part.
pub fn activations(
    slips: &[Slip],
    ends: Option<Stamp>,
    (words, lang): (&Catalogue, Lang),
) -> Result<Vec<u8>, PrintError> {
    let days = ACTIVATION_LASTS.as_secs().checked_div(DAY_S).unwrap_or(0).to_string();
    let last = match ends {
        Some(ends) => words.say_with(lang, "print-activation-until", &[("date", &date(ends, lang))]).into_owned(),
        None => words.say_with(lang, "print-activation-days", &[("days", &days)]).into_owned(),
    };
    let steps =
        ["first", "second", "third"].map(|step| words.say(lang, &format!("teacher-activation-{step}")).into_owned());
    let said = |slip: &Slip| Said {
        title: words.say_with(lang, "print-activation-title", &[("name", &slip.name)]).into_owned(),
        whose: slip.school.clone(),
        steps: steps.clone(),
        code: in_groups(&slip.code),
        last: last.clone(),
    };
    paper(&slips.iter().map(said).collect::<Vec<_>>(), ON_A_PAGE, lang)
}

/// Prints what goes into a school's safe, a page for each head; gives the PDF.
///
/// # Errors
/// [`PrintError`]; nothing is printed in part.
pub fn safe_codes(slips: &[Slip], drawn: Stamp, (words, lang): (&Catalogue, Lang)) -> Result<Vec<u8>, PrintError> {
    let steps = ["first", "second", "third"].map(|step| words.say(lang, &format!("print-safe-{step}")).into_owned());
    let said = |slip: &Slip| Said {
        title: words.say_with(lang, "print-safe-title", &[("name", &slip.school)]).into_owned(),
        whose: words.say_with(lang, "print-safe-whose", &[("name", &slip.name)]).into_owned(),
        steps: steps.clone(),
        code: in_groups(&slip.code),
        last: words.say_with(lang, "print-safe-last", &[("date", &date(drawn, lang))]).into_owned(),
    };
    paper(&slips.iter().map(said).collect::<Vec<_>>(), 1, lang)
}

/// A day, as it is written.
fn date(stamp: Stamp, lang: Lang) -> String {
    let (year, month, day) = stamp.date();
    match lang {
        Lang::Fr => format!("{day:02}/{month:02}/{year}"),
        Lang::En => format!("{year}-{month:02}-{day:02}"),
    }
}

fn paper(slips: &[Said], on_a_page: usize, lang: Lang) -> Result<Vec<u8>, PrintError> {
    if slips.is_empty() {
        return Err(PrintError::Nothing);
    }
    if slips.len() > MAX_SLIPS {
        return Err(PrintError::TooMany);
    }
    let faces = Faces::load()?;
    let mut document = Document::new_with(SerializeSettings { xmp_metadata: false, ..SerializeSettings::default() });
    document.set_metadata(Metadata::new().language(lang.tag().to_owned()));
    for slips in slips.chunks(on_a_page) {
        let settings = PageSettings::from_wh(A4.0, A4.1).ok_or_else(|| PrintError::Page("no page".into()))?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let mut top = MARGIN;
        for slip in slips {
            draw(&mut surface, &faces, slip, top);
            top += HIGH + 3.0 * MM;
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| PrintError::Page(format!("{error:?}")))
}

fn draw(surface: &mut Surface<'_>, faces: &Faces, slip: &Said, top: f32) {
    let wide = A4.0 - 2.0 * MARGIN;
    cut_line(surface, (MARGIN, top, wide, HIGH));
    let (x, room) = (MARGIN + INSIDE, wide - 2.0 * INSIDE);
    let mut y = top + 9.0 * MM;
    write(surface, &faces.bold, &slip.title, (x, y, room), ((17.0, 9.0), Side::Left));
    y += 5.5 * MM;
    write(surface, &faces.regular, &slip.whose, (x, y, room), ((11.0, 7.0), Side::Left));
    y += 8.0 * MM;
    for (number, step) in (1_u8..).zip(&slip.steps) {
        write(surface, &faces.bold, &format!("{number}."), (x, y, 6.0 * MM), ((11.0, 11.0), Side::Left));
        y = wrapped(surface, &faces.regular, step, ((x + 6.0 * MM, y, room - 6.0 * MM), 11.0));
    }
    y += 6.0 * MM;
    write(surface, &faces.bold, &slip.code, (x, y, room), ((28.0, 14.0), Side::Middle));
    y += 8.0 * MM;
    wrapped(surface, &faces.regular, &slip.last, ((x, y, room), 10.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slips(count: usize) -> Vec<Slip> {
        let names = ["Maximilienne Rose Éléonore de la Vallée du Doubs", "Zoë Œuvrard", "李", ""];
        let slip =
            |name: &&str| Slip { name: (*name).into(), school: "École des Tilleuls".into(), code: "40913377".into() };
        names.iter().cycle().take(count).map(slip).collect()
    }

    fn count_pages(pdf: &[u8]) -> usize {
        let text = String::from_utf8_lossy(pdf);
        let count = text.split("/Count ").nth(1).expect("a tree of pages");
        count.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
    }

    #[test]
    fn activation_codes_stand_four_on_a_page_and_a_safes_alone() {
        let words = Catalogue::load();
        for lang in [Lang::Fr, Lang::En] {
            for (count, wanted) in [(1, 1), (4, 1), (5, 2), (10, 3)] {
                let pdf = activations(&slips(count), Some(Stamp(1_790_000_000_000)), (&words, lang)).expect("pdf");
                assert!(pdf.starts_with(b"%PDF-"));
                assert_eq!(count_pages(&pdf), wanted);
            }
            assert!(activations(&slips(1), None, (&words, lang)).is_ok());
            assert_eq!(count_pages(&safe_codes(&slips(2), Stamp(0), (&words, lang)).expect("pdf")), 2);
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let words = Catalogue::load();
        assert_eq!(activations(&[], None, (&words, Lang::Fr)), Err(PrintError::Nothing));
        assert_eq!(safe_codes(&slips(MAX_SLIPS + 1), Stamp(0), (&words, Lang::Fr)), Err(PrintError::TooMany));
    }

    #[test]
    fn a_day_is_written_as_people_write_it() {
        assert_eq!(date(Stamp(1_790_000_000_000), Lang::Fr), "21/09/2026");
        assert_eq!(date(Stamp(0), Lang::En), "1970-01-01");
    }
}
