//! What a tablet asks for itself: to enrol, how it stands, to hand in its wipe receipt.

use axum::{
    Json as Answer,
    extract::{FromRequest as _, Path, Request, State},
    http::StatusCode,
};
use preau_shared::{
    rig::reply::Problem,
    wire::{Enrol, Enrolled, FilterName, GuestClass, Receipt, TabletSelf, TabletState, ToldStays, UnpluggedKit},
};

use super::id;
use crate::{
    app::{App, HEARTBEAT},
    sign_in::{let_in, unplugged::kit as kit_of},
    store::{Trouble, guest_hours, school, tablets, unplugged},
    tablets::{enrol, unplugged::hear, wipe, wipe::Received},
    web::{
        body::Json,
        caller::{self, Clearer, From, Head, Tablet},
    },
};

/// `POST /api/v1/tablets`. The code first: a wrong one costs no signature check.
pub(crate) async fn enrol(State(app): State<App>, request: Request) -> Result<(StatusCode, Answer<Enrolled>), Problem> {
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let Json(ask) = Json::<Enrol>::from_request(body, &app).await?;
    enrol::check_code(&app, &ask.code)?;
    let key = ask
        .key
        .thumbprint()
        .map_err(|error| Problem::new(preau_shared::refusal::Refusal::Malformed).detail(format!("`key`: {error}")))?;
    caller::prove_key(&app, &parts, key)?;
    Ok((StatusCode::CREATED, Answer(enrol::enrol(&app, ask, key).await?)))
}

/// `GET /api/v1/tablets/me`.
pub(crate) async fn me(
    State(app): State<App>,
    tablet: Tablet,
    From(address): From,
) -> Result<Answer<TabletSelf>, Problem> {
    let life = tablet.0;
    let state = app.unrecorded.state(life.tablet).unwrap_or(life.state);
    let session = match state {
        TabletState::InUse => let_in::pick_up(&app, life.tablet, address).await?,
        TabletState::Unknown
        | TabletState::Wiping
        | TabletState::Free
        | TabletState::Lost
        | TabletState::Outing
        | TabletState::Retired => None,
    };
    let (wipe, unconfirmed) = match state {
        TabletState::Wiping => match wipe::owed_by_page(&app, life.tablet).await {
            // The state is told all the same: the order comes when the disk takes it.
            Err(trouble) if trouble.is_disk() => (None, Vec::new()),
            owed => owed?,
        },
        TabletState::Unknown
        | TabletState::InUse
        | TabletState::Free
        | TabletState::Lost
        | TabletState::Outing
        | TabletState::Retired => (None, Vec::new()),
    };
    let now = app.clock.stamp();
    let (name, open, owner, unplugged, frames_on_box, filter_id) = app.reader.read(|conn| {
        let filter_id = tablets::filter_name(conn, life.tablet)?;
        let owner = tablets::owner(conn, life.tablet)?;
        let (name, open) = (tablets::name(conn, life.tablet)?, guest_hours::every(conn, now)?);
        Ok::<_, Trouble>((name, open, owner, unplugged::number(conn)?, school::frames_on_box(conn)?, filter_id))
    })?;
    let guests = open.into_iter().map(|(class_id, name)| GuestClass { class_id, name });
    Ok(Answer(TabletSelf {
        tablet_id: life.tablet,
        name: name.unwrap_or_default(),
        state,
        school: app.school(),
        heartbeat_s: u32::try_from(HEARTBEAT.as_secs()).unwrap_or(u32::MAX),
        session,
        wipe,
        unconfirmed,
        owner: owner.filter(|_| state == TabletState::Free).map(|owner| owner.view()),
        guests: guests.filter(|_| state == TabletState::Free).collect(),
        unplugged,
        frames_on_box,
        filter_id,
    }))
}

/// `POST /api/v1/tablets/{id}/filter-id`: another name under which it asks the filter, and nothing under the one before.
pub(crate) async fn rename_for_filter(
    State(app): State<App>,
    Head(head): Head,
    Path(tablet): Path<String>,
) -> Result<Answer<FilterName>, Problem> {
    let filter_id = enrol::rename_for_filter(&app, id(&tablet)?, head.who.in_journal()).await?;
    Ok(Answer(FilterName { filter_id }))
}

/// `GET /api/v1/tablets/me/unplugged`: what it keeps for a time without the box.
pub(crate) async fn kit(State(app): State<App>, tablet: Tablet) -> Result<Answer<UnpluggedKit>, Problem> {
    Ok(Answer(kit_of(&app, tablet.0.tablet).await?))
}

/// `POST /api/v1/tablets/me/stays`: who sat there without the box.
pub(crate) async fn stays(
    State(app): State<App>,
    tablet: Tablet,
    Json(told): Json<ToldStays>,
) -> Result<StatusCode, Problem> {
    hear(&app, tablet.0.tablet, told.stays).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/wipes/{wipe_id}/receipt`: of the tablet's page, or of its agent. 202 while the other half is waited for.
pub(crate) async fn receipt(
    State(app): State<App>,
    Clearer(tablet, part): Clearer,
    Path(wipe_id): Path<String>,
    Json(receipt): Json<Receipt>,
) -> Result<StatusCode, Problem> {
    match wipe::receive(&app, (tablet, part), id(&wipe_id)?, receipt.steps).await? {
        Received::Whole => Ok(StatusCode::NO_CONTENT),
        Received::Half => Ok(StatusCode::ACCEPTED),
    }
}
