//! What a box says about itself in every message upwards, so that the coordinator's page tells the last known truth.

use serde::{Deserialize, Serialize};

use crate::{time::ClockQuality, wire::TabletCounts};

/// Longest version text, in bytes.
pub const MAX_VERSION_BYTES: usize = 64;
/// Longest error sentence, in bytes.
pub const MAX_ERROR_BYTES: usize = 512;

/// The state of a box as it stood when the message was made. Ages are durations counted by the box, never stamps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// The school's tablets, counted.
    pub tablets: TabletCounts,
    /// People signed in.
    pub signed_in: u32,
    /// How many entries and changes the box ever numbered, in all its lives.
    pub written: u64,
    /// Entries that the coordinator has not acknowledged (*exposure*).
    pub unsynced: u64,
    /// How long the oldest of them has waited, in milliseconds.
    pub oldest_unsynced_age_ms: Option<u64>,
    /// Commit to acknowledgement of the last acknowledged entry, in milliseconds.
    pub lag_ms: Option<u64>,
    /// How far the box trusts its wall clock.
    pub clock: ClockQuality,
    /// Version of the program.
    pub version: String,
    /// Version of the block list in use.
    pub blocklist_version: Option<String>,
    /// The last thing that went wrong, in words with its remedy; no names, no sites.
    pub last_error: Option<String>,
    /// Files that stand on this box's disk only.
    pub unsynced_files: u64,
}

impl Vitals {
    /// Cuts texts that are too long, at a character; applied before sending and after receiving.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        cut(&mut self.version, MAX_VERSION_BYTES);
        if let Some(version) = &mut self.blocklist_version {
            cut(version, MAX_VERSION_BYTES);
        }
        if let Some(error) = &mut self.last_error {
            cut(error, MAX_ERROR_BYTES);
        }
        self
    }
}

fn cut(text: &mut String, limit: usize) {
    text.truncate(text.floor_char_boundary(limit));
}
