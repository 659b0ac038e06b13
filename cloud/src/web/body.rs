//! Bodies are read whole before anything else and are small, or refused. Only an administrator may send a roster's size,
//! so that strangers cannot make the coordinator hold megabytes.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use preau_shared::{refusal::Refusal, rig::reply::Problem, roster::MAX_FILE_BYTES, wire::MAX_BODY_BYTES};

use super::{Web, caller::Administrator};

/// Takes a file.
pub(super) const ROSTERS: &str = "/api/v1/rosters";
/// Takes the lines of one.
pub(super) const CODES: &str = "/api/v1/schools/{uai}/codes";
/// What comes beyond the limit is read and dropped up to so many bytes, so that the caller hears the refusal.
const MAX_DRAINED_BYTES: usize = 16 * 1024 * 1024;
/// A body that takes longer is given up.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Middleware: reads the body within its limit, or answers.
pub(super) async fn bounded(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let takes_file = parts.method == Method::POST && is_file(parts.uri.path());
    // The reader itself refuses what is one byte larger than a roster may be, in better words.
    let limit = match takes_file && Administrator::from_request_parts(&mut parts, &web).await.is_ok() {
        true => MAX_FILE_BYTES.saturating_add(1),
        false => MAX_BODY_BYTES,
    };
    match tokio::time::timeout(MAX_TIME, gather(body, limit)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(refusal)) => Problem::new(refusal).with("max_bytes", limit).into_response(),
        Err(_) => Problem::new(Refusal::Overloaded).detail("the body took too long").into_response(),
    }
}

fn is_file(path: &str) -> bool {
    let of_school =
        CODES.split_once("{uai}").and_then(|(before, after)| path.strip_prefix(before)?.strip_suffix(after));
    path == ROSTERS || of_school.is_some_and(|uai| !uai.contains('/'))
}

async fn gather(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let (mut kept, mut seen) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::Malformed)?;
        seen = seen.saturating_add(chunk.len());
        if seen <= limit {
            kept.extend_from_slice(&chunk);
        } else if seen > MAX_DRAINED_BYTES {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if seen <= limit { Ok(kept.into()) } else { Err(Refusal::TooLarge) }
}
