//! What the head settles for the school: what pupils are asked for besides their badge.

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::StatusCode,
};
use preau_shared::{
    documents::school::ask_factor as edit_of, journal::Entry, refusal::Refusal, replica::shelf::Shelf,
    rig::reply::Problem, second_factor::Factor, wire::LevelFactor,
};
use serde::Deserialize;

use crate::{
    app::App,
    store::{Trouble, factors as rows},
    web::{
        body::Json,
        caller::{Head, Staff},
    },
};

/// The word for a level that is asked for nothing.
const NONE: &str = "none";

/// `GET /api/v1/factors`: by level, for whoever is of the staff.
pub(crate) async fn factors(State(app): State<App>, _staff: Staff) -> Result<Answer<Vec<LevelFactor>>, Problem> {
    let levels = app.reader.read(rows::by_level).map_err(Trouble::from)?;
    let lines = levels.into_iter().map(|(level, factor, pupils)| LevelFactor {
        level,
        factor: factor.map_or(NONE, Factor::as_str).to_owned(),
        pupils,
    });
    std::future::ready(Ok(Answer(lines.collect()))).await
}

/// Body of `PUT /api/v1/factors/{level}`.
#[derive(Debug, Deserialize)]
pub(crate) struct AskFactor {
    factor: String,
}

/// `PUT /api/v1/factors/{level}`: `none`, `pictures` or `digits`. A pupil who has no such code yet chooses one at her next
/// sign-in; what she chose before is kept.
pub(crate) async fn ask_factor(
    State(app): State<App>,
    Head(head): Head,
    Path(level): Path<String>,
    Json(ask): Json<AskFactor>,
) -> Result<StatusCode, Problem> {
    let factor = match ask.factor.as_str() {
        NONE => None,
        word => Some(
            Factor::from_word(word)
                .ok_or_else(|| Problem::new(Refusal::Malformed).detail("`factor`: none, pictures or digits"))?,
        ),
    };
    let by = head.who.in_journal();
    app.commit(move |conn, book| {
        if !rows::by_level(conn)?.iter().any(|(known, _, _)| *known == level) {
            return Err(Refusal::NotFound.into());
        }
        let Shelf::School(uai) = &book.shelf else { return Err(Refusal::NotFound.into()) };
        book.edit(conn, &edit_of(uai, &level, factor))?;
        let what = format!("second factor of {level}: {}", factor.map_or(NONE, Factor::as_str));
        book.note(conn, &Entry::Audit { what, by: Some(by) })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
