//! The machine of a box, played: it tells for how long it has been running, as Linux does in `/proc/uptime`, so that a plug
//! can be pulled in a pilot.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::time::Elapsed;

use crate::roster::write_secret;

/// When a pilot begins, its machines have been running for so long.
const LONG: Duration = Duration::from_secs(3 * 24 * 3_600);

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    file: PathBuf,
    /// When it was plugged in, if it was since the pilot began.
    plugged_in: Mutex<Option<Elapsed>>,
}

impl Machine {
    /// One that has been running for long, told in this file.
    pub(super) fn running(file: PathBuf) -> anyhow::Result<Self> {
        let machine = Self { file, plugged_in: Mutex::default() };
        machine.tell(Elapsed::default())?;
        Ok(machine)
    }

    /// Its plug is put in again.
    pub(super) fn plug_in(&self, now: Elapsed) -> anyhow::Result<()> {
        *self.plugged_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        self.tell(now)
    }

    /// Tells for how long it has been running, for a program that starts now.
    pub(super) fn tell(&self, now: Elapsed) -> anyhow::Result<()> {
        let plugged_in = *self.plugged_in.lock().unwrap_or_else(PoisonError::into_inner);
        let running = plugged_in.map_or(LONG.saturating_add(now.0), |at| now.since(at));
        write_secret(&self.file, format!("{:.2} 0.00\n", running.as_secs_f64()).as_bytes())
    }
}
