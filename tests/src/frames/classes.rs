//! Ten classes of trouble, and the hand that holds the badge.
//!
//! Ranges are those of an earlier measurement. Where that one gave rates only, parameters were chosen so that one frame
//! read as it is by ZXing comes out near them: all of the first seven classes, a third of [`Class::Glare`], three
//! quarters of [`Class::Thumb`], six in ten of [`Class::Mixed`].

use std::{
    f32::consts::{PI, TAU},
    fmt,
};

use preau_shared::dice::Dice;

use super::{
    camera::{Lamp, Pose, Shot},
    draw,
};

/// How far from the camera a child holds a badge, in millimetres: a module is then five to seven pixels wide.
const FAR_MM: (f32, f32) = (95.0, 135.0);
/// Noise (sigma) of any sensor by day, in grey values.
const SENSOR: f32 = 2.0;
/// Half of the code's side, in millimetres.
const HALF_CODE_MM: f32 = 17.2;

/// What is wrong with a frame. In every class the badge stands 95 to 135 mm from the lens, its code within 6 mm of the
/// middle each way, turned by 10° and tilted by 8° at most, the room up to a quarter darker on one side, out of focus by
/// sigma 0.5 px, noise of sigma 2: no hand, lens or room is perfect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Nothing else.
    Frontal,
    /// Turned by up to 180° either way.
    Rotated,
    /// Tilted by 20 to 49°, in any direction.
    Tilted,
    /// Out of focus: sigma 1.4 to 2.8 px.
    Blurred,
    /// Moving by 3 to 8 px during the exposure.
    Moving,
    /// 12 to 40 % of the contrast left.
    Pale,
    /// Noise of sigma 12 to 30: an evening.
    Noisy,
    /// A lamp shines back from somewhere on the code, scattered over 1.4 to 3°: a spot of radius 3 to 13 mm in which print is
    /// as white as paper, often over one of the three corners that a code is found by.
    Glare,
    /// A thumb covers a corner of the code, up to 4 mm of its diagonal.
    Thumb,
    /// Turned by up to 180°, tilted by 15 to 40°, out of focus by 1 to 2.3 px, moving by 1 to 5.5 px, 15 to 60 % of the
    /// contrast left, noise of sigma 4 to 12; a quarter of them with a lamp, a quarter with a thumb, milder than alone.
    Mixed,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Frontal,
        Self::Rotated,
        Self::Tilted,
        Self::Blurred,
        Self::Moving,
        Self::Pale,
        Self::Noisy,
        Self::Glare,
        Self::Thumb,
        Self::Mixed,
    ];

    /// How one hand holds it.
    pub(super) fn hold(self, dice: &dyn Dice) -> Shot {
        let held = held(dice);
        match self {
            Self::Frontal => held,
            Self::Rotated => held.rolled(draw(dice, -PI, PI)),
            Self::Tilted => held.tilted(towards(draw(dice, 20.0, 49.0), dice)),
            Self::Blurred => Shot { blur_px: draw(dice, 1.4, 2.8), ..held },
            Self::Moving => Shot { smear_px: (draw(dice, 3.0, 8.0), draw(dice, 0.0, PI)), ..held },
            Self::Pale => Shot { contrast: draw(dice, 0.12, 0.4), ..held },
            Self::Noisy => Shot { noise: draw(dice, 12.0, 30.0), ..held },
            Self::Glare => held.under_lamp(draw(dice, 1.4, 3.0), draw(dice, 250.0, 400.0), dice),
            Self::Thumb => held.with_thumb(draw(dice, 0.0, 4.0), dice),
            Self::Mixed => mixed(&held, dice),
        }
    }
}

fn held(dice: &dyn Dice) -> Shot {
    let near = |dice| draw(dice, -6.0, 6.0);
    Shot {
        pose: Pose {
            middle: [near(dice), near(dice), draw(dice, FAR_MM.0, FAR_MM.1)],
            roll: degrees(draw(dice, -10.0, 10.0)),
            tilt: towards(draw(dice, 0.0, 8.0), dice),
        },
        lamp: None,
        thumb: None,
        blur_px: 0.5,
        smear_px: (0.0, 0.0),
        shade: (draw(dice, 0.0, 0.25), draw(dice, 0.0, TAU)),
        contrast: 1.0,
        noise: SENSOR,
    }
}

fn mixed(held: &Shot, dice: &dyn Dice) -> Shot {
    let held = held.rolled(draw(dice, -PI, PI)).tilted(towards(draw(dice, 15.0, 40.0), dice));
    let held = match dice.below(4) {
        0 => held.under_lamp(draw(dice, 0.8, 2.0), draw(dice, 150.0, 300.0), dice),
        1 => held.with_thumb(draw(dice, 0.0, 4.0), dice),
        _ => held,
    };
    Shot {
        blur_px: draw(dice, 1.0, 2.3),
        smear_px: (draw(dice, 1.0, 5.5), draw(dice, 0.0, PI)),
        contrast: draw(dice, 0.15, 0.6),
        noise: draw(dice, 4.0, 12.0),
        ..held
    }
}

impl Shot {
    /// The same hand a moment later: it moves by 5° around each axis and by 5 mm at most, as a six-year-old's does, so
    /// that what shines wanders over the card; a thumb stays within a millimetre, speed and focus change by up to
    /// three tenths.
    pub(super) fn moved(&self, dice: &dyn Dice) -> Self {
        let by = |most: f32| draw(dice, -most, most);
        let pose = Pose {
            middle: self.pose.middle.map(|mm| mm + by(5.0)),
            roll: self.pose.roll + degrees(by(5.0)),
            tilt: self.pose.tilt.map(|angle| angle + degrees(by(5.0))),
        };
        Self {
            pose,
            thumb: self.thumb.map(|(tip, from)| (tip.map(|mm| mm + by(1.0)), from)),
            blur_px: self.blur_px * draw(dice, 0.8, 1.1),
            smear_px: (self.smear_px.0 * draw(dice, 0.7, 1.1), self.smear_px.1 + by(0.7)),
            ..*self
        }
    }

    fn rolled(self, roll: f32) -> Self {
        Self { pose: Pose { roll, ..self.pose }, ..self }
    }

    fn tilted(self, tilt: [f32; 2]) -> Self {
        Self { pose: Pose { tilt, ..self.pose }, ..self }
    }

    /// A lamp whose mirror image lies on the code, scattered over so many degrees.
    fn under_lamp(self, spread_degrees: f32, strength: f32, dice: &dyn Dice) -> Self {
        let place = [(); 2].map(|()| draw(dice, -0.8, 0.8) * HALF_CODE_MM);
        let lamp = Lamp { at: self.pose.mirrored_from(place), spread: degrees(spread_degrees), strength };
        Self { lamp: Some(lamp), ..self }
    }

    /// A thumb that reaches so many millimetres over a corner of the code, along its diagonal.
    fn with_thumb(self, reach_mm: f32, dice: &dyn Dice) -> Self {
        let corner = [1.0_f32, -1.0].map(|side| if dice.below(2) == 0 { side } else { -side });
        let off = super::camera::THUMB_MM - reach_mm;
        let tip = corner.map(|side| side * (HALF_CODE_MM + off * 0.5_f32.sqrt()));
        let outwards = corner[1].atan2(corner[0]) + degrees(draw(dice, -30.0, 30.0));
        Self { thumb: Some((tip, outwards)), ..self }
    }
}

/// A tilt of so many degrees, in any direction.
fn towards(angle: f32, dice: &dyn Dice) -> [f32; 2] {
    let (sin, cos) = draw(dice, 0.0, TAU).sin_cos();
    [cos, sin].map(|part| part * degrees(angle))
}

fn degrees(angle: f32) -> f32 {
    angle.to_radians()
}
