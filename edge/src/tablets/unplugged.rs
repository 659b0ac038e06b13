//! A tablet tells who sat there while it had no box: guests, whom nobody knows. Each stay is journalled once, and the tablet
//! is cleared whatever the box took it for.

use std::time::Duration;

use preau_shared::{
    ids::{TabletId, WipeId},
    journal::{Entry, Why},
    refusal::Refusal,
    wire::{MAX_STAYS_TOLD, TabletState, ToldStay},
};
use rusqlite::Connection;

use super::life::{self, Event};
use crate::{
    app::App,
    classroom::live::Change,
    sign_in::leave::{self, Ended},
    store::{Trouble, journal::Book, sessions, tablet_life, unplugged, wipes},
};

/// No stay is longer than a school year, whatever a tablet says.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// Takes what a tablet tells. Told again, it changes nothing.
///
/// # Errors
/// `malformed` for more than [`MAX_STAYS_TOLD`], `locked_out` when the tablet told far more than people can sit there, 507
/// while the disk fails.
pub(crate) async fn hear(app: &App, tablet: TabletId, stays: Vec<ToldStay>) -> Result<(), Trouble> {
    if stays.len() > MAX_STAYS_TOLD {
        return Err(Trouble::because(Refusal::Malformed, format!("`stays`: {MAX_STAYS_TOLD} at most")));
    }
    let Some((ended, state)) = app.commit(move |conn, book| write(conn, book, tablet, &stays)).await? else {
        return Ok(());
    };
    if let Some(session) = app.unrecorded.take(tablet) {
        app.seats.leave(session.id);
        app.live.tell(Change::Ended { session: session.id, tablet, why: Why::Silent });
    }
    ended.tell(app);
    app.live.tell(Change::Tablet { tablet, state });
    Ok(())
}

/// None when nothing of it is new.
fn write(
    conn: &Connection,
    book: &Book,
    tablet: TabletId,
    stays: &[ToldStay],
) -> Result<Option<(Ended, TabletState)>, Trouble> {
    let mut news = false;
    for stay in stays {
        if !unplugged::remember(conn, tablet, stay.stay_id, book.now)? {
            continue;
        }
        news = true;
        let (lasted_s, began_ago_s) = (bounded(stay.lasted_s), stay.began_ago_s.map(bounded));
        book.note(conn, &Entry::Unplugged { stay: stay.stay_id, tablet, lasted_s, began_ago_s })?;
    }
    if !news {
        return Ok(None);
    }
    if unplugged::count(conn, tablet)? > unplugged::KEPT_PER_TABLET {
        return Err(Refusal::LockedOut.into());
    }
    // Whoever sat there before is long gone.
    let ended = match sessions::live_on(conn, tablet)? {
        Some(session) => leave::end(conn, book, &session, Why::Silent)?,
        None => Ended::default(),
    };
    let found = tablet_life::find(conn, tablet)?.ok_or(Refusal::TabletUnknown)?;
    let state = life::next(found.state, Event::Unplugged)?;
    if state == TabletState::Wiping {
        // A wipe ordered before says nothing of these stays: its receipt counts no longer.
        let wipe = WipeId::draw(book.dice.as_ref());
        wipes::order(conn, wipe, tablet, book.now)?;
        tablet_life::set(conn, tablet, state, Some(wipe))?;
    }
    Ok(Some((ended, state)))
}

fn bounded(seconds: u32) -> u32 {
    seconds.min(u32::try_from(LONGEST.as_secs()).unwrap_or(u32::MAX))
}
