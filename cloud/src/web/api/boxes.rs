//! Boxes: a code for a new one, its claim, its words, the list, the end.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use preau_shared::{
    ids::{BoxId, ClaimId, Uai},
    refusal::Refusal,
    rig::reply::Problem,
    wire::{BoxStatus, Claim},
};
use serde::{Deserialize, Serialize};

use crate::web::{
    Web,
    caller::{Administrator, Asked},
    problem,
};

/// `POST /api/v1/boxes`.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct NewBox {
    uai: Uai,
    /// Grant without comparing the three words: for the pilot and for benches.
    #[serde(default)]
    auto_confirm: bool,
}

/// A claim code, told this once.
#[derive(Serialize)]
pub(in crate::web) struct Issued {
    uai: Uai,
    code: String,
}

/// `POST /api/v1/boxes`: a claim code for a box of this school.
pub(in crate::web) async fn issue(
    _: Administrator,
    State(web): State<Web>,
    body: Result<Json<NewBox>, JsonRejection>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let Json(new) = body.map_err(|rejection| problem::json(&rejection))?;
    let code = web.app.enrolment.issue(new.uai.clone(), new.auto_confirm).await?;
    Ok((StatusCode::CREATED, Json(Issued { uai: new.uai, code })))
}

/// One box of the list.
#[derive(Serialize)]
struct BoxLine {
    uai: Uai,
    #[serde(flatten)]
    status: BoxStatus,
}

/// A claim whose words somebody must compare.
#[derive(Serialize)]
struct WaitingLine {
    claim_id: ClaimId,
    uai: Uai,
    words: [String; 3],
}

/// Answer to `GET /api/v1/boxes`.
#[derive(Serialize)]
pub(in crate::web) struct Boxes {
    boxes: Vec<BoxLine>,
    waiting: Vec<WaitingLine>,
}

/// `GET /api/v1/boxes`: every admitted box, and claims that wait for a person.
pub(in crate::web) async fn list(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
) -> Result<Json<Boxes>, Problem> {
    let schools = web.fleet.schools(lang).await.map_err(problem::shelf)?;
    let of_school = |school: preau_shared::wire::SchoolStatus| {
        let uai = school.uai;
        school.boxes.into_iter().map(move |status| BoxLine { uai: uai.clone(), status })
    };
    let waiting = web.app.enrolment.waiting().await?;
    Ok(Json(Boxes {
        boxes: schools.into_iter().flat_map(of_school).collect(),
        waiting: waiting
            .into_iter()
            .map(|claim| WaitingLine { claim_id: claim.claim_id, uai: claim.uai, words: claim.words })
            .collect(),
    }))
}

/// `POST /api/v1/boxes/{box_id}/revoke`: shut out for good.
pub(in crate::web) async fn revoke(
    _: Administrator,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: BoxId = id.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    web.app.revoke(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/boxes/{box_id}/replace`: the box is dead; shut it out and make a claim code for the one that takes its
/// place in the same school. The new box gets its school from here.
pub(in crate::web) async fn replace(
    _: Administrator,
    State(web): State<Web>,
    Path(id): Path<String>,
    body: Result<Json<NewBox>, JsonRejection>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let id: BoxId = id.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    let Json(new) = body.map_err(|rejection| problem::json(&rejection))?;
    let code = web.app.enrolment.replace(new.uai.clone(), id, new.auto_confirm).await?;
    // Revoked by the same commit as the code; this takes its rights and its connection at once.
    web.app.revoke(id).await?;
    Ok((StatusCode::CREATED, Json(Issued { uai: new.uai, code })))
}

/// `POST /api/v1/claims`: the box itself, with its code: 202 with the words, then 200 with the grant.
pub(in crate::web) async fn claim(
    State(web): State<Web>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Result<Json<Claim>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(claim) = body.map_err(|rejection| problem::json(&rejection))?;
    let answer = web.app.enrolment.receive(claim, from.ip()).await?;
    let status = if answer.grant.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(answer)).into_response())
}

/// `POST /api/v1/claims/{id}/confirm`: somebody compared the words.
pub(in crate::web) async fn confirm(
    _: Administrator,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: ClaimId = id.parse().map_err(|_| Problem::new(Refusal::NotFound))?;
    web.app.enrolment.confirm(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
