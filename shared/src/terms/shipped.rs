//! The territory's charter, for schools that wrote none: in the catalogue, in both languages.

use super::{Audience, Charter};
use crate::messages::{Catalogue, Lang};

const CYCLE_2: &[&str] =
    &["charter-cycle2-1", "charter-cycle2-2", "charter-cycle2-3", "charter-cycle2-4", "charter-cycle2-5"];
const CYCLE_3: &[&str] = &[
    "charter-cycle3-1",
    "charter-cycle3-2",
    "charter-cycle3-3",
    "charter-cycle3-4",
    "charter-cycle3-5",
    "charter-cycle3-6",
    "charter-cycle3-7",
];
const ADULTS: &[&str] = &[
    "charter-adults-1",
    "charter-adults-2",
    "charter-adults-3",
    "charter-adults-4",
    "charter-adults-5",
    "charter-adults-6",
];

/// The charter that comes with the program. Its version is that of the French words, in whichever language it is read.
pub fn shipped(words: &Catalogue, lang: Lang, audience: Audience) -> Charter {
    let keys = match audience {
        Audience::Cycle2 => CYCLE_2,
        Audience::Cycle3 => CYCLE_3,
        Audience::Adults => ADULTS,
    };
    Charter(keys.iter().map(|key| words.say(lang, key).into_owned()).collect())
}
