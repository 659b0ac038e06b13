//! Second factors and passwords: Argon2id, one at a time (each takes 9 MB and some 20 ms), off the runtime's threads.

use std::time::Duration;

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier as _, phc::PasswordHash},
};
use preau_shared::refusal::Refusal;
use tokio::{sync::Semaphore, task, time::timeout};

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
    /// Whether `secret` fits one of these PHC strings.
    ///
    /// # Errors
    /// `overloaded` when too many wait.
    pub(crate) async fn hear(&self, secret: Option<&str>, phcs: Vec<String>) -> Result<Said, Trouble> {
        let Some(secret) = secret.map(str::trim).filter(|s| !s.is_empty()) else { return Ok(Said::Nothing) };
        if phcs.is_empty() || secret.len() > MAX_SECRET_BYTES {
            return Ok(Said::Wrong);
        }
        let _turn = timeout(MAX_WAIT, self.turn.acquire())
            .await
            .map_err(|_| Trouble::for_now(Refusal::Overloaded, 2))?
            .map_err(|_| Trouble::from(Refusal::Overloaded))?;
        let secret = secret.to_owned();
        let heard = task::spawn_blocking(move || phcs.iter().any(|phc| fits(phc, &secret)));
        Ok(if heard.await.unwrap_or(false) { Said::Right } else { Said::Wrong })
    }
}

/// A hash that cannot be read fits nothing.
fn fits(phc: &str, secret: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}
