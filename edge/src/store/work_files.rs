//! The bytes of kept works: one file each, named by a random number, in a folder beside the database.
//!
//! A file arrives under the name of a *part*; once it is whole and synced it gets its own name, and the row that names it
//! is written last. Whatever the moment of a power cut, there is no row without its bytes, and a file without a row is
//! swept away at the next start.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use preau_shared::{ids::WorkId, rig::keep};
use rusqlite::Connection;

/// Name of the folder.
const FOLDER: &str = "work";
/// What the name of a file that still arrives ends with.
const PART: &str = "part";
/// What the name of a file ends with that is fetched from another box; it may be gone on with after a while.
const FETCHED: &str = "fetched";

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder beside this database.
    pub(crate) fn beside(database: &Path) -> Self {
        Self(database.with_file_name(FOLDER))
    }

    /// The folder beside an open database; none for one in memory.
    pub(super) fn of(conn: &Connection) -> Option<Self> {
        conn.path().filter(|path| !path.is_empty()).map(|path| Self::beside(Path::new(path)))
    }

    /// Makes it where there is none.
    pub(crate) fn make(&self) -> io::Result<()> {
        keep::secret_folder(&self.0)
    }

    /// Where a file's bytes arrive.
    pub(crate) fn part(&self, file: WorkId) -> PathBuf {
        self.path(file).with_extension(PART)
    }

    /// Where a file's bytes are fetched to.
    pub(crate) fn fetched(&self, file: WorkId) -> PathBuf {
        self.path(file).with_extension(FETCHED)
    }

    /// Where a file's bytes are.
    pub(crate) fn path(&self, file: WorkId) -> PathBuf {
        self.0.join(file.to_string())
    }

    /// What arrived is whole, and synced by the caller: it gets its name, for good when this returns.
    pub(crate) fn settle(&self, file: WorkId) -> io::Result<()> {
        fs::rename(self.part(file), self.path(file))?;
        self.sync()
    }

    /// What was fetched is whole, checked and synced by the caller: it gets its name, for good when this returns.
    pub(crate) fn settle_fetched(&self, file: WorkId) -> io::Result<()> {
        fs::rename(self.fetched(file), self.path(file))?;
        self.sync()
    }

    /// Takes files away, for good when this returns; those that are gone already are no error.
    pub(crate) fn remove(&self, files: &[WorkId]) -> io::Result<()> {
        for file in files {
            for path in [self.path(*file), self.part(*file), self.fetched(*file)] {
                match fs::remove_file(path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        if files.is_empty() { Ok(()) } else { self.sync() }
    }

    /// Takes away what was fetched in part; those that are gone already are no error.
    pub(crate) fn drop_fetched(&self, files: &[WorkId]) -> io::Result<()> {
        for file in files {
            match fs::remove_file(self.fetched(*file)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        if files.is_empty() { Ok(()) } else { self.sync() }
    }

    /// What the folder holds: whole files with their sizes, and what arrived in part.
    pub(crate) fn look(&self) -> io::Result<Found> {
        let mut found = Found::default();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let named = Path::new(&name).file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            match (named, Path::new(&name).extension()) {
                (Some(file), None) => found.whole.push((file, entry.metadata()?.len())),
                (Some(file), Some(end)) if end == PART => found.parts.push(file),
                (Some(file), Some(end)) if end == FETCHED => found.fetched.push(file),
                // Not ours, and left alone.
                (Some(_) | None, _) => {}
            }
        }
        found.whole.sort_unstable();
        Ok(found)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By name, with sizes in bytes.
    pub(crate) whole: Vec<(WorkId, u64)>,
    pub(crate) parts: Vec<WorkId>,
    pub(crate) fetched: Vec<WorkId>,
}
