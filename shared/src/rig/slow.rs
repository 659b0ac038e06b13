//! Secrets that people choose or type are hashed slowly on purpose: Argon2id, for box and coordinator alike. Each hash takes
//! 9 MB and tens of milliseconds: not for a runtime's threads (`shared/decisions/0005-slow-hashes.md`).

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};

use crate::{
    badge::{ShortHash, StandIn},
    dice::Dice,
    keys::hmac_sha256,
};

/// Memory of one hash, in KiB: of OWASP's equally strong settings for Argon2id the one with 9 MiB, because a box verifies
/// within 40 MB of memory of its own.
const MEMORY_KIB: u32 = 9_216;
/// Passes over it.
const PASSES: u32 = 4;
/// Lanes.
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;

/// The hash could not be made. Never with the parameters above; said all the same.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the secret could not be hashed")]
pub struct SlowError;

/// The PHC string of a secret, its salt from the dice.
///
/// # Errors
/// [`SlowError`].
pub fn slow_hash(secret: &str, dice: &dyn Dice) -> Result<String, SlowError> {
    let mut salt = [0; SALT_BYTES];
    dice.fill(&mut salt);
    let hash = argon2()?.hash_password_with_salt(secret.as_bytes(), &salt).map_err(|_| SlowError)?;
    Ok(hash.to_string())
}

/// Whether a secret is the one that was hashed. As slow as hashing; a hash that cannot be read fits nothing.
pub fn fits(phc: &str, secret: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}

/// What is stored of what stands in for a badge: as for other secrets, but under a salt of the territory's own, so that one
/// hash finds the badge. The parameters are a promise: badges that were printed are found by them.
///
/// # Errors
/// [`SlowError`].
pub fn stand_in_hash(code: &StandIn, territory_badge_key: &[u8; 32]) -> Result<ShortHash, SlowError> {
    let salt = hmac_sha256(territory_badge_key, b"preau stand-in 1");
    let mut hash = [0; 32];
    argon2()?.hash_password_into(&code.secret(), &salt, &mut hash).map_err(|_| SlowError)?;
    Ok(ShortHash(hash))
}

fn argon2() -> Result<Argon2<'static>, SlowError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| SlowError)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{badge::ShortCode, dice::Seeded};

    #[test]
    fn a_hash_states_its_parameters_and_knows_its_secret() {
        let hash = slow_hash("4217", &Seeded::new(1)).expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=9216,t=4,p=1$"), "{hash}");
        assert!(fits(&hash, "4217"));
        assert!(!fits(&hash, "4218"));
        assert!(!fits("4217", "4217"), "what is no hash matches nothing");
    }

    #[test]
    fn a_printed_short_code_is_found_for_ever() {
        let code = ShortCode::parse("ABCD EFGH").expect("a code");
        let hash = stand_in_hash(&StandIn::Short(code), &[7; 32]).expect("hash");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&hash.0),
            "1b68ef8f540d5360d46e7e287b83aa5437c64b6ecbe02a6e6169b538f4eaae10"
        );
    }
}
