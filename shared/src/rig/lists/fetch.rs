//! Lists that come from a URL into the folder where lists are looked for. What comes is read before it takes its place, and
//! takes it in one act; what is there stays until then.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::{ListsError, archive, count, source};
use crate::{
    blocklist::{Shrunk, schedule::When},
    rig::{
        fetch::download::{Came, DownloadError, FileUrl, Tags, download},
        keep,
    },
    time::Stamp,
};

/// Folder within that of the lists in which files lie until they are whole; what begins with a point is no list.
const ASIDE: &str = ".fetching";
/// File beside the compiled lists that tells what was fetched.
const FETCHED: &str = "fetched";
/// The most mirrors of a list.
const MAX_MIRRORS: usize = 8;
/// The most that may be said of a file's size, in megabytes.
const MAX_MB: u64 = 1_024;

/// A list, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedList {
    /// How its file is called in the folder of lists; a file that is no archive is a category.
    pub file: String,
    /// Where it is, each with the same content.
    pub mirrors: Vec<FileUrl>,
    /// When it is fetched.
    pub when: When,
    /// The most that is taken, in bytes.
    pub max_bytes: u64,
}

/// What is said of a list to be fetched cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// The file is not called as lists are.
    #[error("file must be a name like blacklists.tar.gz, ads.txt, ads.hosts or ads.list, without a folder")]
    File,
    /// There is no mirror, or there are too many.
    #[error("urls must name one to {MAX_MIRRORS} mirrors")]
    Mirrors,
    /// Nothing may come, or too much.
    #[error("max_mb must be between 1 and {MAX_MB}")]
    Size,
}

impl FetchedList {
    /// A list of at most so many megabytes.
    ///
    /// # Errors
    /// [`BadSource`] says what cannot be.
    pub fn new(file: String, mirrors: Vec<FileUrl>, when: When, max_mb: u64) -> Result<Self, BadSource> {
        let known = source::is_archive_name(&file) || source::is_list_name(&file);
        if !known || file.starts_with('.') || file.contains(['/', '\0']) || file.len() > 100 {
            return Err(BadSource::File);
        }
        if mirrors.is_empty() || mirrors.len() > MAX_MIRRORS {
            return Err(BadSource::Mirrors);
        }
        if !(1..=MAX_MB).contains(&max_mb) {
            return Err(BadSource::Size);
        }
        Ok(Self { file, mirrors, when, max_bytes: max_mb.saturating_mul(1_000_000) })
    }
}

/// What is known of a file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fetched {
    /// When it was fetched, or last found to be the same.
    pub at: Stamp,
    /// Its size, in bytes: a file of another size is somebody else's.
    bytes: u64,
    /// The mirror that named this version ([`FileUrl::mark`]).
    mirror: String,
    etag: Option<String>,
    modified: Option<String>,
    /// Categories that the version before had.
    pub gone: Vec<String>,
}

/// What was fetched, by the names of the files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger(BTreeMap<String, Fetched>);

impl Ledger {
    /// As it was written; one that cannot be read is empty: then everything is fetched again.
    pub fn read(home: &Path) -> Self {
        let text = keep::read(&home.join(FETCHED)).ok().flatten();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// What is known of a list whose file is there as it was fetched.
    pub fn of(&self, folder: &Path, list: &FetchedList) -> Option<&Fetched> {
        let there = fs::metadata(folder.join(&list.file)).ok()?;
        self.0.get(&list.file).filter(|fetched| fetched.bytes == there.len())
    }

    /// Notes what was fetched, and writes it.
    ///
    /// # Errors
    /// What the system says; then the file is fetched once more after the next start.
    pub fn note(&mut self, home: &Path, file: &str, fetched: Fetched) -> io::Result<()> {
        self.0.insert(file.to_owned(), fetched);
        keep::secret_folder(home)?;
        keep::public(&home.join(FETCHED), &serde_json::to_vec(&self.0)?)
    }
}

/// A list was not fetched: what is there stays.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It did not come.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// It came and is no list.
    #[error("{0} sends what is no block list: {1}")]
    NoList(String, ListsError),
    /// It came and has less than half of the names.
    #[error(
        "{0} sends a list that lost half of its names ({1}). If this is meant, remove the file from the folder of lists"
    )]
    Shrunk(String, Shrunk),
    /// It cannot be put in its place.
    #[error("{}: {}", .0.display(), .1)]
    Write(PathBuf, io::Error),
}

impl RenewError {
    /// Whether something came that cannot be taken; otherwise nothing did.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::NoList(..) | Self::Shrunk(..) => true,
            Self::Download(DownloadError::TooLarge(..)) => true,
            Self::Download(_) | Self::Write(..) => false,
        }
    }
}

/// Asks a mirror for a list; a new one takes its place in the folder. What is known of it from now on is returned, and
/// whether it is new.
///
/// # Errors
/// [`RenewError`]; what is in the folder is as before.
pub async fn renew(
    (list, mirror): (&FetchedList, usize),
    folder: &Path,
    known: Option<&Fetched>,
    (tls, now): (&Arc<ClientConfig>, Stamp),
) -> Result<(Fetched, bool), RenewError> {
    let Some(url) = list.mirrors.get(mirror).or(list.mirrors.first()) else { return Ok((Fetched::default(), false)) };
    let aside = folder.join(ASIDE);
    tokio::fs::create_dir_all(&aside).await.map_err(|error| RenewError::Write(aside.clone(), error))?;
    let part = aside.join(&list.file);
    let host = url.host();
    // Another mirror may name another version by the same word.
    let same = known.filter(|known| known.mirror == url.mark());
    let tags =
        same.map(|known| Tags { etag: known.etag.clone(), modified: known.modified.clone() }).unwrap_or_default();
    let came = download((url, &tags), list.max_bytes, tls, &part).await;
    let placed = match came {
        Ok(Came::Same) => Ok(known.map(|known| (Fetched { at: now, ..known.clone() }, false)).unwrap_or_default()),
        Ok(Came::File(Tags { etag, modified })) => {
            let (part, place, archive) = (part.clone(), folder.join(&list.file), source::is_archive_name(&list.file));
            let fetched = Fetched { at: now, mirror: url.mark(), etag, modified, ..Fetched::default() };
            let placed = tokio::task::spawn_blocking(move || place_it((&part, &place), (archive, host), fetched));
            placed.await.unwrap_or_else(|error| Err(RenewError::Write(folder.to_owned(), io::Error::other(error))))
        }
        Err(error) => Err(error.into()),
    };
    // What was not taken is of no use; what was is no longer there.
    drop(tokio::fs::remove_file(&part).await);
    placed
}

/// Reads what came, and puts it in its place.
fn place_it(
    (part, place): (&Path, &Path),
    (archive, host): (bool, String),
    mut fetched: Fetched,
) -> Result<(Fetched, bool), RenewError> {
    let unwritten = |error| RenewError::Write(place.to_owned(), error);
    if archive::is_one(part).map_err(unwritten)? != archive {
        return Err(RenewError::NoList(host, ListsError::Nothing(place.to_owned())));
    }
    let now = count(part).map_err(|error| RenewError::NoList(host.clone(), error))?;
    // One that was there and cannot be read is no measure.
    if let Ok(before) = count(place) {
        let gone = now.follows(&before).map_err(|shrunk| RenewError::Shrunk(host, shrunk))?;
        fetched.gone = gone.into_iter().map(str::to_owned).collect();
    }
    fetched.bytes = fs::metadata(part).map_err(unwritten)?.len();
    fs::rename(part, place).map_err(unwritten)?;
    let folder = place.parent().map(fs::File::open).transpose().map_err(unwritten)?;
    folder.map_or(Ok(()), |folder| folder.sync_all()).map_err(unwritten)?;
    Ok((fetched, true))
}
