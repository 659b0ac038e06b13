//! The store on disk: `preau-backup.json` (how it opens), `pieces/ab/<name>`, `manifests/<number>`.
//!
//! A piece is zstd, then sealed for its name. A manifest is written last, after everything it names was synced: a backup
//! that is in the list is whole. What a cut left behind is found again by its name, or swept by `forget`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use super::{
    BackupError, PIECE_BYTES,
    disk::Disk,
    file,
    key::{Header, Keys, Secret},
    manifest::{self, Content, Manifest, Name},
};
use crate::dice::Dice;

/// How the store opens.
const HEADER: &str = "preau-backup.json";
/// Held while a command works with the store.
const LOCK: &str = "lock";
pub(super) const PIECES: &str = "pieces";
pub(super) const MANIFESTS: &str = "manifests";
/// Names in one list.
pub(super) const NAMES_A_LIST: usize = 256;
const ZSTD_LEVEL: i32 = 3;
/// Largest header, in bytes.
const MAX_HEADER: u64 = 4_096;
/// Largest file of a piece, in bytes.
const MAX_PIECE_FILE: u64 = 128 * 1024;

/// An open store.
pub struct Store {
    pub(super) root: PathBuf,
    pub(super) keys: Keys,
    pub(super) disk: Disk,
    _lock: Option<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.root.display())
    }
}

/// What a store lists.
#[derive(Debug, Default)]
pub struct Listed {
    /// Backups, oldest first.
    pub backups: Vec<Manifest>,
    /// Manifests that cannot be read, with the reason.
    pub damaged: Vec<BackupError>,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// Written: so many bytes.
    New(u64),
    /// Was there.
    Kept,
    /// Was there, damaged; written anew.
    Mended(u64),
}

/// Whether somebody else may work with the store at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read; with others who read.
    Read,
    /// To write; alone.
    Write,
}

impl Store {
    /// Whether `root` keeps backups.
    pub fn is_at(root: &Path) -> bool {
        root.join(HEADER).is_file()
    }

    /// Makes a store in a new or empty folder. A cut before its end leaves a folder that this may be called for again.
    ///
    /// # Errors
    /// When the folder holds something else, or cannot be written.
    pub fn make(root: &Path, secret: &Secret, dice: &dyn Dice) -> Result<Self, BackupError> {
        Self::make_on(Disk::default(), root, secret, dice)
    }

    pub(super) fn make_on(disk: Disk, root: &Path, secret: &Secret, dice: &dyn Dice) -> Result<Self, BackupError> {
        disk.folder(root)?;
        let known = [LOCK, PIECES, MANIFESTS, "preau-backup.json.new"];
        for entry in fs::read_dir(root).map_err(file(root))? {
            let name = entry.map_err(file(root))?.file_name();
            if !known.iter().any(|known| name == *known) {
                return Err(BackupError::NotAStore(root.into()));
            }
        }
        let lock = lock(root, Access::Write)?;
        let (header, keys) = Header::make(secret, dice)?;
        disk.folder(&root.join(PIECES))?;
        disk.folder(&root.join(MANIFESTS))?;
        disk.place(&root.join(HEADER), &header.encode())?;
        disk.sync_folder(root)?;
        Ok(Self { root: root.into(), keys, disk, _lock: lock })
    }

    /// Opens a store.
    ///
    /// # Errors
    /// When there is none, somebody else works with it, or the secret is another.
    pub fn open(root: &Path, secret: &Secret, access: Access) -> Result<Self, BackupError> {
        Self::open_on(Disk::default(), root, secret, access)
    }

    pub(super) fn open_on(disk: Disk, root: &Path, secret: &Secret, access: Access) -> Result<Self, BackupError> {
        let path = root.join(HEADER);
        let text = match File::open(&path) {
            Ok(open) => read_bounded(&path, open, MAX_HEADER)?,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(BackupError::NoStore(root.into())),
            Err(e) => return Err(BackupError::File(path, e)),
        };
        let header = Header::decode(&path, &text)?;
        let lock = lock(root, access)?;
        let keys = header.open(secret).ok_or_else(|| BackupError::WrongSecret(path))?;
        Ok(Self { root: root.into(), keys, disk, _lock: lock })
    }

    /// Every backup, and what cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn list(&self) -> Result<Listed, BackupError> {
        let mut listed = Listed::default();
        let folder = self.root.join(MANIFESTS);
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&folder).map_err(file(&folder))? {
            names.insert(entry.map_err(file(&folder))?.path());
        }
        for path in names {
            if path.extension().is_some_and(|e| e == super::disk::UNFINISHED) {
                continue;
            }
            match self.manifest_at(&path) {
                Ok(manifest) => listed.backups.push(manifest),
                Err(why) => listed.damaged.push(why),
            }
        }
        listed.backups.sort_by_key(|manifest| manifest.number);
        Ok(listed)
    }

    /// One backup, or the newest.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn find(&self, number: Option<u64>) -> Result<Manifest, BackupError> {
        match number {
            Some(number) => {
                let path = self.manifest_path(number);
                if !path.exists() {
                    return Err(BackupError::NoBackup(number));
                }
                self.manifest_at(&path)
            }
            None => {
                let listed = self.list()?;
                // Never quietly an older one: the newest may be the one that cannot be read.
                if let Some(why) = listed.damaged.into_iter().next() {
                    return Err(why);
                }
                listed.backups.into_iter().next_back().ok_or_else(|| BackupError::Empty(self.root.clone()))
            }
        }
    }

    pub(super) fn manifest_path(&self, number: u64) -> PathBuf {
        self.root.join(MANIFESTS).join(format!("{number:08}"))
    }

    fn manifest_at(&self, path: &Path) -> Result<Manifest, BackupError> {
        let damaged = |why| BackupError::Damaged(path.into(), why);
        let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
        let number = number.filter(|n| self.manifest_path(*n) == path).ok_or_else(|| damaged("not our name"))?;
        let open = File::open(path).map_err(file(path))?;
        let sealed = read_bounded(path, open, u64::try_from(manifest::MAX_BYTES).unwrap_or(u64::MAX))?;
        let plain = self.keys.manifests.open(&about_manifest(number), &sealed);
        let plain = plain.and_then(|plain| expand(&plain, manifest::MAX_BYTES));
        let plain = plain.ok_or_else(|| damaged("its seal does not hold"))?;
        #[derive(serde::Deserialize)]
        struct Versioned {
            version: u32,
        }
        let version = serde_json::from_slice::<Versioned>(&plain).map_err(|_| damaged("not a manifest"))?.version;
        if version > manifest::VERSION {
            return Err(BackupError::Newer(path.into()));
        }
        serde_json::from_slice(&plain).map_err(|_| damaged("not a manifest"))
    }

    /// Writes a manifest: from now on the backup is there. Everything it names is synced first.
    pub(super) fn commit(
        &self,
        manifest: &Manifest,
        dice: &dyn Dice,
        touched: &BTreeSet<PathBuf>,
    ) -> Result<u64, BackupError> {
        for folder in touched {
            self.disk.sync_folder(folder)?;
        }
        if !touched.is_empty() {
            self.disk.sync_folder(&self.root.join(PIECES))?;
        }
        let plain = serde_json::to_vec(manifest).map_err(|_| BackupError::Cipher)?;
        let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL).map_err(|_| BackupError::Cipher)?;
        let sealed = self.keys.manifests.seal(dice, &about_manifest(manifest.number), packed)?;
        self.disk.place(&self.manifest_path(manifest.number), &sealed)?;
        self.disk.sync_folder(&self.root.join(MANIFESTS))?;
        Ok(super::bytes(sealed.len()))
    }

    /// Where a piece stands.
    pub(super) fn piece_path(&self, name: &Name) -> PathBuf {
        let name = name.to_string();
        let (first, _) = name.split_at_checked(2).unwrap_or((&name, ""));
        self.root.join(PIECES).join(first).join(&name)
    }

    /// Keeps a piece. One that is there is read again: a damaged one is written anew while its content is at hand.
    pub(super) fn put(&self, piece: &[u8], dice: &dyn Dice) -> Result<(Name, Put), BackupError> {
        let name = Name(self.keys.name(piece));
        let path = self.piece_path(&name);
        let there = path.exists();
        if there && self.piece(&name).is_ok() {
            return Ok((name, Put::Kept));
        }
        let packed = zstd::bulk::compress(piece, ZSTD_LEVEL).map_err(|_| BackupError::Cipher)?;
        let sealed = self.keys.pieces.seal(dice, &about_piece(&name), packed)?;
        if let Some(folder) = path.parent() {
            self.disk.folder(folder)?;
        }
        self.disk.place(&path, &sealed)?;
        let size = super::bytes(sealed.len());
        Ok((name, if there { Put::Mended(size) } else { Put::New(size) }))
    }

    /// The content of a piece, checked against its tag and its name.
    pub(super) fn piece(&self, name: &Name) -> Result<Vec<u8>, BackupError> {
        let path = self.piece_path(name);
        let open = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(BackupError::Damaged(path, "the file is gone")),
            open => open.map_err(file(&path))?,
        };
        let sealed = read_bounded(&path, open, MAX_PIECE_FILE)?;
        let packed = self.keys.pieces.open(&about_piece(name), &sealed);
        let piece = packed.and_then(|packed| expand(&packed, PIECE_BYTES));
        let piece = piece.filter(|piece| self.keys.name(piece) == name.0);
        piece.ok_or_else(|| BackupError::Damaged(path, "its seal does not hold"))
    }

    /// The names that a list holds.
    pub(super) fn names(&self, list: &Name) -> Result<Vec<Name>, BackupError> {
        let bytes = self.piece(list)?;
        let (names, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() && names.len() <= NAMES_A_LIST {
            return Ok(names.iter().copied().map(Name).collect());
        }
        Err(BackupError::Damaged(self.piece_path(list), "not a list of pieces"))
    }

    /// Every piece of a file, in order.
    pub(super) fn names_of(&self, content: &Content) -> Result<Vec<Name>, BackupError> {
        let lists = content.lists.iter().map(|list| self.names(list)).collect::<Result<Vec<_>, _>>()?;
        Ok(lists.concat())
    }

    /// Files under `pieces`: those with a name of ours, and the others.
    pub(super) fn piece_files(&self) -> Result<(BTreeMap<Name, u64>, Vec<PathBuf>), BackupError> {
        let (mut named, mut others) = (BTreeMap::new(), Vec::new());
        let root = self.root.join(PIECES);
        for folder in fs::read_dir(&root).map_err(file(&root))? {
            let folder = folder.map_err(file(&root))?.path();
            if !folder.is_dir() {
                others.push(folder);
                continue;
            }
            for entry in fs::read_dir(&folder).map_err(file(&folder))? {
                let entry = entry.map_err(file(&folder))?;
                let name = entry.file_name().to_str().and_then(Name::parse);
                match name.filter(|name| self.piece_path(name) == entry.path()) {
                    Some(name) => {
                        named.insert(name, entry.metadata().map_err(file(&entry.path()))?.len());
                    }
                    None => others.push(entry.path()),
                }
            }
        }
        others.sort();
        Ok((named, others))
    }
}

fn about_piece(name: &Name) -> Vec<u8> {
    [b"preau backup 1 piece\0".as_slice(), &name.0].concat()
}

fn about_manifest(number: u64) -> Vec<u8> {
    [b"preau backup 1 manifest\0".as_slice(), &number.to_be_bytes()].concat()
}

fn expand(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let limit = u64::try_from(limit).ok()?;
    zstd::Decoder::new(packed).ok()?.take(limit.saturating_add(1)).read_to_end(&mut plain).ok()?;
    (super::bytes(plain.len()) <= limit).then_some(plain)
}

fn read_bounded(path: &Path, open: File, limit: u64) -> Result<Vec<u8>, BackupError> {
    let mut text = Vec::new();
    open.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(file(path))?;
    if super::bytes(text.len()) > limit {
        return Err(BackupError::Damaged(path.into(), "it is larger than any that we write"));
    }
    Ok(text)
}

fn lock(root: &Path, access: Access) -> Result<Option<File>, BackupError> {
    let path = root.join(LOCK);
    let tried = match access {
        Access::Write => {
            let open = File::options().create(true).append(true).open(&path).map_err(file(&path))?;
            open.try_lock().map(|()| open)
        }
        Access::Read => match File::open(&path) {
            Ok(open) => open.try_lock_shared().map(|()| open),
            // A copy of a store, or one on a medium that nobody writes.
            Err(_) => return Ok(None),
        },
    };
    match tried {
        Ok(held) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => Err(BackupError::Busy(root.into())),
        Err(TryLockError::Error(e)) => Err(BackupError::File(path, e)),
    }
}
