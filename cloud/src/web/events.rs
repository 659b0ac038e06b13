//! Live states as Server-Sent Events: one for programs in JSON, one for the DSI's page in rows of its table.
//!
//! A listener costs one look a second at facts that all share; it hears at least every five seconds, so that a page can
//! tell a silent server from a calm one.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use preau_shared::{
    keys::sha256,
    messages::Lang,
    refusal::Refusal,
    rig::{reply::Problem, shelves::ShelfError},
    wire::SchoolStatus,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    Web,
    caller::{Administrator, Asked, cookie},
    console::board,
};
use crate::store::sessions;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two beats when nothing changes.
const LOOKS_PER_BEAT: u32 = 5;

/// What turns states into the data of an event; `None` when there is nothing new to say.
trait Tell: Send + 'static {
    fn tell(&mut self, web: &Web, lang: Lang, schools: Vec<SchoolStatus>, beat: bool) -> Option<String>;
}

/// `GET /api/v1/events`: the whole list whenever something but an age changes, and every five seconds.
pub(super) async fn statuses(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    listen(web, lang, &headers, AllSchools(None))
}

/// `GET /events`: what changed on the DSI's page.
pub(super) async fn page(
    _: Administrator,
    Asked(lang): Asked,
    State(web): State<Web>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    listen(web, lang, &headers, board::Changes::default())
}

struct AllSchools(Option<Vec<SchoolStatus>>);

impl Tell for AllSchools {
    fn tell(&mut self, _: &Web, _: Lang, schools: Vec<SchoolStatus>, beat: bool) -> Option<String> {
        let ageless = |mut school: SchoolStatus| {
            school.last_contact_age_s = None;
            school.boxes.iter_mut().for_each(|b| b.last_contact_age_s = None);
            school
        };
        let now: Vec<SchoolStatus> = schools.iter().cloned().map(ageless).collect();
        let same = |known: &Vec<SchoolStatus>| serde_json::to_value(known).ok() == serde_json::to_value(&now).ok();
        let changed = !self.0.as_ref().is_some_and(same);
        self.0 = Some(now);
        if changed || beat { serde_json::to_string(&schools).ok() } else { None }
    }
}

impl Tell for board::Changes {
    fn tell(&mut self, web: &Web, lang: Lang, schools: Vec<SchoolStatus>, beat: bool) -> Option<String> {
        self.of(board::Words { catalogue: &web.app.catalogue, lang }, schools, beat)
    }
}

struct Listener<T> {
    web: Web,
    lang: Lang,
    teller: T,
    /// Hash of the browser's session: the stream ends with it.
    session: Option<[u8; 32]>,
    looks: u32,
    every: Interval,
    _place: OwnedSemaphorePermit,
}

fn listen(web: Web, lang: Lang, headers: &HeaderMap, teller: impl Tell) -> Result<Response, Problem> {
    let place = web.listeners.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::new(Refusal::Overloaded).retry_after(10))?;
    let mut every = interval(LOOK_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let session = cookie(headers).map(|token| sha256(token.as_bytes()));
    let listener = Listener { web, lang, teller, session, looks: 0, every, _place: place };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Ok(Sse::new(events).into_response())
}

impl<T: Tell> Listener<T> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.every.tick().await;
            let beat = self.looks.is_multiple_of(LOOKS_PER_BEAT);
            self.looks = self.looks.wrapping_add(1);
            if beat && !self.is_allowed().await {
                return None;
            }
            match self.look(beat).await {
                Ok(Some(data)) => return Some(Event::default().event("status").data(data)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the state of schools could not be read");
                    return None;
                }
            }
        }
    }

    async fn look(&mut self, beat: bool) -> Result<Option<String>, ShelfError> {
        let schools = self.web.fleet.schools(self.lang).await?;
        Ok(self.teller.tell(&self.web, self.lang, schools, beat))
    }

    /// A program's token does not end; a browser's session may.
    async fn is_allowed(&mut self) -> bool {
        let Some(hash) = self.session else { return true };
        let now = self.web.app.clock.stamp();
        let open = self.web.app.store.read(move |connection| sessions::is_open(connection, &hash, now));
        open.await.unwrap_or(false)
    }
}
