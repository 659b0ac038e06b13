//! People made at the box: new pupils, substitutes.

use std::collections::BTreeSet;

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::StatusCode,
};
use preau_shared::{
    ids::{ClassId, PersonId},
    refusal::Refusal,
    rig::reply::Problem,
    wire::Role,
};
use serde::{Deserialize, Serialize};

use super::{badges::drawing, id};
use crate::{
    app::App,
    classroom::view,
    sign_in::{
        newcomers::{self, Until},
        staff,
    },
    store::{Trouble, classes, people},
    web::{
        body::Json,
        caller::{Head, Staff},
    },
};

/// Body of `POST /api/v1/classes/{id}/pupils`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewPupil {
    given_name: String,
    /// One of the class's levels; the first when none is said.
    level: Option<String>,
}

/// Answer: her badge is drawn as anybody's.
#[derive(Debug, Serialize)]
pub(crate) struct PupilMade {
    person_id: PersonId,
}

/// `POST /api/v1/classes/{id}/pupils`: a pupil whom no roster names yet.
pub(crate) async fn add_pupil(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
    Json(ask): Json<NewPupil>,
) -> Result<(StatusCode, Answer<PupilMade>), Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    let by = staff.who.in_journal();
    let person_id = newcomers::add_pupil(&app, class, (ask.given_name, ask.level), by).await?;
    Ok((StatusCode::CREATED, Answer(PupilMade { person_id })))
}

/// Body of `POST /api/v1/substitutes`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewSubstitute {
    given_name: String,
    class_ids: BTreeSet<ClassId>,
    /// `tonight` or, by the head, `friday`.
    until: String,
    /// Asked for again when the session is not fresh.
    #[serde(default)]
    second_factor: Option<String>,
}

/// Answer: badge and PIN are told this once.
#[derive(Debug, Serialize)]
pub(crate) struct SubstituteMade {
    person_id: PersonId,
    payload: String,
    drawing: String,
    pin: String,
    until_ms: i64,
}

/// `POST /api/v1/substitutes`.
pub(crate) async fn add_substitute(
    State(app): State<App>,
    staff: Staff,
    Json(ask): Json<NewSubstitute>,
) -> Result<(StatusCode, Answer<SubstituteMade>), Problem> {
    let until = match ask.until.as_str() {
        "tonight" => Until::Tonight,
        "friday" => Until::Friday,
        _ => return Err(Problem::new(Refusal::Malformed).detail("`until`: tonight or friday")),
    };
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let made = newcomers::add_substitute(&app, (ask.given_name, ask.class_ids), until, &staff.who).await?;
    let answer = SubstituteMade {
        person_id: made.person,
        drawing: drawing(&made.payload)?,
        payload: made.payload,
        pin: made.pin,
        until_ms: made.until.0,
    };
    Ok((StatusCode::CREATED, Answer(answer)))
}

/// A substitute in the head's list.
#[derive(Debug, Serialize)]
pub(crate) struct SubstituteLine {
    person_id: PersonId,
    given_name: String,
    classes: Vec<String>,
    until_ms: Option<i64>,
}

/// `GET /api/v1/substitutes`: who teaches here for now.
pub(crate) async fn substitutes(State(app): State<App>, _head: Head) -> Result<Answer<Vec<SubstituteLine>>, Problem> {
    let lines = app.reader.read(|conn| {
        let mut lines = Vec::new();
        for someone in people::substitutes(conn)? {
            let classes = classes::taught_by(conn, someone.id)?.into_iter().map(|class| class.name).collect();
            let until_ms = someone.expires.map(|stamp| stamp.0);
            lines.push(SubstituteLine { person_id: someone.id, given_name: someone.given_name, classes, until_ms });
        }
        Ok::<_, Trouble>(lines)
    })?;
    std::future::ready(Ok(Answer(lines))).await
}

/// `POST /api/v1/substitutes/{id}/end`.
pub(crate) async fn end_substitute(
    State(app): State<App>,
    Head(head): Head,
    Path(person): Path<String>,
) -> Result<StatusCode, Problem> {
    newcomers::leave(&app, (id(&person)?, Role::Teacher), head.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/people/{id}`: a pupil whom no roster names was put on a list by mistake.
pub(crate) async fn take_back(
    State(app): State<App>,
    staff: Staff,
    Path(person): Path<String>,
) -> Result<StatusCode, Problem> {
    let person = id(&person)?;
    let may = app.reader.read(|conn| view::may_act_on(conn, &staff.who, person)).map_err(Trouble::from)?;
    if !may {
        return Err(Problem::new(Refusal::Forbidden));
    }
    newcomers::leave(&app, (person, Role::Pupil), staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}
