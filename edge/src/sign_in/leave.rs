//! Sessions end: by the person, by staff, by a sign-in elsewhere, by silence. Each way sends the tablet to be cleared.

use std::sync::Arc;

use preau_shared::{
    ids::{ClassId, SessionId, TabletId, WipeId},
    journal::{Entry, Why},
    refusal::Refusal,
    time::Stamp,
    wire::WipeOrder,
};
use rusqlite::Connection;

use crate::{
    app::App,
    classroom::live::Change,
    store::{
        Trouble, classes,
        journal::Book,
        people,
        sessions::{self, Session},
        tablet_life, unplugged,
    },
    tablets::{life, wipe},
};

/// What a commit ended: told to the filter and the screens after it.
#[derive(Debug, Default)]
pub(crate) struct Ended(Vec<(SessionId, TabletId, Option<Why>)>);

impl Ended {
    /// Adds another one's.
    pub(crate) fn and(&mut self, other: Self) {
        self.0.extend(other.0);
    }
    /// Tells it.
    pub(crate) fn tell(self, app: &App) {
        for (session, tablet, why) in self.0 {
            app.seats.leave(session);
            if let Some(why) = why {
                app.live.tell(Change::Ended { session, tablet, why });
            }
        }
    }
}

/// Ends a session and orders its tablet's wipe, inside the caller's commit. One that is over stays as it is.
pub(crate) fn end(conn: &Connection, book: &Book, session: &Session, why: Why) -> Result<Ended, Trouble> {
    if !sessions::end(conn, session, book.now, why)? {
        return Ok(Ended(vec![(session.id, session.tablet, None)]));
    }
    book.note(conn, &Entry::SignOut { session: session.id, tablet: session.tablet, why })?;
    remember_class(conn, session)?;
    life::to_wiping(conn, session.tablet, WipeId::draw(book.dice.as_ref()), book.now)?;
    Ok(Ended(vec![(session.id, session.tablet, Some(why))]))
}

/// The tablet keeps the documents of the last class for a time without the box ([`super::unplugged`]). An adult has none:
/// what was there stays.
fn remember_class(conn: &Connection, session: &Session) -> Result<(), Trouble> {
    let mut last: Vec<ClassId> = session.class.into_iter().collect();
    for person in &session.people {
        last.extend(classes::of_pupil(conn, *person)?);
    }
    last.sort_unstable();
    last.dedup();
    if !last.is_empty() {
        tablet_life::sat_last(conn, session.tablet, &last)?;
    }
    Ok(())
}

/// Signs out: the answer says what the tablet must clear.
///
/// # Errors
/// `session_unknown` when it was over; 507 while the disk fails (then the tablet stays closed until it works).
pub(crate) async fn sign_out(app: &App, session: Session) -> Result<WipeOrder, Trouble> {
    if app.unrecorded.find(session.id).is_some() {
        return sign_out_unrecorded(app, session).await;
    }
    let tablet = session.tablet;
    let (ended, order) = app
        .commit(move |conn, book| {
            let live = sessions::find_live(conn, session.id)?.ok_or(Refusal::SessionUnknown)?;
            let ended = end(conn, book, &live, Why::Person)?;
            Ok((ended, owed(conn, tablet)?))
        })
        .await?;
    ended.tell(app);
    order.ok_or_else(|| Refusal::SessionUnknown.into())
}

/// Somebody found a session that is not hers: noted for whoever looks into it, and no reason to keep it open when the
/// note fails.
pub(crate) async fn not_hers(app: &App, session: &Session) {
    let (people, tablet) = (session.people.clone(), session.tablet);
    let noted = app.commit(move |conn, book| {
        for person in people {
            let by = people::find(conn, person)?.map(|found| found.in_journal());
            book.note(conn, &Entry::Audit { what: format!("found open by somebody else, tablet {tablet}"), by })?;
        }
        Ok(())
    });
    if let Err(trouble) = noted.await {
        tracing::warn!(%trouble, "what was found open is not noted");
    }
}

/// A member of staff ends somebody's session.
///
/// # Errors
/// `not_found` when it is over or never was.
pub(crate) async fn end_by_staff(app: &App, session: SessionId) -> Result<(), Trouble> {
    if let Some(stay) = app.unrecorded.find(session) {
        sign_out_unrecorded(app, stay).await?;
        return Ok(());
    }
    let ended = app
        .commit(move |conn, book| {
            let live = sessions::find_live(conn, session)?.ok_or(Refusal::NotFound)?;
            end(conn, book, &live, Why::Staff)
        })
        .await?;
    ended.tell(app);
    Ok(())
}

/// The session that no disk knows ends in memory first: whatever the disk says, nobody sits down before a wipe.
async fn sign_out_unrecorded(app: &App, session: Session) -> Result<WipeOrder, Trouble> {
    app.unrecorded.end(session.tablet);
    app.seats.leave(session.id);
    app.live.tell(Change::Ended { session: session.id, tablet: session.tablet, why: Why::Person });
    let order = order_owed(app, session.tablet).await?;
    order.ok_or_else(|| Refusal::SessionUnknown.into())
}

/// Writes the wipe that a tablet opened from memory owes; afterwards the disk knows as much as memory.
pub(crate) async fn order_owed(app: &App, tablet: TabletId) -> Result<Option<WipeOrder>, Trouble> {
    let order = app
        .commit(move |conn, book| {
            let Some(found) = tablet_life::find(conn, tablet)? else { return Ok(None) };
            let state = life::next(found.state, life::Event::Enrolled)?;
            let id = WipeId::draw(book.dice.as_ref());
            crate::store::wipes::order(conn, id, tablet, book.now)?;
            tablet_life::set(conn, tablet, state, Some(id))?;
            owed(conn, tablet)
        })
        .await?;
    app.unrecorded.forget(tablet);
    Ok(order)
}

/// The wipe that a tablet owes.
pub(crate) fn owed(conn: &Connection, tablet: TabletId) -> Result<Option<WipeOrder>, Trouble> {
    Ok(tablet_life::find(conn, tablet)?.and_then(|life| wipe::order(&life)))
}

/// Ends the sessions that were silent for ten minutes, and lets the disk catch up with memory. Called every few seconds.
pub(crate) async fn sweep(app: &App) -> Result<(), Trouble> {
    for session in app.seats.silent(app.clock.elapsed()) {
        if let Some(stay) = app.unrecorded.find(session) {
            app.unrecorded.end(stay.tablet);
            app.seats.leave(session);
            continue;
        }
        let ended = app
            .commit(move |conn, book| match sessions::find_live(conn, session)? {
                Some(live) => end(conn, book, &live, Why::Silent),
                None => Ok(Ended(Vec::new())),
            })
            .await?;
        app.seats.leave(session);
        ended.tell(app);
    }
    for tablet in app.unrecorded.owed() {
        order_owed(app, tablet).await?;
    }
    if app.seal.is_broken() && app.unrecorded.is_empty() {
        mend(app).await?;
    }
    Ok(())
}

/// The disk takes a write again and knows all that memory knew: the seal is made anew.
async fn mend(app: &App) -> Result<(), Trouble> {
    let seats = Arc::clone(&app.seats);
    let ended = app
        .commit(move |conn, book| {
            book.note(conn, &Entry::Audit { what: "disk writes again".into(), by: None })?;
            // What a sign-in from memory ended elsewhere has no seat any more, but still its row.
            let mut ended = Ended::default();
            for session in sessions::live(conn)?.iter().filter(|s| !seats.knows(s.id)) {
                ended.and(end(conn, book, session, Why::Elsewhere)?);
            }
            Ok(ended)
        })
        .await?;
    ended.tell(app);
    if let Err(error) = app.seal.make() {
        tracing::warn!(%error, "the seal cannot be made again");
    } else {
        app.health.mended();
    }
    Ok(())
}

/// Forgets sessions that ended long ago, and stays without the box that were told then. Called once an hour.
pub(crate) async fn forget_old(app: &App) -> Result<usize, Trouble> {
    let kept = i64::try_from(sessions::KEPT.as_millis()).unwrap_or(i64::MAX);
    app.commit(move |conn, book| {
        let before = Stamp(book.now.0.saturating_sub(kept));
        Ok(sessions::forget(conn, before)?.saturating_add(unplugged::forget(conn, before)?))
    })
    .await
}
