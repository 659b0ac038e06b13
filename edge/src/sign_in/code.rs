//! A pupil chooses her second factor: the first time her level asks for one, or when an adult lets her choose anew.

use std::sync::Arc;

use preau_shared::{
    documents::person::choose_secret,
    journal::Entry,
    refusal::Refusal,
    rig::writer::StoreError,
    second_factor::{Factor, Secret},
};
use rusqlite::Connection;

use super::lockout::Name;
use crate::{
    app::App,
    store::{
        Trouble,
        offers::Settled,
        people::{self, Human},
        sessions::{self, Session},
    },
};

/// What a pupil is to choose in this session, if anything: never in a pair, where one would choose for the other.
pub(crate) fn to_choose(
    conn: &Connection,
    settled: &Settled,
    session: &Session,
    people: &[Arc<Human>],
) -> Result<Option<Factor>, StoreError> {
    let [pupil] = people else { return Ok(None) };
    if pupil.is_staff() {
        return Ok(None);
    }
    let Some(factor) = settled.factors.get(&pupil.level).copied() else { return Ok(None) };
    let known = people::secret(conn, pupil.id, factor)?.is_some();
    Ok((session.chooses || !known).then_some(factor))
}

/// Keeps what she chose. It is asked for from her next sign-in on, at every box of the school.
///
/// # Errors
/// `forbidden` when nothing is to be chosen in this session; `malformed` and `code_too_simple`; 507 while the disk fails.
pub(crate) async fn choose(app: &App, session: Session, text: String) -> Result<(), Trouble> {
    let (key, offers) = (app.badge_key, Arc::clone(&app.offers));
    let person = app
        .commit(move |conn, book| {
            let session = sessions::find_live(conn, session.id)?.ok_or(Refusal::SessionUnknown)?;
            let mut people = Vec::new();
            for person in &session.people {
                people.extend(people::find(conn, *person)?.map(Arc::new));
            }
            let factor = to_choose(conn, &*offers.settled(conn)?, &session, &people)?.ok_or(Refusal::Forbidden)?;
            let pupil = people.first().ok_or(Refusal::Forbidden)?;
            let secret =
                Secret::parse(factor, &text).map_err(|e| Trouble::because(Refusal::Malformed, e.to_string()))?;
            if secret.is_too_simple() {
                return Err(Refusal::CodeTooSimple.into());
            }
            book.edit(conn, &choose_secret(pupil.doc(), factor, Some(secret.keyed_hash(&key, pupil.id))))?;
            sessions::chosen(conn, session.id)?;
            book.note(conn, &Entry::Audit { what: "second factor chosen".into(), by: Some(pupil.in_journal()) })?;
            Ok(pupil.id)
        })
        .await?;
    app.tries.forget(Name::Person(person));
    Ok(())
}
