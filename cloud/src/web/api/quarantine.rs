//! What was refused, and what is lost: for the DSI to look at.

use axum::{Json, extract::State};
use preau_shared::rig::{
    reply::Problem,
    shelves::{ShelfError, lost, quarantine},
};
use serde_json::{Value, json};

use crate::web::{Web, caller::Administrator, problem};

/// `GET /api/v1/quarantine`: `{quarantined:[{origin, reason, bytes, age_s}], lost:[{shelf, origin, first, last}]}`. No
/// contents: what could not be proved or read is shown by its size and its reason.
pub(in crate::web) async fn list(_: Administrator, State(web): State<Web>) -> Result<Json<Value>, Problem> {
    let now = web.app.clock.stamp();
    let read = web.app.store.read(|conn| Ok::<_, ShelfError>((quarantine::list(conn)?, lost::list(conn)?)));
    let (kept, lost) = read.await.map_err(problem::shelf)?;
    let quarantined: Vec<Value> = kept
        .iter()
        .map(|one| {
            let age_s = now.since(one.at).as_secs();
            json!({ "origin": one.origin, "reason": one.reason, "bytes": one.bytes, "age_s": age_s })
        })
        .collect();
    let lost: Vec<Value> = lost
        .iter()
        .map(|gap| {
            json!({ "shelf": gap.shelf.to_string(), "origin": gap.origin.to_string(), "first": gap.first, "last": gap.last })
        })
        .collect();
    Ok(Json(json!({ "quarantined": quarantined, "lost": lost })))
}
