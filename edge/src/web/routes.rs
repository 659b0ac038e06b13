//! Every URL of the box: method, path, handler, who may call.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Redirect, Response},
    routing::{delete, get, post, put},
};
use futures_util::FutureExt as _;
use preau_shared::{
    refusal::Refusal,
    rig::reply::{self, Problem},
    wire::MAX_BODY_BYTES,
};

use super::{
    api::{agents, badges, charter, events, frames, head, newcomers, safe, secrets, sessions, staff, tablets, work},
    body, page, session_host, shell, sounds, tablet, teacher,
};
use crate::{app::App, sign_in::frames::Place};

static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The box's HTTPS: pages and API.
pub(crate) fn routes(app: App) -> Router {
    let training = app.shelf.is_training();
    let (words, recordings) = (Arc::clone(&app.words), app.recordings.clone());
    api()
        .route("/", get(|| std::future::ready(Redirect::to("/tablette"))))
        .fallback(|| std::future::ready(Problem::new(Refusal::NotFound)))
        .method_not_allowed_fallback(|| std::future::ready(Problem::new(Refusal::MethodNotAllowed)))
        .with_state(app.clone())
        .merge(tablet::routes(Arc::clone(&words), (training, app.hosts.above())))
        .merge(teacher::routes(Arc::clone(&words), training))
        .merge(page::routes())
        .merge(shell::routes())
        .merge(sounds::routes(recordings))
        .layer(middleware::from_fn_with_state(session_host::Site::of(app), door))
}

/// The contract of ARCHITECTURE §5.2. Who calls is settled by each handler's first argument ([`super::caller`]).
fn api() -> Router<App> {
    Router::new()
        // A tablet with a code and a key.
        .route("/api/v1/tablets", post(tablets::enrol))
        // A tablet.
        .route("/api/v1/tablets/me", get(tablets::me))
        .route("/api/v1/tablets/me/unplugged", get(tablets::kit))
        .route("/api/v1/tablets/me/stays", post(tablets::stays))
        .route("/api/v1/sessions", post(sessions::open))
        .route(frames::PATH, post(frames::read))
        .route("/api/v1/wipes/{wipe_id}/receipt", post(tablets::receipt))
        // An agent of a tablet.
        .route("/api/v1/agents", post(agents::bind))
        .route("/api/v1/agents/me", get(agents::me))
        // A session.
        .route("/api/v1/sessions/current", get(sessions::current).delete(sessions::close))
        .route("/api/v1/sessions/current/heartbeat", post(sessions::heartbeat))
        .route("/api/v1/sessions/current/code", put(sessions::code))
        .route("/api/v1/sessions/current/settings", put(sessions::settings))
        .route("/api/v1/sessions/current/class", put(sessions::class))
        .route("/api/v1/sessions/current/charter", get(charter::show).put(charter::understood))
        .route("/api/v1/work", get(work::list))
        .route("/api/v1/work/{name}", get(work::get).put(work::put).delete(work::delete))
        .route("/api/v1/work/{name}/restore", post(work::restore))
        // A session or staff.
        .route("/api/v1/events", get(events::events))
        // Anybody, then staff.
        .route("/api/v1/staff/session", post(staff::sign_in).get(staff::who).delete(staff::sign_out))
        .route("/api/v1/safe-code", get(safe::state).post(safe::open))
        // Staff.
        .route("/api/v1/safe-code/uses", get(safe::uses))
        .route("/api/v1/safe-code/uses/{number}/seen", post(safe::seen))
        .route("/api/v1/classes", get(staff::classes))
        .route("/api/v1/classes/{id}", get(staff::class))
        .route("/api/v1/classes/{id}/let-in", post(staff::let_in))
        .route("/api/v1/classes/{id}/guests", post(staff::open_to_guests).delete(staff::close_to_guests))
        .route("/api/v1/classes/{id}/quiet", post(staff::silence).delete(staff::give_sound_back))
        .route("/api/v1/sessions/{id}/end", post(staff::end))
        .route("/api/v1/tablets/{id}/checked", post(staff::checked))
        .route("/api/v1/tablets/{id}/owner", put(staff::give_tablet).delete(staff::free_tablet))
        .route("/api/v1/tablets/{id}/agent", delete(agents::release))
        .route("/api/v1/badges/{badge_id}/void", post(badges::void))
        .route("/api/v1/people/{id}", delete(newcomers::take_back))
        .route("/api/v1/people/{id}/badges", post(badges::new_badge))
        .route("/api/v1/classes/{id}/pupils", post(newcomers::add_pupil))
        .route("/api/v1/substitutes", post(newcomers::add_substitute))
        .route("/api/v1/people/{id}/codes", post(badges::learn))
        .route("/api/v1/badges", post(badges::print))
        .route("/api/v1/badges/prints", get(badges::prints))
        .route("/api/v1/enrolment-window", post(staff::enrolment_window))
        .route("/api/v1/unplugged-code", get(staff::unplugged_code).post(staff::new_unplugged_code))
        .route("/api/v1/staff/secret", put(secrets::change))
        .route("/api/v1/training/begin-again", post(staff::begin_again))
        // The head.
        .route("/api/v1/staff", get(secrets::list))
        .route("/api/v1/staff/activations", post(secrets::reset_many))
        .route("/api/v1/staff/{id}/activation", post(secrets::reset))
        .route("/api/v1/staff/{id}/activation/slip", post(secrets::slip))
        .route("/api/v1/factors", get(head::factors))
        .route("/api/v1/factors/{level}", put(head::ask_factor))
        .route("/api/v1/tablets/{id}/filter-id", post(tablets::rename_for_filter))
        .route("/api/v1/substitutes", get(newcomers::substitutes))
        .route("/api/v1/substitutes/{id}/end", post(newcomers::end_substitute))
}

/// What every request passes, in one layer, since each costs the badge's way a few allocations: a session's host answers by
/// itself; problems speak the caller's language.
async fn door(State(site): State<Arc<session_host::Site>>, request: Request, next: Next) -> Response {
    if let Some(answer) = site.answer(&request) {
        return answer;
    }
    let lang = reply::asked_in(request.headers());
    let response = guarded(&site.app, request, next).await;
    reply::in_words(&site.app.words, lang, response)
}

/// A body is read and bounded, one request's panic is one problem and the box goes on; every answer of the API carries the
/// nonce of the next proof and is never kept by a cache.
async fn guarded(app: &App, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let answered = async {
        match received(app, request).await {
            Ok((request, _place)) => next.run(request).await,
            Err(refused) => refused,
        }
    };
    let answered = AssertUnwindSafe(answered).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| Problem::failed(&"a handler panicked").into_response());
    if is_api {
        if let Ok(value) = HeaderValue::from_str(&app.nonces.current(app.clock.elapsed())) {
            response.headers_mut().insert(DPOP_NONCE.clone(), value);
        }
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// The request with its body, and the place of a camera frame while it is decoded; or the refusal. On the heap, and gone
/// before the handler runs: every request that waits would hold it else.
async fn received(app: &App, request: Request) -> Result<(Request, Option<Place>), Response> {
    if request.uri().path() != frames::PATH {
        let request = Box::pin(body::bounded(request, (MAX_BODY_BYTES, body::MAX_TIME))).await?;
        return Ok((request, None));
    }
    match frames::place(app, &request) {
        Ok(place) => {
            let request = Box::pin(body::bounded(request, (frames::MAX_BYTES, frames::MAX_TIME))).await?;
            Ok((request, Some(place)))
        }
        Err(why) => Err(Box::pin(body::turned_away(request, frames::MAX_TIME, why)).await),
    }
}
