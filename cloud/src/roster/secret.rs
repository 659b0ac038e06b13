//! Secrets that people choose or type: hashed slowly on purpose.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use preau_shared::dice::Dice;

/// Memory of one hash, in KiB: of OWASP's equally strong settings for Argon2id the one with 9 MiB, because a box verifies
/// within 40 MB of memory of its own.
const MEMORY_KIB: u32 = 9_216;
/// Passes over it.
const PASSES: u32 = 4;
/// Lanes.
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// The hash could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the secret could not be hashed")]
pub(crate) struct SlowError;

/// Argon2id with the parameters above, and salts from the dice.
#[derive(Clone)]
pub(crate) struct Slow {
    dice: Arc<dyn Dice>,
}

impl Slow {
    pub(crate) fn new(dice: Arc<dyn Dice>) -> Self {
        Self { dice }
    }

    /// The PHC string of a secret. Takes tens of milliseconds: not for the runtime's threads.
    pub(crate) fn hash(&self, secret: &str) -> Result<String, SlowError> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| SlowError)?;
        let mut salt = [0; SALT_BYTES];
        self.dice.fill(&mut salt);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(secret.as_bytes(), &salt).map_err(|_| SlowError)?;
        Ok(hash.to_string())
    }
}

/// Whether a secret is the one that was hashed. As slow as hashing.
pub(crate) fn is_same(phc: &str, secret: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn a_hash_states_its_parameters_and_knows_its_secret() {
        let hash = Slow::new(Arc::new(Seeded::new(1))).hash("4217").expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=9216,t=4,p=1$"), "{hash}");
        assert!(is_same(&hash, "4217"));
        assert!(!is_same(&hash, "4218"));
        assert!(!is_same("4217", "4217"), "what is no hash matches nothing");
    }
}
