//! Badges on A4: cards to cut out (*cartes*), or labels of two inches (*étiquettes*).
//!
//! A card says what helps a child to find it and an adult to give it back: the QR code, the given name, the animal, the
//! class. No family name, nothing that opens anything but the code.

use krilla::{Document, SerializeSettings, metadata::Metadata, page::PageSettings, surface::Surface};

use super::{
    PrintError,
    ink::{Faces, MM, Side, animal, cut_line, qr, write},
};
use crate::messages::{Catalogue, Lang};

/// Most badges in one PDF: a large school.
pub const MAX_CARDS: usize = 1_000;

/// A4, in points.
const A4: (f32, f32) = (210.0 * MM, 297.0 * MM);
/// From the foot of the page to the line that says whose sheet it is.
const FOOT: f32 = 5.0 * MM;

/// From the head of the page to the line that says that it is of a training room: above the first cards.
const HEAD: f32 = 9.0 * MM;

/// What one badge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What the QR code holds ([`crate::badge::Badge::payload`]).
    pub payload: String,
    /// Given name.
    pub given_name: String,
    /// The animal beside it, a French word.
    pub animal: String,
    /// Her class.
    pub class: String,
    /// The short code, in groups ([`crate::badge::ShortCode::in_groups`]); may be empty.
    pub short_code: String,
    /// One more word after the class, such as until when it is good; may be empty.
    pub note: String,
}

/// How badges stand on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Ten cards of 85 × 54 mm, the size of a bank card.
    Cards,
    /// Fifteen labels of 2 × 2 inches.
    Labels,
}

/// A grid of equal places, in points.
struct Grid {
    columns: u16,
    rows: u16,
    wide: f32,
    high: f32,
    gap: (f32, f32),
}

impl Layout {
    const fn grid(self) -> Grid {
        match self {
            Self::Cards => Grid { columns: 2, rows: 5, wide: 85.0 * MM, high: 54.0 * MM, gap: (0.0, 0.0) },
            Self::Labels => Grid { columns: 3, rows: 5, wide: 144.0, high: 144.0, gap: (10.0 * MM, 5.0 * MM) },
        }
    }

    /// How many badges stand on one page.
    pub fn per_page(self) -> usize {
        let grid = self.grid();
        usize::from(grid.columns).saturating_mul(usize::from(grid.rows))
    }
}

/// Badges that belong together: a class begins a page of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Whose they are, for the foot of each page.
    pub title: String,
    /// In the order in which they are printed.
    pub cards: Vec<Card>,
}

/// How they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How badges stand on a page.
    pub layout: Layout,
    /// Places of the very first page that were used before.
    pub used: usize,
    /// In which language.
    pub lang: Lang,
    /// Of a training room: each page says that nobody is real.
    pub training: bool,
}

/// Prints badges; gives the PDF. Equal badges give equal bytes: no time and no machine is named.
///
/// # Errors
/// [`PrintError`]; nothing is printed in part.
pub fn print(sheets: &[Sheet], style: Style, words: &Catalogue) -> Result<Vec<u8>, PrintError> {
    let count: usize = sheets.iter().map(|sheet| sheet.cards.len()).sum();
    if count == 0 {
        return Err(PrintError::Nothing);
    }
    if count > MAX_CARDS {
        return Err(PrintError::TooMany);
    }
    let faces = Faces::load()?;
    let mut document = Document::new_with(SerializeSettings { xmp_metadata: false, ..SerializeSettings::default() });
    document.set_metadata(Metadata::new().language(style.lang.tag().to_owned()));
    let mut used = style.used.checked_rem(style.layout.per_page()).unwrap_or(0);
    for sheet in sheets.iter().filter(|sheet| !sheet.cards.is_empty()) {
        let pages = pages(&sheet.cards, style.layout.per_page(), std::mem::take(&mut used));
        for (number, (used, cards)) in (1_usize..).zip(&pages) {
            let settings = PageSettings::from_wh(A4.0, A4.1).ok_or_else(|| PrintError::Page("no page".into()))?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for (place, card) in (*used..).zip(*cards) {
                let place = u16::try_from(place).map_err(|_| PrintError::TooMany)?;
                draw(&mut surface, &faces, card, (style, place, words))?;
            }
            let (count, total) = (number.to_string(), pages.len().to_string());
            let facts = [("name", sheet.title.as_str()), ("count", &count), ("total", &total)];
            let foot = words.say_with(style.lang, "print-foot", &facts);
            let line = (10.0 * MM, A4.1 - FOOT, A4.0 - 20.0 * MM);
            write(&mut surface, &faces.regular, &foot, line, ((8.0, 5.0), Side::Middle));
            if style.training {
                let ribbon = words.say(style.lang, "training-ribbon");
                let line = (10.0 * MM, HEAD, A4.0 - 20.0 * MM);
                write(&mut surface, &faces.bold, &ribbon, line, ((12.0, 8.0), Side::Middle));
            }
            surface.finish();
            page.finish();
        }
    }
    document.finish().map_err(|error| PrintError::Page(format!("{error:?}")))
}

/// What stands on each page, and after how many places of it.
fn pages(cards: &[Card], per_page: usize, used: usize) -> Vec<(usize, &[Card])> {
    let first = per_page.saturating_sub(used).min(cards.len());
    let (on_first, others) = cards.split_at_checked(first).unwrap_or((cards, &[]));
    std::iter::once((used, on_first)).chain(others.chunks(per_page).map(|cards| (0, cards))).collect()
}

fn draw(
    surface: &mut Surface<'_>,
    faces: &Faces,
    card: &Card,
    (style, place, words): (Style, u16, &Catalogue),
) -> Result<(), PrintError> {
    let grid = style.layout.grid();
    let (column, row) = (place.checked_rem(grid.columns).unwrap_or(0), place.checked_div(grid.columns).unwrap_or(0));
    let along = |count: u16, each: f32, gap: f32| f32::from(count) * each + f32::from(count.saturating_sub(1)) * gap;
    let left = (A4.0 - along(grid.columns, grid.wide, grid.gap.0)) / 2.0;
    let top = (A4.1 - along(grid.rows, grid.high, grid.gap.1)) / 2.0;
    let x = left + f32::from(column) * (grid.wide + grid.gap.0);
    let y = top + f32::from(row) * (grid.high + grid.gap.1);
    cut_line(surface, (x, y, grid.wide, grid.high));
    match style.layout {
        Layout::Cards => {
            let code = 44.0 * MM;
            qr(surface, &card.payload, (x + MM, y + 2.0 * MM, code))?;
            let (beside, room) = (x + code + MM, grid.wide - code - 4.0 * MM);
            animal(surface, &card.animal, (beside + (room - 22.0 * MM) / 2.0, y + 4.0 * MM, 22.0 * MM));
            let middle = |size| (size, Side::Middle);
            let sizes = (22.0, 9.0);
            match faces.bold.broken(&card.given_name, room, 12.0) {
                None => write(surface, &faces.bold, &card.given_name, (beside, y + 34.0 * MM, room), middle(sizes)),
                Some((above, below)) => {
                    write(surface, &faces.bold, &above, (beside, y + 31.0 * MM, room), middle((14.0, 9.0)));
                    write(surface, &faces.bold, &below, (beside, y + 35.5 * MM, room), middle((14.0, 9.0)));
                }
            }
            write(surface, &faces.regular, &whose(card), (beside, y + 40.0 * MM, room), middle((11.0, 6.0)));
            write(surface, &faces.bold, &card.short_code, (beside, y + 46.0 * MM, room), middle((12.0, 8.0)));
            // A card that was cut out says it, too.
            let found = words.say(style.lang, if style.training { "training-ribbon" } else { "print-found" });
            let line = (x + 4.0 * MM, y + 51.0 * MM, grid.wide - 8.0 * MM);
            write(surface, &faces.regular, &found, line, ((7.0, 5.0), Side::Middle));
        }
        Layout::Labels => {
            let code = 40.0 * MM;
            qr(surface, &card.payload, (x + (grid.wide - code) / 2.0, y, code))?;
            animal(surface, &card.animal, (x + 2.0 * MM, y + grid.high - 12.0 * MM, 10.0 * MM));
            let (beside, room) = (x + 13.0 * MM, grid.wide - 15.0 * MM);
            write(
                surface,
                &faces.bold,
                &card.given_name,
                (beside, y + grid.high - 6.5 * MM, room),
                ((15.0, 7.0), Side::Left),
            );
            let small = if card.short_code.is_empty() { whose(card) } else { card.short_code.clone() };
            let small = if style.training {
                words.say_with(style.lang, "training-label", &[("name", &small)]).into_owned()
            } else {
                small
            };
            write(surface, &faces.regular, &small, (beside, y + grid.high - 2.5 * MM, room), ((8.0, 5.0), Side::Left));
        }
    }
    Ok(())
}

/// The class, and until when.
fn whose(card: &Card) -> String {
    let parts = [card.class.as_str(), card.note.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests;
