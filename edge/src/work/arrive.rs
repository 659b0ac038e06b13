//! Bytes on their way in: written as they come, never more than the limit, and gone again when nobody acknowledges them.

use std::{fs, path::PathBuf, time::Duration};

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use preau_shared::{ids::WorkId, keys::Sha256, refusal::Refusal};
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
    time::timeout,
};

use super::{MAX_WORK_BYTES, unwritten};
use crate::store::{Trouble, work_files::Folder};

/// A tablet that says nothing for so long is gone.
const MAX_SILENCE: Duration = Duration::from_secs(20);
/// A work that takes longer is given up: a slow case of fifteen tablets has had its time.
const MAX_TIME: Duration = Duration::from_secs(300);
/// What comes beyond the limit, or after a refusal, is read and dropped up to so many bytes, so that the tablet hears why.
const MAX_DRAINED_BYTES: u64 = 2 * MAX_WORK_BYTES;

/// A work that arrived, whole and synced. Its part goes with it unless it was settled.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) size_bytes: u64,
    pub(crate) hash: Sha256,
    part: PathBuf,
}

impl Drop for Arrived {
    fn drop(&mut self) {
        // Settled, it has another name; else a start takes away what stays.
        let _ = fs::remove_file(&self.part);
    }
}

/// Takes a body in.
///
/// # Errors
/// `too_large`, `malformed` when it breaks off, `overloaded` when it takes too long, 507 while the disk fails.
pub(crate) async fn receive(folder: &Folder, file: WorkId, body: &mut BodyDataStream) -> Result<Arrived, Trouble> {
    let part = folder.part(file);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut out = options.open(&part).await.map_err(unwritten)?;
    let mut arrived = Arrived { size_bytes: 0, hash: Sha256::default(), part };
    match timeout(MAX_TIME, write(&mut out, &mut arrived, body)).await {
        Ok(written) => written?,
        Err(_) => return Err(Trouble::because(Refusal::Overloaded, "the work took too long")),
    }
    out.sync_all().await.map_err(unwritten)?;
    Ok(arrived)
}

async fn write(out: &mut File, arrived: &mut Arrived, body: &mut BodyDataStream) -> Result<(), Trouble> {
    while let Some(chunk) = timeout(MAX_SILENCE, body.next())
        .await
        .map_err(|_| Trouble::because(Refusal::Overloaded, "the work stopped arriving"))?
    {
        let chunk = chunk.map_err(|_| Trouble::because(Refusal::Malformed, "the work broke off"))?;
        arrived.size_bytes = arrived.size_bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if arrived.size_bytes > MAX_WORK_BYTES {
            return Err(Trouble::because(Refusal::TooLarge, format!("a work has {MAX_WORK_BYTES} bytes at most")));
        }
        arrived.hash.update(&chunk);
        out.write_all(&chunk).await.map_err(unwritten)?;
    }
    out.flush().await.map_err(unwritten)
}

/// Reads what still comes of a work that is refused.
pub(crate) async fn drain(body: &mut BodyDataStream) {
    let mut seen = 0_u64;
    while let Ok(Some(Ok(chunk))) = timeout(MAX_SILENCE, body.next()).await {
        seen = seen.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if seen > MAX_DRAINED_BYTES {
            return;
        }
    }
}
