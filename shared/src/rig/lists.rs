//! Folders of block lists in UT1 form: `<category>/domains`, one name a line, and perhaps `<category>/usage`, whose words
//! `black` and `white` say what the category is for. A category that is a link to another is another name for it.
//!
//! A folder is compiled once. The file that comes of it is named after the files that it was made of; a program that starts
//! maps the one that was in use last, and compiles anew only when one of the files is another.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;

use super::{keep, map::Mapped};
use crate::{
    blocklist::{BlockList, Builder, Category, CompileError, Listed, TableError, TooManyCategories, Usage},
    dice::Dice,
    keys::{SigningKey, sha256},
};

/// The largest file that is read, in bytes; public lists have 100 MB.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;
/// The longest line that is read, in bytes; what is longer is a bad one.
const MAX_LINE_BYTES: u64 = 1_024;
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
    #[error("{}: no name in any <category>/domains: is this a folder of block lists in UT1 form?", .0.display())]
    Nothing(PathBuf),
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

/// Reads a folder. It takes seconds for millions of names: call it where waiting is allowed.
///
/// # Errors
/// [`ListsError`] names the file; a list without a single name is an error too, because it would block nothing.
pub fn read(dir: &Path, seed: [u8; 16]) -> Result<Listed, ListsError> {
    let open = |error| ListsError::Open(dir.to_owned(), error);
    let mut builder = Builder::new(seed);
    let mut known: BTreeMap<PathBuf, Category> = BTreeMap::new();
    for (real, path) in folders(dir).map_err(open)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(category) = known.get(&real) {
            builder.alias(&name, *category);
            continue;
        }
        let category =
            builder.category(&name, usage(&path)).map_err(|error| ListsError::Categories(path.clone(), error))?;
        lines(&path.join("domains"), |line| builder.line(category, line))?;
        known.insert(real, category);
    }
    let listed = builder.listed().map_err(|error| ListsError::Compile(dir.to_owned(), error))?;
    if listed.is_empty() { Err(ListsError::Nothing(dir.to_owned())) } else { Ok(listed) }
}

/// Compiles a folder to the bytes of a file. `done` hears how many names of all have their place.
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
    let mut files = String::new();
    for (real, path) in folders(dir).map_err(|error| ListsError::Open(dir.to_owned(), error))? {
        for name in ["domains", "usage"] {
            let Ok(found) = fs::metadata(path.join(name)) else { continue };
            let (size, when) = (found.size(), (found.mtime(), found.mtime_nsec()));
            files.push_str(&format!("{}\0{}\0{name}\0{size}\0{when:?}\n", real.display(), path.display()));
        }
    }
    let digest = HEXLOWER.encode(&sha256(files.as_bytes()));
    Ok(digest.get(..16).unwrap_or_default().to_owned())
}

/// Folders of categories, each with where it really is. A folder under its own name comes before the links to it.
fn folders(dir: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.join("domains").is_file() {
            folders.push((path.canonicalize()?, path));
        }
    }
    folders.sort_by_key(|(real, path)| (real != path, path.clone()));
    Ok(folders)
}

fn usage(folder: &Path) -> Usage {
    let text = fs::read_to_string(folder.join("usage")).unwrap_or_default();
    let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
    if words.clone().any(|word| word == "white") && !words.any(|word| word == "black") {
        Usage::White
    } else {
        Usage::Black
    }
}

/// Every line of a file, without its end. Of one that is too long its beginning is given, and its rest is passed over.
fn lines(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), ListsError> {
    let open = |error| ListsError::Open(path.to_owned(), error);
    let mut file = BufReader::with_capacity(1 << 17, File::open(path).map_err(open)?.take(MAX_FILE_BYTES));
    let mut line = Vec::new();
    while file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(open)? > 0 {
        if line.last() != Some(&b'\n') {
            file.skip_until(b'\n').map_err(open)?;
        }
        take(line.trim_ascii_end());
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Seeded;

    fn folder(categories: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("dir");
        for (name, domains) in categories {
            fs::create_dir(dir.path().join(name)).expect("folder");
            fs::write(dir.path().join(name).join("domains"), domains).expect("file");
        }
        dir
    }

    #[test]
    fn a_folder_is_compiled_once_and_again_when_a_file_changes() {
        let (dir, home) = (folder(&[("adult", b"adult.example\n")]), tempfile::tempdir().expect("home"));
        let home = home.path().join("lists");
        let files = || {
            let all = fs::read_dir(&home).expect("home").map(|entry| entry.expect("entry").path());
            let compiled = all.filter(|path| path.extension().is_some());
            compiled.map(|path| (fs::metadata(&path).expect("file").ino(), path)).collect::<Vec<_>>()
        };
        let list = compiled(dir.path(), &home, &Seeded::new(1)).expect("compiled");
        assert_ne!(list.categories("www.adult.example"), crate::blocklist::Categories::default());
        let first = files();
        compiled(dir.path(), &home, &Seeded::new(2)).expect("mapped");
        assert_eq!(files(), first, "nothing is compiled twice");
        for n in 0..3 {
            fs::write(dir.path().join("adult/domains"), format!("adult.example\nmore{n}.example\n{n}\n"))
                .expect("file");
            fs::write(dir.path().join("adult/usage"), "x".repeat(n)).expect("file");
            let list = compiled(dir.path(), &home, &Seeded::new(3)).expect("compiled");
            assert_ne!(list.categories(&format!("more{n}.example")), crate::blocklist::Categories::default());
        }
        assert_eq!(files().len(), KEPT);
        // One that is damaged is made again.
        let name = made_of(dir.path()).expect("name");
        fs::write(file(&home, &name), b"preaubl1 and then nothing").expect("damaged");
        assert!(in_use(&home).is_err());
        assert!(compiled(dir.path(), &home, &Seeded::new(4)).expect("compiled").check().is_ok());
        // The one in use is there without its folder.
        drop(dir);
        assert!(in_use(&home).expect("read").is_some_and(|(used, list)| used == name && list.check().is_ok()));
    }

    #[test]
    fn a_line_without_an_end_is_one_bad_line() {
        let mut domains = vec![b'a'; 3_000_000];
        domains.extend(b"\nadult.example\n\0\0\0\n");
        let dir = folder(&[("adult", &domains)]);
        let bytes = compile(dir.path(), [1; 16], None, |_, _| ()).expect("compiled");
        let list = BlockList::open(Arc::new(bytes)).expect("opened");
        assert_eq!((list.counts(), list.bad_lines().1), ((1, 0), 2));
    }

    #[test]
    fn a_folder_without_names_is_an_error() {
        let dir = folder(&[("adult", b"# nothing\n")]);
        assert!(matches!(read(dir.path(), [1; 16]), Err(ListsError::Nothing(_))));
        assert!(matches!(read(&dir.path().join("none"), [1; 16]), Err(ListsError::Open(_, _))));
    }
}
