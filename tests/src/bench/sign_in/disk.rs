//! What an fsync takes on this disk, and how many of them a box made.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, anyhow};
use tokio::time::Instant;

use crate::bench::boxed::Boxed;

/// A page of the database.
const PAGE_BYTES: usize = 4_096;
/// Between two pages: a fraction of a box's commits at the same load.
const PAUSE: Duration = Duration::from_millis(5);
/// Of the log's header (sqlite.org/fileformat2.html, §4.1): the number of its present lap stands at byte 12.
const LAP_AT: usize = 12;
/// Each time the log begins anew the header is synced, and before it the log and the database were.
const SYNCS_A_LAP: u64 = 3;

/// How long a page appended to a file of this folder takes to be durable, so many times, in seconds.
///
/// # Errors
/// When the disk refuses.
pub fn fsyncs(dir: &Path, many: usize) -> Result<Vec<f64>> {
    let mut file = File::create(dir.join("fsync"))?;
    (0..many).map(|_| fsync(&mut file)).collect()
}

fn fsync(file: &mut File) -> Result<f64> {
    file.write_all(&[7; PAGE_BYTES])?;
    let began = Instant::now();
    // A whole one, as the promise says; the box's own leaves out when the file was changed.
    file.sync_all()?;
    Ok(began.elapsed().as_secs_f64())
}

/// Pages made durable in a folder, one every [`PAUSE`], beside whatever the machine does.
#[derive(Debug)]
pub struct Beside {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<f64>>>,
}

impl Beside {
    /// Begins.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn start(dir: &Path) -> Result<Self> {
        let mut file = File::create(dir.join("fsync"))?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            while !told.load(Ordering::Relaxed) {
                times.push(fsync(&mut file)?);
                thread::sleep(PAUSE);
            }
            Ok(times)
        });
        Ok(Self { over, thread })
    }

    /// Ends; how long each took, in seconds.
    ///
    /// # Errors
    /// When the disk refused.
    pub fn stop(self) -> Result<Vec<f64>> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the thread beside"))?
    }
}

/// Syncs of a box's database since its start: one a group commit, as its metrics count them, and [`SYNCS_A_LAP`] each
/// time the log, full, is written back into the database and begun anew.
///
/// # Errors
/// When the box does not answer.
pub async fn syncs(boxed: &Boxed) -> Result<u64> {
    let mut header = [0; LAP_AT + 4];
    File::open(boxed.home.join("box.db-wal"))?.read_exact(&mut header)?;
    let lap = u32::from_be_bytes([header[LAP_AT], header[LAP_AT + 1], header[LAP_AT + 2], header[LAP_AT + 3]]);
    Ok(boxed.metric("commits").await? + u64::from(lap) * SYNCS_A_LAP)
}
