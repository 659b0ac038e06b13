//! A virtual teacher: signs in at the box with badge and PIN, lets in a pupil who forgot the badge.

use std::{net::IpAddr, time::Duration};

use hyper::Method;
use preau_shared::{
    rig::{
        fetch::{Answer, Client},
        tls,
    },
    wire::{ClassLine, LetIn, StaffSignIn},
};

use super::device::{Trouble, code_of};
use crate::coordinator::BadgeLine;

/// A teacher waits so long for an answer: a PIN is checked by a slow hash.
const PATIENCE: Duration = Duration::from_secs(10);

/// A teacher with a page open.
pub(super) struct Teacher {
    client: Client,
    badge: BadgeLine,
    cookie: Option<String>,
}

impl Teacher {
    /// A teacher who has not signed in yet.
    pub(super) fn new(url: &str, authority: &str, from: IpAddr, badge: BadgeLine) -> anyhow::Result<Self> {
        let client = Client::new(url, tls::client(authority, None)?, PATIENCE)?.from_address(from);
        Ok(Self { client, badge, cookie: None })
    }

    /// Lets `pupil` in on a tablet that is free.
    pub(super) async fn let_in(&mut self, pupil: &BadgeLine, tablet_id: &str) -> Result<(), Trouble> {
        if self.cookie.is_none() {
            self.sign_in().await?;
        }
        let classes: Vec<ClassLine> = read(&self.send(Method::GET, "/api/v1/classes", None::<&()>).await?, 200)?;
        let class = classes.iter().find(|c| c.name == pupil.class).map(|c| c.class_id);
        let class = class.ok_or_else(|| Trouble::Contract(format!("no class {}", pupil.class)))?;
        let contract = |_| Trouble::Contract("an identifier is not one".into());
        let request = LetIn {
            person_id: pupil.person_id.parse().map_err(contract)?,
            tablet_id: tablet_id.parse().map_err(contract)?,
            new_code: false,
        };
        let answer = self.send(Method::POST, &format!("/api/v1/classes/{class}/let-in"), Some(&request)).await?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(self.refused(&answer)) }
    }

    async fn sign_in(&mut self) -> Result<(), Trouble> {
        let request = StaffSignIn {
            badge: Some(self.badge.payload.clone()),
            second_factor: Some(self.badge.second_factor.clone()),
            ..StaffSignIn::default()
        };
        let answer = self.send(Method::POST, "/api/v1/staff/session", Some(&request)).await?;
        if !(200..300).contains(&answer.status) {
            return Err(self.refused(&answer));
        }
        let cookie = answer.header("set-cookie").and_then(|c| c.split(';').next()).map(str::to_owned);
        self.cookie = Some(cookie.ok_or_else(|| Trouble::Contract("no cookie came with the staff session".into()))?);
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&impl serde::Serialize>) -> Result<Answer, Trouble> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|e| Trouble::Contract(e.to_string()))?;
        let origin = self.client.base();
        let mut headers = vec![("origin", origin.as_str()), ("accept-language", "fr")];
        headers.extend(self.cookie.as_deref().map(|c| ("cookie", c)));
        self.client.send(method, path, &headers, body).await.map_err(|e| Trouble::Lost(e.to_string()))
    }

    /// The refusal's code; the next try signs in anew when the session was to blame.
    fn refused(&mut self, answer: &Answer) -> Trouble {
        if answer.status == 401 {
            self.cookie = None;
        }
        Trouble::Refused(code_of(answer))
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer, status: u16) -> Result<T, Trouble> {
    if answer.status != status {
        return Err(Trouble::Refused(code_of(answer)));
    }
    answer.json().map_err(|e| Trouble::Contract(e.to_string()))
}
