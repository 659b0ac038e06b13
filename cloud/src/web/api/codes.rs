//! QR codes of another system: shown, given, taken back.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use preau_shared::{ids::ImportId, refusal::Refusal, rig::reply::Problem};
use serde::Deserialize;

use super::schools::read_uai;
use crate::{
    roster::{CodeLine, CodesPlan, CodesUndone},
    web::{
        Web,
        caller::{Administrator, Asked},
        problem,
    },
};

/// Body of `POST /api/v1/schools/{uai}/codes`.
#[derive(Deserialize)]
pub(in crate::web) struct Given {
    /// Do it; else only show what it would do.
    #[serde(default)]
    apply: bool,
    lines: Vec<CodeLine>,
}

/// `POST /api/v1/schools/{uai}/codes`: gives these codes to those whose they are.
pub(in crate::web) async fn give(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
    body: Result<Json<Given>, JsonRejection>,
) -> Result<Json<CodesPlan>, Problem> {
    let (uai, Json(Given { apply, lines })) = (read_uai(&uai)?, body.map_err(|rejection| problem::json(&rejection))?);
    let plan = web.app.desk.give_codes(uai, lines, apply).await;
    plan.map(Json).map_err(|error| problem::desk(error, &web.app.catalogue, lang))
}

/// `POST /api/v1/schools/{uai}/codes/{import}/undo`.
pub(in crate::web) async fn undo(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path((uai, import)): Path<(String, String)>,
) -> Result<Json<CodesUndone>, Problem> {
    let import: ImportId = import.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    let undone = web.app.desk.take_codes_back(read_uai(&uai)?, import).await;
    undone.map(Json).map_err(|error| problem::desk(error, &web.app.catalogue, lang))
}
