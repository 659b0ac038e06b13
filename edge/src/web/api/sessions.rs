//! A stay on a tablet: sign in, resume, keep alive, sign out.

use axum::{
    Json as Answer,
    extract::{Query, State},
    http::StatusCode,
};
use preau_shared::{
    refusal::Refusal,
    rig::reply::Problem,
    wire::{Beat, NewCode, ScreenSettings, SessionOpened, SignIn, WipeOrder, WorksWith},
};
use serde::Deserialize;

use crate::{
    app::App,
    sign_in::{
        code, leave, scan, suit,
        welcome::{Party, Welcome},
        which_class,
    },
    store::{Trouble, seats::SESSION_LASTS},
    web::{
        bearers::Bearer,
        body::Json,
        caller::{From, InSession},
    },
};

/// `POST /api/v1/sessions`.
pub(crate) async fn open(
    State(app): State<App>,
    bearer: Bearer,
    From(address): From,
    Json(ask): Json<SignIn>,
) -> Result<(StatusCode, Answer<SessionOpened>), Problem> {
    let opened = scan::open(&app, bearer, ask, address).await?;
    Ok((StatusCode::CREATED, Answer(opened)))
}

/// `GET /api/v1/sessions/current`.
pub(crate) async fn current(
    State(app): State<App>,
    InSession(session): InSession,
    From(address): From,
) -> Result<Answer<SessionOpened>, Problem> {
    app.seats.beat(session.id, address, app.clock.elapsed());
    let read = app.reader.read(|conn| {
        Welcome::read(conn, (&*app.offers.settled(conn)?, app.clock.stamp()), &session, Party::of(conn, &session)?)
    });
    let welcome = read.map_err(Trouble::from)?;
    let opened = welcome.answer(&app.words, &session, None);
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

/// `PUT /api/v1/sessions/current/settings`.
pub(crate) async fn settings(
    State(app): State<App>,
    InSession(session): InSession,
    Json(ask): Json<ScreenSettings>,
) -> Result<StatusCode, Problem> {
    let settings = ask
        .meant()
        .ok_or_else(|| Problem::new(Refusal::Malformed).detail("`lang`: fr or en; `text`: normal, large or largest"))?;
    suit::keep(&app, session, settings).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /api/v1/sessions/current/class`: the answer is the session with what that class finds.
pub(crate) async fn class(
    State(app): State<App>,
    InSession(session): InSession,
    Json(ask): Json<WorksWith>,
) -> Result<Answer<SessionOpened>, Problem> {
    let session = which_class::choose(&app, session, ask.class_id).await?;
    let read = app.reader.read(|conn| {
        Welcome::read(conn, (&*app.offers.settled(conn)?, app.clock.stamp()), &session, Party::of(conn, &session)?)
    });
    Ok(Answer(read.map_err(Trouble::from)?.answer(&app.words, &session, None)))
}

/// Query of `DELETE /api/v1/sessions/current`.
#[derive(Debug, Deserialize)]
pub(crate) struct Leaving {
    /// Whoever found the session says that it is not hers.
    #[serde(default)]
    not_me: bool,
}

/// `DELETE /api/v1/sessions/current`.
pub(crate) async fn close(
    State(app): State<App>,
    InSession(session): InSession,
    Query(leaving): Query<Leaving>,
) -> Result<(StatusCode, Answer<WipeOrder>), Problem> {
    if leaving.not_me {
        leave::not_hers(&app, &session).await;
    }
    Ok((StatusCode::ACCEPTED, Answer(leave::sign_out(&app, session).await?)))
}
