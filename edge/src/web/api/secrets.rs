//! What staff know: the head's list and reset, and everybody's own change.

use std::collections::BTreeSet;

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use preau_shared::{
    documents::staff::Standing, ids::PersonId, keys::sha256, messages::Lang, refusal::Refusal, rig::reply::Problem,
    staff_codes::ACTIVATION_LASTS, wire::Role,
};
use serde::{Deserialize, Serialize};

use super::id;
use crate::{
    app::App,
    sign_in::{
        lockout::Name,
        secrets::{self, Activated},
        staff,
    },
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
    let Activated { who, code } = secrets::reset(&app, person, head.who.in_journal()).await?;
    let good_for_s = ACTIVATION_LASTS.as_secs();
    Ok((StatusCode::CREATED, Answer(Activation { person_id: who.id, given_name: who.given_name, code, good_for_s })))
}

/// Body of `POST /api/v1/staff/{id}/activation/slip`.
#[derive(Deserialize)]
pub(crate) struct Told {
    code: String,
}

/// `POST /api/v1/staff/{id}/activation/slip`: the code that was just told, on paper.
pub(crate) async fn slip(
    State(app): State<App>,
    Head(head): Head,
    (Path(person), asked): (Path<String>, HeaderMap),
    Json(Told { code }): Json<Told>,
) -> Result<Response, Problem> {
    let (person, name) = (id(&person)?, [Name::Person(head.who.id)]);
    app.tries.check(&name, app.clock.elapsed())?;
    if !secrets::is_waiting(&app, person, &code).await? {
        app.tries.wrong(&name, app.clock.elapsed());
        return Err(Problem::new(Refusal::SecondFactorWrong));
    }
    Ok(paper(secrets::on_paper(&app, vec![(person, code.trim().to_owned())], lang(&asked)).await?, 1))
}

/// Body of `POST /api/v1/staff/activations`.
#[derive(Debug, Deserialize)]
pub(crate) struct ResetMany {
    person_ids: BTreeSet<PersonId>,
    /// Asked for again when the session is not fresh.
    #[serde(default)]
    second_factor: Option<String>,
}

/// `POST /api/v1/staff/activations`: as [`reset`], for several; their codes stand on the paper alone.
pub(crate) async fn reset_many(
    State(app): State<App>,
    Head(head): Head,
    asked: HeaderMap,
    Json(ask): Json<ResetMany>,
) -> Result<Response, Problem> {
    if ask.person_ids.is_empty() {
        return Err(Problem::new(Refusal::Malformed).detail("`person_ids`: at least one"));
    }
    staff::prove_again(&app, &head.who, &head.token, ask.second_factor.as_deref()).await?;
    let made = secrets::reset_all(&app, &ask.person_ids, head.who.in_journal()).await?;
    let codes: Vec<_> = made.into_iter().map(|one| (one.who.id, one.code)).collect();
    let count = u64::try_from(codes.len()).unwrap_or(u64::MAX);
    Ok(paper(secrets::on_paper(&app, codes, lang(&asked)).await?, count))
}

fn lang(asked: &HeaderMap) -> Lang {
    Lang::asked(asked.get(header::ACCEPT_LANGUAGE).and_then(|h| h.to_str().ok()).unwrap_or_default())
}

fn paper(pdf: Vec<u8>, count: u64) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"codes.pdf\"")),
        (HeaderName::from_static("preau-codes"), HeaderValue::from(count)),
    ];
    (StatusCode::CREATED, headers, pdf).into_response()
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
