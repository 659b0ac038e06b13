//! What pupils make and keep (*travaux*): it is hers at every tablet, and waits here until the ENT has it.
//!
//! `arrive.rs` takes bytes in, `keep.rs` acknowledges them, `shelf.rs` gives them back, to her own session only.

pub(crate) mod arrive;
pub(crate) mod keep;
pub(crate) mod media;
pub(crate) mod name;
pub(crate) mod shelf;

use std::{io, path::Path, time::Duration};

use preau_shared::{ids::WorkId, rig::writer::StoreError, time::Stamp};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{
    app::App,
    store::{Trouble, work, work_files::Folder},
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
}

impl Room {
    /// Opens the folder beside the database; what a sudden end left half arrived goes.
    pub(crate) fn open(database: &Path, max_bytes: u64) -> io::Result<Self> {
        let folder = Folder::beside(database);
        folder.make()?;
        folder.remove(&folder.look()?.parts)?;
        Ok(Self { folder, arriving: Semaphore::new(MAX_ARRIVING), max_bytes })
    }
}

/// Forgets what was taken away long ago, and compares rows and files: a file that no row names goes, a row whose file is
/// not there is not shown until it is. Called at the start and once an hour.
pub(crate) async fn tidy(app: &App) -> Result<usize, Trouble> {
    let folder = app.work.folder.clone();
    let undo = i64::try_from(UNDO.as_millis()).unwrap_or(i64::MAX);
    let orphans = app
        .commit(move |conn, book| {
            work::forget(conn, Stamp(book.now.0.saturating_sub(undo)))?;
            compare(conn, &folder)
        })
        .await?;
    remove(app, &orphans).await;
    Ok(orphans.len())
}

/// Files without a row. A row and its file are written in one act of the one writer: what is an orphan inside another act
/// will never be anybody's.
fn compare(conn: &Connection, folder: &Folder) -> Result<Vec<WorkId>, Trouble> {
    let (found, named) = (folder.look().map_err(unwritten)?, work::files(conn)?);
    let mut lost = 0_usize;
    for (file, size, was_missing) in &named {
        let missing = found.whole.binary_search(&(*file, *size)).is_err();
        lost = lost.saturating_add(usize::from(missing));
        if missing != *was_missing {
            work::set_missing(conn, *file, missing)?;
        }
    }
    if lost > 0 {
        tracing::error!(lost, "kept works are not on the disk: put the box's folder `work` back");
    }
    let is_named = |file: &WorkId| named.binary_search_by(|(named, _, _)| named.cmp(file)).is_ok();
    Ok(found.whole.into_iter().map(|(file, _)| file).filter(|file| !is_named(file)).collect())
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
