//! What the agent of a tablet asks: to be bound to it, and what it is to clear. It hands its receipt in where the tablet's
//! page does ([`super::tablets::receipt`]).

use axum::{
    Json as Answer,
    extract::{FromRequest as _, Path, Request, State},
    http::StatusCode,
};
use preau_shared::{
    refusal::Refusal,
    rig::reply::Problem,
    wire::{AgentBound, AgentSelf, BindAgent},
};

use super::id;
use crate::{
    app::App,
    tablets::{agent, enrol},
    web::{
        body::Json,
        caller::{self, Agent, Staff},
    },
};

/// `POST /api/v1/agents`. The code first: a wrong one costs no signature check.
pub(crate) async fn bind(
    State(app): State<App>,
    request: Request,
) -> Result<(StatusCode, Answer<AgentBound>), Problem> {
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let Json(ask) = Json::<BindAgent>::from_request(body, &app).await?;
    enrol::check_code(&app, &ask.code)?;
    let key = ask.key.thumbprint();
    let key = key.map_err(|error| Problem::new(Refusal::Malformed).detail(format!("`key`: {error}")))?;
    caller::prove_key(&app, &parts, key)?;
    Ok((StatusCode::CREATED, Answer(agent::bind(&app, ask, key).await?)))
}

/// `GET /api/v1/agents/me`.
pub(crate) async fn me(State(app): State<App>, Agent(bound): Agent) -> Result<Answer<AgentSelf>, Problem> {
    let wipe = agent::owed(&app, &bound)?;
    std::future::ready(Ok(Answer(AgentSelf { tablet_id: bound.tablet, wipe }))).await
}

/// `DELETE /api/v1/tablets/{id}/agent`: nothing but the page clears this tablet any more.
pub(crate) async fn release(
    State(app): State<App>,
    staff: Staff,
    Path(tablet): Path<String>,
) -> Result<StatusCode, Problem> {
    agent::release(&app, id(&tablet)?, staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}
