//! A forgotten badge: an adult lets the pupil in by a tap, and the tablet picks the session up when it next asks.

use std::{net::IpAddr, sync::Arc};

use preau_shared::{
    ids::{ClassId, PersonId, SessionHostId, SessionId, TabletId},
    keys::sha256,
    refusal::Refusal,
    wire::{SessionOpened, TabletState},
};

use super::{
    decide::{Said, decide},
    lockout::Name,
    scan,
    welcome::{Party, Welcome},
};
use crate::{
    app::App,
    store::{
        Trouble,
        badges::{Way, facts_for},
        classes,
        sessions::{self, Session},
        tablet_life,
    },
};

/// Opens a session for a pupil of this class on a free tablet; with `new_code` she chooses a new second factor in it.
///
/// # Errors
/// `not_found` when she is not of this class; `tablet_not_free`; 507 while the disk fails.
pub(crate) async fn let_in(
    app: &App,
    class: ClassId,
    (person, new_code): (PersonId, bool),
    tablet: TabletId,
) -> Result<SessionId, Trouble> {
    if app.unrecorded.state(tablet).is_some() {
        return Err(Refusal::TabletNotFree.into());
    }
    let (way, trusted) = (Way::LetIn(person), app.trusted_now());
    let (opened, offers) = (app.clock.stamp(), Arc::clone(&app.offers));
    let (session, opening, ended) = app
        .commit(move |conn, book| {
            if !classes::has_pupil(conn, class, person)? {
                return Err(Refusal::NotFound.into());
            }
            let settled = offers.settled(conn)?;
            let state = tablet_life::find(conn, tablet)?.map_or(TabletState::Unknown, |life| life.state);
            let opening =
                decide(&way, &facts_for(conn, &settled, (tablet, state), &way, book.now)?, &[Said::Nothing], trusted)?;
            let session = Session {
                id: SessionId::draw_at(opened, book.dice.as_ref()),
                tablet,
                how: opening.how,
                people: vec![person],
                class: None,
                opened,
                taken: false,
                chooses: new_code,
                works_with: None,
                host: Some(SessionHostId::draw(book.dice.as_ref())),
            };
            let ended = scan::write(conn, book, (&session, settled.one_account), &opening, None)?;
            Ok((session, opening, ended))
        })
        .await?;
    app.tries.forget(Name::Person(person));
    scan::seat(app, &session, &opening, None);
    ended.tell(app);
    Ok(session.id)
}

/// The running session of a tablet, as the tablet asks for it. Until its token was used once it is handed out (again):
/// the answer that carried it may have been lost.
///
/// # Errors
/// When the store cannot be read or written.
pub(crate) async fn pick_up(
    app: &App,
    tablet: TabletId,
    address: Option<IpAddr>,
) -> Result<Option<SessionOpened>, Trouble> {
    let Some(session) = app.reader.read(|conn| sessions::live_on(conn, tablet))? else { return Ok(None) };
    if session.taken {
        return app.reader.read(|conn| {
            let welcome = Welcome::read(
                conn,
                (&*app.offers.settled(conn)?, app.clock.stamp()),
                &session,
                Party::of(conn, &session)?,
            )?;
            Ok(Some(welcome.answer(&app.words, &session, None)))
        });
    }
    let (offers, id) = (Arc::clone(&app.offers), session.id);
    let token = sessions::draw_token(id, app.dice.as_ref());
    let hash = sha256(token.as_bytes());
    let found = app
        .commit(move |conn, book| {
            let Some(session) = sessions::live_on(conn, tablet)?.filter(|live| live.id == id) else { return Ok(None) };
            sessions::mint_again(conn, session.id, &hash)?;
            let welcome =
                Welcome::read(conn, (&*offers.settled(conn)?, book.now), &session, Party::of(conn, &session)?)?;
            Ok(Some((session, welcome)))
        })
        .await?;
    app.seats.beat(id, address, app.clock.elapsed());
    Ok(found.map(|(session, welcome)| welcome.answer(&app.words, &session, Some(token))))
}
