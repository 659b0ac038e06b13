//! What somebody kept, given back to her own session. A pair finds what it kept together, and nothing that is one's own.

use preau_shared::{ids::PersonId, journal::How, refusal::Refusal, rig::writer::StoreError, wire};
use rusqlite::Connection;

use super::{keep::unnamed, media, remove};
use crate::{
    app::App,
    store::{
        Trouble, badges, people,
        sessions::{self, Session},
        work::{self, Work},
    },
};

/// While the disk fails, a session that no disk knows has no works: they are refused, never taken from memory.
///
/// # Errors
/// 507.
pub(super) fn is_recorded(app: &App, session: &Session) -> Result<(), Trouble> {
    match app.unrecorded.find(session.id) {
        Some(_) => Err(StoreError::Commit("the session is not on disk, works wait until it writes".into()).into()),
        None => Ok(()),
    }
}

/// Whose works a session reaches, as it stands now.
///
/// # Errors
/// `session_unknown` when it is over; `guest_keeps_nothing`; `badge_void` when no badge of one of them holds any more;
/// `not_enrolled_here` when one of them left the school.
pub(super) fn owners(conn: &Connection, session: &Session) -> Result<Vec<PersonId>, Trouble> {
    let session = sessions::find_live(conn, session.id)?.ok_or(Refusal::SessionUnknown)?;
    if session.people.is_empty() {
        return Err(Refusal::GuestKeepsNothing.into());
    }
    for person in &session.people {
        people::find(conn, *person)?.ok_or(Refusal::NotEnrolledHere)?;
        if matches!(session.how, How::Badge | How::Pair) && badges::valid_of(conn, *person)?.is_empty() {
            return Err(Refusal::BadgeVoid.into());
        }
    }
    Ok(session.people)
}

/// The work of this name that all of them have: one and the same.
pub(super) fn joint(conn: &Connection, people: &[PersonId], name: &str) -> Result<Option<Work>, StoreError> {
    let Some((first, others)) = people.split_first() else { return Ok(None) };
    let Some(found) = work::find(conn, *first, name)? else { return Ok(None) };
    for other in others {
        if work::find(conn, *other, name)?.is_none_or(|theirs| theirs.file != found.file) {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// What she kept, the newest first, and what can be had back.
///
/// # Errors
/// Those of [`owners`].
pub(crate) fn list(app: &App, session: &Session) -> Result<wire::Works, Trouble> {
    is_recorded(app, session)?;
    let now = app.clock.stamp();
    app.reader.read(|conn| {
        let people = owners(conn, session)?;
        let Some((first, others)) = people.split_first() else { return Ok(wire::Works::default()) };
        let mut works = Vec::new();
        for kept in work::of(conn, *first)? {
            if others.is_empty() || joint(conn, &people, &kept.name)?.is_some_and(|joint| joint.file == kept.file) {
                let age_s = now.since(kept.kept).as_secs();
                works.push(wire::Work {
                    kind: media::of(&kept.media).kind.to_owned(),
                    name: kept.name,
                    media_type: kept.media,
                    size_bytes: kept.size_bytes,
                    kept_age_s: age_s,
                    delivery: wire::Delivery::Waiting,
                    on_one_disk: kept.here && !kept.copied,
                    arriving: !kept.here,
                });
            }
        }
        let former = if others.is_empty() { work::former_names(conn, *first)? } else { Vec::new() };
        Ok(wire::Works { works, former })
    })
}

/// One work of theirs.
///
/// # Errors
/// `not_found`; `work_arriving` while another box has it and this one has not; those of [`owners`].
pub(crate) fn find(app: &App, session: &Session, name: &str) -> Result<Work, Trouble> {
    is_recorded(app, session)?;
    let found = app.reader.read(|conn| Ok::<_, Trouble>(joint(conn, &owners(conn, session)?, name)?))?;
    let work = found.ok_or(Refusal::NotFound)?;
    if work.here { Ok(work) } else { Err(Refusal::WorkArriving.into()) }
}

/// Takes a work away from each of them; it can be had back for a while.
///
/// # Errors
/// `not_found`; those of [`owners`]; 507 while the disk fails.
pub(crate) async fn take_away(app: &App, session: Session, name: String) -> Result<(), Trouble> {
    is_recorded(app, &session)?;
    let gone = app
        .commit(move |conn, book| {
            let (people, mut gone) = (owners(conn, &session)?, Vec::new());
            joint(conn, &people, &name)?.ok_or(Refusal::NotFound)?;
            for person in people {
                gone.extend(work::retire(conn, book, person, &name)?.unwrap_or_default());
            }
            Ok(unnamed(conn, gone)?)
        })
        .await?;
    remove(app, &gone).await;
    Ok(())
}

/// What stood under this name before is there again; what stands there now becomes the former one. In a pair each has her
/// own back.
///
/// # Errors
/// `not_found` when nobody of them has anything to have back; those of [`owners`]; 507 while the disk fails.
pub(crate) async fn bring_back(app: &App, session: Session, name: String) -> Result<(), Trouble> {
    is_recorded(app, &session)?;
    app.commit(move |conn, book| {
        let mut any = false;
        for person in owners(conn, &session)? {
            any |= work::restore(conn, book, person, &name)?;
        }
        if any { Ok(()) } else { Err(Refusal::NotFound.into()) }
    })
    .await
}
