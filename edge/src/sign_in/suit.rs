//! How the screen suits whoever sits here: what she chose holds at every tablet of the school, offline.

use std::sync::Arc;

use preau_shared::{documents::person::choose_settings, refusal::Refusal, settings::Settings};

use crate::{
    app::App,
    store::{
        Trouble,
        people::{self, Human},
        sessions::{self, Session},
    },
};

/// What the screen is to be for these people together.
pub(crate) fn of(people: &[Arc<Human>]) -> Settings {
    people.iter().map(|person| person.settings).reduce(Settings::beside).unwrap_or_default()
}

/// Keeps what somebody chose. What a pair chooses is kept for neither of them, and a guest leaves no trace.
///
/// # Errors
/// `forbidden` after too many changes in one session; 507 while the disk fails.
pub(crate) async fn keep(app: &App, session: Session, settings: Settings) -> Result<(), Trouble> {
    let [person] = session.people[..] else { return Ok(()) };
    if !app.seats.may_choose(session.id) {
        return Err(Refusal::Forbidden.into());
    }
    app.commit(move |conn, book| {
        sessions::find_live(conn, session.id)?.ok_or(Refusal::SessionUnknown)?;
        let known = people::find(conn, person)?.ok_or(Refusal::NotEnrolledHere)?;
        book.edit(conn, &choose_settings(known.doc(), &settings))
    })
    .await
}
