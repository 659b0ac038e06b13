//! One exposure: a card in a hand before a pinhole camera, with whatever goes wrong on the way to the pixels.
//!
//! Lengths are in millimetres before the camera (x to the right, y down, z away from it), in pixels behind it.

use std::array;

use preau_shared::dice::Dice;

use super::{Frame, HEIGHT, WIDTH, card::Card, grey};

/// Focal length: a front camera that sees 56° from side to side.
const FOCAL_PX: f32 = 600.0;
/// How far away the lamp is.
const LAMP_MM: f32 = 1_500.0;
/// Brightness of the room behind, and of a thumb.
const ROOM: f32 = 120.0;
const SKIN: f32 = 150.0;
/// Radius of the tip of a child's thumb.
pub(super) const THUMB_MM: f32 = 8.0;
/// Samples a pixel takes on each side.
const SAMPLES: u8 = 2;
/// Middle grey: what faint print and faint paper both come near to.
const MIDDLE: f32 = 130.0;

type Vector = [f32; 3];

/// How a card is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pose {
    /// Where the middle of its code is.
    pub(super) middle: Vector,
    /// How far it is turned around the line of sight, in radians.
    pub(super) roll: f32,
    /// Then out of the picture's plane: around a line of that plane, as an arrow along it that is as long as the angle.
    pub(super) tilt: [f32; 2],
}

/// A lamp that shines back from the card.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lamp {
    /// Where it stands.
    pub(super) at: Vector,
    /// How wide the paper scatters it, in radians: matt paper more than a laminated card.
    pub(super) spread: f32,
    /// Brightness that it adds where it shines most.
    pub(super) strength: f32,
}

/// Everything that makes one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shot {
    pub(super) pose: Pose,
    pub(super) lamp: Option<Lamp>,
    /// The middle of a thumb's tip on the card, and where the thumb comes from, in radians.
    pub(super) thumb: Option<([f32; 2], f32)>,
    /// Radius (sigma) of a point out of focus.
    pub(super) blur_px: f32,
    /// How far the picture moves during the exposure, and where to.
    pub(super) smear_px: (f32, f32),
    /// How much darker one end of the room is than the other, and where that is.
    pub(super) shade: (f32, f32),
    /// What is left of the contrast, from 0 to 1.
    pub(super) contrast: f32,
    /// Noise (sigma), in grey values.
    pub(super) noise: f32,
}

impl Pose {
    /// The card's own directions: along its text, down its text, and out of its back.
    fn axes(&self) -> [Vector; 3] {
        let (sin, cos) = self.tilt[0].hypot(self.tilt[1]).sin_cos();
        let (across, along) = self.tilt[1].atan2(self.tilt[0]).sin_cos();
        // Rodrigues' rotation around (along, across, 0), of the card's directions as the roll left them.
        let turned = |[x, y]: [f32; 2]| {
            let (on, off) = (x * along + y * across, y * along - x * across);
            [on * along - off * cos * across, on * across + off * cos * along, off * sin]
        };
        let (down, right) = self.roll.sin_cos();
        let (text, below) = (turned([right, down]), turned([-down, right]));
        [text, below, cross(text, below)]
    }

    /// Where a place of the card is.
    fn place(&self, [x, y]: [f32; 2]) -> Vector {
        let [text, below, _] = self.axes();
        array::from_fn(|i| self.middle[i] + x * text[i] + y * below[i])
    }

    /// Where a lamp stands that shines back from this place of the card.
    pub(super) fn mirrored_from(&self, place: [f32; 2]) -> Vector {
        let ([.., normal], place) = (self.axes(), self.place(place));
        let sight = unit(place.map(|x| -x));
        let back = 2.0 * dot(normal, sight);
        array::from_fn(|i| place[i] + LAMP_MM * (back * normal[i] - sight[i]))
    }
}

impl Shot {
    /// Takes the picture.
    pub(super) fn expose(&self, card: &Card, dice: &dyn Dice) -> Frame {
        let sharp = self.project(card);
        let seen = smeared(blurred(sharp, self.blur_px), self.smear_px);
        let grained = seen.iter().zip(grain(dice.u64()));
        Frame { pixels: grained.map(|(light, grain)| grey(self.faded(*light) + self.noise * grain)).collect() }
    }

    fn faded(&self, light: f32) -> f32 {
        MIDDLE + (light - MIDDLE) * self.contrast
    }

    /// What a perfect lens and sensor would see.
    fn project(&self, card: &Card) -> Vec<f32> {
        let axes = self.pose.axes();
        let step = 1.0 / f32::from(SAMPLES);
        let samples: Vec<f32> = (0..SAMPLES).map(|n| (f32::from(n) + 0.5) * step).collect();
        let pixel = |x: u16, y: u16| {
            let all = samples.iter().flat_map(|dx| samples.iter().map(move |dy| (dx, dy)));
            let lights = all.map(|(dx, dy)| self.light(card, &axes, [f32::from(x) + dx, f32::from(y) + dy]));
            lights.sum::<f32>() * step * step
        };
        (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
    }

    /// Light along one ray.
    fn light(&self, card: &Card, [text, below, normal]: &[Vector; 3], [x, y]: [f32; 2]) -> f32 {
        let (x, y) = (x - f32::from(WIDTH) / 2.0, y - f32::from(HEIGHT) / 2.0);
        let ray = [x / FOCAL_PX, y / FOCAL_PX, 1.0];
        let far = dot(*normal, self.pose.middle) / dot(*normal, ray);
        let point = ray.map(|part| part * far);
        let from_middle: Vector = array::from_fn(|i| point[i] - self.pose.middle[i]);
        let place = [dot(*text, from_middle), dot(*below, from_middle)];
        let shade = 1.0 - self.shade.0 * (0.5 + (x * self.shade.1.cos() + y * self.shade.1.sin()) / f32::from(WIDTH));
        if self.under_thumb(place) {
            return SKIN * shade;
        }
        match card.at(place) {
            Some(bright) => bright * shade + self.glare(point, *normal),
            None => (ROOM + 30.0 * (x * 0.011 + y * 0.003).fract()) * shade,
        }
    }

    fn under_thumb(&self, place: [f32; 2]) -> bool {
        let Some(([x, y], from)) = self.thumb else { return false };
        let (x, y) = (place[0] - x, place[1] - y);
        // Along the thumb and across it: a half disc, then the finger behind it.
        let (along, across) = (x * from.cos() + y * from.sin(), y * from.cos() - x * from.sin());
        if along > 0.0 { across.abs() < THUMB_MM } else { along.hypot(across) < THUMB_MM }
    }

    /// What the lamp adds: most where the card would be its mirror (Blinn's half vector).
    fn glare(&self, point: Vector, normal: Vector) -> f32 {
        let Some(lamp) = self.lamp else { return 0.0 };
        let to_lamp = unit(array::from_fn(|i| lamp.at[i] - point[i]));
        let sight = unit(point.map(|x| -x));
        let half = unit(array::from_fn(|i| to_lamp[i] + sight[i]));
        let off = dot(half, normal).abs().min(1.0).acos() / lamp.spread;
        lamp.strength * (-0.5 * off * off).exp()
    }
}

/// Noise of sigma 1 without an end (SplitMix64: a frame takes a third of a million). Four bytes added up are nearly
/// normal; sigma of their sum is 147.8.
fn grain(mut state: u64) -> impl Iterator<Item = f32> {
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [a, b, c, d, ..] = mixed.to_le_bytes();
        ([a, b, c, d].map(f32::from).iter().sum::<f32>() - 510.0) / 147.8
    })
}

/// Out of focus: a bell of this sigma, across and then down.
fn blurred(light: Vec<f32>, sigma: f32) -> Vec<f32> {
    if sigma <= 0.0 {
        return light;
    }
    let far = rounded((3.0 * sigma).ceil());
    let bell: Vec<(i16, f32)> = (-far..=far).map(|at| (at, (-0.5 * (f32::from(at) / sigma).powi(2)).exp())).collect();
    let across: Vec<_> = bell.iter().map(|(at, weight)| ((*at, 0), *weight)).collect();
    let down: Vec<_> = bell.iter().map(|(at, weight)| ((0, *at), *weight)).collect();
    averaged(&averaged(&light, &across), &down)
}

/// Moved during the exposure: as many places on the way as it is long.
fn smeared(light: Vec<f32>, (length, direction): (f32, f32)) -> Vec<f32> {
    if length <= 0.0 {
        return light;
    }
    let way = |part: i16| length * f32::from(part) / 16.0;
    let on_it = |part| (rounded(way(part) * direction.cos()), rounded(way(part) * direction.sin()));
    averaged(&light, &(-8..=8).map(|part| (on_it(part), 1.0)).collect::<Vec<_>>())
}

/// Each pixel becomes the weighted mean of its neighbours at these places; edges repeat.
fn averaged(light: &[f32], from: &[((i16, i16), f32)]) -> Vec<f32> {
    let whole: f32 = from.iter().map(|(_, weight)| weight).sum();
    let near = |at: u16, by: i16, end: u16| usize::from(at.saturating_add_signed(by).min(end - 1));
    let pixel = |x: u16, y: u16| {
        let part = |((dx, dy), weight): &((i16, i16), f32)| {
            weight * light[near(y, *dy, HEIGHT) * usize::from(WIDTH) + near(x, *dx, WIDTH)]
        };
        from.iter().map(part).sum::<f32>() / whole
    };
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
}

fn dot(a: Vector, b: Vector) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cross([a, b, c]: Vector, [x, y, z]: Vector) -> Vector {
    [b * z - c * y, c * x - a * z, a * y - b * x]
}

fn unit(v: Vector) -> Vector {
    let length = dot(v, v).sqrt();
    v.map(|part| part / length)
}

#[expect(clippy::as_conversions, reason = "rounded and bounded before")]
fn rounded(number: f32) -> i16 {
    number.round().clamp(-64.0, 64.0) as i16
}
