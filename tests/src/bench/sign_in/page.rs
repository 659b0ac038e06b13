//! A tablet's page as a browser keeps it: one HTTP/2 connection over TLS, which stays open between two children.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::{join_all, try_join_all};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use preau_shared::dice::Dice;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    crowd::{Ask, SESSIONS, Tablet, code},
    line::{Answer, Door},
};

/// Connections that are opened at the same time before a storm.
const OPENING: usize = 16;
/// Time between the last preparation and a storm's first moment.
const BREATH: Duration = Duration::from_millis(200);
/// What was asked on a connection to a box that is just coming to life is asked again after so long.
const KNOCK: Duration = Duration::from_millis(1);

/// An open page.
#[derive(Debug)]
pub struct Page {
    send: SendRequest<Full<Bytes>>,
    base: String,
    nonce: String,
}

impl Page {
    /// Connects.
    ///
    /// # Errors
    /// What the system, TLS or HTTP/2 says.
    pub async fn open(door: &Door, tablet: &Tablet) -> Result<Self> {
        let stream = door.connect(tablet.address, b"h2").await?;
        let (send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // It ends when the sender is dropped or the server closes.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { send, base: door.base(), nonce: String::new() })
    }

    /// The sign-in of this tablet's child, proved.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn prepare(&self, tablet: &mut Tablet) -> Result<Request<Full<Bytes>>> {
        let token = tablet.token.clone();
        let ask = Ask { method: "POST", path: SESSIONS, token: Some(&token), nonce: &self.nonce };
        let proof = tablet.prove(&self.base, ask)?;
        let request = Request::post(format!("{}{SESSIONS}", self.base))
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            .header("content-type", "application/json");
        Ok(request.body(Full::from(tablet.badge.clone()))?)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let answer = self.send.send_request(request).await?;
        let status = answer.status().as_u16();
        let nonce = answer.headers().get("dpop-nonce").and_then(|n| n.to_str().ok()).map(str::to_owned);
        let body = answer.into_body().collect().await?.to_bytes().to_vec();
        if let Some(nonce) = &nonce {
            self.nonce.clone_from(nonce);
        }
        Ok(Answer { status, nonce, body })
    }

    /// From nothing to a child who is signed in: connection, a first try that brings the nonce, and the sign-in.
    ///
    /// # Errors
    /// When the box says no, or nothing listens.
    pub async fn wake(door: &Door, tablet: &mut Tablet) -> Result<Self> {
        let mut page = Self::open(door, tablet).await?;
        page.learn_nonce(tablet).await?;
        let request = page.prepare(tablet)?;
        page.sign_in(tablet, request).await?;
        Ok(page)
    }

    /// As [`Self::wake`], for a box that is just being started.
    ///
    /// # Errors
    /// When the box says no, or is not there in time.
    pub async fn wake_when_there(door: &Door, tablet: &mut Tablet, patience: Duration) -> Result<Self> {
        let began = Instant::now();
        loop {
            match Self::wake(door, tablet).await {
                Ok(page) => return Ok(page),
                Err(error) if began.elapsed() > patience => return Err(error),
                Err(_) => sleep(KNOCK).await,
            }
        }
    }

    async fn learn_nonce(&mut self, tablet: &mut Tablet) -> Result<()> {
        let first = self.prepare(tablet)?;
        let answer = self.ask(first).await?;
        let said = code(answer.status, &answer.body);
        if said == "use_dpop_nonce" { Ok(()) } else { bail!("{said}") }
    }

    /// Signs in with a request that was prepared.
    ///
    /// # Errors
    /// With the code of the refusal.
    pub async fn sign_in(&mut self, tablet: &mut Tablet, request: Request<Full<Bytes>>) -> Result<()> {
        let answer = self.ask(request).await?;
        if answer.status != 201 {
            bail!("{}", code(answer.status, &answer.body));
        }
        tablet.opened = Some(answer.body);
        Ok(())
    }
}

/// What a storm was like.
#[derive(Debug, Default)]
pub struct Storm {
    /// From the moment at which a badge was shown to the last byte of the answer, in seconds.
    pub each: Vec<f64>,
    /// Codes of refusals, and what broke.
    pub refused: Vec<String>,
}

/// Every tablet's page is open; within `window` every child shows her badge, at a moment of her own.
///
/// # Errors
/// When a page cannot be opened.
pub async fn storm(door: &Door, tablets: &mut [Tablet], window: Duration, dice: &dyn Dice) -> Result<Storm> {
    let mut ready = Vec::new();
    for some in tablets.chunks_mut(OPENING) {
        let opened = some.iter_mut().map(async |tablet| {
            let mut page = Page::open(door, tablet).await?;
            page.learn_nonce(tablet).await?;
            let request = page.prepare(tablet)?;
            Ok::<_, anyhow::Error>((page, tablet, request))
        });
        ready.extend(try_join_all(opened).await?);
    }
    let width = u64::try_from(window.as_micros())?;
    let first = Instant::now() + BREATH;
    let children = ready.into_iter().map(|(mut page, tablet, request)| {
        let shown = first + Duration::from_micros(dice.below(width));
        async move {
            sleep_until(shown).await;
            let done = page.sign_in(tablet, request).await;
            let seconds = shown.elapsed().as_secs_f64();
            (page, done.map(|()| seconds).map_err(|why| format!("{why:#}")))
        }
    });
    let mut storm = Storm::default();
    // Pages stay open until the last child is in.
    for (_page, child) in join_all(children).await {
        match child {
            Ok(seconds) => storm.each.push(seconds),
            Err(why) => storm.refused.push(why),
        }
    }
    Ok(storm)
}

/// These tablets wake at the same moment: handshakes, nonces and sign-ins, each in seconds.
///
/// # Errors
/// When one is refused.
pub async fn wake_together(door: &Door, tablets: &mut [Tablet]) -> Result<Vec<f64>> {
    let began = Instant::now();
    let woken = tablets.iter_mut().map(async |tablet| {
        let _page = Page::wake(door, tablet).await.context("a tablet that wakes")?;
        Ok::<_, anyhow::Error>(began.elapsed().as_secs_f64())
    });
    try_join_all(woken).await
}
