//! Backups of a program's folder: database, keys, authority, configuration.
//!
//! A *store* is a folder (another disk, a stick, a mounted share) that keeps the backups of one folder. What a folder
//! holds is cut into pieces of 64 KiB, each piece is kept once under a keyed name, and a backup is a short sealed list of
//! names: what did not change since yesterday costs nothing. Databases are copied while the program runs, in one read
//! transaction. Everything in the store is sealed with AES-256-GCM; an onlooker learns sizes and times.
//!
//! | file | its one idea |
//! |---|---|
//! | [`key`] | a passphrase or a key file opens a store; what is sealed under which name |
//! | `store` | pieces and lists on disk: written whole or not at all, named by what they hold |
//! | `manifest` | what one backup says: files, modes, lists of pieces |
//! | `snapshot` | one consistent copy of a database that is in use, never seen by anybody else |
//! | [`create`], [`verify`], [`restore`], [`forget`] | the four acts |
//! | `disk` | every act that changes a disk, one by one, so that tests can cut the power between any two |
//!
//! Any act can be cut at any point and be begun again: pieces that were written are found by their names, a restore goes
//! on with what it finds and takes its place in one rename.

pub mod create;
mod disk;
pub mod forget;
pub mod key;
mod manifest;
pub mod restore;
mod snapshot;
mod store;
pub mod verify;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::{
    manifest::{Content, Entry, Manifest, Name, What},
    store::{Access, Listed, Store},
};

/// Bytes of a piece: sixteen pages of SQLite, so that a page changed in place changes one piece. Nothing in our files
/// shifts, hence no content-defined cutting.
pub const PIECE_BYTES: usize = 64 * 1024;

/// Why it was not done. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system refuses.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// SQLite refuses.
    #[error("{0}: database: {1}")]
    Database(PathBuf, rusqlite::Error),
    /// No backups here.
    #[error("{0} keeps no backups: check the path, or make the first one with `preau backup create`")]
    NoStore(PathBuf),
    /// Something else lives here.
    #[error("{0} is not empty and keeps no backups: give an empty or a new folder")]
    NotAStore(PathBuf),
    /// The store cannot lie inside what it keeps.
    #[error("{0} lies inside the folder that is backed up: give a folder outside it, best on another disk")]
    Inside(PathBuf),
    /// Somebody works with the store.
    #[error("{0} is in use by another backup command: wait until it has ended")]
    Busy(PathBuf),
    /// The passphrase or key does not open it.
    #[error("this passphrase or key file does not open {0}")]
    WrongSecret(PathBuf),
    /// The key file cannot be used.
    #[error("{0}: {1}")]
    KeyFile(PathBuf, &'static str),
    /// A passphrase that guessing finds.
    #[error("a passphrase needs at least {0} characters")]
    ShortPassphrase(usize),
    /// A file of the store is not as it was written.
    #[error("{0} is damaged or missing: {1}")]
    Damaged(PathBuf, &'static str),
    /// Made by a later program.
    #[error("{0} was written by a later version of this program: use that one")]
    Newer(PathBuf),
    /// No such backup.
    #[error("there is no backup {0}: see `preau backup list`")]
    NoBackup(u64),
    /// No backup at all.
    #[error("{0} holds no backup yet")]
    Empty(PathBuf),
    /// The store belongs to another folder.
    #[error("the store keeps the backups of another box or coordinator ({0}): give each its own store")]
    Foreign(String),
    /// What is backed up never holds still.
    #[error("{0} kept changing while it was read: try again when the program is quieter")]
    Restless(PathBuf),
    /// A name that cannot be kept.
    #[error("{0}: its name cannot be kept (not UTF-8): rename or remove it")]
    Name(PathBuf),
    /// The target of a restore is in the way.
    #[error("{0} exists: restore into a new folder, or say --replace to put it aside")]
    Occupied(PathBuf),
    /// A program runs in the target.
    #[error("{0}: a program runs in this folder: stop it first")]
    Living(PathBuf),
    /// The library of primitives refuses; it never does with keys of the right length.
    #[error("the cipher refused")]
    Cipher,
}

/// How far an act is: for a bar on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, as far as known.
    pub all: u64,
}

/// Hears how far an act is.
pub type Watch<'a> = &'a dyn Fn(Progress);

pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> BackupError + '_ {
    move |why| BackupError::File(path.to_owned(), why)
}

fn database(path: &Path) -> impl Fn(rusqlite::Error) -> BackupError + '_ {
    move |why| BackupError::Database(path.to_owned(), why)
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
