//! Small files that must be whole after a power cut: written beside, synced, then renamed. Secrets get mode 0600.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Largest file that [`read`] takes, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Writes a file that only our own account may read.
///
/// # Errors
/// What the system says; then the old file, if any, is untouched.
pub fn secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o600)
}

/// Writes a file that everybody may read.
///
/// # Errors
/// As for [`secret`].
pub fn public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o644)
}

/// Makes a folder (and those above it) that only our own account may enter.
///
/// # Errors
/// What the system says.
pub fn secret_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Reads a file of at most [`MAX_FILE_BYTES`]; `None` when there is none.
///
/// # Errors
/// What the system says, or that the file is too large.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
        Ok(found) if found.len() > MAX_FILE_BYTES => Err(io::Error::other("the file is larger than expected")),
        Ok(_) => fs::read(path).map(Some),
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = match path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))? {
        // The name alone: it is meant where we are.
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = folder.join(name);
    // A left-over of an interrupted write could have another mode.
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_replaced_whole_and_stays_secret() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("key");
        assert_eq!(read(&path).expect("none"), None);
        for text in ["one", "two"] {
            secret(&path, text.as_bytes()).expect("write");
            assert_eq!(read(&path).expect("read").as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "nothing is left beside it");
    }
}
