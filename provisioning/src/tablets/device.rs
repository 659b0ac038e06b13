//! One virtual tablet as the box sees it: a key that never leaves it, a source address, proofs of possession.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use hyper::Method;
use preau_shared::{
    keys::dpop::{Expected, TabletKey},
    rig::{
        fetch::{Answer, Client, FetchError},
        tls,
    },
    wire::{Enrol, Enrolled, Receipt, StepOutcome, StepReport, TabletSelf, WipeOrder, WipeStep},
};
use serde::{Serialize, de::DeserializeOwned};

use super::Rig;

/// A tablet waits so long for an answer; a sign-in that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause before a request is sent again because the box's process had gone.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// So long a tablet keeps trying to find its box again.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// A nonce may change between two requests, not between three.
const MAX_NONCES: u32 = 3;

/// Where a device finds its box.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) authority: String,
    pub(super) dns: SocketAddr,
    pub(super) from: IpAddr,
}

/// A request did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The box refused, by a stable code.
    #[error("refused: {0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// The connection was lost and did not come back.
    #[error("the box is gone: {0}")]
    Lost(String),
    /// An answer of another form than the contract's.
    #[error("not as the contract says: {0}")]
    Contract(String),
}

impl Trouble {
    /// A word for counting.
    pub(super) fn code(&self) -> String {
        match self {
            Self::Refused(code) => code.clone(),
            Self::Late => "late".into(),
            Self::Lost(_) => "lost".into(),
            Self::Contract(_) => "contract".into(),
        }
    }
}

/// An answer, and how often the request had to be sent again.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) retries: u32,
}

/// A virtual tablet.
pub(super) struct Device {
    rig: Rig,
    client: Client,
    key: TabletKey,
    nonce: Mutex<Option<String>>,
    token: String,
    pub(super) id: String,
    pub(super) dns: SocketAddr,
    pub(super) from: IpAddr,
}

impl Device {
    /// A tablet fresh from its box, not yet enrolled.
    pub(super) fn new(rig: &Rig, place: &Place) -> anyhow::Result<Self> {
        let client = Client::new(&place.url, tls::client(&place.authority, None)?, PATIENCE)?.from_address(place.from);
        Ok(Self {
            rig: rig.clone(),
            client,
            key: TabletKey::generate()?,
            nonce: Mutex::new(None),
            token: String::new(),
            id: String::new(),
            dns: place.dns,
            from: place.from,
        })
    }

    /// Enrols and does the first wipe.
    pub(super) async fn enrol(&mut self, code: &str, name: String, serial: String) -> Result<(), Trouble> {
        let request = Enrol {
            code: code.into(),
            name,
            model: Some("virtual".into()),
            serial: Some(serial),
            case_id: None,
            capabilities: None,
            key: self.key.jwk().clone(),
        };
        let enrolled: Enrolled = self.ask(Method::POST, "/api/v1/tablets", None, Some(&request)).await?.json(201)?;
        self.token = enrolled.token;
        self.id = enrolled.tablet_id.to_string();
        self.wipe(&WipeOrder { wipe_id: enrolled.wipe_id, steps: enrolled.steps }).await
    }

    /// The tablet token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// What the box knows of this tablet.
    pub(super) async fn myself(&self) -> Result<TabletSelf, Trouble> {
        self.ask(Method::GET, "/api/v1/tablets/me", Some(&self.token), None::<&()>).await?.json(200)
    }

    /// Clears the tablet as ordered and hands the receipt in; a receipt may be repeated.
    pub(super) async fn wipe(&self, order: &WipeOrder) -> Result<(), Trouble> {
        let done = |step: &WipeStep| StepReport { name: step.name.clone(), outcome: StepOutcome::Done };
        let receipt = Receipt { steps: order.steps.iter().map(done).collect() };
        let path = format!("/api/v1/wipes/{}/receipt", order.wipe_id);
        self.ask(Method::POST, &path, Some(&self.token), Some(&receipt)).await?.empty(204)
    }

    /// Sends a proved request. When the box's process has gone, it is sent again until it is back; each time with a
    /// proof of its own.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&impl Serialize>,
    ) -> Result<Answered, Trouble> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|e| Trouble::Contract(e.to_string()))?;
        let began = self.rig.clock.elapsed();
        let mut retries = 0_u32;
        loop {
            match self.once(&method, path, token, body.as_ref()).await {
                Ok(answer) => return Ok(Answered { answer, retries }),
                Err(FetchError::Late(_)) => return Err(Trouble::Late),
                Err(error @ (FetchError::Url(_) | FetchError::Connect { .. } | FetchError::Broken { .. })) => {
                    if self.rig.clock.elapsed().since(began) > RETRY_FOR || self.rig.is_over() {
                        return Err(Trouble::Lost(error.to_string()));
                    }
                    retries = retries.saturating_add(1);
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Vec<u8>>,
    ) -> Result<Answer, FetchError> {
        let url = format!("{}{path}", self.client.base());
        let authorization = token.map(|t| format!("DPoP {t}"));
        let mut tries = 0_u32;
        loop {
            tries = tries.saturating_add(1);
            let proof = self.prove(method, &url, token);
            let mut headers = vec![("dpop", proof.as_str()), ("accept-language", "fr")];
            headers.extend(authorization.as_deref().map(|a| ("authorization", a)));
            let answer = self.client.send(method.clone(), path, &headers, body.cloned()).await?;
            if let Some(nonce) = answer.header("dpop-nonce") {
                *self.nonce.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(nonce.to_owned());
            }
            if tries >= MAX_NONCES || answer.status != 401 || code_of(&answer) != "use_dpop_nonce" {
                return Ok(answer);
            }
        }
    }

    fn prove(&self, method: &Method, url: &str, token: Option<&str>) -> String {
        let nonce = self.nonce.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let jti = format!("{:016x}{:016x}", self.rig.dice.u64(), self.rig.dice.u64());
        let request = Expected { method: method.as_str(), url, token };
        // Without a proof the box refuses, and that refusal is then counted.
        self.key.prove(request, nonce.as_deref(), &jti).unwrap_or_default()
    }
}

impl Answered {
    /// The body, when the status is the expected one.
    pub(super) fn json<T: DeserializeOwned>(&self, status: u16) -> Result<T, Trouble> {
        self.empty(status)?;
        self.answer.json().map_err(|e| Trouble::Contract(e.to_string()))
    }
    /// Nothing, when the status is the expected one.
    pub(super) fn empty(&self, status: u16) -> Result<(), Trouble> {
        if self.answer.status == status { Ok(()) } else { Err(Trouble::Refused(code_of(&self.answer))) }
    }
}

/// The stable code of a problem, else the status.
pub(super) fn code_of(answer: &Answer) -> String {
    let body: serde_json::Value = answer.json().unwrap_or_default();
    body.get("code").and_then(serde_json::Value::as_str).map_or_else(|| answer.status.to_string(), str::to_owned)
}
