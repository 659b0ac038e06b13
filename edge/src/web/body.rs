//! Bodies, bounded and read: the same limit at every URL, and an error that says line and column.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{Method, header},
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use preau_shared::{refusal::Refusal, rig::reply::Problem};
use serde::de::DeserializeOwned;

/// What comes beyond the limit is read and dropped up to so many bytes, so that the caller hears the refusal.
const MAX_DRAINED_BYTES: usize = 8 * 1024 * 1024;
/// A body that takes longer is given up.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(15);

/// The one sort of request whose body is large, and read by its own handler as it arrives: `PUT /api/v1/work/{name}`.
fn is_work(request: &Request) -> bool {
    request.method() == Method::PUT && request.uri().path().starts_with("/api/v1/work/")
}

/// Every body is read here, whatever the URL and before anything else, and has `most` bytes and is here `within` a time, or
/// is refused; a work is bounded where it is written.
///
/// # Errors
/// The refusal, as it is answered.
pub(crate) async fn bounded(request: Request, (most, within): (usize, Duration)) -> Result<Request, Response> {
    if is_work(&request) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(within, gather(body, most)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(refusal)) => {
            let mut response = Problem::new(refusal).with("max_bytes", most).into_response();
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            Err(response)
        }
        Err(_) => Err(Problem::new(Refusal::Overloaded).detail("the body took too long").into_response()),
    }
}

/// It is refused whatever it holds: nothing of the body is kept, and it is read so that the caller hears why.
pub(crate) async fn turned_away(request: Request, within: Duration, why: Problem) -> Response {
    // Whatever came of the body, the answer is the same.
    let _ = tokio::time::timeout(within, gather(request.into_body(), 0)).await;
    why.into_response()
}

async fn gather(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let (mut kept, mut seen) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::Malformed)?;
        seen = seen.saturating_add(chunk.len());
        if seen <= most {
            kept.extend_from_slice(&chunk);
        } else if seen > MAX_DRAINED_BYTES {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if seen <= most { Ok(kept.into()) } else { Err(Refusal::TooLarge) }
}

/// A JSON body of a known form.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Problem::new(Refusal::TooLarge))?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body that may be missing: then it is the default.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await.map_err(|_| Problem::new(Refusal::TooLarge))?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let said = |detail: String, line: usize, column: usize| {
        Problem::new(Refusal::Malformed).detail(detail).with("line", line).with("column", column)
    };
    // serde would take an array for a struct, by the order of its members: that is no part of the contract.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(said("expected a JSON object".into(), 1, 1));
    }
    serde_json::from_slice(bytes).map_err(|error| said(error.to_string(), error.line(), error.column()))
}
