//! A tablet as a story's character: it enrols, shows badges, leaves and is wiped, over real HTTPS.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    keys::dpop::{Expected, TabletKey},
    rig::{
        fetch::{Answer, Client, FetchError},
        tls,
    },
    wire::{
        AgentBound, AgentSelf, BindAgent, Enrol, Enrolled, Receipt, SessionOpened, SignIn, StepOutcome, StepReport,
        TabletSelf, WipeOrder, WipeStep,
    },
};

use serde_json::{Value, json};

/// A tablet and its key.
#[derive(Debug)]
pub struct Tablet {
    client: Client,
    key: TabletKey,
    nonce: String,
    proofs: u64,
    token: String,
}

/// A client of a server whose certificate `ca_file` vouches for.
///
/// # Errors
/// When the file or the URL cannot be used.
pub fn client(url: &str, ca_file: &Path) -> Result<Client> {
    let authority = std::fs::read_to_string(ca_file).with_context(|| ca_file.display().to_string())?;
    let tls: rustls::ClientConfig = tls::client(&authority, None)?;
    Ok(Client::new(url, tls, Duration::from_secs(10))?)
}

/// The stable code of a problem.
pub fn code(answer: &Answer) -> String {
    let body: Value = answer.json().unwrap_or_default();
    body.pointer("/code").and_then(Value::as_str).unwrap_or("none").to_owned()
}

impl Tablet {
    /// Enrols a new tablet and does its first wipe.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn enrol(url: &str, ca_file: &Path, enrolment_code: &str, name: &str) -> Result<Self> {
        let client = client(url, ca_file)?;
        let key = TabletKey::generate()?;
        let mut tablet = Self { client, key, nonce: String::new(), proofs: 0, token: String::new() };
        let request = Enrol {
            code: enrolment_code.to_owned(),
            name: name.to_owned(),
            model: None,
            serial: Some(name.to_owned()),
            case_id: None,
            capabilities: None,
            key: tablet.key.jwk().clone(),
        };
        let answer = tablet.ask("POST", "/api/v1/tablets", None, Some(serde_json::to_vec(&request)?)).await?;
        ensure!(answer.status == 201, "enrolment: {}", code(&answer));
        let enrolled: Enrolled = answer.json()?;
        tablet.token = enrolled.token;
        tablet.wipe(&WipeOrder { wipe_id: enrolled.wipe_id, steps: enrolled.steps }).await?;
        Ok(tablet)
    }

    /// Its own token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Shows a badge: the session, or the code of the refusal.
    ///
    /// # Errors
    /// When the box does not answer.
    pub async fn show(&mut self, badge: &str) -> Result<Result<SessionOpened, String>> {
        let request = SignIn { badge: Some(badge.to_owned()), ..SignIn::default() };
        let token = self.token.clone();
        let answer = self.ask("POST", "/api/v1/sessions", Some(&token), Some(serde_json::to_vec(&request)?)).await?;
        Ok(if answer.status == 201 { Ok(answer.json()?) } else { Err(code(&answer)) })
    }

    /// Leaves and is wiped, every step done.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn leave(&mut self, session: &SessionOpened) -> Result<()> {
        let token = session.token.clone().context("a session token")?;
        let answer = self.ask("DELETE", "/api/v1/sessions/current", Some(&token), None).await?;
        ensure!(answer.status == 202, "leaving: {}", code(&answer));
        self.wipe(&answer.json()?).await
    }

    /// What the box knows of this tablet.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn myself(&mut self) -> Result<TabletSelf> {
        let token = self.token.clone();
        let answer = self.ask("GET", "/api/v1/tablets/me", Some(&token), None).await?;
        ensure!(answer.status == 200, "myself: {}", code(&answer));
        Ok(answer.json()?)
    }

    /// Does the wipe that it owes, every step done.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn wipe(&mut self, order: &WipeOrder) -> Result<()> {
        let done = |step: &WipeStep| StepReport { name: step.name.clone(), outcome: StepOutcome::Done };
        let receipt = Receipt { steps: order.steps.iter().map(done).collect() };
        let (token, path) = (self.token.clone(), format!("/api/v1/wipes/{}/receipt", order.wipe_id));
        let answer = self.ask("POST", &path, Some(&token), Some(serde_json::to_vec(&receipt)?)).await?;
        // 202 where an agent has still to do its half.
        ensure!([202, 204].contains(&answer.status), "receipt: {}", code(&answer));
        Ok(())
    }

    /// Sends a proved request, again when a kept connection had been closed or the nonce had changed.
    ///
    /// # Errors
    /// When the box does not answer.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let url = format!("{}{path}", self.client.base());
        let authorization = token.map(|t| format!("DPoP {t}"));
        for _ in 0..3 {
            self.proofs += 1;
            let nonce = (!self.nonce.is_empty()).then_some(self.nonce.as_str());
            let request = Expected { method, url: &url, token };
            let proof = self.key.prove(request, nonce, &format!("{:016x}", self.proofs))?;
            let mut headers = vec![("dpop", proof.as_str())];
            headers.extend(authorization.as_deref().map(|a| ("authorization", a)));
            let answer = match self.client.send(method.parse()?, path, &headers, body.clone()).await {
                Ok(answer) => answer,
                // A kept connection that the box closed meanwhile.
                Err(FetchError::Broken { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(next) = answer.header("dpop-nonce") {
                next.clone_into(&mut self.nonce);
            }
            if code(&answer) != "use_dpop_nonce" {
                return Ok(answer);
            }
        }
        bail!("the box asks for one nonce after another")
    }
}

/// The program on a tablet that clears what its page cannot reach, as it speaks to the box.
#[derive(Debug)]
pub struct Agent(Tablet);

impl Agent {
    /// Is bound to the tablet of that name.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn bind(url: &str, ca_file: &Path, enrolment_code: &str, tablet: &str) -> Result<Self> {
        let client = client(url, ca_file)?;
        let key = TabletKey::generate()?;
        let mut speaks = Tablet { client, key, nonce: String::new(), proofs: 0, token: String::new() };
        let request = BindAgent {
            code: enrolment_code.to_owned(),
            tablet: tablet.to_owned(),
            serial: None,
            kind: "freekiosk".into(),
            steps: ["downloads", "camera", "apps"].map(str::to_owned).into(),
            key: speaks.key.jwk().clone(),
        };
        let answer = speaks.ask("POST", "/api/v1/agents", None, Some(serde_json::to_vec(&request)?)).await?;
        ensure!(answer.status == 201, "binding: {}", code(&answer));
        speaks.token = answer.json::<AgentBound>()?.token;
        Ok(Self(speaks))
    }

    /// What it is to clear now.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn order(&mut self) -> Result<Option<WipeOrder>> {
        let token = self.0.token.clone();
        let answer = self.0.ask("GET", "/api/v1/agents/me", Some(&token), None).await?;
        ensure!(answer.status == 200, "the agent's order: {}", code(&answer));
        Ok(answer.json::<AgentSelf>()?.wipe)
    }

    /// Says how each step of a wipe ended: the status, and the code of a refusal.
    ///
    /// # Errors
    /// When the box does not answer.
    pub async fn report(&mut self, order: &WipeOrder, outcome: StepOutcome) -> Result<(u16, String)> {
        let line = |step: &WipeStep| StepReport { name: step.name.clone(), outcome };
        let receipt = Receipt { steps: order.steps.iter().map(line).collect() };
        let (token, path) = (self.0.token.clone(), format!("/api/v1/wipes/{}/receipt", order.wipe_id));
        let answer = self.0.ask("POST", &path, Some(&token), Some(serde_json::to_vec(&receipt)?)).await?;
        Ok((answer.status, code(&answer)))
    }
}

/// A member of staff at the box, by badge and PIN.
#[derive(Debug)]
pub struct Teacher {
    client: Client,
    cookie: String,
}

impl Teacher {
    /// Signs in.
    ///
    /// # Errors
    /// When the box says no.
    pub async fn sign_in(url: &str, ca_file: &Path, badge: &str, pin: &str) -> Result<Self> {
        let client = client(url, ca_file)?;
        let body = serde_json::to_vec(&json!({ "badge": badge, "second_factor": pin }))?;
        let origin = client.base();
        let answer = client.send("POST".parse()?, "/api/v1/staff/session", &[("origin", &origin)], Some(body)).await?;
        let cookie = answer.header("set-cookie").and_then(|c| c.split(';').next()).map(str::to_owned);
        let cookie = cookie.with_context(|| format!("staff sign-in: {}", code(&answer)))?;
        Ok(Self { client, cookie })
    }

    /// Does something, as a page would.
    ///
    /// # Errors
    /// When the box does not answer.
    pub async fn act(&self, method: &str, path: &str, body: Option<Value>) -> Result<Answer> {
        let origin = self.client.base();
        let headers = [("origin", origin.as_str()), ("cookie", self.cookie.as_str())];
        let body = body.map(|b| serde_json::to_vec(&b)).transpose()?;
        Ok(self.client.send(method.parse()?, path, &headers, body).await?)
    }
}
