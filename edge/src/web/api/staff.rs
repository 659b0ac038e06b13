//! What teachers and heads ask: their session, classes, and the few acts on pupils, tablets and enrolment.

use std::time::Duration;

use axum::{
    Json as Answer,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::AppendHeaders,
};
use preau_shared::{
    ids::{ClassId, SessionId},
    rig::reply::Problem,
    wire::{
        ClassLine, ClassView, EnrolmentWindow, LetIn, LetInDone, StaffOpened, StaffSignIn, TabletOwner, UnpluggedCode,
    },
};
use serde::{Deserialize, Serialize};

use super::id;
use crate::{
    app::App,
    classroom::{quiet, view},
    sign_in::{guests, leave, let_in, staff, unplugged},
    store::people::Human,
    tablets::{enrol, owner, wipe},
    training,
    web::{
        body::{Json, MaybeJson},
        caller::{From, Staff, set_cookie},
    },
};

/// `PUT /api/v1/tablets/{id}/owner`.
pub(crate) async fn give_tablet(
    State(app): State<App>,
    staff: Staff,
    Path(tablet): Path<String>,
    Json(ask): Json<TabletOwner>,
) -> Result<StatusCode, Problem> {
    owner::give(&app, id(&tablet)?, Some(ask.person_id), staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/tablets/{id}/owner`.
pub(crate) async fn free_tablet(
    State(app): State<App>,
    staff: Staff,
    Path(tablet): Path<String>,
) -> Result<StatusCode, Problem> {
    owner::give(&app, id(&tablet)?, None, staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) type Cookie = AppendHeaders<Option<(header::HeaderName, header::HeaderValue)>>;

pub(super) fn cookie(token: &str) -> Cookie {
    AppendHeaders(set_cookie(token).map(|value| (header::SET_COOKIE, value)))
}

/// `POST /api/v1/staff/session`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    From(address): From,
    Json(ask): Json<StaffSignIn>,
) -> Result<(StatusCode, Cookie, Answer<StaffOpened>), Problem> {
    let (who, token) = staff::sign_in(&app, ask, address).await?;
    Ok((StatusCode::CREATED, cookie(&token), Answer(opened(who))))
}

/// `GET /api/v1/staff/session`: whose page this is.
pub(crate) async fn who(staff: Staff) -> Answer<StaffOpened> {
    std::future::ready(Answer(opened(staff.who))).await
}

pub(super) fn opened(who: Human) -> StaffOpened {
    StaffOpened { person_id: who.id, given_name: who.given_name, role: who.role }
}

/// `DELETE /api/v1/staff/session`.
pub(crate) async fn sign_out(State(app): State<App>, staff: Staff) -> Result<(StatusCode, Cookie), Problem> {
    staff::sign_out(&app, &staff.token).await?;
    Ok((StatusCode::NO_CONTENT, cookie("")))
}

/// `GET /api/v1/classes`: those that one teaches, `?of=school` for the names of all.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Classes {
    #[serde(default)]
    of: Option<String>,
}

/// `GET /api/v1/classes`.
pub(crate) async fn classes(
    State(app): State<App>,
    staff: Staff,
    Query(asked): Query<Classes>,
) -> Result<Answer<Vec<ClassLine>>, Problem> {
    let classes = match asked.of.as_deref() {
        Some("school") => view::every_class(&app)?,
        Some(_) | None => view::classes_of(&app, &staff.who)?,
    };
    std::future::ready(Ok(Answer(classes))).await
}

/// `GET /api/v1/classes/{id}`.
pub(crate) async fn class(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
) -> Result<Answer<ClassView>, Problem> {
    let class: ClassId = id(&class)?;
    std::future::ready(Ok(Answer(view::class(&app, &staff.who, class)?))).await
}

/// `POST /api/v1/classes/{id}/let-in`.
pub(crate) async fn let_in(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
    Json(ask): Json<LetIn>,
) -> Result<(StatusCode, Answer<LetInDone>), Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    let session_id = let_in::let_in(&app, class, (ask.person_id, ask.new_code), ask.tablet_id).await?;
    Ok((StatusCode::CREATED, Answer(LetInDone { session_id })))
}

/// `POST /api/v1/sessions/{id}/end`.
pub(crate) async fn end(
    State(app): State<App>,
    _staff: Staff,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session: SessionId = id(&session)?;
    leave::end_by_staff(&app, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/tablets/{id}/checked`.
pub(crate) async fn checked(
    State(app): State<App>,
    staff: Staff,
    Path(tablet): Path<String>,
) -> Result<StatusCode, Problem> {
    wipe::checked(&app, id(&tablet)?, staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of `POST /api/v1/classes/{id}/guests`.
#[derive(Debug, Deserialize)]
pub(crate) struct OpenToGuests {
    minutes: u64,
}

/// Answer to it.
#[derive(Debug, Serialize)]
pub(crate) struct OpenedToGuests {
    closes_in_s: u64,
}

/// `POST /api/v1/classes/{id}/guests`: whoever has no badge here may sit down for so long.
pub(crate) async fn open_to_guests(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
    Json(ask): Json<OpenToGuests>,
) -> Result<(StatusCode, Answer<OpenedToGuests>), Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    let lasts = Duration::from_secs(ask.minutes.saturating_mul(60));
    let lasts = guests::open(&app, class, lasts, staff.who.in_journal()).await?;
    Ok((StatusCode::CREATED, Answer(OpenedToGuests { closes_in_s: lasts.as_secs() })))
}

/// `DELETE /api/v1/classes/{id}/guests`: no longer, and those who sit there leave.
pub(crate) async fn close_to_guests(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
) -> Result<StatusCode, Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    guests::close(&app, class, staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/classes/{id}/quiet`: its tablets are silent until tonight.
pub(crate) async fn silence(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
) -> Result<StatusCode, Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    quiet::silence(&app, class).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/v1/classes/{id}/quiet`: they may sound again.
pub(crate) async fn give_sound_back(
    State(app): State<App>,
    staff: Staff,
    Path(class): Path<String>,
) -> Result<StatusCode, Problem> {
    let class: ClassId = id(&class)?;
    app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
    quiet::give_back(&app, class).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of `POST /api/v1/enrolment-window`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OpenWindow {
    /// Asked for again when the session is not fresh.
    second_factor: Option<String>,
}

/// `POST /api/v1/enrolment-window`.
pub(crate) async fn enrolment_window(
    State(app): State<App>,
    staff: Staff,
    MaybeJson(ask): MaybeJson<OpenWindow>,
) -> Result<(StatusCode, Answer<EnrolmentWindow>), Problem> {
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let by = Some(staff.who.in_journal());
    let window = enrol::open_window(&app, enrol::WINDOW, enrol::WINDOW_TABLETS, by).await?;
    Ok((StatusCode::CREATED, Answer(window)))
}

/// `POST /api/v1/training/begin-again`: a training room goes back to its beginning, and everybody leaves, whoever asks too.
pub(crate) async fn begin_again(State(app): State<App>, staff: Staff) -> Result<(StatusCode, Cookie), Problem> {
    training::begin_again(&app, Some(staff.who.in_journal())).await?;
    Ok((StatusCode::NO_CONTENT, cookie("")))
}

/// `GET /api/v1/unplugged-code`: for whoever is of the staff to note beforehand.
pub(crate) async fn unplugged_code(State(app): State<App>, _staff: Staff) -> Result<Answer<UnpluggedCode>, Problem> {
    Ok(Answer(UnpluggedCode { code: unplugged::code(&app).await?.code }))
}

/// Body of `POST /api/v1/unplugged-code`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewUnpluggedCode {
    /// Asked for again when the session is not fresh.
    second_factor: Option<String>,
}

/// `POST /api/v1/unplugged-code`: another one.
pub(crate) async fn new_unplugged_code(
    State(app): State<App>,
    staff: Staff,
    MaybeJson(ask): MaybeJson<NewUnpluggedCode>,
) -> Result<(StatusCode, Answer<UnpluggedCode>), Problem> {
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let drawn = unplugged::draw(&app, Some(staff.who.in_journal())).await?;
    Ok((StatusCode::CREATED, Answer(UnpluggedCode { code: drawn.code })))
}
