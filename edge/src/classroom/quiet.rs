//! A teacher silences the tablets of her class by a tap, and gives the sound back. It holds through a reload of a tablet
//! and a restart of the box, and is forgotten by the next morning.

use std::time::Duration;

use preau_shared::{
    ids::{ClassId, SessionId},
    refusal::Refusal,
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::Connection;

use super::live::Change;
use crate::{
    app::App,
    store::{
        Trouble, classes, people, quiet,
        sessions::{self, Session},
    },
};

/// Until the evening, as for everything that ends tonight.
const LASTS: Duration = Duration::from_secs(12 * 3_600);

/// Silences the tablets at which pupils and guests of this class sit, and those at which they sit down later.
///
/// # Errors
/// `not_found` for no class; 507 while the disk fails.
pub(crate) async fn silence(app: &App, class: ClassId) -> Result<(), Trouble> {
    app.commit(move |conn, book| {
        classes::find(conn, class)?.ok_or(Refusal::NotFound)?;
        Ok(quiet::begin(conn, class, book.now, book.now.after(LASTS))?)
    })
    .await?;
    app.live.tell(Change::Quiet);
    Ok(())
}

/// They may sound again.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn give_back(app: &App, class: ClassId) -> Result<(), Trouble> {
    app.commit(move |conn, _| Ok(quiet::end(conn, class)?)).await?;
    app.live.tell(Change::Quiet);
    Ok(())
}

/// Whether the tablet of a session is silent: by the class that its pupil said she works with, else by any of hers. An
/// adult's own tablet never is.
pub(crate) fn of(conn: &Connection, session: &Session, now: Stamp) -> Result<bool, StoreError> {
    if !quiet::any(conn, now)? {
        return Ok(false);
    }
    if let Some(class) = session.works_with.or(session.class) {
        return quiet::is_on(conn, class, now);
    }
    for person in &session.people {
        if people::find(conn, *person)?.is_none_or(|known| known.is_staff()) {
            continue;
        }
        for class in classes::of_pupil(conn, *person)? {
            if quiet::is_on(conn, class, now)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The same for a session that listens; one that is over is not silent.
pub(crate) fn at(app: &App, session: SessionId) -> bool {
    let now = app.clock.stamp();
    let read = app.reader.read(|conn| match sessions::find_live(conn, session)? {
        Some(session) => Ok::<_, Trouble>(of(conn, &session, now)?),
        None => Ok(false),
    });
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "whether a tablet is silent could not be read");
        false
    })
}
