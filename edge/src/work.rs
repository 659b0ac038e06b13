//! What pupils make and keep (*travaux*): it is hers at every tablet, and waits here until the ENT has it.
//!
//! `arrive.rs` takes bytes in, `keep.rs` acknowledges them, `shelf.rs` gives them back, to her own session only.
//! `exchange.rs` tells the other boxes of the school and hears from them, `fetch.rs` brings what is theirs here.

pub(crate) mod arrive;
pub(crate) mod exchange;
mod fetch;
pub(crate) mod keep;
pub(crate) mod media;
pub(crate) mod name;
pub(crate) mod shelf;
pub(crate) mod sisters;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use preau_shared::{ids::WorkId, keys::Sha256, rig::writer::StoreError, time::Stamp};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use self::sisters::Sisters;
use crate::{
    app::App,
    store::{
        Trouble,
        work::{self, copies, disk, gone, wanted},
        work_files::Folder,
    },
};

/// Largest work, in bytes: a photograph, a recording of some minutes.
pub(crate) const MAX_WORK_BYTES: u64 = 10 * 1024 * 1024;
/// What one person may keep, in bytes.
pub(crate) const MAX_PERSON_BYTES: u64 = 200 * 1024 * 1024;
/// Works that arrive at once: a class, and some.
pub(crate) const MAX_ARRIVING: usize = 32;
/// What was replaced or taken away can be had back for so long: until the next day's end.
pub(crate) const UNDO: Duration = Duration::from_secs(36 * 3_600);

/// The room's handles.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) folder: Folder,
    pub(crate) arriving: Semaphore,
    /// Bound of what is kept on this disk, in bytes.
    pub(crate) max_bytes: u64,
    /// The other boxes of the school.
    pub(crate) sisters: Sisters,
    /// One work at a time is fetched from them: lessons go first.
    fetching: Arc<Semaphore>,
}

impl Room {
    /// Opens the folder beside the database; what a sudden end left half arrived goes.
    pub(crate) fn open(database: &Path, max_bytes: u64) -> io::Result<Self> {
        let folder = Folder::beside(database);
        folder.make()?;
        let found = folder.look()?;
        folder.remove(&found.parts)?;
        folder.drop_fetched(&found.fetched)?;
        let (arriving, fetching) = (Semaphore::new(MAX_ARRIVING), Arc::new(Semaphore::new(1)));
        Ok(Self { folder, arriving, max_bytes, sisters: Sisters::default(), fetching })
    }
}

/// Forgets what was taken away long ago, and compares rows and files: a file that no row names goes, a row whose file is
/// not there is not shown until it is. Called at the start and once an hour.
pub(crate) async fn tidy(app: &App) -> Result<usize, Trouble> {
    let (folder, heard) = (app.work.folder.clone(), app.work.sisters.all_heard());
    let undo = i64::try_from(UNDO.as_millis()).unwrap_or(i64::MAX);
    let look = app
        .commit(move |conn, book| {
            work::forget(conn, book, Stamp(book.now.0.saturating_sub(undo)))?;
            gone::forget(conn, heard, book.now)?;
            copies::tidy(conn)?;
            compare(conn, &folder)
        })
        .await?;
    remove(app, &look.orphans).await;
    take_hashes(app, look.unhashed).await?;
    Ok(look.orphans.len())
}

/// What comparing rows and files found.
#[derive(Debug)]
struct Look {
    orphans: Vec<WorkId>,
    /// Kept by a program that took no hash of them.
    unhashed: Vec<WorkId>,
}

/// Files without a row. A row and its file are written in one act of the one writer: what is an orphan inside another act
/// will never be anybody's.
fn compare(conn: &Connection, folder: &Folder) -> Result<Look, Trouble> {
    let (found, named) = (folder.look().map_err(unwritten)?, disk::files(conn)?);
    let (mut lost, mut unhashed) = (0_usize, Vec::new());
    for named in named.iter().filter(|named| named.here) {
        let missing = found.whole.binary_search(&(named.file, named.size_bytes)).is_err();
        lost = lost.saturating_add(usize::from(missing));
        if missing != named.missing {
            disk::set_missing(conn, named.file, missing)?;
        }
        if !missing && !named.hashed {
            unhashed.push(named.file);
        }
    }
    if lost > 0 {
        tracing::error!(lost, "kept works are not on the disk: put the box's folder `work` back");
    }
    let mut given_up = Vec::new();
    for file in found.fetched {
        if !wanted::is_wanted(conn, file)? {
            given_up.push(file);
        }
    }
    folder.drop_fetched(&given_up).map_err(unwritten)?;
    let is_named = |file: &WorkId| named.binary_search_by(|named| named.file.cmp(file)).is_ok();
    let orphans = found.whole.into_iter().map(|(file, _)| file).filter(|file| !is_named(file)).collect();
    Ok(Look { orphans, unhashed })
}

/// Works that were kept before boxes told each other get their hash, one after the other.
async fn take_hashes(app: &App, files: Vec<WorkId>) -> Result<(), Trouble> {
    for file in files {
        let path = app.work.folder.path(file);
        if let Ok(Ok(hash)) = tokio::task::spawn_blocking(move || hash_of(&path)).await {
            app.commit(move |conn, _| Ok(disk::set_hash(conn, file, hash)?)).await?;
        }
    }
    Ok(())
}

/// SHA-256 of a file.
fn hash_of(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::default(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut chunk)?;
        match chunk.get(..read) {
            Some(bytes) if read > 0 => hash.update(bytes),
            Some(_) | None => return Ok(hash.finish()),
        }
    }
}

/// Takes files away that no row names any more; what fails is done again within the hour.
pub(crate) async fn remove(app: &App, files: &[WorkId]) {
    if files.is_empty() {
        return;
    }
    let (folder, files) = (app.work.folder.clone(), files.to_vec());
    let removed = tokio::task::spawn_blocking(move || folder.remove(&files)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "works that are nobody's any more stay on the disk");
    }
}

/// The disk refuses a work's bytes (507).
fn unwritten(error: io::Error) -> Trouble {
    StoreError::Commit(format!("a kept work: {error}")).into()
}
