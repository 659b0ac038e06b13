//! Making a backup.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Seek as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use super::{
    BackupError, PIECE_BYTES, Progress, Store, Watch, disk, file,
    manifest::{self, Content, Entry, Manifest, What},
    snapshot,
    store::{NAMES_A_LIST, Put},
};
use crate::{dice::Dice, ids::BoxId, rig::lists, time::Stamp};

/// A folder that changed while it was read is read again so often.
const TRIES: u32 = 5;

/// What was done.
#[derive(Debug, Clone)]
pub struct Created {
    /// The backup.
    pub manifest: Manifest,
    /// Pieces that were not in the store.
    pub new_pieces: u64,
    /// Bytes written to the store.
    pub new_bytes: u64,
    /// Pieces that were found damaged in the store and were written anew.
    pub mended: u64,
    /// Files that no backup keeps: links, devices, sockets.
    pub left_out: Vec<PathBuf>,
}

/// Backs up the folder `from`, while its program runs or not.
///
/// # Errors
/// [`BackupError`]; then the store holds the backups that it held before, and what was written speeds up the next try.
pub fn create(
    store: &Store,
    from: &Path,
    now: Stamp,
    dice: &dyn Dice,
    watch: Watch<'_>,
) -> Result<Created, BackupError> {
    let from = fs::canonicalize(from).map_err(file(from))?;
    if fs::canonicalize(&store.root).map_err(file(&store.root))?.starts_with(&from) {
        return Err(BackupError::Inside(store.root.clone()));
    }
    let listed = store.list()?;
    let highest = fs::read_dir(store.root.join(super::store::MANIFESTS)).map_err(file(&store.root))?;
    let highest = highest.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok()).max();
    let before = listed.backups.last().and_then(|manifest| manifest.owner);
    let mut tally = Tally::new(store, dice, watch, before);
    let (entries, owner, left_out) = settled(&mut tally, &from)?;
    let manifest = Manifest {
        version: manifest::VERSION,
        number: highest.unwrap_or(0).saturating_add(1),
        id: dice.u64(),
        made_at: now,
        from: from.to_string_lossy().into_owned(),
        owner,
        mode: fs::metadata(&from).map_err(file(&from))?.mode() & 0o777,
        program: env!("CARGO_PKG_VERSION").into(),
        entries,
    };
    let written = store.commit(&manifest, dice, &tally.touched)?;
    let new_bytes = tally.new_bytes.saturating_add(written);
    Ok(Created { manifest, new_pieces: tally.new_pieces, new_bytes, mended: tally.mended, left_out })
}

type Settled = (Vec<Entry>, Option<BoxId>, Vec<PathBuf>);

/// Reads the folder until it held still: its small files are written whole, but two of them may belong together.
fn settled(tally: &mut Tally<'_>, from: &Path) -> Result<Settled, BackupError> {
    let mut seen = Seen::walk(from)?;
    for _ in 0..TRIES {
        tally.all = seen.files.iter().map(|found| found.bytes).fold(0, u64::saturating_add);
        tally.done = 0;
        let read = seen.files.iter().map(|found| tally.entry(from, found)).collect::<Result<Vec<_>, _>>();
        let again = Seen::walk(from)?;
        let changed = seen.first_change(&again);
        match (read, changed) {
            (Ok(read), None) => {
                let owner = read.iter().find_map(|(_, owner)| *owner);
                let left_out = seen.left_out.iter().map(|path| from.join(path)).collect();
                return Ok((read.into_iter().map(|(entry, _)| entry).collect(), owner, left_out));
            }
            // A file that went away between the list and the reading.
            (Ok(_) | Err(BackupError::File(..)), Some(_)) => seen = again,
            (Err(why), _) => return Err(why),
        }
    }
    let last = Seen::walk(from)?;
    Err(BackupError::Restless(from.join(seen.first_change(&last).unwrap_or_default())))
}

/// What a folder holds, as far as it can be told without reading.
#[derive(Debug, Default)]
struct Seen {
    files: Vec<Found>,
    left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    path: String,
    mode: u32,
    kind: Kind,
    bytes: u64,
    /// Inode and time of the last change; none for what may change while it is read.
    version: Option<(u64, i64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
    Database,
}

impl Seen {
    fn walk(root: &Path) -> Result<Self, BackupError> {
        let mut seen = Self::default();
        seen.folder(root, root)?;
        Ok(seen)
    }

    fn folder(&mut self, root: &Path, folder: &Path) -> Result<(), BackupError> {
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(folder).map_err(file(folder))? {
            names.insert(entry.map_err(file(folder))?.path());
        }
        for path in names {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
            let inside = inside.ok_or_else(|| BackupError::Name(path.clone()))?.to_owned();
            let mode = found.mode() & 0o777;
            let kind = found.file_type();
            if kind.is_dir() {
                let version = None;
                self.files.push(Found { path: inside, mode, kind: Kind::Folder, bytes: 0, version });
                self.folder(root, &path)?;
            } else if kind.is_file() {
                match role(&path) {
                    Role::Passing => {}
                    Role::Database => {
                        let (kind, bytes) = (Kind::Database, found.len());
                        self.files.push(Found { path: inside, mode, kind, bytes, version: None });
                    }
                    Role::File => {
                        let version = Some((found.ino(), found.mtime(), found.mtime_nsec()));
                        self.files.push(Found { path: inside, mode, kind: Kind::File, bytes: found.len(), version });
                    }
                }
            } else if !kind.is_socket() && !kind.is_fifo() {
                self.left_out.push(inside);
            }
        }
        Ok(())
    }

    /// The first path that is not the same in `later`. A database may grow.
    fn first_change(&self, later: &Self) -> Option<String> {
        let same = |a: &&Found, b: &&Found| {
            (&a.path, a.mode, a.kind, a.version) == (&b.path, b.mode, b.kind, b.version)
                && (a.kind == Kind::Database || a.bytes == b.bytes)
        };
        let pairs = self.files.iter().zip(&later.files);
        let differs = pairs.filter(|(a, b)| !same(a, b)).map(|(a, _)| a.path.clone()).next();
        let longer = || self.files.get(later.files.len()).or_else(|| later.files.get(self.files.len()));
        differs.or_else(|| longer().map(|found| found.path.clone()))
    }
}

enum Role {
    File,
    Database,
    /// Of use to a running program only.
    Passing,
}

/// A database is known by its name: to open it and look would let go of SQLite's locks, if the program is this one
/// (<https://sqlite.org/howtocorrupt.html> §2.2).
fn role(path: &Path) -> Role {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
    if ending(".db") {
        return Role::Database;
    }
    let passing = ["-wal", "-shm", "-journal"].iter().any(|sidecar| ending(sidecar) && name.contains(".db"))
        || name == "lock"
        || [".lock", ".new"].iter().any(|passing| ending(passing))
        || path.extension().is_some_and(|e| e == snapshot::COPY || e == disk::UNFINISHED)
        // It is compiled again of the folder that it came of.
        || path.extension().is_some_and(|e| e == lists::SUFFIX)
        // The box's word that what its disk says of tablets is true. After a restore it is not.
        || ending(".seal");
    if passing { Role::Passing } else { Role::File }
}

/// Puts content into the store and counts.
struct Tally<'a> {
    store: &'a Store,
    dice: &'a dyn Dice,
    watch: Watch<'a>,
    /// Whose backups the store keeps.
    before: Option<BoxId>,
    all: u64,
    done: u64,
    new_pieces: u64,
    new_bytes: u64,
    mended: u64,
    /// Folders with new names in them.
    touched: BTreeSet<PathBuf>,
}

impl<'a> Tally<'a> {
    fn new(store: &'a Store, dice: &'a dyn Dice, watch: Watch<'a>, before: Option<BoxId>) -> Self {
        let touched = BTreeSet::new();
        Self { store, dice, watch, before, all: 0, done: 0, new_pieces: 0, new_bytes: 0, mended: 0, touched }
    }

    fn entry(&mut self, root: &Path, found: &Found) -> Result<(Entry, Option<BoxId>), BackupError> {
        let path = root.join(&found.path);
        let mut owner = None;
        let what = match found.kind {
            Kind::Folder => What::Folder,
            Kind::File => What::File(self.content(&path, &mut File::open(&path).map_err(file(&path))?)?),
            Kind::Database => {
                let mut copy = snapshot::copy(&path)?;
                owner = copy.owner;
                if let Some(other) = self.before.filter(|before| owner.is_some_and(|owner| owner != *before)) {
                    return Err(BackupError::Foreign(other.to_string()));
                }
                copy.file.rewind().map_err(file(&path))?;
                What::Database { content: self.content(&path, &mut copy.file)?, sound: copy.sound }
            }
        };
        Ok((Entry { path: found.path.clone(), mode: found.mode, what }, owner))
    }

    fn content(&mut self, path: &Path, from: &mut File) -> Result<Content, BackupError> {
        let mut content = Content::default();
        let mut names = Vec::new();
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            from.by_ref().take(super::bytes(PIECE_BYTES)).read_to_end(&mut piece).map_err(file(path))?;
            if !piece.is_empty() {
                names.extend(self.keep(&piece)?);
                content.bytes = content.bytes.saturating_add(super::bytes(piece.len()));
                self.done = self.done.saturating_add(super::bytes(piece.len()));
                (self.watch)(Progress { done: self.done, all: self.all.max(self.done) });
            }
            let ends = piece.len() < PIECE_BYTES;
            if names.len() == NAMES_A_LIST.saturating_mul(32) || (ends && !names.is_empty()) {
                content.lists.push(manifest::Name(self.keep(&names)?));
                names.clear();
            }
            if ends {
                return Ok(content);
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) -> Result<[u8; 32], BackupError> {
        let (name, put) = self.store.put(piece, self.dice)?;
        let (new, mended, bytes) = match put {
            Put::Kept => return Ok(name.0),
            Put::New(bytes) => (1, 0, bytes),
            Put::Mended(bytes) => (0, 1, bytes),
        };
        self.new_pieces = self.new_pieces.saturating_add(new);
        self.mended = self.mended.saturating_add(mended);
        self.new_bytes = self.new_bytes.saturating_add(bytes);
        self.touched.extend(self.store.piece_path(&name).parent().map(Path::to_owned));
        Ok(name.0)
    }
}
