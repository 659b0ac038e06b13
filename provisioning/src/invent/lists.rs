//! Invented block lists in the layout of the UT1 collection (`<category>/domains`, one name a line), under the reserved
//! top-level name `.example` (RFC 6761), so that no real site is named and none is ever asked.

use std::{fs, path::Path};

use anyhow::Context as _;

/// Names in each category.
const NAMES_PER_CATEGORY: u32 = 60;

/// Categories of the UT1 collection that the pilot knows, with the word its invented names begin with.
pub const CATEGORIES: [(&str, &str); 8] = [
    ("adult", "adultes"),
    ("games", "jeux"),
    ("gambling", "paris"),
    ("social_networks", "reseau"),
    ("malware", "virus"),
    ("phishing", "hameconnage"),
    ("publicite", "pub"),
    ("dating", "rencontres"),
];

/// Names that stand on no list.
pub const ALLOWED: [&str; 8] = [
    "encyclopedie.example",
    "calcul-mental.example",
    "bibliotheque.example",
    "atlas.example",
    "dictionnaire.example",
    "cinema-enfants.example",
    "musee.example",
    "meteo.example",
];

/// The `number`th invented name of a category; some carry a host in front, which their registered name covers.
pub fn blocked_name(word: &str, number: u32) -> String {
    let number = number.checked_rem(NAMES_PER_CATEGORY).unwrap_or(0);
    let host = if number.is_multiple_of(3) { "www." } else { "" };
    format!("{host}{word}-{number:02}.example")
}

/// Writes the folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    for (category, word) in CATEGORIES {
        let folder = dir.join(category);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let names: String = (0..NAMES_PER_CATEGORY).map(|n| format!("{word}-{n:02}.example\n")).collect();
        fs::write(folder.join("domains"), names).with_context(|| format!("cannot write {}", folder.display()))?;
    }
    Ok(())
}
