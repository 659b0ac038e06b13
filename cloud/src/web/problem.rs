//! What rooms say no to, as problems (RFC 9457).

use axum::{extract::rejection::JsonRejection, http::StatusCode};
use preau_shared::{
    messages::{Catalogue, Lang},
    refusal::Refusal,
    rig::{reply::Problem, shelves::ShelfError, writer::StoreError},
    roster::RosterError,
};

use crate::roster::DeskError;

/// A roster's error in words needs the catalogue; everything else does not.
pub(super) fn desk(error: DeskError, catalogue: &Catalogue, lang: Lang) -> Problem {
    match error {
        DeskError::Store(error) => store(&error),
        DeskError::Shelf(error) => shelf(error),
        DeskError::Unreadable(error) => unreadable(&error, catalogue, lang),
        DeskError::NoSchool | DeskError::NoRoster | DeskError::NoBadge | DeskError::NoPerson | DeskError::NoTablet => {
            Problem::new(Refusal::NotFound)
        }
        DeskError::NoStaff => Problem::new(Refusal::NotFound).detail(error.to_string()),
        DeskError::Suspicious { leaving, enrolled, unread } => Problem::new(Refusal::RosterSuspicious)
            .with("leaving", leaving)
            .with("enrolled", enrolled)
            .with("unread", unread),
        DeskError::Training => Problem::new(Refusal::TrainingRoom),
        DeskError::Outdated => Problem::new(Refusal::RosterOutdated),
        DeskError::NotLast => Problem::new(Refusal::RosterNotLast),
        DeskError::Entry { entry, what } => Problem::new(Refusal::Malformed).detail(format!("{entry}: {what}")),
        DeskError::Stored => Problem::failed(&"a stored plan or a hash"),
    }
}

fn unreadable(error: &RosterError, catalogue: &Catalogue, lang: Lang) -> Problem {
    let (cause, cure) = error.say(catalogue, lang);
    let mut problem =
        Problem::new(Refusal::RosterUnreadable).detail(format!("{cause} {cure}")).with("reason", error.key());
    if let Some(line) = error.line() {
        problem = problem.with("line", line);
    }
    if let Some(column) = error.column() {
        problem = problem.with("column", column);
    }
    problem
}

/// A queue that is full is no failure: the caller comes back.
pub(super) fn store(error: &StoreError) -> Problem {
    match error {
        StoreError::Full => Problem::new(Refusal::Overloaded).retry_after(1),
        // Its holder does it; whoever stands before several coordinators asks the next one.
        StoreError::Elsewhere(_) => Problem::new(Refusal::Overloaded).retry_after(1).detail(error.to_string()),
        StoreError::Sqlite(_)
        | StoreError::Postgres(_)
        | StoreError::Away(_)
        | StoreError::Unsure(_)
        | StoreError::Column { .. }
        | StoreError::Commit(_)
        | StoreError::Closed
        | StoreError::Unreadable(_)
        | StoreError::Newer { .. } => Problem::storage(error),
    }
}

pub(super) fn shelf(error: ShelfError) -> Problem {
    match error {
        ShelfError::Store(error) => store(&error),
        ShelfError::Refused { reason } => Problem::new(Refusal::Malformed).detail(reason),
        ShelfError::Gap { .. } | ShelfError::Fork { .. } | ShelfError::Stuck => Problem::failed(&error),
    }
}

/// A JSON body that is not what is described: says where, never repeats what was sent.
pub(super) fn json(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Refusal::TooLarge),
        _ => Problem::new(Refusal::Malformed).detail(rejection.body_text()),
    }
}
