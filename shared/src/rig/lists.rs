//! Reads a folder of block lists in UT1 form: `<category>/domains`, one name a line, and perhaps `<category>/usage`,
//! whose words `black` and `white` say what the category is for. A category that is a link to another is another name
//! for it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use crate::blocklist::{BlockList, Builder, Category, TooManyCategories, Usage};

/// The largest file that is read, in bytes; public lists have 100 MB.
const MAX_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// A folder cannot be read as block lists.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// A file or folder cannot be opened or read.
    #[error("{}: {}", .0.display(), .1)]
    Open(PathBuf, #[source] io::Error),
    /// No category is there, or no name in any of them.
    #[error("{}: no name in any <category>/domains: is this a folder of block lists in UT1 form?", .0.display())]
    Nothing(PathBuf),
    /// More categories than a list may have.
    #[error("{}: {}", .0.display(), .1)]
    Categories(PathBuf, #[source] TooManyCategories),
}

impl BlockList {
    /// Reads a folder. It takes seconds for millions of names: call it where waiting is allowed. The seed is drawn.
    ///
    /// # Errors
    /// [`ListsError`] names the file; a list without a single name is an error too, because it would block nothing.
    pub fn load(dir: &Path, seed: [u8; 16]) -> Result<Self, ListsError> {
        let open = |error| ListsError::Open(dir.to_owned(), error);
        let mut folders = Vec::new();
        for entry in fs::read_dir(dir).map_err(open)? {
            let path = entry.map_err(open)?.path();
            if path.join("domains").is_file() {
                folders.push((path.canonicalize().map_err(open)?, path));
            }
        }
        // A folder under its own name comes before the links to it.
        folders.sort_by_key(|(real, path)| (real != path, path.clone()));
        let mut builder = Builder::new(seed);
        let mut known: BTreeMap<PathBuf, Category> = BTreeMap::new();
        for (real, path) in folders {
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
        let list = builder.finish();
        if list.is_empty() { Err(ListsError::Nothing(dir.to_owned())) } else { Ok(list) }
    }
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

fn lines(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), ListsError> {
    let open = |error| ListsError::Open(path.to_owned(), error);
    let mut file = BufReader::new(File::open(path).map_err(open)?.take(MAX_FILE_BYTES));
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).map_err(open)? > 0 {
        take(line.trim_ascii_end());
        line.clear();
    }
    Ok(())
}
