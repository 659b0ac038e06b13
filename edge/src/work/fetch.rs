//! One work fetched from another box: pieces are written one after the other, and only what is whole, checked and synced
//! gets its name, in the act that says that it is here. A connection that breaks leaves a part to go on with; a program
//! that is killed leaves one that its next start takes away.

use std::{io, os::unix::fs::FileExt as _, path::PathBuf};

use preau_shared::{ids::WorkId, wire::locker::MAX_PIECE_BYTES};
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
    sync::OwnedSemaphorePermit,
};

use super::{hash_of, unwritten};
use crate::{
    app::App,
    store::{
        Trouble,
        work::{
            disk,
            wanted::{self, Wanted},
        },
        work_files::Folder,
    },
};

/// Of the disk's bound, what other boxes' works may fill, in hundredths: the rest is for the children of this building.
const SHARE: u64 = 80;

/// A work under way.
#[derive(Debug)]
pub(crate) struct Fetch {
    wanted: Wanted,
    out: File,
    /// Bytes that are here.
    at: u64,
    _one_at_a_time: OwnedSemaphorePermit,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is here, durably.
    Here,
    /// Nobody waits for it any more.
    Unwanted,
    /// Its bytes are not what was told.
    Damaged,
}

impl Fetch {
    /// Begins, or goes on where an earlier connection broke.
    pub(crate) async fn open(folder: &Folder, wanted: Wanted, place: OwnedSemaphorePermit) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let out = options.open(folder.fetched(wanted.file)).await?;
        let mut at = out.metadata().await?.len();
        if at > wanted.size_bytes {
            out.set_len(0).await?;
            at = 0;
        }
        Ok(Self { wanted, out, at, _one_at_a_time: place })
    }

    /// What to ask for next; nothing when all is here.
    pub(crate) fn next(&self) -> Option<(WorkId, u64)> {
        (self.at < self.wanted.size_bytes).then_some((self.wanted.file, self.at))
    }

    /// Which work.
    pub(crate) const fn file(&self) -> WorkId {
        self.wanted.file
    }

    /// Takes the piece that was asked for; false when it is another one, or nothing.
    pub(crate) async fn take(&mut self, file: WorkId, at: u64, bytes: &[u8]) -> io::Result<bool> {
        let end = at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if (file, at) != (self.wanted.file, self.at) || bytes.is_empty() || end > self.wanted.size_bytes {
            return Ok(false);
        }
        self.out.write_all(bytes).await?;
        self.out.flush().await?;
        self.at = end;
        Ok(true)
    }

    /// All is here: checks it, and says that it is here.
    ///
    /// # Errors
    /// 507 while the disk fails.
    pub(crate) async fn finish(self, app: &App) -> Result<Ended, Trouble> {
        self.out.sync_all().await.map_err(unwritten)?;
        let (file, folder) = (self.wanted.file, app.work.folder.clone());
        let path = folder.fetched(file);
        let hash = tokio::task::spawn_blocking(move || hash_of(&path)).await;
        let hash = hash.map_err(|e| unwritten(io::Error::other(e)))?.map_err(unwritten)?;
        let ended = if hash == self.wanted.sha256 {
            let settling = folder.clone();
            let here = app.commit(move |conn, _| {
                // Erased, or replaced long ago, while it came.
                if !wanted::is_wanted(conn, file)? {
                    return Ok(false);
                }
                disk::came(conn, file)?;
                // The last thing done: its name and what is said of it are there together, or neither.
                settling.settle_fetched(file).map_err(unwritten)?;
                Ok(true)
            });
            if here.await? { Ended::Here } else { Ended::Unwanted }
        } else {
            Ended::Damaged
        };
        match ended {
            Ended::Here => {}
            Ended::Unwanted | Ended::Damaged => folder.drop_fetched(&[file]).map_err(unwritten)?,
        }
        Ok(ended)
    }
}

/// Whether the disk has room for another box's work of this size.
pub(crate) fn has_room(app: &App, size_bytes: u64) -> Result<bool, Trouble> {
    let most = app.work.max_bytes.saturating_mul(SHARE).checked_div(100).unwrap_or_default();
    let standing = app.reader.read(|conn| Ok::<_, Trouble>(disk::standing(conn)?))?;
    Ok(standing.all_bytes.saturating_add(size_bytes) <= most)
}

/// A piece of a work that is here; nothing of one that is not.
pub(crate) async fn piece(app: &App, file: WorkId, at: u64) -> Result<Vec<u8>, Trouble> {
    if !app.reader.read(|conn| Ok::<_, Trouble>(disk::is_here(conn, file)?))? {
        return Ok(Vec::new());
    }
    let path = app.work.folder.path(file);
    let read = tokio::task::spawn_blocking(move || read_at(path, at)).await;
    read.map_err(|e| unwritten(io::Error::other(e)))?.map_err(unwritten)
}

fn read_at(path: PathBuf, at: u64) -> io::Result<Vec<u8>> {
    let (file, mut piece) = (std::fs::File::open(path)?, vec![0; MAX_PIECE_BYTES]);
    let mut read = 0;
    while let Some(room) = piece.get_mut(read..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)))? {
            0 => break,
            more => read = read.saturating_add(more),
        }
    }
    piece.truncate(read);
    Ok(piece)
}
