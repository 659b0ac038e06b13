//! Sealing keys: how far each has come, and a new one.

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use preau_shared::{refusal::Refusal, rig::reply::Problem};
use serde::{Deserialize, Serialize};

use crate::{
    enrolment::KeyState,
    web::{Web, caller::Administrator},
};

/// `POST /api/v1/seal-keys/rotate`; an empty body says nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotate {
    /// The key in use was stolen: it goes as soon as every box uses the new one, without waiting 14 days.
    stolen: bool,
}

/// Answer to both.
#[derive(Debug, Serialize)]
pub(in crate::web) struct Keys {
    keys: Vec<KeyState>,
}

/// `GET /api/v1/seal-keys`: the keys in use, newest last.
pub(in crate::web) async fn list(_: Administrator, State(web): State<Web>) -> Result<Json<Keys>, Problem> {
    Ok(Json(Keys { keys: web.app.enrolment.seals.states().await? }))
}

/// `POST /api/v1/seal-keys/rotate`: a new key, told to every school.
pub(in crate::web) async fn rotate(
    _: Administrator,
    State(web): State<Web>,
    body: Bytes,
) -> Result<(StatusCode, Json<Keys>), Problem> {
    let wrong = |_| Problem::new(Refusal::Malformed).detail("{\"stolen\": true}, or nothing");
    let asked = if body.is_empty() { Rotate::default() } else { serde_json::from_slice(&body).map_err(wrong)? };
    web.app.enrolment.seals.rotate(asked.stolen).await?;
    Ok((StatusCode::CREATED, Json(Keys { keys: web.app.enrolment.seals.states().await? })))
}
