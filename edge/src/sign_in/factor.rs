//! Second factors and passwords: Argon2id, one at a time (each takes 9 MB and some 20 ms), off the runtime's threads.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use preau_shared::{
    badge::{ShortHash, StandIn},
    dice::Dice,
    keys::{hmac_sha256, pbkdf2_sha256},
    refusal::Refusal,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task,
    time::timeout,
};

use super::decide::Said;
use crate::store::Trouble;

/// Longest secret that is looked at, in bytes.
pub(crate) const MAX_SECRET_BYTES: usize = 128;
/// Memory of a hash made here, in KiB, and passes over it (`shared/decisions/` 5).
const MEMORY_KIB: u32 = 9_216;
const PASSES: u32 = 4;
const SALT_BYTES: usize = 16;
/// Who waits longer for a turn is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The one place where secrets are compared.
#[derive(Debug)]
pub(crate) struct Factors {
    turn: Semaphore,
}

impl Default for Factors {
    fn default() -> Self {
        Self { turn: Semaphore::new(1) }
    }
}

impl Factors {
    /// [`stand_in_hash`], in its turn.
    ///
    /// # Errors
    /// `overloaded` when too many wait.
    pub(crate) async fn stand_in(&self, code: StandIn, key: [u8; 32]) -> Result<ShortHash, Trouble> {
        let _turn = self.turn().await?;
        task::spawn_blocking(move || stand_in_hash(&code, &key)).await.map_err(|_| Trouble::from(Refusal::Failed))?
    }

    /// What a tablet checks a code by ([`super::unplugged`]), in its turn.
    ///
    /// # Errors
    /// `overloaded` when too many wait.
    pub(crate) async fn stretch(&self, code: String, salt: [u8; 16], rounds: NonZeroU32) -> Result<[u8; 32], Trouble> {
        let _turn = self.turn().await?;
        let stretched = task::spawn_blocking(move || pbkdf2_sha256(code.as_bytes(), &salt, rounds));
        stretched.await.map_err(|_| Refusal::Failed.into())
    }

    /// [`slow_hash`], in its turn.
    ///
    /// # Errors
    /// `overloaded` when too many wait.
    pub(crate) async fn make(&self, secret: String, dice: Arc<dyn Dice>) -> Result<String, Trouble> {
        let _turn = self.turn().await?;
        let made = task::spawn_blocking(move || slow_hash(&secret, dice.as_ref()));
        made.await.map_err(|_| Trouble::from(Refusal::Failed))?
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Trouble> {
        let turn = timeout(MAX_WAIT, self.turn.acquire()).await;
        turn.map_err(|_| Trouble::for_now(Refusal::Overloaded, 2))?.map_err(|_| Refusal::Overloaded.into())
    }

    /// Whether `secret` fits one of these PHC strings.
    ///
    /// # Errors
    /// `overloaded` when too many wait.
    pub(crate) async fn hear(&self, secret: Option<&str>, phcs: Vec<String>) -> Result<Said, Trouble> {
        let Some(secret) = secret.map(str::trim).filter(|s| !s.is_empty()) else { return Ok(Said::Nothing) };
        if phcs.is_empty() || secret.len() > MAX_SECRET_BYTES {
            return Ok(Said::Wrong);
        }
        let _turn = self.turn().await?;
        let secret = secret.to_owned();
        let heard = task::spawn_blocking(move || phcs.iter().any(|phc| fits(phc, &secret)));
        Ok(if heard.await.unwrap_or(false) { Said::Right } else { Said::Wrong })
    }
}

/// What is stored of what stands in for a badge: Argon2id as for other secrets, under a salt of the territory's own, so that one hash
/// finds the badge. The parameters are a promise: badges that were printed are found by them.
///
/// # Errors
/// Never with these parameters; said all the same.
pub(crate) fn stand_in_hash(code: &StandIn, territory_badge_key: &[u8; 32]) -> Result<ShortHash, Trouble> {
    let salt = hmac_sha256(territory_badge_key, b"preau stand-in 1");
    let mut hash = [0; 32];
    argon2()?.hash_password_into(&code.secret(), &salt, &mut hash).map_err(broken)?;
    Ok(ShortHash(hash))
}

/// The PHC string of a secret made here. Tens of milliseconds: not for the runtime's threads.
///
/// # Errors
/// Never with these parameters; said all the same.
pub(crate) fn slow_hash(secret: &str, dice: &dyn Dice) -> Result<String, Trouble> {
    let mut salt = [0; SALT_BYTES];
    dice.fill(&mut salt);
    Ok(argon2()?.hash_password_with_salt(secret.as_bytes(), &salt).map_err(broken)?.to_string())
}

fn argon2() -> Result<Argon2<'static>, Trouble> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(broken)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn broken(error: impl std::fmt::Display) -> Trouble {
    Trouble::because(Refusal::Failed, error.to_string())
}

/// A hash that cannot be read fits nothing.
fn fits(phc: &str, secret: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}
