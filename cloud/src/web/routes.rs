//! Every URL of the coordinator, and what holds for all of them: limits, headers, one form of error.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use preau_shared::{
    refusal::Refusal,
    rig::{
        dns_front::https,
        reply::{self, Problem},
    },
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Web, api, assets, body, console::board, door::Door, events, login, metrics};
use crate::app::App;

/// An answer that takes longer to begin is given up: a body that trickles in holds no place for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// What pages may load and run: our own files and nothing inline.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The console and the API.
///
/// # Errors
/// When the administrator's files cannot be read or made.
pub(crate) fn router(app: App) -> io::Result<Router> {
    let door = Door::open(&app.dir, &app.dice)?;
    let web = Web::new(app, door);
    let routes = Router::new()
        // Pages.
        .route("/", get(board::page))
        .route("/events", get(events::page))
        .route("/login", get(login::page).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/assets/{hash}/{name}", get(assets::asset))
        .route("/healthz", get(healthz))
        // Schools and their people.
        .route("/api/v1/schools", get(api::schools::list).post(api::schools::add))
        .route("/api/v1/training-rooms", post(api::schools::add_training_room))
        .route("/api/v1/schools/{uai}", get(api::schools::one))
        .route("/api/v1/schools/{uai}/retire", post(api::schools::retire))
        .route("/api/v1/schools/{uai}/accounts", put(api::schools::accounts))
        .route("/api/v1/schools/{uai}/frames", put(api::schools::frames))
        .route("/api/v1/schools/{uai}/tablets/{tablet_id}/lost", put(api::tablets::lost))
        .route("/api/v1/schools/{uai}/safe-code", post(api::schools::safe_code))
        .route("/api/v1/schools/{uai}/activations", post(api::schools::activations))
        .route(body::CODES, post(api::codes::give))
        .route("/api/v1/schools/{uai}/codes/{import}/undo", post(api::codes::undo))
        .route("/api/v1/schools/{uai}/charter", put(api::charter::write))
        .route("/api/v1/schools/{uai}/entries", get(api::schools::entries))
        .route("/api/v1/schools/{uai}/sign-ins", get(api::schools::sign_ins))
        .route("/api/v1/events", get(events::statuses))
        .route(body::ROSTERS, post(api::rosters::receive))
        .route("/api/v1/rosters/{id}/apply", post(api::rosters::apply))
        .route("/api/v1/rosters/{id}/undo", post(api::rosters::undo))
        .route("/api/v1/staff", post(api::rosters::staff))
        .route("/api/v1/documents", post(api::rosters::documents))
        .route("/api/v1/badges/{badge_id}/void", post(api::badges::void))
        .route("/api/v1/people/{person_id}/erase", post(api::people::erase))
        .route("/api/v1/quarantine", get(api::quarantine::list))
        // Boxes.
        .route("/api/v1/boxes", get(api::boxes::list).post(api::boxes::issue))
        .route("/api/v1/boxes/{box_id}/revoke", post(api::boxes::revoke))
        .route("/api/v1/boxes/{box_id}/replace", post(api::boxes::replace))
        .route("/api/v1/seal-keys", get(api::seals::list))
        .route("/api/v1/seal-keys/rotate", post(api::seals::rotate))
        .route("/api/v1/claims", post(api::boxes::claim))
        .route("/api/v1/claims/{id}/confirm", post(api::boxes::confirm))
        .with_state(web.clone());
    let app = web.app.clone();
    let routes = with_fallbacks(routes).layer(from_fn_with_state(web, body::bounded));
    // Names of tablets away from school (`/dns-query/{filter_id}`) have limits of their own.
    let names = https::for_tablets(Arc::clone(&app.names));
    Ok(framed(routes, app).merge(names))
}

/// The admin plane, on its own address.
pub(crate) fn admin(app: App) -> Router {
    let routes =
        Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics::metrics)).with_state(app.clone());
    framed(with_fallbacks(routes), app)
}

async fn healthz() -> &'static str {
    "ok\n"
}

fn with_fallbacks(routes: Router) -> Router {
    routes
        .fallback(|| std::future::ready(Problem::new(Refusal::NotFound)))
        .method_not_allowed_fallback(|| std::future::ready(Problem::new(Refusal::MethodNotAllowed)))
}

fn framed(routes: Router, app: App) -> Router {
    routes
        // Bodies have their own limits before they come here.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_| Problem::failed(&"a handler panicked").into_response()))
        .layer(from_fn_with_state(app, localised))
        .layer(from_fn(guarded))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(PATIENCE, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::new(Refusal::Overloaded).retry_after(1).into_response())
}

async fn localised(State(app): State<App>, request: Request, next: Next) -> Response {
    let lang = reply::asked_in(request.headers());
    reply::in_words(&app.catalogue, lang, next.run(request).await)
}

/// Headers of every answer; what is no file of ours is never kept by a cache.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: browsers then send `Origin: null` with our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}
