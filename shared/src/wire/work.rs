//! What a pupil keeps, as her own session hears of it (ARCHITECTURE §5.2).

use serde::{Deserialize, Serialize};

/// `GET /api/v1/work`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Works {
    /// The newest first.
    pub works: Vec<Work>,
    /// Names under which something stood that can be had back.
    pub former: Vec<String>,
}

/// A kept work (*travail*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Its name, hers to choose.
    pub name: String,
    /// What to draw for it: `image`, `pdf`, `text`, `audio`, `video` or `other`.
    pub kind: String,
    /// Its media type.
    pub media_type: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// How long ago it was kept, in seconds.
    pub kept_age_s: u64,
    /// Where it stands on its way to the ENT.
    pub delivery: Delivery,
    /// Whether this box alone has it.
    pub on_one_disk: bool,
    /// Kept at another box of the school, and not here yet: it cannot be opened until it is.
    #[serde(default)]
    pub arriving: bool,
}

/// Where a work stands on its way to the ENT (*espace numérique de travail*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The ENT does not have it yet.
    Waiting,
}

/// Answer to `PUT /api/v1/work/{name}` where nothing was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkKept {
    /// Under which name: another one than asked for, where a pair would have replaced what only one of them has.
    pub name: String,
}
