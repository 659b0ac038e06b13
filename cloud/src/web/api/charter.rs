//! A school's own charter.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use preau_shared::{
    refusal::Refusal,
    rig::reply::Problem,
    terms::{Audience, Charter},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::schools::read_uai;
use crate::web::{
    Web,
    caller::{Administrator, Asked},
    problem,
};

/// `PUT` body of [`write()`].
#[derive(Debug, Deserialize)]
pub(in crate::web) struct WriteCharter {
    /// For whom: `cycle2`, `cycle3`, `adults`.
    levels: Vec<String>,
    /// Paragraphs with empty lines between; absent: the charter that comes with the program holds again.
    text: Option<String>,
}

/// `PUT /api/v1/schools/{uai}/charter`: tells the version of what holds from now on.
pub(in crate::web) async fn write(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(uai): Path<String>,
    body: Result<Json<WriteCharter>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (uai, Json(WriteCharter { levels, text })) =
        (read_uai(&uai)?, body.map_err(|rejection| problem::json(&rejection))?);
    let audiences: Option<BTreeSet<Audience>> = levels.iter().map(|word| Audience::from_word(word)).collect();
    let audiences = audiences
        .filter(|all| !all.is_empty())
        .ok_or_else(|| Problem::new(Refusal::Malformed).detail("`levels`: one or more of cycle2, cycle3 and adults"))?;
    let charter = text.map(|text| Charter::parse(text.as_bytes())).transpose().map_err(|error| {
        let problem = Problem::new(Refusal::Malformed).detail(format!("`text`: {error}"));
        problem.with("line", error.line).with("column", error.column)
    })?;
    let version = charter.as_ref().map(|charter| charter.version().to_string());
    let levels: Vec<&str> = audiences.iter().map(|audience| audience.as_str()).collect();
    let answer = json!({ "uai": uai, "levels": levels, "version": version });
    let written = web.app.desk.write_charter(uai, audiences, charter).await;
    written.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(answer))
}
