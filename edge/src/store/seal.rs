//! The seal of trust: a file that is taken away at the first I/O error, so that the next start knows of it.
//!
//! While the disk fails, classes sign in from memory (ARCHITECTURE §3.1) and a power cut would forget who sat where.
//! Taking a file away needs no space, unlike writing one, and so works on a full disk too. A start without the seal on
//! an existing store puts every free tablet into `wiping`, then makes the seal anew.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// The file beside the database.
#[derive(Debug)]
pub(crate) struct Seal {
    path: PathBuf,
    broken: AtomicBool,
}

impl Seal {
    /// The seal beside this database.
    pub(crate) fn beside(database: &Path) -> Self {
        Self { path: database.with_extension("seal"), broken: AtomicBool::new(false) }
    }
    /// Whether the last run ended without an I/O error.
    pub(crate) fn holds(&self) -> bool {
        self.path.exists()
    }
    /// Makes it, when what the disk holds is true.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::write(&self.path, b"")?;
        self.broken.store(false, Ordering::Relaxed);
        Ok(())
    }
    /// Takes it away, once.
    pub(crate) fn break_it(&self) {
        if self.broken.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::error!("the disk refuses to write: sign-ins go on from memory, the box must be repaired");
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(%error, "the seal cannot be taken away either");
        }
    }
    /// Whether this run has met an I/O error that nothing has mended since.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}
