//! Figures for a monitoring program, in the text format of Prometheus (0.0.4), limits among them (invariant 11).

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use preau_shared::{
    messages::Lang,
    rig::{reply::Problem, serve, shelves, writer},
    wire::{SchoolStatus, SyncState},
};

use super::{MAX_LISTENERS, problem};
use crate::{app::App, broker::embedded, fleet::gather::Fleet};

const STATES: [(SyncState, &str); 5] = [
    (SyncState::NeverSeen, "never_seen"),
    (SyncState::Offline, "offline"),
    (SyncState::Attention, "attention"),
    (SyncState::CatchingUp, "catching_up"),
    (SyncState::InSync, "in_sync"),
];

/// `GET /metrics`, on the admin plane only.
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let fleet =
        Fleet::new(app.store.clone(), app.links.clone(), app.clock.clone(), app.config.keep_alive(), app.catalogue);
    let schools = fleet.schools(Lang::En).await.map_err(problem::shelf)?;
    let quarantined = app.store.read(shelves::quarantine::count).await.map_err(problem::shelf)?;
    let mut text = String::new();
    let of_state = |state: SyncState| schools.iter().filter(|school| school.state == state).count();
    head(&mut text, "preau_cloud_schools", "Open schools, by state.");
    for (state, word) in STATES {
        line(&mut text, &format!("preau_cloud_schools{{state=\"{word}\"}}"), of_state(state));
    }
    head(&mut text, "preau_cloud_unsynced_entries", "Entries that boxes hold alone, as last told.");
    line(&mut text, "preau_cloud_unsynced_entries", total(&schools, |s| s.unsynced_at_last_contact.unwrap_or(0)));
    head(&mut text, "preau_cloud_entries", "Journal entries held.");
    line(&mut text, "preau_cloud_entries", total(&schools, |s| s.entries));
    head(&mut text, "preau_cloud_tablets_in_use", "Tablets in use, as last told; training rooms do not count.");
    line(&mut text, "preau_cloud_tablets_in_use", total(&schools, |s| real(s, s.tablets.in_use)));
    head(&mut text, "preau_cloud_signed_in", "People signed in, as last told; training rooms do not count.");
    line(&mut text, "preau_cloud_signed_in", total(&schools, |s| real(s, s.signed_in)));
    head(&mut text, "preau_cloud_quarantined", "Runs kept aside unread.");
    line(&mut text, "preau_cloud_quarantined", quarantined);
    head(&mut text, "preau_cloud_limit", "Bounds of queues and lists.");
    for (name, limit) in [
        ("waiting_acts", writer::MAX_WAITING_ACTS),
        ("acts_per_commit", writer::MAX_ACTS_PER_COMMIT),
        ("connections", serve::MAX_CONNECTIONS),
        ("listeners", MAX_LISTENERS),
        ("broker_boxes", embedded::MAX_BOXES),
        ("broker_handshakes", embedded::MAX_HANDSHAKES),
        ("broker_queue_of_a_box", embedded::BOX_QUEUE),
        ("broker_queue_of_the_coordinator", embedded::COORDINATOR_QUEUE),
    ] {
        line(&mut text, &format!("preau_cloud_limit{{what=\"{name}\"}}"), limit);
    }
    text.push_str(
        "# HELP preau_cloud_dns_answers Answers to tablets away from school, by hour and outcome.\n\
         # TYPE preau_cloud_dns_answers counter\n",
    );
    for (hour, outcome, count) in app.names.judge().counted() {
        line(&mut text, &format!("preau_cloud_dns_answers{{hour=\"{hour}\",outcome=\"{outcome}\"}}"), count);
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// A figure of people who are real.
fn real(school: &SchoolStatus, figure: u32) -> u64 {
    if school.training { 0 } else { figure.into() }
}

fn total(schools: &[SchoolStatus], of: impl Fn(&SchoolStatus) -> u64) -> u64 {
    schools.iter().map(of).fold(0, u64::saturating_add)
}

// Writing to a string cannot fail.
fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name} {value}");
}
