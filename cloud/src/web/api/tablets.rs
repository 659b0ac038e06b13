//! Tablets of a school, as the DSI sees them.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use preau_shared::{ids::TabletId, refusal::Refusal, rig::reply::Problem};
use serde::Deserialize;
use serde_json::{Value, json};

use super::schools::read_uai;
use crate::web::{
    Web,
    caller::{Administrator, Asked},
    problem,
};

/// `PUT` body of [`lost`].
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Lost {
    /// It is lost; false when it was found.
    lost: bool,
}

/// `PUT /api/v1/schools/{uai}/tablets/{tablet_id}/lost`: it is lost, or found again.
pub(in crate::web) async fn lost(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path((uai, tablet)): Path<(String, String)>,
    body: Result<Json<Lost>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let (uai, Json(Lost { lost })) = (read_uai(&uai)?, body.map_err(|rejection| problem::json(&rejection))?);
    let tablet: TabletId = tablet.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    let said = web.app.desk.lose_tablet(uai.clone(), tablet, lost).await;
    said.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(json!({ "uai": uai, "tablet_id": tablet, "lost": lost })))
}
