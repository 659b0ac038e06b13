//! What staff know: the head's list and reset, and everybody's own change.

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::StatusCode,
};
use preau_shared::{
    documents::staff::Standing, ids::PersonId, keys::sha256, refusal::Refusal, rig::reply::Problem, wire::Role,
};
use serde::{Deserialize, Serialize};

use super::id;
use crate::{
    app::App,
    sign_in::{secrets, staff},
    store::{Trouble, staff_secrets},
    web::{
        body::{Json, MaybeJson},
        caller::{Head, Staff},
    },
};

/// One of the school's staff.
#[derive(Debug, Serialize)]
pub(crate) struct StaffLine {
    person_id: PersonId,
    given_name: String,
    role: Role,
    /// `given` by the DSI, `waiting` for her to use her activation code, `own`.
    secret: &'static str,
    /// Since when, in milliseconds of the box's clock; not told for what the DSI gave.
    since_ms: Option<i64>,
}

/// `GET /api/v1/staff`.
pub(crate) async fn list(State(app): State<App>, _head: Head) -> Result<Answer<Vec<StaffLine>>, Problem> {
    let staff = app.reader.read(staff_secrets::staff).map_err(Trouble::from)?;
    let lines = staff.into_iter().map(|(human, standing)| {
        let (secret, since_ms) = match standing {
            Some(Standing::Waiting(code)) => ("waiting", Some(code.since.0).filter(|since| *since > 0)),
            Some(Standing::Own(own)) => ("own", Some(own.since.0)),
            Some(Standing::Given) | None => ("given", None),
        };
        StaffLine { person_id: human.id, given_name: human.given_name, role: human.role, secret, since_ms }
    });
    std::future::ready(Ok(Answer(lines.collect()))).await
}

/// Body of `POST /api/v1/staff/{id}/activation`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reset {
    /// Asked for again when the session is not fresh.
    second_factor: Option<String>,
}

/// Answer: the code is told this once.
#[derive(Debug, Serialize)]
pub(crate) struct Activation {
    person_id: PersonId,
    given_name: String,
    code: String,
    good_for_s: u64,
}

/// `POST /api/v1/staff/{id}/activation`: her secrets are void at once, and this code is good once.
pub(crate) async fn reset(
    State(app): State<App>,
    Head(head): Head,
    Path(person): Path<String>,
    MaybeJson(ask): MaybeJson<Reset>,
) -> Result<(StatusCode, Answer<Activation>), Problem> {
    let person: PersonId = id(&person)?;
    staff::prove_again(&app, &head.who, &head.token, ask.second_factor.as_deref()).await?;
    let (her, code) = secrets::reset(&app, person, head.who.in_journal()).await?;
    let good_for_s = secrets::CODE_LASTS.as_secs();
    Ok((StatusCode::CREATED, Answer(Activation { person_id: her.id, given_name: her.given_name, code, good_for_s })))
}

/// Body of `PUT /api/v1/staff/secret`.
#[derive(Deserialize)]
pub(crate) struct Change {
    old: String,
    new: String,
}

/// `PUT /api/v1/staff/secret`: the old one, and the new one.
pub(crate) async fn change(
    State(app): State<App>,
    staff: Staff,
    Json(ask): Json<Change>,
) -> Result<StatusCode, Problem> {
    if ask.old.trim().is_empty() {
        return Err(Problem::new(Refusal::SecondFactorRequired));
    }
    staff::prove_again(&app, &staff.who, &staff.token, Some(&ask.old)).await?;
    let token = sha256(staff.token.as_bytes());
    secrets::change(&app, staff.who, token, (&ask.old, &ask.new)).await?;
    Ok(StatusCode::NO_CONTENT)
}
