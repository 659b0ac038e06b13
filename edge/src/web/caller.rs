//! Who calls: a tablet (token and proof), a session on a tablet (its own token, the same key), or staff (cookie).

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts},
};
use preau_shared::{
    ids::TabletId,
    keys::{
        dpop::{self, Expected, Proof, ProofError, Thumbprint},
        sha256,
    },
    refusal::Refusal,
    rig::reply::Problem,
    wire::Role,
};

use super::bearers::Bearer;
use crate::{
    app::App,
    sign_in::staff,
    store::{
        Trouble,
        agents::{self, Bound, Part},
        people::Human,
        sessions::{self, Session},
        tablet_life::{self, Life},
    },
};

/// The staff's cookie: bound to this host, over TLS only.
pub(crate) const COOKIE: &str = "__Host-preau-staff";
/// Longest token or cookie that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 128;
/// A tablet that made too many proofs comes back after so long, in seconds.
const PROOFS_PAUSE_S: u64 = 120;

/// A tablet of this school.
#[derive(Debug)]
pub(crate) struct Tablet(pub(crate) Life);

/// A live session, on the tablet that it was opened on.
#[derive(Debug)]
pub(crate) struct InSession(pub(crate) Session);

/// Somebody of the staff.
#[derive(Debug)]
pub(crate) struct Staff {
    pub(crate) who: Human,
    /// The cookie's secret.
    pub(crate) token: String,
}

/// The head of the school (*directeur, directrice*).
#[derive(Debug)]
pub(crate) struct Head(pub(crate) Staff);

/// Where the request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From(pub(crate) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        std::future::ready(()).await;
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical())))
    }
}

impl FromRequestParts<App> for Tablet {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        std::future::ready(()).await;
        let token = dpop_token(&parts.headers).ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
        let hash = sha256(token.as_bytes());
        let life = app.reader.read(|conn| tablet_life::by_token(conn, &hash)).map_err(Trouble::from)?;
        let life = life.ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
        prove(app, parts, token, life.key)?;
        Ok(Self(life))
    }
}

impl FromRequestParts<App> for Bearer {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        std::future::ready(()).await;
        let text = dpop_token(&parts.headers).ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
        let token = sha256(text.as_bytes());
        if let Some((tablet, key)) = app.bearers.find(&token) {
            prove(app, parts, text, key)?;
            return Ok(Self { tablet, token });
        }
        let Tablet(life) = Tablet::from_request_parts(parts, app).await?;
        app.bearers.keep(token, life.tablet, life.key);
        Ok(Self { tablet: life.tablet, token })
    }
}

/// A program bound to a tablet.
#[derive(Debug)]
pub(crate) struct Agent(pub(crate) Bound);

impl FromRequestParts<App> for Agent {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        std::future::ready(()).await;
        let token = dpop_token(&parts.headers).ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
        let hash = sha256(token.as_bytes());
        let agent = app.reader.read(|conn| agents::by_token(conn, &hash)).map_err(Trouble::from)?;
        let agent = agent.ok_or_else(|| Problem::new(Refusal::TabletUnknown))?;
        prove(app, parts, token, agent.key)?;
        Ok(Self(agent))
    }
}

/// Whoever clears a tablet: its page, or the program bound to it.
#[derive(Debug)]
pub(crate) struct Clearer(pub(crate) TabletId, pub(crate) Part);

impl FromRequestParts<App> for Clearer {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let hash = dpop_token(&parts.headers).map(|token| sha256(token.as_bytes()));
        let bound = match hash {
            Some(hash) => app.reader.read(|conn| agents::by_token(conn, &hash)).map_err(Trouble::from)?,
            None => None,
        };
        if bound.is_some() {
            let Agent(agent) = Agent::from_request_parts(parts, app).await?;
            return Ok(Self(agent.tablet, Part::Agent));
        }
        Ok(Self(Tablet::from_request_parts(parts, app).await?.0.tablet, Part::Page))
    }
}

impl FromRequestParts<App> for InSession {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = dpop_token(&parts.headers).ok_or_else(|| Problem::new(Refusal::SessionUnknown))?;
        let hash = sha256(token.as_bytes());
        let unrecorded = app.unrecorded.by_token(&hash);
        let found = app.reader.read(|conn| {
            let session = match unrecorded {
                Some(session) => Some(session),
                None => sessions::by_token(conn, token)?,
            };
            let Some(session) = session else { return Ok::<_, Trouble>(None) };
            Ok(tablet_life::find(conn, session.tablet)?.map(|life| (session, life.key)))
        })?;
        let (session, key) = found.ok_or_else(|| Problem::new(Refusal::SessionUnknown))?;
        prove(app, parts, token, key)?;
        if !session.taken && app.unrecorded.find(session.id).is_none() {
            take(app, &session).await?;
        }
        Ok(Self(session))
    }
}

/// The tablet whose token a request carries; whether it is that tablet which speaks, its proof says later ([`Tablet`]).
pub(crate) fn named(app: &App, headers: &HeaderMap) -> Result<Option<TabletId>, Problem> {
    let Some(hash) = dpop_token(headers).map(|token| sha256(token.as_bytes())) else { return Ok(None) };
    let life = app.reader.read(|conn| tablet_life::by_token(conn, &hash)).map_err(Trouble::from)?;
    Ok(life.map(|life| life.tablet))
}

/// The token arrived: it is not handed out again. While the disk fails it may be, to the same tablet only.
async fn take(app: &App, session: &Session) -> Result<(), Problem> {
    let id = session.id;
    match app.commit(move |conn, _| Ok(sessions::take(conn, id)?)).await {
        Err(trouble) if !trouble.is_disk() => Err(trouble.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl FromRequestParts<App> for Staff {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        std::future::ready(()).await;
        let token = cookie(&parts.headers).ok_or_else(|| Problem::new(Refusal::StaffRequired))?;
        if !is_safe(&parts.method) {
            same_origin(parts)?;
        }
        let who = staff::who(app, token)?;
        Ok(Self { who, token: token.to_owned() })
    }
}

impl FromRequestParts<App> for Head {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let staff = Staff::from_request_parts(parts, app).await?;
        match staff.who.role {
            Role::Head => Ok(Self(staff)),
            Role::Teacher | Role::Pupil => Err(Problem::new(Refusal::Forbidden)),
        }
    }
}

/// Checks the proof of a request that carries no token yet: enrolment.
pub(crate) fn prove_key(app: &App, parts: &Parts, key: Thumbprint) -> Result<(), Problem> {
    let proof = proof_of(parts, None)?;
    fresh(app, &proof, key)
}

fn prove(app: &App, parts: &Parts, token: &str, key: Thumbprint) -> Result<(), Problem> {
    let proof = proof_of(parts, Some(token))?;
    fresh(app, &proof, key)
}

/// The proof in the header, made for this very request.
fn proof_of(parts: &Parts, token: Option<&str>) -> Result<Proof, Problem> {
    let mut proofs = parts.headers.get_all("dpop").iter();
    let (Some(proof), None) = (proofs.next(), proofs.next()) else {
        return Err(invalid("one `DPoP` header is needed"));
    };
    let proof = proof.to_str().map_err(|_| invalid("the `DPoP` header is not ASCII"))?;
    let url = url_of(parts).ok_or_else(|| invalid("the request names no host"))?;
    dpop::verify(proof, Expected { method: parts.method.as_str(), url: &url, token })
        .map_err(|error: ProofError| invalid(error.to_string()))
}

/// The proof is this key's, carries a nonce of ours and comes for the first time.
fn fresh(app: &App, proof: &Proof, key: Thumbprint) -> Result<(), Problem> {
    if proof.key != key {
        return Err(invalid("the proof was made with another key"));
    }
    let now = app.clock.elapsed();
    let turn = proof.nonce.as_deref().and_then(|nonce| app.nonces.turn_of(nonce, now));
    let turn = turn.ok_or_else(|| Problem::new(Refusal::UseDpopNonce))?;
    app.proofs.take(key, turn, &proof.jti).map_err(|refusal| {
        let problem = Problem::new(refusal);
        if refusal == Refusal::LockedOut {
            return problem.detail("too many proofs of one tablet").retry_after(PROOFS_PAUSE_S);
        }
        problem
    })
}

fn invalid(why: impl Into<String>) -> Problem {
    Problem::new(Refusal::ProofInvalid).detail(why)
}

/// `Authorization: DPoP <token>` (RFC 9449 §7.1).
fn dpop_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("dpop") && (1..=MAX_TOKEN_BYTES).contains(&token.len())).then_some(token)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && (1..=MAX_TOKEN_BYTES).contains(&value.len()))
        .map(|(_, value)| value)
}

/// The cookie that carries `token` to this host and back; the empty one takes it away.
pub(crate) fn set_cookie(token: &str) -> Option<HeaderValue> {
    let ends = if token.is_empty() { "; Max-Age=0" } else { "" };
    HeaderValue::from_str(&format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict{ends}")).ok()
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// An unsafe request of a browser names the page that it comes from: ours, or nobody's.
fn same_origin(parts: &Parts) -> Result<(), Problem> {
    let origin = parts.headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    let ours = host_of(parts).map(|host| format!("https://{host}"));
    if origin.is_some() && origin == ours.as_deref() {
        Ok(())
    } else {
        Err(Problem::new(Refusal::Forbidden).detail("the `Origin` header must be this box's own"))
    }
}

/// Scheme, authority and path as the tablet sees them.
fn url_of(parts: &Parts) -> Option<String> {
    host_of(parts).map(|host| format!("https://{host}{}", parts.uri.path()))
}

/// HTTP/2 carries the host in the URI, HTTP/1.1 in its header.
fn host_of(parts: &Parts) -> Option<&str> {
    host_in(&parts.uri, &parts.headers)
}

/// Host and port, as the browser named them.
pub(crate) fn host_in<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}
