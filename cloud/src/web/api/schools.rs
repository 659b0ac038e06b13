//! Schools: where each stands, what the coordinator holds of it, a new one.

use std::{collections::BTreeSet, fmt::Write as _};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use preau_shared::{
    documents::school::Accounts,
    ids::{PersonId, SessionId, Uai},
    journal::Entry,
    refusal::Refusal,
    replica::Shelf,
    rig::{
        reply::Problem,
        shelves::{self, ShelfError},
    },
    wire::SchoolStatus,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    roster::{CodesDrawn, For, NewRoom, NewSchool, RoomMade},
    store::{Tx, schools},
    web::{
        Web,
        caller::{Administrator, Asked},
        problem,
    },
};

/// Entries in one answer unless fewer are asked for.
const MAX_ENTRIES: usize = 200_000;
/// Entries read from the store at a time.
const ENTRIES_A_READ: u32 = 1_000;

/// `GET /api/v1/schools`: every open school, by UAI.
pub(in crate::web) async fn list(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
) -> Result<Json<Vec<SchoolStatus>>, Problem> {
    web.fleet.schools(lang).await.map(Json).map_err(problem::shelf)
}

/// `GET /api/v1/schools/{uai}`.
pub(in crate::web) async fn one(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
) -> Result<Json<SchoolStatus>, Problem> {
    let uai = read_uai(&uai)?;
    let schools = web.fleet.schools(lang).await.map_err(problem::shelf)?;
    let school = schools.into_iter().find(|school| school.uai == uai);
    school.map(Json).ok_or_else(|| Problem::new(Refusal::NotFound))
}

/// `POST /api/v1/schools`: 201 for a new one, 200 when it was there already.
pub(in crate::web) async fn add(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    body: Result<Json<NewSchool>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(new) = body.map_err(|rejection| problem::json(&rejection))?;
    let made = web.app.desk.add_school(new).await;
    let made = made.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    let status = if made.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made)).into_response())
}

/// `POST /api/v1/training-rooms`: a school of invented people; badges and secrets are told this once.
pub(in crate::web) async fn add_training_room(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    body: Result<Json<NewRoom>, JsonRejection>,
) -> Result<(StatusCode, Json<RoomMade>), Problem> {
    let Json(new) = body.map_err(|rejection| problem::json(&rejection))?;
    let made = web.app.desk.add_training_room(new).await;
    Ok((StatusCode::CREATED, Json(made.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?)))
}

/// `POST /api/v1/schools/{uai}/retire`: closes it; tells how many boxes still serve it.
pub(in crate::web) async fn retire(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
) -> Result<Json<Value>, Problem> {
    let uai = read_uai(&uai)?;
    let boxes = web.app.desk.retire_school(uai.clone()).await;
    let boxes = boxes.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(json!({ "uai": uai, "boxes_in_service": boxes })))
}

/// `PUT /api/v1/schools/{uai}/accounts`.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Sharing {
    /// `one` or `many`.
    accounts: String,
}

/// `PUT /api/v1/schools/{uai}/accounts`: one account per tablet, or many.
pub(in crate::web) async fn accounts(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
    body: Result<Json<Sharing>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(Sharing { accounts }) = body.map_err(|rejection| problem::json(&rejection))?;
    let (uai, to) = (read_uai(&uai)?, Accounts::from_word(&accounts));
    let to = to.ok_or_else(|| Problem::new(Refusal::Malformed).detail("`accounts`: one or many"))?;
    let switched = web.app.desk.switch_accounts(uai.clone(), to).await;
    switched.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(json!({ "uai": uai, "accounts": to.as_str() })))
}

/// `PUT` body of [`frames`].
#[derive(Debug, Deserialize)]
pub(in crate::web) struct LetFrames {
    /// Boxes of the school may decode camera frames.
    on: bool,
}

/// `PUT /api/v1/schools/{uai}/frames`: lets the school's boxes decode camera frames in memory, or stops it.
pub(in crate::web) async fn frames(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
    body: Result<Json<LetFrames>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (uai, Json(LetFrames { on })) = (read_uai(&uai)?, body.map_err(|rejection| problem::json(&rejection))?);
    let switched = web.app.desk.let_frames(uai.clone(), on).await;
    switched.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(json!({ "uai": uai, "frames_on_box": on })))
}

/// `POST /api/v1/schools/{uai}/safe-code`: draws the code of the school's safe anew; told this once.
pub(in crate::web) async fn safe_code(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
) -> Result<(StatusCode, Json<CodesDrawn>), Problem> {
    let drawn = web.app.desk.draw_safe_codes(read_uai(&uai)?).await;
    let drawn = drawn.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok((StatusCode::CREATED, Json(drawn)))
}

/// Body of `POST /api/v1/schools/{uai}/activations`; empty: those who have not chosen a secret of their own yet.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct Activations {
    /// All of the staff.
    everybody: bool,
    /// These alone.
    people: BTreeSet<PersonId>,
}

/// `POST /api/v1/schools/{uai}/activations`: activation codes for the staff; told this once.
pub(in crate::web) async fn activations(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
    body: Result<Json<Activations>, JsonRejection>,
) -> Result<(StatusCode, Json<CodesDrawn>), Problem> {
    let Json(Activations { everybody, people }) = body.map_err(|rejection| problem::json(&rejection))?;
    let whom = match (everybody, people.is_empty()) {
        (true, true) => For::Everybody,
        (false, true) => For::Newcomers,
        (false, false) => For::These(people),
        (true, false) => return Err(Problem::new(Refusal::Malformed).detail("`everybody` or `people`")),
    };
    let drawn = web.app.desk.draw_activations(read_uai(&uai)?, whom).await;
    let drawn = drawn.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok((StatusCode::CREATED, Json(drawn)))
}

/// Which entries are asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Page {
    /// How many of the list to leave out.
    #[serde(default)]
    skip: usize,
    /// How many at most.
    limit: Option<usize>,
}

/// `GET /api/v1/schools/{uai}/entries`: the identity of every journal entry held, one JSON object a line, in a fixed
/// order. Bodies never leave: who counts needs names only.
pub(in crate::web) async fn entries(
    _: Administrator,
    State(web): State<Web>,
    Path(uai): Path<String>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let uai = read_uai(&uai)?;
    let ids = web.app.store.read(move |connection| {
        let known = schools::find(connection, &uai)?.is_some();
        if known { shelves::entry_ids(connection, &Shelf::School(uai)).map(Some) } else { Ok(None) }
    });
    let ids = ids.await.map_err(problem::shelf)?.ok_or_else(|| Problem::new(Refusal::NotFound))?;
    let limit = page.limit.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES);
    let mut lines = String::new();
    for (origin, number) in ids.iter().skip(page.skip).take(limit) {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{{\"origin\":\"{origin}\",\"number\":{number}}}");
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// `GET /api/v1/schools/{uai}/sign-ins`: the sessions whose sign-in is held here, one JSON object a line, so that whoever
/// was told of a session can see that it arrived. No people are in it.
pub(in crate::web) async fn sign_ins(
    _: Administrator,
    State(web): State<Web>,
    Path(uai): Path<String>,
) -> Result<Response, Problem> {
    let uai = read_uai(&uai)?;
    let sessions = web.app.store.read(move |connection| sessions_of(connection, &uai)).await;
    let sessions = sessions.map_err(problem::shelf)?;
    let mut lines = String::new();
    for session in sessions.iter().take(MAX_ENTRIES) {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{{\"session\":\"{session}\"}}");
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn sessions_of(connection: &Tx, uai: &Uai) -> Result<Vec<SessionId>, ShelfError> {
    let shelf = Shelf::School(uai.clone());
    // Also of lives of which nothing but what a later one said again is held.
    let origins: BTreeSet<_> = shelves::entry_ids(connection, &shelf)?.into_iter().map(|(origin, _)| origin).collect();
    let mut sessions = Vec::new();
    for origin in origins {
        let mut after = 0;
        loop {
            let page = shelves::entries(connection, &shelf, &origin, after, ENTRIES_A_READ)?;
            let Some((last, ..)) = page.last() else { break };
            after = *last;
            sessions.extend(page.into_iter().filter_map(|(_, _, entry)| match entry {
                Entry::SignIn { session, .. } => Some(session),
                Entry::SignOut { .. }
                | Entry::Wiped { .. }
                | Entry::TabletEnrolled { .. }
                | Entry::BadgeVoided { .. }
                | Entry::StaffSignIn { .. }
                | Entry::Credential { .. }
                | Entry::Audit { .. }
                | Entry::Refused { .. }
                | Entry::Unplugged { .. }
                | Entry::TermsRead { .. } => None,
            }));
        }
    }
    Ok(sessions)
}

pub(super) fn read_uai(text: &str) -> Result<Uai, Problem> {
    text.parse().map_err(|_| Problem::new(Refusal::NotFound))
}
