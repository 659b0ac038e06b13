//! Block lists as long as the real ones, drawn: 51 categories in UT1 form of which one holds most names, names of some 18
//! letters, a few in two categories.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};

/// Categories of the real lists.
pub const CATEGORIES: u64 = 51;

/// Writes these names into a folder; how many bytes of lines differ from those of the same many beginning at zero.
///
/// # Errors
/// When the folder cannot be written.
pub fn draw(dir: &Path, names: std::ops::Range<u64>) -> Result<usize> {
    let mut files = Vec::new();
    for n in 0..CATEGORIES {
        let folder = dir.join(format!("category{n}"));
        fs::create_dir_all(&folder)?;
        files.push(BufWriter::new(fs::File::create(folder.join("domains"))?));
    }
    let (shift, mut changed) = (names.start, 0_usize);
    for n in names.clone() {
        let line = name(n);
        let new = n >= names.end.saturating_sub(shift);
        // Nine names of ten are of the first category, one of fifty also of another.
        let category = if n % 10 == 0 { n / 10 % CATEGORIES } else { 0 };
        let another = (n % 50 == 7).then_some(1 + n / 50 % (CATEGORIES - 1));
        for category in [Some(category), another].into_iter().flatten() {
            let file = files.get_mut(usize::try_from(category)?).context("a category")?;
            writeln!(file, "{line}")?;
            changed = changed.saturating_add(if new { line.len().saturating_add(1) } else { 0 });
        }
    }
    for mut file in files {
        file.flush()?;
    }
    let gone: usize = (0..shift).map(|n| name(n).len().saturating_add(1)).sum();
    Ok(changed.saturating_add(gone))
}

/// The name of this number, as names are: two or three labels, some eighteen letters.
pub fn name(n: u64) -> String {
    let mut drawn = n;
    // SplitMix64: millions of names are drawn several times.
    let mut below = |bound: u64| {
        drawn = drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    };
    let mut text = String::new();
    let long = 5 + below(6);
    for _ in 0..long {
        text.extend(u8::try_from(97 + below(26)).map(char::from));
    }
    if below(3) == 0 {
        text.push('.');
        text.extend(u8::try_from(97 + below(26)).map(char::from));
    }
    let ends = ["com", "net", "org", "fr", "ru", "de", "info", "xyz"];
    let end = usize::try_from(below(8)).ok().and_then(|at| ends.get(at)).unwrap_or(&"com");
    format!("{text}{n}.{end}")
}

/// A name that no list has, nor anything that it stands under.
pub fn unlisted(n: u64) -> String {
    format!("{}.autre", name(n))
}
