//! Badges made void, and one new one, by the hand of a teacher or of the head: offline as much as online.

use std::time::Duration;

use preau_shared::{
    badge::{Badge, ShortCode, ShortHash, StandIn},
    documents::{self, badge},
    ids::{BadgeId, PersonId, TabletId},
    journal::{Entry, Pseudonym},
    refusal::Refusal,
    time::Stamp,
};
use rusqlite::Connection;

use crate::{
    app::App,
    classroom::live::Change,
    store::{Trouble, badges, journal::Book, people},
};

/// A badge for a child who forgot hers dies after so long.
pub(crate) const TEMPORARY: Duration = Duration::from_secs(12 * 3_600);
/// Lasting badges of one person that may be valid at once: one in use, and two that were printed since.
pub(crate) const MAX_LASTING: usize = 3;

/// Makes a badge void, for ever: from the next request on, across restarts.
///
/// # Errors
/// `not_found` when there is no such badge; 507 while the disk fails.
pub(crate) async fn void(app: &App, badge: BadgeId, by: Pseudonym) -> Result<(), Trouble> {
    app.commit(move |conn, book| {
        let known = badges::find(conn, badge)?.ok_or(Refusal::NotFound)?;
        if !known.void {
            book.edit(conn, &badge::void(badge, "staff"))?;
            book.note(conn, &Entry::BadgeVoided { badge, by: Some(by) })?;
        }
        Ok(())
    })
    .await?;
    app.live.tell(Change::Badges);
    Ok(())
}

/// Makes these void inside the caller's commit; `why` is a word.
pub(crate) fn end(
    conn: &Connection,
    book: &Book,
    ends: Vec<BadgeId>,
    (why, by): (&str, Pseudonym),
) -> Result<(), Trouble> {
    for old in ends {
        book.edit(conn, &badge::void(old, why))?;
        book.note(conn, &Entry::BadgeVoided { badge: old, by: Some(by) })?;
    }
    Ok(())
}

/// Reprints that nobody came with make room for another one; the badge in use stays, and so does the last reprint.
pub(crate) fn without_room(conn: &Connection, person: PersonId) -> Result<Vec<BadgeId>, Trouble> {
    let lasting = badges::lasting_of(conn, person)?;
    let too_many = lasting.len().saturating_sub(MAX_LASTING.saturating_sub(1));
    let in_use = 1;
    Ok(lasting.into_iter().skip(in_use).take(too_many).map(|(badge, _)| badge).collect())
}

/// A badge that was just drawn; its payload is shown once and stored nowhere.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) badge: BadgeId,
    pub(crate) payload: String,
    /// Eight letters in groups, for where no camera reads.
    pub(crate) short: String,
    pub(crate) expires: Option<Stamp>,
}

/// Draws a badge for a pupil, for today only or to stay. A new one for today ends the last one.
///
/// # Errors
/// `not_found` when nobody has this name; `forbidden` for staff, whose badges are made by the DSI; 507 while the disk fails.
pub(crate) async fn issue(app: &App, person: PersonId, temporary: bool, by: Pseudonym) -> Result<Drawn, Trouble> {
    let (drawn, key) = (Badge::draw(app.dice.as_ref()), app.badge_key);
    let short = ShortCode::draw(app.dice.as_ref());
    let short_hash = app.factors.stand_in(StandIn::Short(short.clone()), key).await?;
    let (badge, expires) = app
        .commit(move |conn, book| {
            let human = people::find(conn, person)?.ok_or(Refusal::NotFound)?;
            if human.is_staff() {
                return Err(Refusal::Forbidden.into());
            }
            let ends = if temporary { badges::temporary_of(conn, person)? } else { without_room(conn, person)? };
            end(conn, book, ends, ("replaced", by))?;
            let id = BadgeId::draw(book.dice.as_ref());
            let expires = temporary.then(|| book.now.after(TEMPORARY));
            let document = documents::Badge {
                id,
                person,
                hash: drawn.keyed_hash(&key),
                void: false,
                void_reason: String::new(),
                expires,
                series: if temporary { 0 } else { badges::last_series(conn, person)?.saturating_add(1) },
                short: Some(short_hash),
            };
            book.edit(conn, &document.edit())?;
            book.note(conn, &Entry::Audit { what: format!("badge {id} drawn"), by: Some(by) })?;
            Ok((id, expires))
        })
        .await?;
    app.live.tell(Change::Badges);
    Ok(Drawn { badge, payload: drawn.payload(), short: short.in_groups(), expires })
}

/// An adult says whose the code of another system is that this tablet just read: from now on it signs her in.
///
/// # Errors
/// `not_found` when the tablet read none of late; `forbidden` when it is somebody's already, and for staff.
pub(crate) async fn learn(app: &App, person: PersonId, tablet: TabletId, by: Pseudonym) -> Result<BadgeId, Trouble> {
    let code: ShortHash = app.watch.stranger_at(tablet, app.clock.elapsed()).ok_or(Refusal::NotFound)?;
    let (nobodys, key) = (Badge::draw(app.dice.as_ref()), app.badge_key);
    let badge = app
        .commit(move |conn, book| {
            let human = people::find(conn, person)?.ok_or(Refusal::NotFound)?;
            if human.is_staff() || badges::is_known(conn, &code)? {
                return Err(Refusal::Forbidden.into());
            }
            let id = BadgeId::draw(book.dice.as_ref());
            let document = documents::Badge {
                id,
                person,
                hash: nobodys.keyed_hash(&key),
                void: false,
                void_reason: String::new(),
                expires: None,
                series: badge::BESIDE,
                short: Some(code),
            };
            book.edit(conn, &document.edit())?;
            book.note(conn, &Entry::Audit { what: format!("code {id} learned"), by: Some(by) })?;
            Ok(id)
        })
        .await?;
    app.watch.met(tablet);
    app.live.tell(Change::Badges);
    Ok(badge)
}
