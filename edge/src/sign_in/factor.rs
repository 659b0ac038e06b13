//! Second factors and passwords: Argon2id, one at a time (each takes 9 MB and some 20 ms), off the runtime's threads.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use preau_shared::{
    badge::{ShortHash, StandIn},
    dice::Dice,
    keys::pbkdf2_sha256,
    refusal::Refusal,
    rig::slow::{fits, slow_hash, stand_in_hash},
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
        let made = task::spawn_blocking(move || stand_in_hash(&code, &key));
        Ok(made.await.map_err(|_| Trouble::from(Refusal::Failed))??)
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
        Ok(made.await.map_err(|_| Trouble::from(Refusal::Failed))??)
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
