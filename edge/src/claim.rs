//! Joining the territory: a code on paper becomes an identity (`identity/`).
//!
//! The four keys are made here and never leave the box; they are written before they are shown to anybody, so that a
//! claim that was cut short goes on with the same keys and gets the same answer. The grant is written last: its
//! presence says that the box is claimed.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;
use hyper::Method;
use preau_shared::{
    dice::Dice as _,
    keys::{KeyError, SigningKey},
    rig::{
        dice::SystemDice,
        fetch::{Client, FetchError},
        keep,
        tls::{self, TlsError},
    },
    wire::{self, ClaimAnswer, ClaimGrant},
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use serde::Deserialize;

use crate::identity::{
    FOLDER, GRANT, Identity, LAN_KEY, MQTT_KEY, SIGNING_SEED,
    seals::{OwnSeals, SEAL_KEYS, SealsError},
};

/// The coordinator must answer within.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two questions while somebody compares the words.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Somebody must have compared the words within; the claim may be repeated for the life of its code.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30 * 60);
/// Unreachable coordinators are asked again so often before the claim gives up.
const TRIES: u32 = 5;

/// Why the box is not claimed. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// A key of an earlier, unfinished claim is damaged.
    #[error("{0} is damaged: delete the folder `identity` and claim again with a new code")]
    Damaged(PathBuf),
    /// The authority file is not usable.
    #[error("--ca-file: {0}")]
    Authority(#[from] TlsError),
    /// The coordinator cannot be reached.
    #[error("{0}: check the address, the network and that the --ca-file is the one handed over with the code")]
    Unreachable(#[from] FetchError),
    /// The coordinator says no.
    #[error("the coordinator refuses: {0}")]
    Refused(String),
    /// The coordinator answers something else.
    #[error("this is not a Préau coordinator, or one of another version: {0}")]
    Answer(String),
    /// Nobody confirmed.
    #[error("nobody confirmed the three words: ask the DSI, then run the same command again")]
    NotConfirmed,
    /// A key cannot be made.
    #[error("keys: {0}")]
    Keys(String),
}

impl From<SealsError> for ClaimError {
    fn from(error: SealsError) -> Self {
        match error {
            SealsError::File(path, why) => Self::File(path, why),
            SealsError::Damaged(path) => Self::Damaged(path),
            SealsError::Key(why) => why.into(),
        }
    }
}

impl From<rcgen::Error> for ClaimError {
    fn from(error: rcgen::Error) -> Self {
        Self::Keys(error.to_string())
    }
}

impl From<KeyError> for ClaimError {
    fn from(error: KeyError) -> Self {
        Self::Keys(error.to_string())
    }
}

/// What a problem says to people.
#[derive(Deserialize)]
struct Sentence {
    #[serde(default)]
    title: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    detail: String,
}

/// Claims the box in `dir` and says on standard output what to do next. A repeat for a claimed box changes nothing.
///
/// # Errors
/// [`ClaimError`].
pub(crate) async fn claim(dir: &Path, code: &str, cloud: &str, ca_file: &Path) -> Result<(), ClaimError> {
    if let Ok((identity, _)) = Identity::read(dir) {
        say(&format!(
            "This box is already claimed: {} of {} ({}). Nothing was changed.",
            identity.grant.box_id, identity.grant.school_name, identity.grant.uai
        ));
        return Ok(());
    }
    let folder = dir.join(FOLDER);
    keep::secret_folder(&folder).map_err(|e| ClaimError::File(folder.clone(), e))?;
    let authority = std::fs::read_to_string(ca_file).map_err(|e| ClaimError::File(ca_file.to_owned(), e))?;
    let client = Client::new(cloud, tls::client(&authority, None)?, PATIENCE)?;
    let request = wire::Claim {
        code: code.trim().to_owned(),
        signing_key: HEXLOWER.encode(&signing_key(&folder.join(SIGNING_SEED))?.public().0),
        seal_key: HEXLOWER.encode(&OwnSeals::first(&folder.join(SEAL_KEYS), &SystemDice)?.newest()?.1.0),
        mqtt_request: request(&folder.join(MQTT_KEY))?,
        lan_request: request(&folder.join(LAN_KEY))?,
    };
    let grant = granted(&client, &request).await?;
    let path = folder.join(GRANT);
    let bytes = serde_json::to_vec_pretty(&grant).map_err(|e| ClaimError::Answer(e.to_string()))?;
    keep::secret(&path, &bytes).map_err(|e| ClaimError::File(path, e))?;
    say(&format!(
        "This box is now {} of {} ({}).\nStart it: preau-edge serve --dir {}",
        grant.box_id,
        grant.school_name,
        grant.uai,
        dir.display()
    ));
    Ok(())
}

/// Asks until the grant is here, showing the words while somebody must compare them.
async fn granted(client: &Client, request: &wire::Claim) -> Result<ClaimGrant, ClaimError> {
    let body = serde_json::to_vec(request).map_err(|e| ClaimError::Answer(e.to_string()))?;
    let mut waited = Duration::ZERO;
    let mut failed = 0_u32;
    let mut shown = false;
    while waited <= CONFIRM_WITHIN {
        let headers = [("accept-language", "fr")];
        let answer = match client.send(Method::POST, "/api/v1/claims", &headers, Some(body.clone())).await {
            Ok(answer) => answer,
            Err(error) => {
                failed = failed.saturating_add(1);
                if failed >= TRIES {
                    return Err(error.into());
                }
                tokio::time::sleep(ASK_EVERY).await;
                waited = waited.saturating_add(ASK_EVERY);
                continue;
            }
        };
        failed = 0;
        if !matches!(answer.status, 200 | 202) {
            return Err(refusal(answer.status, &answer.body));
        }
        let answer: ClaimAnswer = answer.json().map_err(|e| ClaimError::Answer(e.to_string()))?;
        if let Some(grant) = answer.grant {
            return Ok(grant);
        }
        if !shown {
            shown = true;
            say(&format!(
                "Read these three words to the DSI, who sees the same ones:\n\n    {}\n\nWaiting for their yes…",
                answer.words.join("  ")
            ));
        }
        tokio::time::sleep(ASK_EVERY).await;
        waited = waited.saturating_add(ASK_EVERY);
    }
    Err(ClaimError::NotConfirmed)
}

fn refusal(status: u16, body: &[u8]) -> ClaimError {
    match serde_json::from_slice::<Sentence>(body) {
        Ok(said) => {
            let parts = [said.title, said.detail, said.next];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            ClaimError::Refused(if parts.is_empty() { format!("HTTP {status}") } else { parts.join(" ") })
        }
        Err(_) => ClaimError::Answer(format!("HTTP {status}")),
    }
}

/// The key of an earlier, unfinished claim or, the first time, a new one.
fn signing_key(path: &Path) -> Result<SigningKey, ClaimError> {
    let seed = match kept(path)? {
        Some(text) => {
            let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| ClaimError::Damaged(path.to_owned()))?
        }
        None => {
            let mut seed = [0; 32];
            SystemDice.fill(&mut seed);
            keep::secret(path, HEXLOWER.encode(&seed).as_bytes()).map_err(|e| ClaimError::File(path.to_owned(), e))?;
            seed
        }
    };
    Ok(SigningKey::from_seed(&seed)?)
}

/// A certificate request (PKCS#10, PEM) for the key in `path`, made if need be. It names nobody: the names in the
/// certificate are the coordinator's to choose.
fn request(path: &Path) -> Result<String, ClaimError> {
    let key = match kept(path)? {
        Some(text) => KeyPair::from_pem(&text).map_err(|_| ClaimError::Damaged(path.to_owned()))?,
        None => {
            let key = KeyPair::generate()?;
            keep::secret(path, key.serialize_pem().as_bytes()).map_err(|e| ClaimError::File(path.to_owned(), e))?;
            key
        }
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&key)?.pem()?)
}

fn kept(path: &Path) -> Result<Option<String>, ClaimError> {
    let bytes = keep::read(path).map_err(|e| ClaimError::File(path.to_owned(), e))?;
    bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| ClaimError::Damaged(path.to_owned()))).transpose()
}

/// Standard output is where a claim speaks; if nobody reads it, the claim goes on.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_claim_uses_the_same_keys() {
        let dir = tempfile::tempdir().expect("dir");
        let (seed, key) = (dir.path().join(SIGNING_SEED), dir.path().join(MQTT_KEY));
        let public = signing_key(&seed).expect("made").public();
        assert_eq!(signing_key(&seed).expect("kept").public(), public);
        request(&key).expect("made");
        let pem = std::fs::read_to_string(&key).expect("there");
        request(&key).expect("kept");
        assert_eq!(std::fs::read_to_string(&key).expect("there"), pem);
        std::fs::write(&key, "x").expect("damage");
        assert!(matches!(request(&key), Err(ClaimError::Damaged(_))));
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        let body = br#"{"title":"Ce code n'est pas valable.","next":"Demandez-en un autre.","status":403}"#;
        let said = refusal(403, body).to_string();
        assert!(said.contains("pas valable") && said.contains("Demandez"), "{said}");
        assert!(matches!(refusal(404, b"<html>"), ClaimError::Answer(_)));
    }
}
