//! Block lists compiled from where they stand ([`source`]: a folder, a file of it, an archive), and kept.
//!
//! A source is compiled once. The file that comes of it is named after the files that it was made of; a program that starts
//! maps the one that was in use last, and compiles anew only when one of the files is another.

mod archive;
pub mod fetch;
mod source;
mod tar;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;

pub use self::archive::ArchiveError;
use super::{keep, map::Mapped};
use crate::{
    blocklist::{BlockList, Builder, Census, CompileError, Listed, TableError, TooManyCategories},
    dice::Dice,
    keys::{SigningKey, sha256},
};

/// Seeds that are tried: with five million names one in a million is no good.
const SEEDS: u8 = 8;
/// Compiled lists that are kept: the one in use, and the one before.
const KEPT: usize = 2;
/// How a compiled list's file is named.
pub(super) const SUFFIX: &str = "preaubl";
/// File that names the one in use.
const IN_USE: &str = "in_use";

/// A folder cannot be read as block lists. Each says its cause itself.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// A file or folder cannot be opened, read or written.
    #[error("{}: {}", .0.display(), .1)]
    Open(PathBuf, io::Error),
    /// No category is there, or no name in any of them.
    #[error(
        "{}: no name in it: block lists are folders <category>/domains, files such as ads.txt, or the archive of UT1 (.tar.gz)",
        .0.display()
    )]
    Nothing(PathBuf),
    /// An archive is none, or is not to be trusted.
    #[error("{}: {}", .0.display(), .1)]
    Archive(PathBuf, ArchiveError),
    /// More categories than a list may have.
    #[error("{}: {}", .0.display(), .1)]
    Categories(PathBuf, TooManyCategories),
    /// It cannot be compiled.
    #[error("{}: {}", .0.display(), .1)]
    Compile(PathBuf, CompileError),
    /// The compiled file cannot be used.
    #[error("{}: {}", .0.display(), .1)]
    Compiled(PathBuf, TableError),
}

/// Reads a folder, a file or an archive. It takes seconds for millions of names: call it where waiting is allowed.
///
/// # Errors
/// [`ListsError`] names the file; a list without a single name is an error too, because it would block nothing.
pub fn read(from: &Path, seed: [u8; 16]) -> Result<Listed, ListsError> {
    let read = |mut builder: Builder| source::walk(from, &mut |piece| builder.take(piece)).map(|()| builder);
    let mut builder = read(Builder::new(seed))?;
    // What is excepted is known once all was read: then it is read again.
    if let Some(excepted) = builder.excepted() {
        drop(builder);
        builder = read(Builder::excepting(seed, &excepted))?;
    }
    let listed = builder.listed().map_err(|error| ListsError::Compile(from.to_owned(), error))?;
    if listed.is_empty() { Err(ListsError::Nothing(from.to_owned())) } else { Ok(listed) }
}

/// How many names each category of a folder, a file or an archive has.
///
/// # Errors
/// [`ListsError`] as for [`read`].
pub fn count(from: &Path) -> Result<Census, ListsError> {
    let mut census = Census::default();
    source::walk(from, &mut |piece| {
        census.take(piece);
        Ok(())
    })?;
    if census.names() == 0 { Err(ListsError::Nothing(from.to_owned())) } else { Ok(census) }
}

/// Compiles a folder, a file or an archive to the bytes of a file. `done` hears how many names of all have their place.
///
/// # Errors
/// [`ListsError`] as for [`read`].
pub fn compile(
    dir: &Path,
    seed: [u8; 16],
    signer: Option<&SigningKey>,
    mut done: impl FnMut(u64, u64),
) -> Result<Vec<u8>, ListsError> {
    let mut last = None;
    for turn in 0..SEEDS {
        let [first, rest @ ..] = seed;
        let mut next = [first.wrapping_add(turn); 16];
        next.iter_mut().skip(1).zip(rest).for_each(|(byte, drawn)| *byte = drawn);
        let (mut placed, listed) = (0_u64, read(dir, next));
        let all = listed.as_ref().map_or(0, Listed::len);
        let compiled = listed.and_then(|listed| {
            let placed = |names: u64| {
                placed = placed.saturating_add(names);
                done(placed, u64::try_from(all).unwrap_or(u64::MAX));
            };
            listed.compile(signer, placed).map_err(|error| ListsError::Compile(dir.to_owned(), error))
        });
        match compiled {
            Err(ListsError::Compile(_, CompileError::Seed)) => last = Some(compiled),
            Ok(_) | Err(_) => return compiled,
        }
    }
    last.unwrap_or_else(|| Err(ListsError::Nothing(dir.to_owned())))
}

/// Maps a compiled list of a folder of our own, where a file is never written again.
///
/// # Errors
/// [`ListsError`] when it cannot be read or is none.
pub fn map(path: &Path) -> Result<BlockList, ListsError> {
    let mapped = Mapped::open(path).map_err(|error| ListsError::Open(path.to_owned(), error))?;
    BlockList::open(Arc::new(mapped)).map_err(|error| ListsError::Compiled(path.to_owned(), error))
}

/// Reads a compiled list into memory, perhaps with a file of what changed since: files that lie anywhere, where somebody may
/// write meanwhile.
///
/// # Errors
/// [`ListsError`] when one cannot be read, is none, or is of another list.
pub fn load(path: &Path, changes: Option<&Path>) -> Result<BlockList, ListsError> {
    let bytes = |path: &Path| fs::read(path).map(Arc::new).map_err(|error| ListsError::Open(path.to_owned(), error));
    let list = BlockList::open(bytes(path)?).map_err(|error| ListsError::Compiled(path.to_owned(), error))?;
    match changes {
        Some(path) => list.with_changes(bytes(path)?).map_err(|error| ListsError::Compiled(path.to_owned(), error)),
        None => Ok(list),
    }
}

/// The list of a folder, in use from now on: what was compiled of the very same files into `home` before, or else is compiled
/// now. Compiling takes seconds for millions of names: call it where waiting is allowed.
///
/// # Errors
/// [`ListsError`] as for [`read`], and when `home` cannot be written.
pub fn compiled(dir: &Path, home: &Path, dice: &dyn Dice) -> Result<BlockList, ListsError> {
    let name = made_of(dir)?;
    let list = prepare((dir, &name), home, dice)?;
    put_in_use(home, &name)?;
    Ok(list)
}

/// [`compiled`] without putting it in use. `name` is what the folder is [`made_of`].
///
/// # Errors
/// As for [`compiled`].
pub fn prepare((dir, name): (&Path, &str), home: &Path, dice: &dyn Dice) -> Result<BlockList, ListsError> {
    let path = file(home, name);
    match map(&path) {
        Ok(list) => return Ok(list),
        Err(ListsError::Open(_, error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "a compiled block list cannot be used: it is compiled anew"),
    }
    // Drawn only here: the first draw of a process takes as long as all the rest of its start.
    let mut seed = [0; 16];
    dice.fill(&mut seed);
    let bytes = compile(dir, seed, None, |_, _| ())?;
    let write = |error| ListsError::Open(home.to_owned(), error);
    keep::secret_folder(home).map_err(write)?;
    keep::public(&path, &bytes).map_err(write)?;
    drop(bytes);
    map(&path)
}

/// The list that was in use last, with the name of what it was made of; none where there was none.
///
/// # Errors
/// [`ListsError`] when it cannot be read.
pub fn in_use(home: &Path) -> Result<Option<(String, BlockList)>, ListsError> {
    let path = home.join(IN_USE);
    let name = keep::read(&path).map_err(|error| ListsError::Open(path, error))?;
    let name = name.and_then(|name| String::from_utf8(name).ok());
    let Some(name) = name.filter(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit())) else { return Ok(None) };
    let list = map(&file(home, &name))?;
    Ok(Some((name, list)))
}

/// This one is in use from now on, also after the next start. Of the others the last one is kept.
///
/// # Errors
/// [`ListsError::Open`] when the folder cannot be written.
pub fn put_in_use(home: &Path, name: &str) -> Result<(), ListsError> {
    let write = |error| ListsError::Open(home.to_owned(), error);
    keep::public(&home.join(IN_USE), name.as_bytes()).map_err(write)?;
    forget_older(home, &file(home, name)).map_err(write)
}

/// Removes a compiled list that is damaged.
///
/// # Errors
/// [`ListsError::Open`] when the file cannot be removed.
pub fn forget(home: &Path, name: &str) -> Result<(), ListsError> {
    let path = file(home, name);
    fs::remove_file(&path).map_err(|error| ListsError::Open(path, error))
}

fn file(home: &Path, name: &str) -> PathBuf {
    home.join(format!("{name}.{SUFFIX}"))
}

fn forget_older(home: &Path, used: &Path) -> io::Result<()> {
    let mut others = Vec::new();
    for entry in fs::read_dir(home)? {
        let path = entry?.path();
        if path != used && path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            others.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    others.sort();
    let too_many = others.len().saturating_sub(KEPT.saturating_sub(1));
    others.iter().take(too_many).try_for_each(|(_, path)| fs::remove_file(path))
}

/// Names what a list is made of: sixteen hexadecimal digits of names, sizes and times of its files.
///
/// # Errors
/// [`ListsError::Open`] when the folder cannot be read.
pub fn made_of(dir: &Path) -> Result<String, ListsError> {
    let files = source::stand(dir).map_err(|error| ListsError::Open(dir.to_owned(), error))?;
    let digest = HEXLOWER.encode(&sha256(files.as_bytes()));
    Ok(digest.get(..16).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
