//! What the coordinator tells of schools and boxes (ARCHITECTURE §5.3).

use serde::{Deserialize, Serialize};

use crate::{
    ids::{BoxId, Uai},
    time::ClockQuality,
};

/// State of a school or of a box, worst first is what counts (ARCHITECTURE §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// No box of it ever spoke.
    NeverSeen,
    /// Out of contact.
    Offline,
    /// Needs a person.
    Attention,
    /// Its oldest unacknowledged entry is older than 10 s, or a snapshot runs.
    CatchingUp,
    /// All well.
    InSync,
}

/// Tablets of a school, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TabletCounts {
    /// Enrolled.
    pub total: u32,
    /// Somebody is signed in.
    pub in_use: u32,
    /// Being cleared.
    pub wiping: u32,
    /// Reported lost.
    pub lost: u32,
}

/// One box on the DSI's page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BoxStatus {
    /// Which box.
    pub box_id: BoxId,
    /// Its own state.
    pub state: SyncState,
    /// Since its last verified message.
    pub last_contact_age_s: Option<u64>,
    /// Until its certificate ends.
    pub certificate_days_left: Option<i64>,
    /// What it runs.
    pub version: Option<String>,
}

/// One school of `GET /api/v1/schools`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SchoolStatus {
    /// National number.
    pub uai: Uai,
    /// Name.
    pub name: String,
    /// A training room: nobody there is real, and it counts nowhere.
    #[serde(default)]
    pub training: bool,
    /// The first state that applies.
    pub state: SyncState,
    /// Since the last verified message of any of its boxes.
    pub last_contact_age_s: Option<u64>,
    /// Entries its boxes hold that the coordinator has not acknowledged; null out of contact.
    pub unsynced_entries: Option<u64>,
    /// The same, as it was at the last contact.
    pub unsynced_at_last_contact: Option<u64>,
    /// Files that stand on one disk only.
    pub unsynced_files: u64,
    /// Age of the oldest unacknowledged entry at last contact.
    pub oldest_unsynced_age_s: Option<u64>,
    /// Commit to acknowledgement of the last entry, timed by the box, in seconds.
    pub lag_s: Option<f64>,
    /// In words, with its remedy.
    pub last_error: Option<String>,
    /// How far the box trusts its clock.
    pub clock: Option<ClockQuality>,
    /// What the box runs.
    pub version: Option<String>,
    /// Each box.
    pub boxes: Vec<BoxStatus>,
    /// Tablets, counted.
    pub tablets: TabletCounts,
    /// People signed in.
    pub signed_in: u32,
    /// Version of the block list in use.
    pub blocklist_version: Option<String>,
    /// Entries of this school that the coordinator holds.
    pub entries: u64,
}

/// `POST /api/v1/badges/{badge_id}/void` at the coordinator: where it is applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VoidApplied {
    /// One line a box.
    pub boxes: Vec<VoidAtBox>,
}

/// Whether a box knows of the void.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VoidAtBox {
    /// Which box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Since when it acknowledged; null while it has not.
    pub applied_at_age_s: Option<u64>,
}
