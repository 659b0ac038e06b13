//! Who may come in: the administrator's token and password, in files that only the coordinator's account reads.
//!
//! Both are drawn at the first start. The password file holds a password, or the PHC string of one (Argon2id) for who
//! does not want it written down.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use data_encoding::BASE32_NOPAD;
use preau_shared::{
    dice::Dice,
    keys::{draw_token, same_secret, sha256},
    rig::{
        keep,
        slow::{fits, slow_hash},
    },
    time::Elapsed,
};
use tokio::sync::Semaphore;

/// The one administrator of a new coordinator.
pub(super) const USER: &str = "dsi";
/// Folder of the two files, in the coordinator's folder.
const FOLDER: &str = "admin";
/// Random bytes of a drawn password: 16 characters.
const PASSWORD_BYTES: usize = 10;
/// Longest password that is looked at, in bytes.
pub(super) const MAX_PASSWORD_BYTES: usize = 128;
/// Wrong passwords of one address before it must wait.
const MAX_WRONG: u32 = 5;
/// … and for how long.
const WAIT: Duration = Duration::from_secs(60);
/// Addresses remembered; beyond it the oldest is forgotten.
const MAX_ADDRESSES: usize = 1_024;
/// Passwords checked at once: each takes 9 MB.
const CHECKS: usize = 1;

/// The administrator's secrets, as they are compared.
pub(crate) struct Door {
    token_hash: [u8; 32],
    password: String,
    wrong: Mutex<BTreeMap<IpAddr, (Elapsed, u32)>>,
    checks: Arc<Semaphore>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl Door {
    /// Reads the two files, or draws them.
    pub(crate) fn open(dir: &Path, dice: &Arc<dyn Dice>) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        keep::secret_folder(&folder)?;
        let token = kept(&folder.join("token"), || draw_token(dice.as_ref()))?;
        let password = kept(&folder.join("password"), || {
            let mut bytes = [0; PASSWORD_BYTES];
            dice.fill(&mut bytes);
            BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
        })?;
        let password = if password.starts_with("$argon2id$") {
            password
        } else {
            slow_hash(&password, dice.as_ref()).map_err(io::Error::other)?
        };
        let checks = Arc::new(Semaphore::new(CHECKS));
        Ok(Self { token_hash: sha256(token.as_bytes()), password, wrong: Mutex::default(), checks })
    }

    /// Whether this is the API's token.
    pub(super) fn is_token(&self, token: &str) -> bool {
        same_secret(&sha256(token.as_bytes()), &self.token_hash)
    }

    /// How long this address must still wait.
    pub(super) fn wait(&self, from: IpAddr, now: Elapsed) -> Option<Duration> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = wrong.get(&from)?;
        let left = WAIT.saturating_sub(now.since(*since));
        (*count >= MAX_WRONG && !left.is_zero()).then_some(left)
    }

    /// Checks user and password; slow on purpose, one at a time. A wrong one counts against the address.
    pub(super) async fn is_administrator(&self, user: &str, password: String, (from, now): (IpAddr, Elapsed)) -> bool {
        let Ok(turn) = self.checks.clone().acquire_owned().await else { return false };
        let phc = self.password.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let same = password.len() <= MAX_PASSWORD_BYTES && fits(&phc, &password);
            drop(turn);
            same
        });
        // The password is checked even for a wrong user: both take the same time.
        let right = checked.await.unwrap_or(false) && same_secret(user.as_bytes(), USER.as_bytes());
        self.note(from, now, right);
        right
    }

    fn note(&self, from: IpAddr, now: Elapsed, right: bool) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if right {
            wrong.remove(&from);
            return;
        }
        wrong.retain(|_, (since, _)| now.since(*since) < WAIT);
        let oldest = wrong.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| *address);
        if let Some(oldest) = oldest.filter(|_| wrong.len() >= MAX_ADDRESSES) {
            wrong.remove(&oldest);
        }
        let entry = wrong.entry(from).or_insert((now, 0));
        *entry = (now, entry.1.saturating_add(1));
    }
}

/// What a file holds; what is drawn is written first.
fn kept(path: &Path, draw: impl FnOnce() -> String) -> io::Result<String> {
    if let Some(bytes) = keep::read(path)? {
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let text = text.trim();
        if !text.is_empty() {
            return Ok(text.to_owned());
        }
    }
    let text = draw();
    keep::secret(path, format!("{text}\n").as_bytes())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[tokio::test]
    async fn five_wrong_passwords_make_an_address_wait_and_no_other() {
        let dir = tempfile::tempdir().expect("dir");
        let dice: Arc<dyn Dice> = Arc::new(Seeded::new(3));
        let door = Door::open(dir.path(), &dice).expect("open");
        let password = std::fs::read_to_string(dir.path().join("admin/password")).expect("file").trim().to_owned();
        let (here, there): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let now = Elapsed::default();
        for _ in 0..MAX_WRONG {
            assert_eq!(door.wait(here, now), None);
            assert!(!door.is_administrator(USER, "guess".into(), (here, now)).await);
        }
        assert_eq!(door.wait(here, now), Some(WAIT));
        assert_eq!(door.wait(there, now), None);
        assert!(door.is_administrator(USER, password.clone(), (there, now)).await);
        assert!(!door.is_administrator("root", password, (there, now)).await);
        assert_eq!(door.wait(here, now.after(WAIT)), None);
    }

    #[test]
    fn the_token_is_drawn_once() {
        let dir = tempfile::tempdir().expect("dir");
        let open = |seed| {
            let dice: Arc<dyn Dice> = Arc::new(Seeded::new(seed));
            Door::open(dir.path(), &dice).expect("open")
        };
        let first = open(1);
        let token = std::fs::read_to_string(dir.path().join("admin/token")).expect("file");
        assert!(first.is_token(token.trim()) && open(2).is_token(token.trim()));
        assert!(!first.is_token("") && !first.is_token("other"));
    }
}
