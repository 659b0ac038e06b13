//! How a box joins.

use serde::{Deserialize, Serialize};

use crate::ids::{BoxId, ClaimId, Uai};

/// `POST /api/v1/claims`: a box asks to join. Sent again with the same keys until it is granted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// The single-use code.
    pub code: String,
    /// Ed25519 public key that will sign runs, hexadecimal.
    pub signing_key: String,
    /// X25519 public key to which batches for the box will be sealed, hexadecimal. Its number is 0.
    pub seal_key: String,
    /// Certificate request for MQTT (PKCS#10, PEM).
    pub mqtt_request: String,
    /// Certificate request for the local network (PKCS#10, PEM).
    pub lan_request: String,
}

/// Answer to [`Claim`]: 202 with words only, then 200 with the grant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimAnswer {
    /// Which claim.
    pub claim_id: ClaimId,
    /// The three words shown on both sides.
    pub words: [String; 3],
    /// Present once somebody confirmed the words.
    pub grant: Option<ClaimGrant>,
}

/// All that a box needs to live. Secret: it is written to files of mode 0600 and never logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClaimGrant {
    /// The box's name.
    pub box_id: BoxId,
    /// Its school.
    pub uai: Uai,
    /// The school's name.
    pub school_name: String,
    /// Short name for host names.
    pub slug: String,
    /// The territory's slug, as in topics.
    pub territory: String,
    /// PEM chain for MQTT.
    pub mqtt_certificate: String,
    /// PEM chain for the local network.
    pub lan_certificate: String,
    /// PEM of the territory authority, to pin.
    pub authority: String,
    /// The coordinator's replica name (a box id of its own).
    pub coordinator_id: BoxId,
    /// Ed25519 public key of the coordinator's writer, hexadecimal.
    pub writer_key: String,
    /// X25519 public key to which batches for the coordinator are sealed, hexadecimal.
    pub seal_key: String,
    /// Its number.
    pub seal_number: u32,
    /// Territory badge key, hexadecimal.
    pub badge_key: String,
    /// `host:port` of the broker.
    pub mqtt: String,
    /// MQTT keep-alive, in seconds.
    pub keep_alive_s: u16,
}

impl std::fmt::Debug for ClaimGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClaimGrant(box {} of {})", self.box_id, self.uai)
    }
}
