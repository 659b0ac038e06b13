//! The school's charter, as whoever sits at a tablet reads it.

use axum::{
    Json as Answer,
    extract::{Query, State},
    http::StatusCode,
};
use preau_shared::{
    messages::Lang,
    refusal::Refusal,
    rig::reply::Problem,
    terms::Version,
    wire::{CharterShown, CharterUnderstood},
};
use serde::Deserialize;

use crate::{
    app::App,
    sign_in::charter,
    web::{body::Json, caller::InSession},
};

/// Query of `GET /api/v1/sessions/current/charter`.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// `fr` or `en`.
    #[serde(default)]
    lang: String,
}

/// `GET /api/v1/sessions/current/charter`.
pub(crate) async fn show(
    State(app): State<App>,
    InSession(session): InSession,
    Query(asked): Query<Asked>,
) -> Result<Answer<CharterShown>, Problem> {
    let shown = charter::shown(&app, &session, Lang::from_tag(&asked.lang).unwrap_or_default())?;
    std::future::ready(Ok(Answer(shown))).await
}

/// `PUT /api/v1/sessions/current/charter`.
pub(crate) async fn understood(
    State(app): State<App>,
    InSession(session): InSession,
    Json(said): Json<CharterUnderstood>,
) -> Result<StatusCode, Problem> {
    let version = Version::from_word(&said.version)
        .ok_or_else(|| Problem::new(Refusal::Malformed).detail("`version`: sixteen hexadecimal digits"))?;
    charter::understood(&app, session, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
