//! Programs that clear on a tablet what its page cannot reach.

use serde::{Deserialize, Serialize};

use super::WipeOrder;
use crate::{ids::TabletId, keys::dpop::Jwk};

/// `POST /api/v1/agents`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BindAgent {
    /// The enrolment code that an adult opened.
    pub code: String,
    /// What is written on the tablet, which is enrolled already …
    #[serde(default)]
    pub tablet: String,
    /// … or its serial number.
    #[serde(default)]
    pub serial: Option<String>,
    /// What the agent calls itself: `headwind`, `freekiosk`, …
    pub kind: String,
    /// What it clears: `downloads`, `camera`, `apps`, `clipboard`.
    pub steps: Vec<String>,
    /// Public half of its own key.
    pub key: Jwk,
}

/// Answer to [`BindAgent`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentBound {
    /// On which tablet.
    pub tablet_id: TabletId,
    /// The agent's token.
    pub token: String,
}

/// `GET /api/v1/agents/me`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentSelf {
    /// On which tablet.
    pub tablet_id: TabletId,
    /// What it is to clear now, until it has reported each step done.
    #[serde(default)]
    pub wipe: Option<WipeOrder>,
}
