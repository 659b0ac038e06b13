//! The school's charter, told to whoever sits here: once a version and person, and never in the way of anything.

use std::sync::Arc;

use preau_shared::{
    journal::Entry,
    messages::Lang,
    refusal::Refusal,
    rig::writer::StoreError,
    terms::{Audience, Version, shipped},
    wire::{CharterShown, CharterToTell, Role},
};
use rusqlite::Connection;

use super::welcome::Party;
use crate::{
    app::App,
    store::{Trouble, offers::Settled, people::Human, sessions::Session, terms},
};

/// For whom the charter is that these people read; two at a tablet get the simpler words.
fn audience(party: &Party) -> Audience {
    let of_people = party.people.iter().map(|person| Audience::of(person.role, &person.level)).min();
    let of_class = || party.class.as_ref().map(|class| Audience::of(Role::Pupil, &class.level));
    of_people.or_else(of_class).unwrap_or(Audience::Cycle2)
}

/// What is to be told to somebody who sits down, if anything: never to a pair, where one would answer for the other, nor
/// to a guest, of whom nothing is kept.
pub(crate) fn to_tell(
    conn: &Connection,
    settled: &Settled,
    party: &Party,
) -> Result<Option<CharterToTell>, StoreError> {
    let [person] = &party.people[..] else { return Ok(None) };
    let Some(version) = settled.charters.get(&audience(party)).copied() else { return Ok(None) };
    let who = person.in_journal();
    let read = settled.understood.of((who, version), || terms::has_read(conn, who, version), |_| true)?;
    let told = CharterToTell { version: version.to_string(), first: read.is_none() && !person.is_staff() };
    Ok((read != Some(true)).then_some(told))
}

/// The charter of whoever sits here, in this language where it is ours.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn shown(app: &App, session: &Session, lang: Lang) -> Result<CharterShown, Trouble> {
    app.reader.read(|conn| {
        let party = Party::of(conn, session)?;
        let audience = audience(&party);
        let own = terms::own(conn, audience)?;
        let version = app.offers.settled(conn)?.charters.get(&audience).copied().ok_or(Refusal::NotFound)?;
        let is_ours = own.is_none();
        let charter = own.unwrap_or_else(|| shipped(&app.words, lang, audience));
        let understood = match &party.people[..] {
            [person] => terms::has_read(conn, person.in_journal(), version)? == Some(true),
            _ => true,
        };
        // What a school wrote is read aloud by nobody.
        let recording = match audience {
            Audience::Cycle2 if is_ours => Some("charter-cycle2".to_owned()),
            Audience::Cycle3 if is_ours => Some("charter-cycle3".to_owned()),
            Audience::Cycle2 | Audience::Cycle3 | Audience::Adults => None,
        };
        let paragraphs = charter.paragraphs().to_vec();
        Ok(CharterShown { version: version.to_string(), paragraphs, recording, understood })
    })
}

/// She understood: the journal says so once a version. What a pair or a guest says is kept for nobody.
///
/// # Errors
/// `charter_changed` when other words hold by now; 507 while the disk fails.
pub(crate) async fn understood(app: &App, session: Session, version: Version) -> Result<(), Trouble> {
    let offers = Arc::clone(&app.offers);
    app.commit(move |conn, book| {
        let party = Party::of(conn, &session)?;
        if offers.settled(conn)?.charters.get(&audience(&party)) != Some(&version) {
            return Err(Refusal::CharterChanged.into());
        }
        let [person] = &party.people[..] else { return Ok(()) };
        let person = Human::in_journal(person);
        if terms::read(conn, person, version)? {
            book.note(conn, &Entry::TermsRead { person, version: version.0 })?;
        }
        Ok(())
    })
    .await
}
