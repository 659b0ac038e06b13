//! The admin plane: plain HTTP on an address of its own, never one of the pupils' network.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use preau_shared::{
    replica::Alert,
    rig::{
        neighbour::door,
        reply::Problem,
        serve::MAX_CONNECTIONS,
        shelves::{self, ShelfError},
        writer::MAX_WAITING_ACTS,
    },
    time::Elapsed,
};
use serde_json::{Value, json};

use crate::{
    app::App,
    filter::Filter,
    replica::{Ties, lan::MAX_SISTERS},
    sign_in::frames::MOST_LEFT,
    store::{people, work::disk},
    work::MAX_ARRIVING,
};

#[derive(Clone)]
struct Plane {
    app: App,
    ties: Ties,
    filter: Arc<Filter>,
}

/// Every URL of the admin plane.
pub(crate) fn routes(app: App, ties: Ties, filter: Arc<Filter>) -> Router {
    Router::new()
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/metrics", get(metrics))
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/entries", get(entries))
        .with_state(Plane { app, ties, filter })
}

/// What the box knows of itself; its own exposure is always known here.
async fn status(State(plane): State<Plane>) -> Result<Json<Value>, Problem> {
    let app = &plane.app;
    let read = app.reader.read(|conn| {
        let exposure = shelves::exposure(conn, &app.author.origin)?;
        Ok::<_, ShelfError>((people::count(conn)?, exposure, disk::standing(conn)?))
    });
    let (people, exposure, works) = read.map_err(|e| Problem::failed(&e))?;
    let vitals = app.vitals_now();
    let link = plane.ties.link.borrow().clone();
    let age = |last: Option<Elapsed>| last.map(|at| app.clock.elapsed().since(at).as_secs());
    let words = |alerts: &[Alert]| alerts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let sisters = plane.ties.sisters.statuses().into_iter().map(|(id, sister)| {
        json!({
            "box_id": id.to_string(),
            "connected": sister.in_contact,
            "last_contact_age_s": age(sister.last_message),
            "last_error": sister.last_error,
            "alerts": words(&sister.alerts),
            "full_of_works": app.work.sisters.of(id).is_full,
        })
    });
    let sisters: Vec<Value> = sisters.collect();
    Ok(Json(json!({
        "training": app.shelf.is_training(),
        "origin": app.author.origin.to_string(),
        "people": people,
        "tablets": vitals.tablets.total,
        "signed_in": vitals.signed_in,
        "written": exposure.written,
        "acknowledged": exposure.written.saturating_sub(exposure.entries),
        "exposure": { "entries": exposure.entries, "oldest_age_ms": vitals.oldest_unsynced_age_ms },
        "works": { "files_on_one_disk": works.files, "bytes_on_one_disk": works.bytes, "missing": works.missing,
            "arriving": works.arriving },
        "lag_ms": vitals.lag_ms,
        "wan": { "connected": link.in_contact, "last_contact_age_s": age(link.last_message) },
        "session_hosts": { "fresh": app.hosts.above().is_some(), "under": app.hosts.above() },
        "sisters": sisters,
        "last_error": vitals.last_error,
        "alerts": words(&link.alerts),
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
    let link = plane.ties.link.borrow().clone();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP preau_{name} {help}\n# TYPE preau_{name} gauge\npreau_{name} {value}");
    };
    gauge("unsynced_entries", "Entries that the coordinator has not acknowledged.", vitals.unsynced);
    gauge("written", "Entries and changes written here so far.", vitals.written);
    gauge(
        "commits",
        "Commits of several acts each since the start, an fsync each.",
        *plane.app.writer.committed().borrow(),
    );
    gauge("signed_in", "People signed in.", u64::from(vitals.signed_in));
    gauge("seats", "Live sessions that the filter knows.", u64::try_from(plane.app.seats.count()).unwrap_or(0));
    gauge("tablets", "Tablets enrolled.", u64::from(vitals.tablets.total));
    gauge("tablets_wiping", "Tablets being cleared.", u64::from(vitals.tablets.wiping));
    let works = plane.app.reader.read(disk::standing).unwrap_or_default();
    gauge("work_files", "Kept works that stand on this disk only.", works.files);
    gauge("work_bytes", "… in bytes.", works.bytes);
    gauge("work_kept_bytes", "Bytes of all kept works, with what can still be had back.", works.all_bytes);
    gauge("work_bytes_limit", "Bytes that pupils may keep on this disk.", plane.app.work.max_bytes);
    gauge("work_missing", "Works whose file is not on the disk.", works.missing);
    gauge("work_awaited", "Works of other boxes of the school that are not here yet.", works.arriving);
    gauge("work_arriving_limit", "Works that may arrive at once.", u64::try_from(MAX_ARRIVING).unwrap_or(0));
    let (sent, read, left) = plane.app.frames.counts();
    let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
    gauge("frames_sent", "Camera frames that tablets sent since the start, read or refused.", count(sent));
    gauge("frames_read", "Camera frames that were read since the start.", count(read));
    gauge("frame_readers_left", "Readers of frames that took too long and still run.", count(left));
    gauge("frame_readers_left_limit", "So many, and no frames are read.", count(MOST_LEFT));
    gauge("in_contact", "1 while the coordinator is heard.", u64::from(link.in_contact));
    gauge(
        "sisters_limit",
        "Other boxes of the school that this one talks to.",
        u64::try_from(MAX_SISTERS).unwrap_or(0),
    );
    gauge(
        "sister_connections_limit",
        "Connections at once at the door for other boxes.",
        u64::try_from(door::MAX_CONNECTIONS).unwrap_or(0),
    );
    gauge(
        "sister_connections_of_one_address_limit",
        "… of one address.",
        u64::try_from(door::MAX_OF_ONE_ADDRESS).unwrap_or(0),
    );
    gauge("writes_waiting_limit", "Acts that may wait for the writer.", u64::try_from(MAX_WAITING_ACTS).unwrap_or(0));
    gauge("connections_limit", "Connections at once on a listener.", u64::try_from(MAX_CONNECTIONS).unwrap_or(0));
    text.push_str(
        "# HELP preau_sister_in_contact 1 while that box of the school is heard.\n# TYPE preau_sister_in_contact gauge\n",
    );
    for (id, sister) in plane.ties.sisters.statuses() {
        let _ = writeln!(text, "preau_sister_in_contact{{box=\"{id}\"}} {}", u8::from(sister.in_contact));
    }
    text.push_str(
        "# HELP preau_dns_answers Answers of the filter, by hour and outcome.\n# TYPE preau_dns_answers counter\n",
    );
    for (hour, outcome, count) in plane.filter.counted() {
        let _ = writeln!(text, "preau_dns_answers{{hour=\"{hour}\",outcome=\"{outcome}\"}} {count}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
