//! Signatures, keyed hashes and tokens, all by the primitives of the TLS provider (aws-lc).

pub mod dpop;

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, signature};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// [`sha256`] of bytes that come one after the other.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256")
    }
}

impl Sha256 {
    /// More of them.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all.
    pub fn finish(self) -> [u8; 32] {
        fixed(self.0.finish().as_ref())
    }
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    fixed(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref())
}

/// PBKDF2 with HMAC-SHA256 (RFC 8018), the one slow hash that every browser has.
pub fn pbkdf2_sha256(secret: &[u8], salt: &[u8], rounds: NonZeroU32) -> [u8; 32] {
    let mut hash = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, secret, &mut hash);
    hash
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same_secret(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// A bearer secret: 32 random bytes in base64url. Only its [`sha256`] is stored.
pub fn draw_token(dice: &dyn Dice) -> String {
    let mut bytes = [0; 32];
    dice.fill(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

fn fixed(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or([0; 32])
}

/// A key was not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key cannot be used")]
pub struct KeyError;

/// A signature does not fit its bytes and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit")]
pub struct BadSignature;

/// An Ed25519 signing key (RFC 8032), made from a 32-byte seed.
pub struct SigningKey(signature::Ed25519KeyPair);

impl SigningKey {
    /// The key of this seed.
    ///
    /// # Errors
    /// [`KeyError`] when the provider refuses the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        signature::Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError)
    }
    /// Signs; 64 bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
    /// The key that checks this one's signatures.
    pub fn public(&self) -> PublicKey {
        use signature::KeyPair as _;
        PublicKey(fixed(self.0.public_key().as_ref()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {:?})", self.public())
    }
}

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Checks a signature.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not fit.
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        signature::UnparsedPublicKey::new(&signature::ED25519, self.0)
            .verify(bytes, signature)
            .map_err(|_| BadSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_its_bytes_only() {
        let key = SigningKey::from_seed(&[7; 32]).expect("key");
        let signature = key.sign(b"runs");
        assert_eq!(key.public().verify(b"runs", &signature), Ok(()));
        assert_eq!(key.public().verify(b"rums", &signature), Err(BadSignature));
        assert_eq!(key.public().verify(b"runs", b"short"), Err(BadSignature));
    }
}
