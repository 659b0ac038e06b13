//! The admin plane: plain HTTP on an address of its own, never one of the pupils' network.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use preau_shared::rig::{
    replicate::LinkStatus,
    reply::Problem,
    serve::MAX_CONNECTIONS,
    shelves::{self, ShelfError},
    writer::MAX_WAITING_ACTS,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{app::App, filter::Filter, store::people};

#[derive(Clone)]
struct Plane {
    app: App,
    link: watch::Receiver<LinkStatus>,
    filter: Arc<Filter>,
}

/// Every URL of the admin plane.
pub(crate) fn routes(app: App, link: watch::Receiver<LinkStatus>, filter: Arc<Filter>) -> Router {
    Router::new()
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/metrics", get(metrics))
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/entries", get(entries))
        .with_state(Plane { app, link, filter })
}

/// What the box knows of itself; its own exposure is always known here.
async fn status(State(plane): State<Plane>) -> Result<Json<Value>, Problem> {
    let app = &plane.app;
    let (people, exposure) = app
        .reader
        .read(|conn| Ok::<_, ShelfError>((people::count(conn)?, shelves::exposure(conn, &app.author.origin)?)))
        .map_err(|e| Problem::failed(&e))?;
    let vitals = app.vitals_now();
    let link = plane.link.borrow().clone();
    let age = link.last_message.map(|at| app.clock.elapsed().since(at).as_secs());
    Ok(Json(json!({
        "origin": app.author.origin.to_string(),
        "people": people,
        "tablets": vitals.tablets.total,
        "signed_in": vitals.signed_in,
        "written": exposure.written,
        "acknowledged": exposure.written.saturating_sub(exposure.entries),
        "exposure": { "entries": exposure.entries, "oldest_age_ms": vitals.oldest_unsynced_age_ms },
        "lag_ms": vitals.lag_ms,
        "wan": { "connected": link.in_contact, "last_contact_age_s": age },
        "last_error": vitals.last_error,
        "alerts": link.alerts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "version": vitals.version,
    })))
}

/// The name of every entry that the box holds of its school, one JSON object a line.
async fn entries(State(plane): State<Plane>) -> Result<Response, Problem> {
    let app = &plane.app;
    let ids = app.reader.read(|conn| shelves::entry_ids(conn, &app.shelf)).map_err(|e| Problem::failed(&e))?;
    let mut lines = String::with_capacity(ids.len().saturating_mul(96));
    for (origin, number) in ids {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, r#"{{"origin":"{origin}","number":{number}}}"#);
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// Prometheus text format: counts, ages and bounds; no names, no sites.
async fn metrics(State(plane): State<Plane>) -> Response {
    let vitals = plane.app.vitals_now();
    let link = plane.link.borrow().clone();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP preau_{name} {help}\n# TYPE preau_{name} gauge\npreau_{name} {value}");
    };
    gauge("unsynced_entries", "Entries that the coordinator has not acknowledged.", vitals.unsynced);
    gauge("written", "Entries and changes written here so far.", vitals.written);
    gauge("signed_in", "People signed in.", u64::from(vitals.signed_in));
    gauge("seats", "Live sessions that the filter knows.", u64::try_from(plane.app.seats.count()).unwrap_or(0));
    gauge("tablets", "Tablets enrolled.", u64::from(vitals.tablets.total));
    gauge("tablets_wiping", "Tablets being cleared.", u64::from(vitals.tablets.wiping));
    gauge("in_contact", "1 while the coordinator is heard.", u64::from(link.in_contact));
    gauge("writes_waiting_limit", "Acts that may wait for the writer.", u64::try_from(MAX_WAITING_ACTS).unwrap_or(0));
    gauge("connections_limit", "Connections at once on a listener.", u64::try_from(MAX_CONNECTIONS).unwrap_or(0));
    text.push_str(
        "# HELP preau_dns_answers Answers of the filter, by hour and outcome.\n# TYPE preau_dns_answers counter\n",
    );
    for (hour, outcome, count) in plane.filter.counted() {
        let _ = writeln!(text, "preau_dns_answers{{hour=\"{hour}\",outcome=\"{outcome}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
