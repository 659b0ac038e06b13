//! A badge on paper, as `preau badge sheet` prints cards: code, animal, given name, class, and the line for finders.

use anyhow::Result;
use qrcode::{Color, EcLevel, QrCode};

/// Brightness of what is printed and of what it is printed on (ITU-R BT.601, full range).
pub(super) const INK: u8 = 35;
pub(super) const PAPER: u8 = 225;
/// White around a code, in modules (ISO/IEC 18004 §9.1).
pub(super) const QUIET: u8 = 4;
/// Side of the code with its white, in millimetres.
const CODE_MM: f32 = 44.0;
/// Edges of the card from the middle of its code, in millimetres: left, top, right, bottom.
const EDGES_MM: [f32; 4] = [-23.0, -24.0, 62.0, 30.0];
/// The animal: middle and radius.
const ANIMAL_MM: ([f32; 2], f32) = ([41.0, -9.0], 10.0);
/// Lines of print: left, top, right, bottom, and how wide its strokes are.
const LINES_MM: [([f32; 4], f32); 3] =
    [([27.0, 5.0, 55.0, 10.5], 1.1), ([31.0, 13.0, 51.0, 15.8], 0.6), ([-19.0, 25.5, 58.0, 27.2], 0.35)];

/// A printed card.
pub(super) struct Card {
    modules: Vec<Color>,
    /// Modules on a side, without the white.
    side: usize,
    /// Length of one, in millimetres.
    module_mm: f32,
}

impl Card {
    /// Prints a payload as badges are printed: error correction level Q.
    pub(super) fn print(payload: &str) -> Result<Self> {
        let code = QrCode::with_error_correction_level(payload, EcLevel::Q)?;
        let all = u8::try_from(code.width())? + 2 * QUIET;
        Ok(Self { modules: code.to_colors(), side: code.width(), module_mm: CODE_MM / f32::from(all) })
    }

    /// Half of the code's side, without the white.
    pub(super) fn half_mm(&self) -> f32 {
        CODE_MM / 2.0 - f32::from(QUIET) * self.module_mm
    }

    /// How bright the card is at a place, in millimetres from the middle of its code; none beside it.
    pub(super) fn at(&self, [x, y]: [f32; 2]) -> Option<f32> {
        let [left, top, right, bottom] = EDGES_MM;
        if !(left..right).contains(&x) || !(top..bottom).contains(&y) {
            return None;
        }
        Some(if self.module(x, y) || animal(x, y) || print(x, y) { INK } else { PAPER }.into())
    }

    fn module(&self, x: f32, y: f32) -> bool {
        let (column, row) = (self.place(x), self.place(y));
        column.zip(row).is_some_and(|(column, row)| self.modules[row * self.side + column] == Color::Dark)
    }

    fn place(&self, at: f32) -> Option<usize> {
        let place = whole((at + self.half_mm()) / self.module_mm)?;
        (place < self.side).then_some(place)
    }
}

/// A face with two eyes: enough to be looked at by a reader of codes.
fn animal(x: f32, y: f32) -> bool {
    let ([across, down], radius) = ANIMAL_MM;
    let (x, y) = (x - across, y - down);
    let face = x.hypot(y) < radius;
    let eyes = (x.abs() - radius * 0.4).hypot(y + radius * 0.2) < radius * 0.2;
    face && !eyes
}

/// Strokes like letters', uneven.
fn print(x: f32, y: f32) -> bool {
    let line = LINES_MM
        .iter()
        .find(|([left, top, right, bottom], _)| (*left..*right).contains(&x) && (*top..*bottom).contains(&y));
    line.is_some_and(|([left, ..], stroke)| {
        let at = (x - left) / stroke;
        (at + 0.7 * (at * 0.9).sin()) % 2.0 < 1.0
    })
}

/// The whole part of a number that is not negative.
#[expect(clippy::as_conversions, reason = "a float is cut by `as` alone; what is negative has been left out")]
fn whole(number: f32) -> Option<usize> {
    (number >= 0.0).then_some(number as usize)
}
