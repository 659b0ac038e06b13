//! What stands on a page: text that fits, QR codes, drawings. Lengths are in points (1/72 inch), y goes down.

use krilla::{
    color::rgb,
    geom::{Path, PathBuilder, Point, Rect, Transform},
    num::NormalizedF32,
    paint::{Fill, FillRule, Stroke, StrokeDash},
    surface::Surface,
    text::{Font, TextDirection},
};
use kurbo::{BezPath, PathEl, Shape as _};
use qrcode::{Color, EcLevel, QrCode};
use skrifa::{
    FontRef, MetadataProvider as _,
    instance::{LocationRef, Size},
};

use super::PrintError;
use crate::animals;

const REGULAR: &[u8] = include_bytes!("andika/Andika-Regular.ttf");
const BOLD: &[u8] = include_bytes!("andika/Andika-Bold.ttf");

/// Points in a millimetre.
pub(super) const MM: f32 = 72.0 / 25.4;
/// White around a QR code, in modules (ISO/IEC 18004 §9.1).
const QUIET: u16 = 4;
/// A drawing of an animal is a square of so many units.
const DRAWING: f32 = 32.0;
/// How far from a curve its chords may be, in units of a drawing.
const TOLERANCE: f64 = 0.01;

/// A weight of the type, measured.
pub(super) struct Face {
    font: Font,
    measured: FontRef<'static>,
}

/// Both weights.
pub(super) struct Faces {
    pub(super) regular: Face,
    pub(super) bold: Face,
}

impl Faces {
    pub(super) fn load() -> Result<Self, PrintError> {
        Ok(Self { regular: Face::load(REGULAR)?, bold: Face::load(BOLD)? })
    }
}

impl Face {
    fn load(bytes: &'static [u8]) -> Result<Self, PrintError> {
        let broken = || PrintError::Page("the type cannot be read".into());
        let measured = FontRef::new(bytes).map_err(|_| broken())?;
        Ok(Self { font: Font::new(bytes.into(), 0).ok_or_else(broken)?, measured })
    }

    /// The text in letters that this type has; what it lacks is left out.
    fn spoken(&self, text: &str) -> String {
        let letters = self.measured.charmap();
        // What has no width of its own turns, joins or hides letters: not in a name on a card.
        let marks =
            ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{feff}'..='\u{feff}'];
        let plain = |letter: &char| !letter.is_control() && !marks.iter().any(|marks| marks.contains(letter));
        let known = |letter: &char| plain(letter) && letters.map(*letter).is_some();
        text.chars().filter(known).collect::<String>().trim().to_owned()
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let letters = self.measured.charmap();
        let metrics = self.measured.glyph_metrics(Size::new(size), LocationRef::default());
        text.chars().filter_map(|letter| metrics.advance_width(letters.map(letter)?)).sum()
    }

    /// The text at the largest of sizes from `most` down to `least` at which it fits; cut short when it fits at none.
    pub(super) fn fitted(&self, text: &str, room: f32, (most, least): (f32, f32)) -> (String, f32) {
        let text = self.spoken(text);
        let at_one = self.width(&text, 1.0);
        if at_one * most <= room {
            return (text, most);
        }
        if at_one * least <= room {
            return (text, room / at_one);
        }
        let mut cut = text;
        while cut.pop().is_some() && self.width(&cut, least) + self.width("…", least) > room {}
        (format!("{}…", cut.trim_end()), least)
    }

    /// A text in lines that fit at this size; a word that is wider stands alone.
    fn lines(&self, text: &str, room: f32, size: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in self.spoken(text).split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}"), size) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                Some(_) | None => lines.push(word.to_owned()),
            }
        }
        lines
    }

    /// A text that does not fit at this size, broken where its lines come out most alike; none when it fits, or is one
    /// word.
    pub(super) fn broken(&self, text: &str, room: f32, size: f32) -> Option<(String, String)> {
        let text = self.spoken(text);
        if self.width(&text, size) <= room {
            return None;
        }
        let ends = text.match_indices([' ', '-']).map(|(at, mark)| at.saturating_add(mark.len()));
        let halves = ends.filter_map(|at| text.split_at_checked(at));
        let wider = |(above, below): &(&str, &str)| self.width(above, size).max(self.width(below, size));
        let (above, below) = halves.min_by(|one, other| wider(one).total_cmp(&wider(other)))?;
        Some((above.trim_end().to_owned(), below.to_owned()))
    }
}

/// Where a text stands in its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
}

/// Writes one line: as large as fits the room, its baseline at `y`.
pub(super) fn write(
    surface: &mut Surface<'_>,
    face: &Face,
    text: &str,
    (x, y, room): (f32, f32, f32),
    (sizes, side): ((f32, f32), Side),
) {
    let (text, size) = face.fitted(text, room, sizes);
    if text.is_empty() {
        return;
    }
    let x = match side {
        Side::Left => x,
        Side::Middle => x + (room - face.width(&text, size)) / 2.0,
    };
    surface.set_stroke(None);
    surface.set_fill(Some(black()));
    surface.draw_text(Point::from_xy(x, y), face.font.clone(), size, &text, false, TextDirection::Auto);
}

/// Writes a text in lines of one size, as many as it takes; gives where the next line would stand.
pub(super) fn wrapped(
    surface: &mut Surface<'_>,
    face: &Face,
    text: &str,
    ((x, y, room), size): ((f32, f32, f32), f32),
) -> f32 {
    let mut y = y;
    for line in face.lines(text, room, size) {
        write(surface, face, &line, (x, y, room), ((size, size), Side::Left));
        y += size * 1.35;
    }
    y
}

/// Draws a QR code with its white, `side` wide in all: alphanumeric when it can be, a quarter of it may be lost.
pub(super) fn qr(surface: &mut Surface<'_>, payload: &str, (x, y, side): (f32, f32, f32)) -> Result<(), PrintError> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::Q).map_err(|_| PrintError::Payload)?;
    let modules = u16::try_from(code.width()).map_err(|_| PrintError::Payload)?;
    let module = side / f32::from(modules.saturating_add(QUIET.saturating_mul(2)));
    let at = |place: u16| f32::from(place.saturating_add(QUIET)) * module;
    let mut dark = PathBuilder::new();
    let colours = code.to_colors();
    for (row, line) in (0..modules).zip(colours.chunks(code.width())) {
        let mut from = 0_u16;
        for run in line.chunk_by(|one, next| one == next) {
            let wide = u16::try_from(run.len()).unwrap_or(0);
            if run.first() == Some(&Color::Dark) {
                add_rect(&mut dark, (x + at(from), y + at(row), f32::from(wide) * module, module));
            }
            from = from.saturating_add(wide);
        }
    }
    let path = dark.finish().ok_or(PrintError::Payload)?;
    surface.set_stroke(None);
    surface.set_fill(Some(black()));
    surface.draw_path(&path);
    Ok(())
}

fn add_rect(path: &mut PathBuilder, (x, y, wide, high): (f32, f32, f32, f32)) {
    if let Some(rect) = Rect::from_xywh(x, y, wide, high) {
        path.push_rect(rect);
    }
}

/// Draws an animal, `side` wide; nothing when it has no drawing.
pub(super) fn animal(surface: &mut Surface<'_>, word: &str, (x, y, side): (f32, f32, f32)) {
    let Some(symbol) = animals::drawing(word) else { return };
    let Ok(parsed) = roxmltree::Document::parse(symbol) else { return };
    let scale = side / DRAWING;
    surface.push_transform(&Transform::from_row(scale, 0.0, 0.0, scale, x, y));
    for shape in parsed.descendants() {
        let Some(colour) = shape.attribute("fill").and_then(colour) else { continue };
        let number = |name: &str| shape.attribute(name).and_then(|text| text.parse::<f64>().ok());
        let outline = match shape.tag_name().name() {
            "path" => shape.attribute("d").and_then(|d| BezPath::from_svg(d).ok()),
            "ellipse" => match (number("cx"), number("cy"), number("rx"), number("ry")) {
                (Some(cx), Some(cy), Some(rx), Some(ry)) => {
                    Some(kurbo::Ellipse::new((cx, cy), (rx, ry), 0.0).to_path(TOLERANCE))
                }
                _ => None,
            },
            _ => None,
        };
        let Some(path) = outline.and_then(|outline| path_of(&outline)) else { continue };
        let rule = if shape.attribute("fill-rule") == Some("evenodd") { FillRule::EvenOdd } else { FillRule::NonZero };
        surface.set_stroke(None);
        surface.set_fill(Some(Fill { paint: colour.into(), opacity: NormalizedF32::ONE, rule }));
        surface.draw_path(&path);
    }
    surface.pop();
}

/// Draws a dashed rectangle: where scissors go.
pub(super) fn cut_line(surface: &mut Surface<'_>, around: (f32, f32, f32, f32)) {
    let mut line = PathBuilder::new();
    add_rect(&mut line, around);
    let Some(path) = line.finish() else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: rgb::Color::new(150, 150, 150).into(),
        width: 0.4,
        dash: Some(StrokeDash { array: vec![3.0, 3.0], offset: 0.0 }),
        ..Stroke::default()
    }));
    surface.draw_path(&path);
}

fn black() -> Fill {
    Fill { paint: rgb::Color::black().into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// `#rrggbb` or `#rgb`.
fn colour(text: &str) -> Option<rgb::Color> {
    let digits: Vec<u8> = text
        .strip_prefix('#')?
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let two = |high: u8, low: u8| high.saturating_mul(16).saturating_add(low);
    match digits[..] {
        [r, s, g, h, b, c] => Some(rgb::Color::new(two(r, s), two(g, h), two(b, c))),
        [r, g, b] => Some(rgb::Color::new(two(r, r), two(g, g), two(b, b))),
        _ => None,
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "coordinates of a drawing are small")]
fn path_of(outline: &BezPath) -> Option<Path> {
    let mut path = PathBuilder::new();
    for element in outline {
        match element {
            PathEl::MoveTo(a) => path.move_to(a.x as f32, a.y as f32),
            PathEl::LineTo(a) => path.line_to(a.x as f32, a.y as f32),
            PathEl::QuadTo(a, b) => path.quad_to(a.x as f32, a.y as f32, b.x as f32, b.y as f32),
            PathEl::CurveTo(a, b, c) => {
                path.cubic_to(a.x as f32, a.y as f32, b.x as f32, b.y as f32, c.x as f32, c.y as f32);
            }
            PathEl::ClosePath => path.close(),
        }
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shrinks_then_is_cut_short() {
        let face = Faces::load().expect("type").bold;
        let sizes = (20.0, 9.0);
        assert_eq!(face.fitted("Lina", 120.0, sizes), ("Lina".into(), 20.0));
        let (name, size) = face.fitted("Marie-Antoinette", 120.0, sizes);
        assert!(name == "Marie-Antoinette" && size < 20.0 && face.width(&name, size) <= 120.1, "{size}");
        let (name, size) = face.fitted(&"Maximilien-".repeat(8), 120.0, sizes);
        assert!(name.ends_with('…') && size == 9.0 && face.width(&name, size) <= 120.0, "{name}");
        assert_eq!(face.fitted("Zoë\u{202e}\n Œ’ 李", 300.0, sizes).0, "Zoë Œ’");
    }

    #[test]
    fn a_long_name_breaks_between_its_words() {
        let face = Faces::load().expect("type").bold;
        let broken = |name| face.broken(name, 100.0, 12.0);
        assert_eq!(broken("Lina"), None);
        assert_eq!(broken("Jean-Baptiste-Emmanuel"), Some(("Jean-Baptiste-".into(), "Emmanuel".into())));
        assert_eq!(broken("Rose Marie Éléonore"), Some(("Rose Marie".into(), "Éléonore".into())));
        assert_eq!(broken("Maximilienneantoinette"), None);
    }

    #[test]
    fn a_sentence_takes_the_lines_it_needs() {
        let face = Faces::load().expect("type").regular;
        assert_eq!(face.lines("Lina", 100.0, 12.0), ["Lina"]);
        assert_eq!(face.lines("", 100.0, 12.0), Vec::<String>::new());
        let lines = face.lines("Ouvrez la page enseignant et montrez votre badge.", 100.0, 12.0);
        assert!(lines.len() > 2 && lines.iter().all(|line| face.width(line, 12.0) <= 100.0), "{lines:?}");
    }

    #[test]
    fn every_drawing_can_be_drawn() {
        let file = roxmltree::Document::parse(animals::DRAWINGS).expect("an SVG");
        for symbol in file
            .descendants()
            .filter(|node| node.has_tag_name((node.tag_name().namespace().unwrap_or_default(), "symbol")))
        {
            let name = symbol.attribute("id").expect("a name");
            assert_eq!(symbol.attribute("viewBox"), Some("0 0 32 32"), "{name}");
            for shape in symbol.descendants().filter(roxmltree::Node::is_element) {
                match shape.tag_name().name() {
                    "symbol" | "g" | "ellipse" => {}
                    "path" => {
                        assert!(shape.attribute("fill").and_then(colour).is_some(), "{name}");
                        let outline = BezPath::from_svg(shape.attribute("d").expect("d")).expect(name);
                        assert!(path_of(&outline).is_some(), "{name}");
                    }
                    other => panic!("{name} has a {other}"),
                }
            }
        }
    }
}
