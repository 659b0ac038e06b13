//! Getting a folder back.
//!
//! The folder is rebuilt beside its place, in `.NAME.restoring`, and takes its place in one rename at the end. What is found
//! there from a restore that was cut is compared piece by piece and kept where it is right.
//!
//! Numbers given since the backup are known elsewhere; the program that starts on the restored disk is another *life* and
//! gives none of them again. `restored.json` in the folder tells from which day it is.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::{
    BackupError, PIECE_BYTES, Progress, Store, Watch, bytes, database,
    disk::Disk,
    file,
    manifest::{Content, Entry, Manifest, What},
    snapshot,
};
use crate::{dice::Dice, ids::BoxId, time::Stamp};

/// In a restored folder: where it comes from.
pub const MARK: &str = "restored.json";
/// In `.NAME.restoring`: which restore this is.
const STATE: &str = "state.json";
const TREE: &str = "tree";
const LOCK: &str = "lock";

/// What to restore, and where.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which backup; none: the newest.
    pub number: Option<u64>,
    /// The folder to make.
    pub into: PathBuf,
    /// Put aside what is in its place, when no program runs there.
    pub replace: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Restored {
    /// From which backup.
    pub manifest: Manifest,
    /// The folder.
    pub into: PathBuf,
    /// Where the folder is that was in its place.
    pub put_aside: Option<PathBuf>,
    /// Bytes found from a restore that was cut.
    pub found_bytes: u64,
    /// What stands in the folder's [`MARK`].
    pub mark: Mark,
}

/// [`MARK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The backup's number in its store.
    pub backup: u64,
    /// When it was made: what was written later is not in this folder.
    pub made_at: Stamp,
    /// When it was restored.
    pub restored_at: Stamp,
    /// Drawn for this restore.
    pub run: u64,
    /// Databases with shelves, with their box or coordinator.
    pub owners: Vec<(String, BoxId)>,
    /// Databases in which SQLite found something wrong.
    pub unsound: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The backup.
    id: u64,
    run: u64,
    /// The tree is whole and is about to change places with what is there; afterwards that is here.
    aside: Option<PathBuf>,
}

/// Restores a backup.
///
/// # Errors
/// [`BackupError`]; then the folder `into` is as it was, and the same words again go on where this ended.
pub fn restore(
    store: &Store,
    wish: &Wish,
    now: Stamp,
    dice: &dyn Dice,
    watch: Watch<'_>,
) -> Result<Restored, BackupError> {
    let into = std::path::absolute(&wish.into).map_err(file(&wish.into))?;
    let manifest = store.find(wish.number)?;
    let site = Site::open(&store.disk, &into, &manifest, dice)?;
    // An earlier try got as far as the rename.
    if let Some(mark) = site.mine(&into) {
        let put_aside = site.state.aside.clone();
        site.clear()?;
        return Ok(Restored { manifest, into, put_aside, found_bytes: 0, mark });
    }
    let _held = match site.check_target(&into, wish.replace) {
        Ok(held) => held,
        Err(why) => {
            // Nothing was begun: nothing stays.
            if !site.tree().exists() {
                site.clear()?;
            }
            return Err(why);
        }
    };
    let (found_bytes, mark) = match site.mine(&site.tree()) {
        Some(mark) => (manifest.bytes(), mark),
        None => site.build(store, &manifest, now, watch)?,
    };
    let put_aside = site.publish(&into, now)?;
    Ok(Restored { manifest, into, put_aside, found_bytes, mark })
}

/// `.NAME.restoring`, held by this process.
struct Site<'a> {
    disk: &'a Disk,
    folder: PathBuf,
    state: State,
    _lock: File,
}

impl<'a> Site<'a> {
    /// Makes it, or finds it as a cut left it. That of another backup is begun anew.
    fn open(disk: &'a Disk, into: &Path, manifest: &Manifest, dice: &dyn Dice) -> Result<Self, BackupError> {
        let refused = || file(into)(io::Error::other("a folder needs a name and a place"));
        let (parent, name) = into.parent().zip(into.file_name()).ok_or_else(refused)?;
        let folder = parent.join(format!(".{}.restoring", name.to_string_lossy()));
        disk.folder(&folder)?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).map_err(file(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(folder)),
            Err(TryLockError::Error(e)) => return Err(BackupError::File(path, e)),
        }
        let found = fs::read(folder.join(STATE)).ok().and_then(|text| serde_json::from_slice::<State>(&text).ok());
        let site = match found {
            // A whole tree that only waits for its place is left where it is: it may have been exchanged already.
            Some(state) if state.id == manifest.id => Self { disk, folder, state, _lock: lock },
            _ => {
                disk.remove_tree(&folder.join(TREE))?;
                let state = State { id: manifest.id, run: dice.u64(), aside: None };
                let site = Self { disk, folder, state, _lock: lock };
                site.keep_state(&site.state)?;
                site
            }
        };
        Ok(site)
    }

    fn keep_state(&self, state: &State) -> Result<(), BackupError> {
        let text = serde_json::to_vec(state).map_err(|_| BackupError::Cipher)?;
        self.disk.place(&self.folder.join(STATE), &text)?;
        self.disk.sync_folder(&self.folder)
    }

    /// Where the tree stands: its first place, or beside the target once it is whole.
    fn tree(&self) -> PathBuf {
        let first = self.folder.join(TREE);
        match &self.state.aside {
            Some(aside) if !first.exists() => aside.clone(),
            Some(_) | None => first,
        }
    }

    /// The mark of a tree that this restore has made, from its first try to its last.
    fn mine(&self, tree: &Path) -> Option<Mark> {
        let text = fs::read(tree.join(MARK)).ok()?;
        serde_json::from_slice::<Mark>(&text).ok().filter(|mark| mark.run == self.state.run)
    }

    /// Nothing is in the way, or it may be put aside. What is given back keeps programs from starting meanwhile.
    fn check_target(&self, into: &Path, replace: bool) -> Result<Vec<File>, BackupError> {
        let listed = match fs::read_dir(into) {
            Ok(listed) => listed,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(BackupError::File(into.into(), e)),
        };
        let (mut held, mut count) = (Vec::new(), 0_u64);
        for entry in listed {
            let path = entry.map_err(file(into))?.path();
            count = count.saturating_add(1);
            let is_lock = path.file_name().is_some_and(|n| n == LOCK) || path.extension().is_some_and(|e| e == LOCK);
            if !is_lock {
                continue;
            }
            let lock = File::open(&path).map_err(file(&path))?;
            if let Err(TryLockError::WouldBlock) = lock.try_lock() {
                return Err(BackupError::Living(into.into()));
            }
            held.push(lock);
        }
        if count > 0 && !replace {
            return Err(BackupError::Occupied(into.into()));
        }
        Ok(held)
    }

    /// Makes the tree; its mark is written last.
    fn build(
        &self,
        store: &Store,
        manifest: &Manifest,
        now: Stamp,
        watch: Watch<'_>,
    ) -> Result<(u64, Mark), BackupError> {
        let tree = self.tree();
        self.disk.folder(&tree)?;
        let bad = || BackupError::Damaged(store.manifest_path(manifest.number), "it names a file outside its folder");
        let places = manifest.entries.iter().map(|entry| entry.under(&tree).map(|path| (entry, path)));
        let places: Vec<(&Entry, PathBuf)> = places.collect::<Option<_>>().ok_or_else(bad)?;
        let (backup, made_at, run) = (manifest.number, manifest.made_at, self.state.run);
        let (owners, unsound) = (Vec::new(), Vec::new());
        let mut mark = Mark { backup, made_at, restored_at: now, run, owners, unsound };
        let mut filling = Filling { store, watch, progress: Progress { done: 0, all: manifest.bytes() }, found: 0 };
        for (entry, path) in &places {
            match &entry.what {
                What::Folder => self.disk.folder(path)?,
                What::File(content) => filling.fill(self.disk, path, content)?,
                What::Database { content, .. } => {
                    // Of a try that was cut in the middle of SQLite's own commit.
                    self.disk.remove(&beside(path, "-journal"))?;
                    filling.fill(self.disk, path, content)?;
                    self.disk.act().map_err(file(path))?;
                    let (sound, owner) = check(path)?;
                    mark.owners.extend(owner.map(|owner| (entry.path.clone(), owner)));
                    mark.unsound.extend((!sound).then(|| entry.path.clone()));
                }
            }
        }
        // From the deepest up: a folder that may not be written is closed after what is in it.
        for (entry, path) in places.iter().rev() {
            self.disk.mode(path, entry.mode)?;
            if entry.what == What::Folder {
                self.disk.sync_folder(path)?;
            }
        }
        let text = serde_json::to_vec_pretty(&mark).map_err(|_| BackupError::Cipher)?;
        self.disk.sync_folder(&tree)?;
        self.disk.mode(&tree, manifest.mode)?;
        self.disk.place(&tree.join(MARK), &text)?;
        self.disk.sync_folder(&tree)?;
        Ok((filling.found, mark))
    }

    /// The tree takes its place, in one rename. What was there is put aside.
    fn publish(mut self, into: &Path, now: Stamp) -> Result<Option<PathBuf>, BackupError> {
        let parent = into.parent().unwrap_or(into);
        let is_empty = fs::read_dir(into).is_ok_and(|mut listed| listed.next().is_none());
        if !into.exists() || is_empty {
            self.disk.rename(&self.tree(), into)?;
        } else {
            let first = self.folder.join(TREE);
            let aside = match &self.state.aside {
                Some(aside) => aside.clone(),
                None => {
                    let name = into.file_name().unwrap_or_default().to_string_lossy();
                    let aside = parent.join(format!("{name}.before-{}", now.0));
                    let state = State { aside: Some(aside.clone()), ..self.state.clone() };
                    self.keep_state(&state)?;
                    self.state = state;
                    aside
                }
            };
            if first.exists() {
                self.disk.rename(&first, &aside)?;
            }
            self.disk.exchange(&aside, into)?;
        }
        self.disk.sync_folder(parent)?;
        let aside = self.state.aside.clone();
        self.clear()?;
        Ok(aside)
    }

    fn clear(&self) -> Result<(), BackupError> {
        self.disk.remove_tree(&self.folder)
    }
}

/// Files being filled.
struct Filling<'a> {
    store: &'a Store,
    watch: Watch<'a>,
    progress: Progress,
    /// Bytes that were right already.
    found: u64,
}

impl Filling<'_> {
    /// Fills a file; what is right already stays.
    fn fill(&mut self, disk: &Disk, path: &Path, content: &Content) -> Result<(), BackupError> {
        let open = disk.open(path)?;
        let mut at = 0_u64;
        let mut there = vec![0; PIECE_BYTES];
        for name in self.store.names_of(content)? {
            let left = usize::try_from(content.bytes.saturating_sub(at)).unwrap_or(usize::MAX);
            there.resize(left.min(PIECE_BYTES), 0);
            let length = bytes(there.len());
            if open.read_exact_at(&mut there, at).is_ok() && self.store.keys.name(&there) == name.0 {
                self.found = self.found.saturating_add(length);
            } else {
                let piece = self.store.piece(&name)?;
                if piece.len() != there.len() {
                    let path = self.store.piece_path(&name);
                    return Err(BackupError::Damaged(path, "its length is not that of the file"));
                }
                disk.write_at(path, &open, at, &piece)?;
            }
            at = at.saturating_add(length);
            self.progress.done = self.progress.done.saturating_add(length);
            (self.watch)(self.progress);
        }
        if at != content.bytes {
            return Err(BackupError::Damaged(path.into(), "the backup names fewer pieces than the file has"));
        }
        disk.finish(path, &open, content.bytes)
    }
}

/// Whether a restored database is sound, and whose shelves it holds.
fn check(path: &Path) -> Result<(bool, Option<BoxId>), BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(database(path))?;
    let owner = snapshot::owner(&conn).map_err(database(path))?;
    Ok((snapshot::is_sound(&conn), owner))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}
