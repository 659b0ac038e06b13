//! A stay on a tablet: sign in, resume, keep alive, sign out.

use std::sync::Arc;

use axum::{Json as Answer, extract::State, http::StatusCode};
use preau_shared::{
    rig::reply::Problem,
    wire::{Beat, NewCode, SessionOpened, SignIn, WipeOrder},
};

use crate::{
    app::App,
    sign_in::{
        code, leave, scan,
        welcome::{self, Party},
    },
    store::{Trouble, seats::SESSION_LASTS},
    web::{
        body::Json,
        caller::{From, InSession, Tablet},
    },
};

/// `POST /api/v1/sessions`.
pub(crate) async fn open(
    State(app): State<App>,
    tablet: Tablet,
    From(address): From,
    Json(ask): Json<SignIn>,
) -> Result<(StatusCode, Answer<SessionOpened>), Problem> {
    let opened = scan::open(&app, &tablet.0, ask, address).await?;
    Ok((StatusCode::CREATED, Answer(opened)))
}

/// `GET /api/v1/sessions/current`.
pub(crate) async fn current(
    State(app): State<App>,
    InSession(session): InSession,
    From(address): From,
) -> Result<Answer<SessionOpened>, Problem> {
    app.seats.beat(session.id, address, app.clock.elapsed());
    let words = Arc::clone(&app.words);
    let opened = app
        .reader
        .read(|conn| welcome::opened(conn, &words, &session, &Party::of(conn, &session)?, None))
        .map_err(Trouble::from)?;
    let recorded = app.unrecorded.find(session.id).is_none();
    std::future::ready(Ok(Answer(SessionOpened { recorded, ..opened }))).await
}

/// `POST /api/v1/sessions/current/heartbeat`.
pub(crate) async fn heartbeat(
    State(app): State<App>,
    InSession(session): InSession,
    From(address): From,
) -> Answer<Beat> {
    app.seats.beat(session.id, address, app.clock.elapsed());
    let expires_in_s = u32::try_from(SESSION_LASTS.as_secs()).unwrap_or(u32::MAX);
    std::future::ready(Answer(Beat { expires_in_s })).await
}

/// `PUT /api/v1/sessions/current/code`.
pub(crate) async fn code(
    State(app): State<App>,
    InSession(session): InSession,
    Json(ask): Json<NewCode>,
) -> Result<StatusCode, Problem> {
    code::choose(&app, session, ask.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/sessions/current`.
pub(crate) async fn close(
    State(app): State<App>,
    InSession(session): InSession,
) -> Result<(StatusCode, Answer<WipeOrder>), Problem> {
    Ok((StatusCode::ACCEPTED, Answer(leave::sign_out(&app, session).await?)))
}
