//! Rosters and staff: show the plan, apply it, take it back; name the teachers; give classes their documents.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
};
use preau_shared::{
    ids::{RosterId, Uai},
    refusal::Refusal,
    rig::reply::Problem,
};
use serde::Deserialize;

use crate::{
    roster::{Applied, DocumentLine, DocumentsAnswer, Preview, Received, StaffAnswer, StaffLine, Undone, Yes},
    web::{
        Web,
        caller::{Administrator, Asked},
        problem,
    },
};

/// For which school and school year.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct For {
    uai: Option<String>,
    school_year: Option<String>,
}

impl For {
    fn uai(&self) -> Result<Uai, Problem> {
        let wrong = || Problem::new(Refusal::Malformed).detail("uai: seven digits and one letter");
        self.uai.as_deref().and_then(|text| text.parse().ok()).ok_or_else(wrong)
    }

    /// `2026-2027`: two years that follow each other.
    fn school_year(&self) -> Result<String, Problem> {
        let wrong = || Problem::new(Refusal::Malformed).detail("school_year: as 2026-2027");
        let text = self.school_year.as_deref().unwrap_or_default();
        let years = text.split_once('-').filter(|(from, to)| from.len() == 4 && to.len() == 4);
        let years = years.and_then(|(from, to)| Some((from.parse::<u16>().ok()?, to.parse::<u16>().ok()?)));
        match years {
            Some((from, to)) if from.checked_add(1) == Some(to) => Ok(text.to_owned()),
            Some(_) | None => Err(wrong()),
        }
    }
}

/// `POST /api/v1/rosters?uai=…&school_year=…`: the file's bytes → what it would do. Nothing changes.
pub(in crate::web) async fn receive(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Query(query): Query<For>,
    body: Bytes,
) -> Result<Json<Preview>, Problem> {
    let received = Received { uai: query.uai()?, school_year: query.school_year()?, bytes: body.to_vec() };
    let preview = web.app.desk.receive(received).await;
    let preview = preview.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(preview.said(&web.app.catalogue, lang)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    digest: Option<String>,
    force: bool,
    short_codes: Option<bool>,
}

/// May also stand in the query, for hands at a shell.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Force {
    #[serde(default)]
    force: bool,
}

/// `POST /api/v1/rosters/{id}/apply`: the yes; the badges drawn are told this once.
pub(in crate::web) async fn apply(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    (Path(id), Query(query)): (Path<String>, Query<Force>),
    body: Bytes,
) -> Result<Json<Applied>, Problem> {
    let id = read_id(&id)?;
    let said: Said = if body.is_empty() {
        Said::default()
    } else {
        let wrong = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            Problem::new(Refusal::Malformed)
                .detail(format!("{{digest, force, short_codes}}: line {line}, column {column}"))
        };
        serde_json::from_slice(&body).map_err(wrong)?
    };
    let yes = Yes { digest: said.digest, force: said.force || query.force, bare: said.short_codes == Some(false) };
    let applied = web.app.desk.apply(id, yes).await;
    applied.map(Json).map_err(|error| problem::desk(error, &web.app.catalogue, lang))
}

/// `POST /api/v1/rosters/{id}/undo`.
pub(in crate::web) async fn undo(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> Result<Json<Undone>, Problem> {
    let undone = web.app.desk.undo(read_id(&id)?).await;
    undone.map(Json).map_err(|error| problem::desk(error, &web.app.catalogue, lang))
}

/// `POST /api/v1/staff?uai=…`: teachers and heads; the badges drawn are told this once.
pub(in crate::web) async fn staff(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Query(query): Query<For>,
    body: Result<Json<Vec<StaffLine>>, JsonRejection>,
) -> Result<(StatusCode, Json<StaffAnswer>), Problem> {
    let Json(lines) = body.map_err(|rejection| problem::json(&rejection))?;
    let made = web.app.desk.add_staff(query.uai()?, lines).await;
    let made = made.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `POST /api/v1/documents?uai=…`: documents of classes, by title and address.
pub(in crate::web) async fn documents(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Query(query): Query<For>,
    body: Result<Json<Vec<DocumentLine>>, JsonRejection>,
) -> Result<Json<DocumentsAnswer>, Problem> {
    let Json(lines) = body.map_err(|rejection| problem::json(&rejection))?;
    let given = web.app.desk.give_documents(query.uai()?, lines).await;
    given.map(Json).map_err(|error| problem::desk(error, &web.app.catalogue, lang))
}

fn read_id(text: &str) -> Result<RosterId, Problem> {
    text.parse().map_err(|_| Problem::new(Refusal::NotFound))
}
