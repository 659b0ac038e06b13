//! Badges in the hands of staff: made void, shown on a screen for today, printed.

use axum::{
    Json as Answer,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use preau_shared::{
    ids::{BadgeId, ClassId, PersonId, TabletId},
    messages::Lang,
    print::{Layout, Style},
    refusal::Refusal,
    rig::reply::Problem,
    wire::Role,
};
use qrcode::{EcLevel, QrCode, render::svg};
use serde::{Deserialize, Serialize};

use super::id;
use crate::{
    app::App,
    classroom::view,
    sign_in::{
        badges,
        printing::{self, Order, Whose},
        staff,
    },
    store::{self, Trouble, people::Human, prints},
    web::{
        body::{Json, MaybeJson},
        caller::Staff,
    },
};

/// Prints listed at most.
const PRINTS_SHOWN: usize = 50;
/// Narrowest drawing of a code on a screen, in pixels.
const CODE_PX: u32 = 240;

/// `POST /api/v1/badges/{badge_id}/void`.
pub(crate) async fn void(
    State(app): State<App>,
    staff: Staff,
    Path(badge): Path<String>,
) -> Result<StatusCode, Problem> {
    let badge: BadgeId = id(&badge)?;
    let person = app.reader.read(|conn| store::badges::find(conn, badge)).map_err(Trouble::from)?;
    let person = person.ok_or_else(|| Problem::new(Refusal::NotFound))?.person;
    allowed_on(&app, &staff.who, person)?;
    badges::void(&app, badge, staff.who.in_journal()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of `POST /api/v1/people/{id}/badges`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewBadge {
    /// For today only.
    temporary: bool,
    /// Asked for again when the session is not fresh.
    second_factor: Option<String>,
}

/// Answer: the payload is shown once.
#[derive(Debug, Serialize)]
pub(crate) struct BadgeDrawn {
    badge_id: BadgeId,
    payload: String,
    /// Eight letters, for where no camera reads.
    short_code: String,
    /// The QR code, as SVG.
    drawing: String,
    expires_at_ms: Option<i64>,
}

/// `POST /api/v1/people/{id}/badges`.
pub(crate) async fn new_badge(
    State(app): State<App>,
    staff: Staff,
    Path(person): Path<String>,
    MaybeJson(ask): MaybeJson<NewBadge>,
) -> Result<(StatusCode, HeaderMap, Answer<BadgeDrawn>), Problem> {
    let person: PersonId = id(&person)?;
    allowed_on(&app, &staff.who, person)?;
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let drawn = badges::issue(&app, person, ask.temporary, staff.who.in_journal()).await?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let answer = BadgeDrawn {
        badge_id: drawn.badge,
        drawing: drawing(&drawn.payload)?,
        payload: drawn.payload,
        short_code: drawn.short,
        expires_at_ms: drawn.expires.map(|stamp| stamp.0),
    };
    Ok((StatusCode::CREATED, headers, Answer(answer)))
}

/// Body of `POST /api/v1/people/{id}/codes`.
#[derive(Debug, Deserialize)]
pub(crate) struct Learn {
    /// The tablet that read the code.
    tablet_id: TabletId,
    /// Asked for again when the session is not fresh.
    #[serde(default)]
    second_factor: Option<String>,
}

/// Answer: the name under which it can be made void.
#[derive(Debug, Serialize)]
pub(crate) struct Learned {
    badge_id: BadgeId,
}

/// `POST /api/v1/people/{id}/codes`: another system's code, just read at a tablet, is this pupil's.
pub(crate) async fn learn(
    State(app): State<App>,
    staff: Staff,
    Path(person): Path<String>,
    Json(ask): Json<Learn>,
) -> Result<(StatusCode, Answer<Learned>), Problem> {
    let person: PersonId = id(&person)?;
    allowed_on(&app, &staff.who, person)?;
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let badge_id = badges::learn(&app, person, ask.tablet_id, staff.who.in_journal()).await?;
    Ok((StatusCode::CREATED, Answer(Learned { badge_id })))
}

/// Body of `POST /api/v1/badges`: of one child, of a class, or of the whole school when neither is named.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PrintBadges {
    person_id: Option<PersonId>,
    class_id: Option<ClassId>,
    /// The badges before are lost: void at once.
    lost: bool,
    /// Labels of two inches instead of cards.
    labels: bool,
    /// Places of the first page that were used before.
    used: usize,
    /// Asked for again when the session is not fresh.
    second_factor: Option<String>,
}

/// `POST /api/v1/badges`: new badges as a PDF, told this once.
pub(crate) async fn print(
    State(app): State<App>,
    staff: Staff,
    asked: HeaderMap,
    MaybeJson(ask): MaybeJson<PrintBadges>,
) -> Result<Response, Problem> {
    let whose = match (ask.person_id, ask.class_id) {
        (Some(person), None) => {
            allowed_on(&app, &staff.who, person)?;
            Whose::Child(person)
        }
        (None, Some(class)) => {
            app.reader.read(|conn| view::may_see(conn, &staff.who, class))?;
            Whose::Class(class)
        }
        (None, None) if staff.who.role == Role::Head => Whose::School,
        (None, None) => return Err(Problem::new(Refusal::Forbidden)),
        (Some(_), Some(_)) => return Err(Problem::new(Refusal::Malformed).detail("`person_id` or `class_id`")),
    };
    staff::prove_again(&app, &staff.who, &staff.token, ask.second_factor.as_deref()).await?;
    let layout = if ask.labels { Layout::Labels } else { Layout::Cards };
    let lang = Lang::asked(asked.get(header::ACCEPT_LANGUAGE).and_then(|h| h.to_str().ok()).unwrap_or_default());
    let training = app.shelf.is_training();
    let order = Order { whose, lost: ask.lost, style: Style { layout, used: ask.used, lang, training } };
    let printed = printing::print(&app, order, &staff.who).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"badges.pdf\"")),
        (HeaderName::from_static("preau-badges"), HeaderValue::from(printed.count)),
    ];
    Ok((StatusCode::CREATED, headers, printed.pdf).into_response())
}

/// A line of the print log.
#[derive(Debug, Serialize)]
pub(crate) struct PrintLine {
    at_ms: i64,
    by: String,
    class: String,
    count: u32,
    lost: bool,
}

/// `GET /api/v1/badges/prints`: who printed, newest first; a teacher sees her own prints.
pub(crate) async fn prints(State(app): State<App>, staff: Staff) -> Result<Answer<Vec<PrintLine>>, Problem> {
    let last = app.reader.read(|conn| prints::last(conn, prints::KEPT)).map_err(Trouble::from)?;
    let seen = last.into_iter().filter(|(print, _)| staff.who.role == Role::Head || print.by == staff.who.id);
    let line = |(print, by): (prints::Print, String)| PrintLine {
        at_ms: print.at.0,
        by,
        class: print.whose,
        count: print.count,
        lost: print.lost,
    };
    std::future::ready(Ok(Answer(seen.take(PRINTS_SHOWN).map(line).collect()))).await
}

/// A code as it is shown on a screen.
pub(super) fn drawing(payload: &str) -> Result<String, Problem> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::Q).map_err(|error| Problem::failed(&error))?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(CODE_PX, CODE_PX).build())
}

fn allowed_on(app: &App, staff: &Human, person: PersonId) -> Result<(), Problem> {
    let allowed = app.reader.read(|conn| view::may_act_on(conn, staff, person)).map_err(Trouble::from)?;
    if allowed { Ok(()) } else { Err(Problem::new(Refusal::Forbidden)) }
}
