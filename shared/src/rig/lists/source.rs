//! Where block lists come from: a folder, or one file of it.
//!
//! | in the folder | what it is |
//! |---|---|
//! | `<category>/domains`, `<category>/hosts` | a category's names, in any form of [`crate::blocklist`] |
//! | `<category>/usage` | whose words `black` and `white` say what the category is for |
//! | a link to one of these | another name for it |
//! | `ads.txt`, `ads.hosts`, `ads.list` | the category `ads` |
//! | `*.tar.gz`, `*.tgz` | categories as UT1 packs them ([`super::archive`]), read where they are |
//!
//! All else is passed over, as is what begins with a point: what is still being fetched. A category that is there in several
//! of these ways has the names of all.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{ListsError, archive};
use crate::blocklist::{Piece, TooManyCategories, Usage};

/// The most that is read of a file, and of all that an archive holds, in bytes; public lists have some 200 MB.
pub(super) const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// The longest line that is read, in bytes; what is longer is a bad one.
const MAX_LINE_BYTES: u64 = 1_024;
/// The most that is read of a file `usage`, in bytes.
pub(super) const MAX_USAGE_BYTES: u64 = 64 * 1024;
/// Read at once, in bytes.
pub(super) const BUFFER_BYTES: usize = 128 * 1024;
/// Files of a category's folder that hold names.
pub(super) const MEMBERS: [&str; 2] = ["domains", "hosts"];
/// How files are named that are categories by themselves.
const SUFFIXES: [&str; 3] = ["txt", "hosts", "list"];

/// Who is given what is found.
pub(super) type Take<'t> = dyn FnMut(Piece<'_>) -> Result<(), TooManyCategories> + 't;

/// Something that holds categories.
struct Found {
    path: PathBuf,
    /// Where it is when links are followed.
    real: PathBuf,
    link: bool,
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Category,
    File,
    Archive,
}

/// Gives away all that a folder or file holds.
pub(super) fn walk(from: &Path, take: &mut Take<'_>) -> Result<(), ListsError> {
    let mut known: BTreeMap<PathBuf, String> = BTreeMap::new();
    for found in found(from).map_err(|error| ListsError::Open(from.to_owned(), error))? {
        let named = if found.kind == Kind::File { found.path.file_stem() } else { found.path.file_name() };
        let name = named.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let too_many = |error| ListsError::Categories(found.path.clone(), error);
        if let Some(category) = known.get(&found.real) {
            take(Piece::Alias { name: &name, category }).map_err(too_many)?;
            continue;
        }
        match found.kind {
            Kind::Archive => archive::walk(&found.path, take)?,
            Kind::File => file(&found.path, &name, &file_name(&found.path), take)?,
            Kind::Category => {
                for member in MEMBERS.iter().map(|member| found.path.join(member)).filter(|path| path.is_file()) {
                    file(&member, &name, &format!("{name}/{}", file_name(&member)), take)?;
                }
                if let Some(usage) = usage(&found.path.join("usage")) {
                    take(Piece::Usage { category: &name, usage }).map_err(too_many)?;
                }
            }
        }
        known.insert(found.real, name);
    }
    Ok(())
}

/// Names, sizes and times of all files that a list is made of, as text.
pub(super) fn stand(from: &Path) -> io::Result<String> {
    let mut files = String::new();
    for found in found(from)? {
        let members = match found.kind {
            Kind::Category => ["domains", "hosts", "usage"].map(|member| found.path.join(member)).into(),
            Kind::File | Kind::Archive => vec![found.path.clone()],
        };
        for path in members {
            let Ok(stands) = fs::metadata(&path) else { continue };
            let (size, when) = (stands.size(), (stands.mtime(), stands.mtime_nsec()));
            files.push_str(&format!("{}\0{}\0{size}\0{when:?}\n", found.real.display(), path.display()));
        }
    }
    Ok(files)
}

/// What holds categories, what is there under its own name before the links to it.
fn found(from: &Path) -> io::Result<Vec<Found>> {
    if !fs::metadata(from)?.is_dir() {
        let kind = if archive::is_one(from)? { Kind::Archive } else { Kind::File };
        return Ok(vec![Found { path: from.to_owned(), real: from.canonicalize()?, link: false, kind }]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = entry.path();
        if let Some(kind) = kind(&path) {
            all.push(Found { real: path.canonicalize()?, link: entry.file_type()?.is_symlink(), path, kind });
        }
    }
    all.sort_by(|one, other| (one.link, &one.path).cmp(&(other.link, &other.path)));
    Ok(all)
}

fn kind(path: &Path) -> Option<Kind> {
    let name = file_name(path);
    if name.starts_with('.') {
        None
    } else if path.is_dir() {
        MEMBERS.iter().any(|member| path.join(member).is_file()).then_some(Kind::Category)
    } else if is_archive_name(&name) {
        Some(Kind::Archive)
    } else {
        is_list_name(&name).then_some(Kind::File)
    }
}

/// Whether a file of this name in a folder of lists is read as an archive.
pub(super) fn is_archive_name(name: &str) -> bool {
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// Whether a file of this name in a folder of lists is a category.
pub(super) fn is_list_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn file(path: &Path, category: &str, called: &str, take: &mut Take<'_>) -> Result<(), ListsError> {
    take(Piece::File { category, file: called }).map_err(|error| ListsError::Categories(path.to_owned(), error))?;
    let mut read = || lines(&mut BufReader::with_capacity(BUFFER_BYTES, Bounded::new(File::open(path)?)), take);
    read().map_err(|error| ListsError::Open(path.to_owned(), error))
}

fn usage(path: &Path) -> Option<Usage> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_USAGE_BYTES).read_to_end(&mut text).ok()?;
    Some(Usage::read(&String::from_utf8_lossy(&text)))
}

/// Every line of a file, without its end. Of one that is too long its beginning is given, and its rest is passed over.
pub(super) fn lines(file: &mut impl BufRead, take: &mut Take<'_>) -> io::Result<()> {
    let mut line = Vec::new();
    while file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? > 0 {
        if line.last() != Some(&b'\n') {
            file.skip_until(b'\n')?;
        }
        take(Piece::Line(line.trim_ascii_end())).map_err(io::Error::other)?;
        line.clear();
    }
    Ok(())
}

/// Reads [`MAX_BYTES`] and fails at what is beyond.
pub(super) struct Bounded<R> {
    from: R,
    left: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, left: MAX_BYTES }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let left = self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let too_large =
            || io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 GiB: this is no block list");
        self.left = left.ok_or_else(too_large)?;
        Ok(read)
    }
}
