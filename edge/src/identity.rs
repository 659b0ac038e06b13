//! Who this box is: what the claim wrote into `identity/`, read back and checked at start.

pub(crate) mod seals;

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use preau_shared::{
    keys::{PublicKey, SigningKey},
    replica::SealPublic,
    wire::ClaimGrant,
};

/// Folder inside the box's own.
pub(crate) const FOLDER: &str = "identity";
/// The coordinator's grant, JSON.
pub(crate) const GRANT: &str = "grant.json";
/// Key of the MQTT certificate, PKCS#8 PEM.
pub(crate) const MQTT_KEY: &str = "mqtt.key";
/// Key of the local network's certificate, PKCS#8 PEM.
pub(crate) const LAN_KEY: &str = "lan.key";
/// Seed of the Ed25519 key that signs runs, hexadecimal.
pub(crate) const SIGNING_SEED: &str = "signing.seed";

/// A claimed box.
pub(crate) struct Identity {
    /// What the coordinator granted.
    pub(crate) grant: ClaimGrant,
    /// Key of the MQTT certificate.
    pub(crate) mqtt_key: String,
    /// Key of the local network's certificate.
    pub(crate) lan_key: String,
    /// Checks the coordinator's runs.
    pub(crate) writer_key: PublicKey,
    /// Keys the hashes of badges.
    pub(crate) badge_key: [u8; 32],
    /// Batches for the coordinator are sealed to it, until the school's document tells of another.
    pub(crate) seal_key: SealPublic,
}

/// The box has no usable identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// No claim was made in this folder.
    #[error("{0}: this box is not claimed yet: run `preau-edge claim CODE --dir DIR` with the code that the DSI gave")]
    NotClaimed(PathBuf),
    /// A file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A file holds something else.
    #[error("{0}: not what a claim writes: restore it from the backup, or claim again with a new code")]
    Content(PathBuf),
}

impl Identity {
    /// Reads the identity of the box in `dir`, and the key that signs its runs.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what to do.
    pub(crate) fn read(dir: &Path) -> Result<(Self, SigningKey), IdentityError> {
        let folder = dir.join(FOLDER);
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    IdentityError::NotClaimed(folder.clone())
                } else {
                    IdentityError::Read(path, e)
                }
            })
        };
        let content = |name: &str| IdentityError::Content(folder.join(name));
        let grant: ClaimGrant = serde_json::from_str(&read(GRANT)?).map_err(|_| content(GRANT))?;
        let seed = hex32(read(SIGNING_SEED)?.trim()).ok_or_else(|| content(SIGNING_SEED))?;
        let signing = SigningKey::from_seed(&seed).map_err(|_| content(SIGNING_SEED))?;
        let identity = Self {
            mqtt_key: read(MQTT_KEY)?,
            lan_key: read(LAN_KEY)?,
            writer_key: PublicKey(hex32(&grant.writer_key).ok_or_else(|| content(GRANT))?),
            badge_key: hex32(&grant.badge_key).ok_or_else(|| content(GRANT))?,
            seal_key: SealPublic(hex32(&grant.seal_key).ok_or_else(|| content(GRANT))?),
            grant,
        };
        Ok((identity, signing))
    }
}

fn hex32(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
