//! What opens a store: a passphrase (Argon2id, RFC 9106) or a key file.
//!
//! Either opens the store's own random key, from which three are derived (HMAC-SHA256): one seals pieces, one seals
//! manifests, one names pieces. A piece's name is its keyed hash, so that an onlooker cannot tell whether a store holds a
//! file that he knows. What is sealed is bound to its place by the additional data: nothing can be moved or swapped.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{BackupError, file};
use crate::{dice::Dice, keys::hmac_sha256};

/// A passphrase has at least so many characters.
pub const MIN_PASSPHRASE: usize = 12;
/// Memory of Argon2id in KiB, passes and lanes: the second setting that RFC 9106 §4 recommends.
const COST: (u32, u32, u32) = (64 * 1024, 3, 4);
/// A header may not ask for more: it could come from a stranger's stick.
const MAX_COST: (u32, u32, u32) = (1024 * 1024, 16, 16);
/// Version of everything that is sealed.
const VERSION: u8 = 1;

/// What somebody opens a store with.
pub enum Secret {
    /// Typed, or read from a file.
    Passphrase(String),
    /// From a key file.
    Key([u8; 32]),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase",
            Self::Key(_) => "Key",
        })
    }
}

/// Reads a key file: 64 hexadecimal digits, readable by its owner only.
///
/// # Errors
/// When it cannot be read, others can read it, or it holds something else.
pub fn read_key_file(path: &Path) -> Result<Secret, BackupError> {
    let mut text = String::new();
    let mut open = fs::File::open(path).map_err(file(path))?;
    if open.metadata().map_err(file(path))?.permissions().mode() & 0o077 != 0 {
        return Err(BackupError::KeyFile(path.into(), "others can read this key: chmod 600, or make a new one"));
    }
    Read::by_ref(&mut open).take(128).read_to_string(&mut text).map_err(file(path))?;
    let key = HEXLOWER.decode(text.trim().as_bytes()).ok().and_then(|key| key.try_into().ok());
    key.map(Secret::Key).ok_or_else(|| BackupError::KeyFile(path.into(), "not a key file: 64 hexadecimal digits"))
}

/// Draws a key and writes its file, mode 0600; a file that is there is left alone.
///
/// # Errors
/// When the file is there or cannot be written.
pub fn make_key_file(path: &Path, dice: &dyn Dice) -> Result<Secret, BackupError> {
    let mut key = [0; 32];
    dice.fill(&mut key);
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file(path))?;
    let line = format!("{}\n", HEXLOWER.encode(&key));
    new.write_all(line.as_bytes()).and_then(|()| new.sync_all()).map_err(file(path))?;
    Ok(Secret::Key(key))
}

/// The first file of a store, in clear: how its key is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    version: u8,
    opens: Opens,
    /// The store's key, sealed; hexadecimal.
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Opens {
    KeyFile,
    Argon2id { salt: String, memory_kib: u32, passes: u32, lanes: u32 },
}

/// The three keys of an open store.
pub(super) struct Keys {
    pub(super) pieces: Sealer,
    pub(super) manifests: Sealer,
    names: [u8; 32],
}

impl Keys {
    fn derive(of_store: &[u8; 32]) -> Result<Self, BackupError> {
        let key = |what: &str| hmac_sha256(of_store, format!("preau backup {VERSION} {what}").as_bytes());
        Ok(Self {
            pieces: Sealer::new(&key("pieces"))?,
            manifests: Sealer::new(&key("manifests"))?,
            names: key("names"),
        })
    }
    /// The keyed name of a piece.
    pub(super) fn name(&self, piece: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.names, piece)
    }
}

impl Header {
    /// A new store's header and keys.
    pub(super) fn make(secret: &Secret, dice: &dyn Dice) -> Result<(Self, Keys), BackupError> {
        let opens = match secret {
            Secret::Key(_) => Opens::KeyFile,
            Secret::Passphrase(text) if text.chars().count() < MIN_PASSPHRASE => {
                return Err(BackupError::ShortPassphrase(MIN_PASSPHRASE));
            }
            Secret::Passphrase(_) => {
                let mut salt = [0; 16];
                dice.fill(&mut salt);
                let (memory_kib, passes, lanes) = COST;
                Opens::Argon2id { salt: HEXLOWER.encode(&salt), memory_kib, passes, lanes }
            }
        };
        let mut header = Self { version: VERSION, opens, key: String::new() };
        let wrapping = header.opens.wrapping(secret).ok_or(BackupError::Cipher)?;
        let mut of_store = [0; 32];
        dice.fill(&mut of_store);
        let sealed = Sealer::new(&wrapping)?.seal(dice, &header.bound(), of_store.to_vec())?;
        header.key = HEXLOWER.encode(&sealed);
        Ok((header, Keys::derive(&of_store)?))
    }

    /// As it stands in the file: one line of JSON, always the same bytes for the same header.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the file; `path` is for what is said of it.
    pub(super) fn decode(path: &Path, text: &[u8]) -> Result<Self, BackupError> {
        let damaged = || BackupError::Damaged(path.into(), "restore this one file from a copy of the store");
        let header: Self = serde_json::from_slice(text).map_err(|_| damaged())?;
        if header.version > VERSION {
            return Err(BackupError::Newer(path.into()));
        }
        // Only our own spelling: a changed byte is found wherever it stands.
        if header.encode() == text { Ok(header) } else { Err(damaged()) }
    }

    /// The keys, when the secret is right. A changed header and a wrong secret look alike.
    pub(super) fn open(&self, secret: &Secret) -> Option<Keys> {
        let wrapping = self.opens.wrapping(secret)?;
        let sealed = HEXLOWER.decode(self.key.as_bytes()).ok()?;
        let of_store = Sealer::new(&wrapping).ok()?.open(&self.bound(), &sealed)?;
        Keys::derive(&of_store.try_into().ok()?).ok()
    }

    /// Everything of the header but the key itself.
    fn bound(&self) -> Vec<u8> {
        Self { key: String::new(), ..self.clone() }.encode()
    }
}

impl Opens {
    /// The key that wraps the store's; none when the secret is of the other kind or the cost is absurd.
    fn wrapping(&self, secret: &Secret) -> Option<[u8; 32]> {
        match (self, secret) {
            (Self::KeyFile, Secret::Key(key)) => Some(hmac_sha256(key, b"preau backup 1 key file")),
            (Self::Argon2id { salt, memory_kib, passes, lanes }, Secret::Passphrase(text)) => {
                if *memory_kib > MAX_COST.0 || *passes > MAX_COST.1 || *lanes > MAX_COST.2 {
                    return None;
                }
                let salt = HEXLOWER.decode(salt.as_bytes()).ok()?;
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32)).ok()?;
                let mut key = [0; 32];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                argon2.hash_password_into(text.as_bytes(), &salt, &mut key).ok()?;
                Some(key)
            }
            (Self::KeyFile, Secret::Passphrase(_)) | (Self::Argon2id { .. }, Secret::Key(_)) => None,
        }
    }
}

/// AES-256-GCM (NIST SP 800-38D) with nonces drawn at random: version (1 byte), nonce (12), ciphertext, tag (16). A store
/// stays far below the 2³² sealings that the standard allows one key.
pub(super) struct Sealer(LessSafeKey);

impl Sealer {
    fn new(key: &[u8; 32]) -> Result<Self, BackupError> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| BackupError::Cipher)
    }

    /// Seals `plain` for the place that `about` names.
    pub(super) fn seal(&self, dice: &dyn Dice, about: &[u8], mut plain: Vec<u8>) -> Result<Vec<u8>, BackupError> {
        let mut nonce = [0; NONCE_LEN];
        dice.fill(&mut nonce);
        let mut sealed = vec![VERSION];
        sealed.extend(nonce);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(nonce, Aad::from(about), &mut plain).map_err(|_| BackupError::Cipher)?;
        sealed.append(&mut plain);
        Ok(sealed)
    }

    /// What was sealed for that place; none when a bit or the place differs.
    pub(super) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let sealed = sealed.strip_prefix(&[VERSION])?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = self.0.open_in_place(nonce, Aad::from(about), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}
