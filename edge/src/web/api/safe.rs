//! The code in the school's safe: whether it opens now, the head who comes with it, and who was told.

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::StatusCode,
};
use data_encoding::HEXLOWER;
use preau_shared::{documents::staff::Number, refusal::Refusal, rig::reply::Problem, time::Stamp, wire::StaffOpened};
use serde::{Deserialize, Serialize};

use super::staff::{Cookie, cookie, opened};
use crate::{
    app::App,
    sign_in::safe,
    store::{Trouble, safe_codes},
    web::{
        body::Json,
        caller::{From, Staff},
    },
};

/// Whoever joins the staff later is not told any more: sixty days.
const TOLD_FOR_MS: i64 = 60 * 24 * 3_600 * 1_000;

/// Answer to `GET /api/v1/safe-code`.
#[derive(Debug, Serialize)]
pub(crate) struct Safe {
    /// A code waits in the safe.
    there: bool,
    /// For how long it opens, in seconds; none where the box's plug was put in longer ago.
    opens_for_s: Option<u64>,
}

/// `GET /api/v1/safe-code`: anybody at the page, before signing in. It names nobody.
pub(crate) async fn state(State(app): State<App>) -> Result<Answer<Safe>, Problem> {
    let there = safe::is_there(&app)?;
    std::future::ready(Ok(Answer(Safe { there, opens_for_s: safe::opens_for(&app).map(|left| left.as_secs()) }))).await
}

/// Body of `POST /api/v1/safe-code`.
#[derive(Deserialize)]
pub(crate) struct Open {
    code: String,
    #[serde(default)]
    new_secret: Option<String>,
}

/// `POST /api/v1/safe-code`: the head is in, with a secret of her own.
pub(crate) async fn open(
    State(app): State<App>,
    From(address): From,
    Json(ask): Json<Open>,
) -> Result<(StatusCode, Cookie, Answer<StaffOpened>), Problem> {
    let (who, token) = safe::open(&app, (&ask.code, ask.new_secret.as_deref()), address).await?;
    Ok((StatusCode::CREATED, cookie(&token), Answer(opened(who))))
}

/// One line of `GET /api/v1/safe-code/uses`.
#[derive(Debug, Serialize)]
pub(crate) struct Used {
    /// By which it is told that she saw it.
    number: String,
    given_name: String,
    /// None where no clock was to be trusted.
    at_ms: Option<i64>,
}

/// `GET /api/v1/safe-code/uses`: those that she who asks was not told of yet.
pub(crate) async fn uses(State(app): State<App>, staff: Staff) -> Result<Answer<Vec<Used>>, Problem> {
    let since = Stamp(app.clock.stamp().0.saturating_sub(TOLD_FOR_MS));
    let unseen = app.reader.read(|conn| safe_codes::unseen(conn, staff.who.id, since)).map_err(Trouble::from)?;
    let line = |one: safe_codes::Use| Used {
        number: HEXLOWER.encode(&one.number.0),
        given_name: one.given_name,
        at_ms: one.at.is_plausible().then_some(one.at.0),
    };
    std::future::ready(Ok(Answer(unseen.into_iter().map(line).collect()))).await
}

/// `POST /api/v1/safe-code/uses/{number}/seen`.
pub(crate) async fn seen(
    State(app): State<App>,
    staff: Staff,
    Path(number): Path<String>,
) -> Result<StatusCode, Problem> {
    let bytes = HEXLOWER.decode(number.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let number = Number(bytes.ok_or_else(|| Problem::new(Refusal::NotFound))?);
    app.commit(move |conn, _| Ok(safe_codes::see(conn, number, staff.who.id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
