//! `GET /api/v1/events`: server-sent events. Staff hear all changes of the school, a session hears of its own end.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{FromRequestParts as _, Request, State},
    http::header,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use preau_shared::{ids::SessionId, refusal::Refusal, rig::reply::Problem};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    app::App,
    classroom::{
        live::{Audience, Change, Listener},
        quiet,
    },
    store::sessions::why_word,
    web::caller::{InSession, Staff},
};

/// A comment so often keeps relays from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who listens.
#[derive(Debug, Clone, Copy)]
enum Ear {
    Staff,
    Session(SessionId),
}

/// `GET /api/v1/events`.
pub(crate) async fn events(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let ear = if parts.headers.contains_key(header::AUTHORIZATION) {
        Ear::Session(InSession::from_request_parts(&mut parts, &app).await?.0.id)
    } else {
        Staff::from_request_parts(&mut parts, &app).await?;
        Ear::Staff
    };
    let audience = match ear {
        Ear::Staff => Audience::Staff,
        Ear::Session(_) => Audience::Tablets,
    };
    let listener = app.live.listen(audience).ok_or_else(|| Problem::new(Refusal::Overloaded).retry_after(10))?;
    let said = match ear {
        Ear::Staff => json!({ "wan": app.live.wan() }),
        Ear::Session(session) => json!({ "wan": app.live.wan(), "quiet": quiet::at(&app, session) }),
    };
    let hello = Event::default().event("hello").data(said.to_string());
    let answer = Sse::new(told(app, listener, ear, hello)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(answer.into_response())
}

fn told(app: App, listener: Listener, ear: Ear, hello: Event) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((app, listener, Some(hello), false), move |(app, mut listener, first, over)| async move {
        if over {
            return None;
        }
        if let Some(first) = first {
            return Some((Ok(first), (app, listener, None, false)));
        }
        loop {
            match listener.changes.recv().await {
                Ok(change) => {
                    if let Some((name, data, over)) = word(&app, ear, &change) {
                        let event = Event::default().event(name).data(data.to_string());
                        return Some((Ok(event), (app, listener, None, over)));
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    let event = Event::default().event("resync").data("{}");
                    return Some((Ok(event), (app, listener, None, false)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

/// A change as this listener hears it, and whether its stream ends with it.
fn word(app: &App, ear: Ear, change: &Change) -> Option<(&'static str, Value, bool)> {
    match (ear, change) {
        (Ear::Session(own), Change::Ended { session, why, .. }) if own == *session => {
            Some(("session_ended", json!({ "session_id": session, "why": why_word(*why) }), true))
        }
        (Ear::Session(_), Change::Wan(wan)) | (Ear::Staff, Change::Wan(wan)) => {
            Some(("wan", json!({ "wan": wan }), false))
        }
        (Ear::Session(own), Change::Quiet) => Some(("quiet", json!({ "quiet": quiet::at(app, own) }), false)),
        (
            Ear::Session(_),
            Change::Opened { .. }
            | Change::Ended { .. }
            | Change::Tablet { .. }
            | Change::Called { .. }
            | Change::Badges,
        ) => None,
        (Ear::Staff, Change::Opened { session, tablet, people }) => {
            let data = json!({ "session_id": session, "tablet_id": tablet, "people": people });
            Some(("session_opened", data, false))
        }
        (Ear::Staff, Change::Ended { session, tablet, why }) => {
            let data = json!({ "session_id": session, "tablet_id": tablet, "why": why_word(*why) });
            Some(("session_ended", data, false))
        }
        (Ear::Staff, Change::Tablet { tablet, state }) => {
            Some(("tablet", json!({ "tablet_id": tablet, "state": state }), false))
        }
        (Ear::Staff, Change::Called { person, tablet }) => {
            Some(("called", json!({ "person_id": person, "tablet_id": tablet }), false))
        }
        (Ear::Staff, Change::Quiet) => Some(("quiet", json!({}), false)),
        (Ear::Staff, Change::Badges) => Some(("badges", json!({}), false)),
    }
}
