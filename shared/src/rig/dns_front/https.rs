//! Names over HTTPS (RFC 8484): `GET` and `POST /dns-query/{filter_id}`, where a tablet's own name tells who asks, and
//! `/dns-query`, where the address does.

use std::{net::SocketAddr, str::FromStr as _, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::{
    Front, Judge, Origin,
    crowd::Crowd,
    listen::{MAX_WAITING, MAX_WAITING_EACH},
};
use crate::{
    dns::{Carrier, question::MAX_QUERY_BYTES},
    ids::FilterId,
};

/// The media type of a message, both ways (RFC 8484 §6).
const MESSAGE: &str = "application/dns-message";
/// A question that takes longer to arrive is given up; an answer never takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

type Names<J> = State<Desk<J>>;
type Peer = ConnectInfo<SocketAddr>;

/// What a `GET` asks, in base64url without padding (RFC 8484 §4.1).
#[derive(Debug, Deserialize)]
struct Asked {
    dns: String,
}

/// What each question is answered with.
struct Desk<J> {
    front: Arc<Front<J>>,
    crowd: Arc<Crowd>,
}

impl<J> Clone for Desk<J> {
    fn clone(&self) -> Self {
        Self { front: Arc::clone(&self.front), crowd: Arc::clone(&self.crowd) }
    }
}

/// For whoever asks under a tablet's name; there is no way to ask without one. Needs `ConnectInfo<SocketAddr>`.
pub fn for_tablets<J: Judge>(front: Arc<Front<J>>) -> Router {
    finished(tablets(), front)
}

/// For whoever asks, under a tablet's name or none. Needs `ConnectInfo<SocketAddr>`.
pub fn for_everybody<J: Judge>(front: Arc<Front<J>>) -> Router {
    finished(tablets().route("/dns-query", get(get_of_address).post(post_of_address)), front)
}

fn tablets<J: Judge>() -> Router<Desk<J>> {
    Router::new().route("/dns-query/{filter_id}", get(get_of_tablet).post(post_of_tablet))
}

fn finished<J: Judge>(routes: Router<Desk<J>>, front: Arc<Front<J>>) -> Router {
    routes
        .layer(DefaultBodyLimit::max(MAX_QUERY_BYTES))
        .layer(middleware::from_fn(in_time))
        .with_state(Desk { front, crowd: Crowd::new(MAX_WAITING, MAX_WAITING_EACH) })
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

async fn get_of_address<J: Judge>(
    State(desk): Names<J>,
    ConnectInfo(peer): Peer,
    Query(asked): Query<Asked>,
) -> Response {
    desk.answer(Origin::of(peer.ip()), decoded(&asked)).await
}

async fn post_of_address<J: Judge>(
    State(desk): Names<J>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    desk.answer(Origin::of(peer.ip()), of_type(&headers, &body)).await
}

async fn get_of_tablet<J: Judge>(
    State(desk): Names<J>,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    match of_tablet(peer, &name) {
        Some(from) => desk.answer(from, decoded(&asked)).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn post_of_tablet<J: Judge>(
    State(desk): Names<J>,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match of_tablet(peer, &name) {
        Some(from) => desk.answer(from, of_type(&headers, &body)).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn of_tablet(peer: SocketAddr, name: &str) -> Option<Origin> {
    let tablet = FilterId::from_str(name).ok()?;
    Some(Origin { tablet: Some(tablet), ..Origin::of(peer.ip()) })
}

fn decoded(asked: &Asked) -> Result<Vec<u8>, StatusCode> {
    BASE64URL_NOPAD.decode(asked.dns.as_bytes()).map_err(|_| StatusCode::BAD_REQUEST)
}

fn of_type(headers: &HeaderMap, body: &Bytes) -> Result<Vec<u8>, StatusCode> {
    let is_message = headers.get(header::CONTENT_TYPE).is_some_and(|of| of == MESSAGE);
    if is_message { Ok(body.to_vec()) } else { Err(StatusCode::UNSUPPORTED_MEDIA_TYPE) }
}

impl<J: Judge> Desk<J> {
    /// The answer, which no cache of HTTP keeps: the next child on the tablet may hear another one.
    async fn answer(&self, from: Origin, message: Result<Vec<u8>, StatusCode>) -> Response {
        let message = match message {
            Ok(message) => message,
            Err(code) => return code.into_response(),
        };
        let answer = match self.crowd.enter(from.address) {
            Some(_waiting) => self.front.answer(from, &message, Carrier::Encrypted).await,
            None => self.front.too_many(&message, Carrier::Encrypted),
        };
        self.front.judge().count(answer.outcome);
        match answer.bytes {
            Some(bytes) => {
                ([(header::CONTENT_TYPE, MESSAGE), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
            }
            None => StatusCode::BAD_REQUEST.into_response(),
        }
    }
}
