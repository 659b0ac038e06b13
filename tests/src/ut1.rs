//! A small collection of block lists as UT1 publishes it, drawn under the reserved name `.example` (RFC 6761): folders of
//! categories with their use, names in capitals and with accents, addresses, bad lines, other names of a category, what is
//! no list; as a folder and packed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

/// Categories that are meant to block, and how many names each has for a name of the smallest.
pub const BLACK: [(&str, u32); 4] = [("adult", 20), ("games", 2), ("malware", 4), ("publicite", 3)];
/// A category that is meant to be open.
pub const WHITE: &str = "bank";
/// Another name of a category, and the category.
pub const ALIAS: (&str, &str) = ("ads", "publicite");
/// Lines of each category that say no name.
pub const BAD_LINES: u64 = 1;

/// The `n`th name of a category, as it is looked up.
pub fn name(category: &str, n: u32) -> String {
    match n % 50 {
        7 => format!("xn--{category}{n}-ekb.example"),
        _ => format!("{category}-{n}.example"),
    }
}

/// Draws a collection into a folder: so many names in the smallest category.
///
/// # Errors
/// When a file cannot be written.
pub fn draw(folder: &Path, names: u32) -> Result<()> {
    for (category, times) in BLACK.into_iter().chain([(WHITE, 1)]) {
        let own = folder.join(category);
        fs::create_dir_all(&own)?;
        let written = |n: u32| match n % 50 {
            3 => format!("{}.\n", name(category, n).to_uppercase()),
            _ => format!("{}\n", name(category, n)),
        };
        let lines: String = (0..names.saturating_mul(times)).map(written).collect();
        fs::write(own.join("domains"), format!("{lines}192.0.2.1\nhttp://{category}.example/page\n"))?;
        fs::write(own.join("urls"), format!("{category}.example/page\n"))?;
        fs::write(own.join("usage"), if category == WHITE { "# use\nwhite\n" } else { "black\n" })?;
    }
    let (alias, category) = ALIAS;
    if !folder.join(alias).exists() {
        symlink(category, folder.join(alias))?;
    }
    fs::write(folder.join("README"), "Not a list.\n")?;
    Ok(())
}

/// Packs a folder as UT1 does, with the system's own tar: `blacklists/<category>/domains` in a `.tar.gz`.
///
/// # Errors
/// When it cannot be packed.
pub fn pack(folder: &Path, archive: &Path) -> Result<PathBuf> {
    let done = Command::new("tar")
        .arg("--transform=flags=r;s,^\\.,blacklists,")
        .arg("-czf")
        .args([archive.as_os_str(), "-C".as_ref(), folder.as_os_str(), ".".as_ref()])
        .status()?;
    ensure!(done.success(), "tar ended with {done}");
    Ok(archive.to_owned())
}
