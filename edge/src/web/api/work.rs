//! What she keeps: by her own session, at any tablet.

use std::fmt::Write as _;

use axum::{
    Json as Answer,
    body::Body,
    extract::{FromRequestParts as _, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use preau_shared::{
    refusal::Refusal,
    rig::reply::Problem,
    wire::{WorkKept, Works},
};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{
    app::App,
    store::work::Work,
    web::caller::InSession,
    work::{arrive, keep, media, name, shelf},
};

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A work that a browser opens can do nothing: no script, no request, no form, nobody else's page around it.
const LOCKED: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// `GET /api/v1/work`.
pub(crate) async fn list(State(app): State<App>, InSession(session): InSession) -> Result<Answer<Works>, Problem> {
    std::future::ready(Ok(Answer(shelf::list(&app, &session)?))).await
}

/// `PUT /api/v1/work/{name}`: 201 for a new name, 204 where it replaces; both after file and row are on disk.
pub(crate) async fn put(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let kept = async {
        let (session, name) = asked(&mut parts, &app).await?;
        let given = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let media = media::of(given.unwrap_or_default());
        Ok::<_, Problem>(keep::keep(&app, session.0, (name, media), &mut body).await?)
    };
    match kept.await {
        Ok(kept) if kept.replaced => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(kept) => Ok((StatusCode::CREATED, Answer(WorkKept { name: kept.name })).into_response()),
        Err(problem) => {
            // A tablet that still speaks would not hear why.
            arrive::drain(&mut body).await;
            Err(problem)
        }
    }
}

/// `GET /api/v1/work/{name}`.
pub(crate) async fn get(
    State(app): State<App>,
    InSession(session): InSession,
    Path(asked): Path<String>,
) -> Result<Response, Problem> {
    let work = shelf::find(&app, &session, &name::parse(&asked)?)?;
    let file = File::open(app.work.folder.path(work.file)).await.map_err(|error| {
        tracing::error!(%error, "a kept work is not on the disk");
        Problem::new(Refusal::NotFound)
    })?;
    let bytes = stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
    });
    Ok((headers_of(&work), Body::from_stream(bytes)).into_response())
}

/// `DELETE /api/v1/work/{name}`.
pub(crate) async fn delete(
    State(app): State<App>,
    InSession(session): InSession,
    Path(asked): Path<String>,
) -> Result<StatusCode, Problem> {
    shelf::take_away(&app, session, name::parse(&asked)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/work/{name}/restore`.
pub(crate) async fn restore(
    State(app): State<App>,
    InSession(session): InSession,
    Path(asked): Path<String>,
) -> Result<StatusCode, Problem> {
    shelf::bring_back(&app, session, name::parse(&asked)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who keeps, under which name: settled before a byte of the work is read.
async fn asked(parts: &mut Parts, app: &App) -> Result<(InSession, String), Problem> {
    let session = InSession::from_request_parts(parts, app).await?;
    let Path(asked) = Path::<String>::from_request_parts(parts, app)
        .await
        .map_err(|_| Problem::new(Refusal::Malformed).detail("the name is not UTF-8"))?;
    Ok((session, name::parse(&asked)?))
}

fn headers_of(work: &Work) -> HeaderMap {
    let media = media::of(&work.media);
    let how = if media.inline { "inline" } else { "attachment" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.word));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(work.size_bytes));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(LOCKED));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(policy, HeaderValue::from_static("same-origin"));
    // RFC 6266, RFC 8187: a name in any script.
    let disposition = format!("{how}; filename*=UTF-8''{}", percent_encoded(&work.name));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers
}

/// Every byte that RFC 8187 does not let stand as it is.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
