//! Erasing a person.

use axum::{
    Json,
    extract::{Path, State},
};
use preau_shared::{ids::PersonId, refusal::Refusal, rig::reply::Problem};
use serde_json::{Value, json};

use crate::web::{
    Web,
    caller::{Administrator, Asked},
    problem,
};

/// `POST /api/v1/people/{person_id}/erase`: for good, on every shelf and in every copy; there is no way back.
pub(in crate::web) async fn erase(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let person: PersonId = id.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    let erased = web.app.desk.erase(person).await.map_err(|error| problem::desk(error, &web.app.catalogue, lang))?;
    Ok(Json(json!({ "person_id": person, "erased": erased })))
}
