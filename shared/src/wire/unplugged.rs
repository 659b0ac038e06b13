//! Bodies for a time without the box: what a tablet keeps for it, and what it tells afterwards.

use serde::{Deserialize, Serialize};

use super::Shortcut;
use crate::ids::SessionId;

/// Stays that one request may tell; whoever has more tells them by parts.
pub const MAX_STAYS_TOLD: usize = 256;
/// Documents that a tablet keeps the names of.
pub const MAX_DOCUMENTS: usize = 64;

/// `GET /api/v1/tablets/me/unplugged`: what a tablet keeps, so that an adult opens it without the box.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnpluggedKit {
    /// Which code this is about; the next one drawn has the next number.
    pub number: u32,
    /// Salt of the verifier, in lower-case hexadecimal digits.
    pub salt: String,
    /// Rounds of PBKDF2 with HMAC-SHA256.
    pub rounds: u32,
    /// What the code becomes, in lower-case hexadecimal digits.
    pub verifier: String,
    /// What a guest of the tablet's last class is offered.
    pub documents: Vec<Shortcut>,
}

/// Answer to `GET, POST /api/v1/unplugged-code`: for staff to note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnpluggedCode {
    /// Six digits.
    pub code: String,
}

/// `POST /api/v1/tablets/me/stays`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToldStays {
    /// [`MAX_STAYS_TOLD`] at most.
    pub stays: Vec<ToldStay>,
}

/// One stay without the box, of somebody whom nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStay {
    /// Drawn by the tablet; told again, it is the same stay.
    pub stay_id: SessionId,
    /// How long it lasted, in seconds.
    pub lasted_s: u32,
    /// How long ago it began, in seconds, if the tablet knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ago_s: Option<u32>,
}
