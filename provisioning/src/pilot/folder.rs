//! The pilot's folder: made by the pilot, emptied by the next one, used by one at a time.

use std::{
    fs::{self, File, TryLockError},
    os::{fd::AsRawFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// Its presence says that a pilot made the folder, so that a pilot may empty it.
const MARKER: &str = "made-by-preau-pilot";

/// A folder that this process holds.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open; the system lets go when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Takes `path`: a new folder, an empty one, or one that an earlier pilot left behind.
    pub(super) fn take(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        let path = fs::canonicalize(path)?;
        let marker = path.join(MARKER);
        let mut there = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if there.next().is_some() && !marker.exists() {
            bail!("{} is not empty and no pilot made it: give another --dir, or empty it yourself", path.display());
        }
        let lock = File::options().create(true).append(true).open(&marker)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "a pilot already runs in {}: stop it, or give another --dir (see `preau pilot status --dir {}`)",
                path.display(),
                path.display()
            ),
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", marker.display()));
            }
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?.path();
            if entry == marker {
                continue;
            }
            let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
            removed.with_context(|| format!("cannot remove {} of an earlier pilot", entry.display()))?;
        }
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reaches a socket of `dir` by a short path: the name of a Unix socket has at most 107 bytes.
pub(super) fn short(dir: &Path, name: &str) -> anyhow::Result<(File, PathBuf)> {
    let held = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd())).join(name);
    Ok((held, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pilot_at_a_time_and_only_in_its_own_folder() {
        let base = tempfile::tempdir().expect("dir");
        let dir = base.path().join("pilot");
        let first = Folder::take(&dir).expect("fresh");
        fs::write(first.path().join("old"), "x").expect("write");
        let second = Folder::take(&dir).expect_err("held").to_string();
        assert!(second.contains("already runs"), "{second}");
        assert!(dir.join("old").exists(), "the second pilot touched nothing");
        drop(first);
        drop(Folder::take(&dir).expect("again"));
        assert!(!dir.join("old").exists());

        let foreign = base.path().join("photos");
        fs::create_dir(&foreign).expect("dir");
        fs::write(foreign.join("beach.jpg"), "x").expect("write");
        assert!(Folder::take(&foreign).expect_err("foreign").to_string().contains("no pilot made it"));
        assert!(foreign.join("beach.jpg").exists());
    }
}
