//! What a tablet's camera sees: a badge as it is printed, held by a child, in ten classes of trouble, from a seed.
//!
//! | file | its one idea |
//! |---|---|
//! | `card` | the badge on paper: a brightness for every millimetre |
//! | `camera` | one exposure: pinhole, lamp, thumb, lens, sensor |
//! | `classes` | how a badge is held in each class, and how the hand moves from frame to frame |
//! | [`readers`] | what reads frames: the page's own worker, and libraries beside it |

mod camera;
mod card;
mod classes;
pub mod readers;

use anyhow::{Result, ensure};
use preau_shared::dice::{Dice, Seeded};
use qrcode::{Color, QrCode};

pub use classes::Class;

use card::{INK, PAPER, QUIET};

/// Columns of a frame: what pages ask a camera for.
pub const WIDTH: u16 = 640;
/// Rows of a frame.
pub const HEIGHT: u16 = 480;
/// Frames of a burst: a second of a child's patience on a slow tablet.
pub const BURST: usize = 4;
/// Frames a second of a [`film`], as pages ask for.
const FILM_FPS: u16 = 10;

/// One picture: a grey value for each pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// [`WIDTH`] times [`HEIGHT`] of them.
    pub pixels: Vec<u8>,
}

/// [`BURST`] frames of one badge, as one hand holds it. The same seed draws the same frames.
///
/// # Errors
/// When the payload does not fit a code.
pub fn burst(class: Class, payload: &str, seed: u64) -> Result<Vec<Frame>> {
    let card = card::Card::print(payload)?;
    let dice = Seeded::new(seed);
    let held = class.hold(&dice);
    Ok((0..BURST).map(|_| held.moved(&dice).expose(&card, &dice)).collect())
}

/// Codes side by side on white paper, sharp and straight: for texts that no badge holds.
///
/// # Errors
/// When they do not fit a frame.
pub fn codes(codes: &[QrCode]) -> Result<Frame> {
    let columns = (1..).find(|n| n * n >= codes.len()).unwrap_or(1);
    let (wide, high) = (usize::from(WIDTH) / columns, usize::from(HEIGHT) / codes.len().div_ceil(columns).max(1));
    let mut frame = Frame { pixels: vec![PAPER; usize::from(WIDTH) * usize::from(HEIGHT)] };
    for (at, code) in codes.iter().enumerate() {
        let side = wide.min(high) / (code.width() + 2 * usize::from(QUIET));
        ensure!(side > 1, "{} codes of {} modules do not fit a frame", codes.len(), code.width());
        let (left, top) = (at % columns * wide, at / columns * high);
        for (place, _) in code.to_colors().iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
            let (x, y) = (place % code.width() + usize::from(QUIET), place / code.width() + usize::from(QUIET));
            for row in top + y * side..top + (y + 1) * side {
                let from = row * usize::from(WIDTH) + left + x * side;
                frame.pixels[from..from + side].fill(INK);
            }
        }
    }
    Ok(frame)
}

impl Frame {
    /// As a mirror shows it.
    pub fn mirrored(&self) -> Self {
        let lines = self.pixels.chunks(usize::from(WIDTH));
        Self { pixels: lines.flat_map(|line| line.iter().rev()).copied().collect() }
    }

    /// Upside down.
    pub fn turned(&self) -> Self {
        Self { pixels: self.pixels.iter().rev().copied().collect() }
    }
}

/// A film (YUV4MPEG2) that a browser's camera shows again and again.
pub fn film(frames: &[Frame]) -> Vec<u8> {
    let mut film = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FILM_FPS}:1 Ip A1:1 C420jpeg\n").into_bytes();
    for frame in frames {
        film.extend(b"FRAME\n");
        film.extend(&frame.pixels);
        film.extend(std::iter::repeat_n(128, frame.pixels.len() / 2));
    }
    film
}

/// The grey value of so much light: a sensor clips.
#[expect(clippy::as_conversions, reason = "rounded and bounded before")]
fn grey(light: f32) -> u8 {
    light.round().clamp(0.0, 255.0) as u8
}

/// An even draw from `from` to `to`.
fn draw(dice: &dyn Dice, from: f32, to: f32) -> f32 {
    let [a, b, ..] = dice.u64().to_le_bytes();
    from + (to - from) * f32::from(u16::from_le_bytes([a, b])) / f32::from(u16::MAX)
}

#[cfg(test)]
mod tests;
