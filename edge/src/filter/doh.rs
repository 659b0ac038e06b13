//! Names over HTTPS (RFC 8484): `GET` and `POST /dns-query`, where the address tells who asks, and
//! `/dns-query/{filter_id}`, where the tablet's own name does.

use std::{net::SocketAddr, str::FromStr as _, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::BASE64URL_NOPAD;
use preau_shared::{
    dns::{Carrier, question::MAX_QUERY_BYTES},
    ids::FilterId,
    rig::dns_front::{Front, Judge as _, Origin},
};
use serde::Deserialize;

use super::PerPupil;

/// The media type of a message, both ways (RFC 8484 §6).
const MESSAGE: &str = "application/dns-message";

type Names = State<Arc<Front<PerPupil>>>;
type Peer = ConnectInfo<SocketAddr>;

/// What a `GET` asks, in base64url without padding (RFC 8484 §4.1).
#[derive(Debug, Deserialize)]
struct Asked {
    dns: String,
}

/// The routes of the resolver.
pub(crate) fn routes(front: Arc<Front<PerPupil>>) -> Router {
    Router::new()
        .route("/dns-query", get(get_of_address).post(post_of_address))
        .route("/dns-query/{filter_id}", get(get_of_tablet).post(post_of_tablet))
        .layer(DefaultBodyLimit::max(MAX_QUERY_BYTES))
        .with_state(front)
}

async fn get_of_address(State(front): Names, ConnectInfo(peer): Peer, Query(asked): Query<Asked>) -> Response {
    answer(&front, Origin::of(peer.ip()), decoded(&asked)).await
}

async fn post_of_address(State(front): Names, ConnectInfo(peer): Peer, headers: HeaderMap, body: Bytes) -> Response {
    answer(&front, Origin::of(peer.ip()), of_type(&headers, &body)).await
}

async fn get_of_tablet(
    State(front): Names,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    match of_tablet(peer, &name) {
        Some(from) => answer(&front, from, decoded(&asked)).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn post_of_tablet(
    State(front): Names,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match of_tablet(peer, &name) {
        Some(from) => answer(&front, from, of_type(&headers, &body)).await,
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

/// The answer, which no cache of HTTP keeps: the next child on the tablet may hear another one.
async fn answer(front: &Front<PerPupil>, from: Origin, message: Result<Vec<u8>, StatusCode>) -> Response {
    let message = match message {
        Ok(message) => message,
        Err(code) => return code.into_response(),
    };
    let answer = front.answer(from, &message, Carrier::Encrypted).await;
    front.judge().count(answer.outcome);
    match answer.bytes {
        Some(bytes) => ([(header::CONTENT_TYPE, MESSAGE), (header::CACHE_CONTROL, "no-store")], bytes).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}
