//! Every act that changes a disk, one by one. In tests the power fails after so many acts, in the middle of a write too.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{BackupError, file};

/// The disk, with an end of power for tests.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Acts left; none: the power stays.
    left: Option<AtomicU64>,
}

impl Disk {
    /// The power fails after so many acts.
    #[cfg(test)]
    pub(super) fn failing_after(acts: u64) -> Self {
        Self { left: Some(AtomicU64::new(acts)) }
    }

    /// Whether the power has failed.
    #[cfg(test)]
    pub(super) fn has_failed(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0)
    }

    /// Counts one act.
    pub(super) fn act(&self) -> io::Result<()> {
        let Some(left) = &self.left else { return Ok(()) };
        let spent = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        spent.map(|_| ()).map_err(|_| io::Error::other("the power failed"))
    }

    /// Makes a folder and those above it.
    pub(super) fn folder(&self, path: &Path) -> Result<(), BackupError> {
        if path.is_dir() {
            return Ok(());
        }
        self.act().and_then(|()| fs::DirBuilder::new().recursive(true).mode(0o700).create(path)).map_err(file(path))
    }

    /// Writes a file whole or not at all: beside, synced, renamed. The folder is synced by whoever wants the name to stay.
    pub(super) fn place(&self, path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
        let beside = beside(path);
        let new = self
            .act()
            .and_then(|()| OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside));
        let mut new = new.map_err(file(&beside))?;
        self.write(bytes, |part| new.write_all(part)).map_err(file(&beside))?;
        self.act().and_then(|()| new.sync_all()).map_err(file(&beside))?;
        self.act().and_then(|()| fs::rename(&beside, path)).map_err(file(path))
    }

    /// Names in a folder stay after a power cut.
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), BackupError> {
        self.act().and_then(|()| File::open(path)?.sync_all()).map_err(file(path))
    }

    /// Removes a file; one that is gone already is as good.
    pub(super) fn remove(&self, path: &Path) -> Result<(), BackupError> {
        match self.act().and_then(|()| fs::remove_file(path)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(BackupError::File(path.into(), e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes a folder with all that it holds.
    pub(super) fn remove_tree(&self, path: &Path) -> Result<(), BackupError> {
        match self.act().and_then(|()| fs::remove_dir_all(path)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(BackupError::File(path.into(), e)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Renames in one act.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), BackupError> {
        self.act().and_then(|()| fs::rename(from, to)).map_err(file(to))
    }

    /// Two folders change places in one act (Linux `RENAME_EXCHANGE`): at no moment is either missing.
    pub(super) fn exchange(&self, one: &Path, other: &Path) -> Result<(), BackupError> {
        let exchanged = || renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(io::Error::from);
        self.act().and_then(|()| exchanged()).map_err(file(other))
    }

    /// Opens a file to be filled piece by piece; what it holds already stays.
    pub(super) fn open(&self, path: &Path) -> Result<File, BackupError> {
        let options = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        self.act().and_then(|()| options()).map_err(file(path))
    }

    /// Writes one piece.
    pub(super) fn write_at(&self, path: &Path, open: &File, at: u64, bytes: &[u8]) -> Result<(), BackupError> {
        self.write(bytes, |part| open.write_all_at(part, at)).map_err(file(path))
    }

    /// Gives a file its length and makes it stay.
    pub(super) fn finish(&self, path: &Path, open: &File, length: u64) -> Result<(), BackupError> {
        self.act().and_then(|()| open.set_len(length)).map_err(file(path))?;
        self.act().and_then(|()| open.sync_all()).map_err(file(path))
    }

    /// Sets the mode of a file or folder.
    pub(super) fn mode(&self, path: &Path, mode: u32) -> Result<(), BackupError> {
        self.act().and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode))).map_err(file(path))
    }

    /// A write that the end of power leaves half done.
    fn write(&self, bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Err(failed) = self.act() {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            write(half)?;
            return Err(failed);
        }
        write(bytes)
    }
}

/// Ending of a file that is not finished.
pub(super) const UNFINISHED: &str = "new";

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    path.with_file_name(name)
}
