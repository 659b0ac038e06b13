//! What the teacher sees: classes, who is on which tablet, where the tablets stand.

use std::collections::BTreeMap;

use preau_shared::{
    ids::{ClassId, PersonId, TabletId},
    refusal::Refusal,
    rig::writer::StoreError,
    time::Stamp,
    wire::{Alert, Calling, ClassLine, ClassView, PupilLine, Role, Seat, TabletState},
};
use rusqlite::Connection;

use crate::{
    app::App,
    store::{
        Trouble, badges,
        classes::{self, ClassRow},
        guest_hours,
        people::Human,
        quiet, school, sessions, tablets,
    },
};

/// The classes that somebody of the staff sees: the head all of them, a teacher her own.
pub(crate) fn classes_of(app: &App, staff: &Human) -> Result<Vec<ClassLine>, Trouble> {
    app.reader.read(|conn| lines(conn, rows_of(conn, staff)?))
}

/// Every class of the school, for whoever finds a substitute.
pub(crate) fn every_class(app: &App) -> Result<Vec<ClassLine>, Trouble> {
    app.reader.read(|conn| lines(conn, classes::every(conn)?))
}

fn lines(conn: &Connection, rows: Vec<ClassRow>) -> Result<Vec<ClassLine>, Trouble> {
    rows.into_iter()
        .map(|class| {
            let (pupils, signed_in) = classes::counts(conn, class.id)?;
            Ok(ClassLine { class_id: class.id, name: class.name, pupils, signed_in })
        })
        .collect()
}

/// One class, pupil by pupil, with the school's tablets.
///
/// # Errors
/// `not_found` when there is no such class, `forbidden` when it is another teacher's.
pub(crate) fn class(app: &App, staff: &Human, id: ClassId) -> Result<ClassView, Trouble> {
    let (now, elapsed) = (app.clock.stamp(), app.clock.elapsed());
    let mut view = app.reader.read(|conn| {
        let class = may_see(conn, staff, id)?;
        let tablets = tablets::lines(conn)?;
        let names: BTreeMap<_, _> = tablets.iter().map(|t| (t.tablet_id, t.name.clone())).collect();
        let (mut pupils, mut alerts) = (Vec::new(), Vec::new());
        let name_of = |tablet: TabletId| names.get(&tablet).cloned().unwrap_or_default();
        for pupil in classes::pupils(conn, id)? {
            let session = seat(conn, pupil.id, now, |tablet| names.get(&tablet).cloned())?;
            let calling = app.calls.of(pupil.id, elapsed).map(|(tablet, waited)| Calling {
                tablet_id: tablet,
                tablet_name: name_of(tablet),
                for_s: waited.as_secs(),
            });
            if let Some(moved) = app.watch.of(pupil.id, elapsed) {
                alerts.push(Alert::BadgeTwice {
                    given_name: pupil.given_name.clone(),
                    from: name_of(moved.from),
                    to: name_of(moved.to),
                    ago_s: elapsed.since(moved.at).as_secs(),
                });
            }
            let badges = badges::valid_of(conn, pupil.id)?;
            pupils.push(PupilLine { badges, person: pupil.view(), session, calling, provisional: pupil.provisional });
        }
        for (tablet, count) in app.watch.refusing(elapsed) {
            alerts.push(Alert::ManyRefusals { tablet: name_of(tablet), count });
        }
        for tablet_id in app.watch.strangers(elapsed) {
            alerts.push(Alert::UnknownCode { tablet_id, tablet: name_of(tablet_id) });
        }
        let guests_for_s = guest_hours::closes(conn, id, now)?.map(|closes| closes.since(now).as_secs());
        let own_tablets = school::one_account(conn)?.is_some();
        let (name, quiet) = (class.name, quiet::is_on(conn, id, now)?);
        Ok::<_, Trouble>(ClassView { class_id: id, name, pupils, tablets, guests_for_s, alerts, own_tablets, quiet })
    })?;
    for tablet in &mut view.tablets {
        let in_memory: Option<TabletState> = app.unrecorded.state(tablet.tablet_id);
        tablet.state = in_memory.unwrap_or(tablet.state);
    }
    Ok(view)
}

/// The class, if this member of staff may act on it.
///
/// # Errors
/// `not_found` or `forbidden`.
pub(crate) fn may_see(conn: &Connection, staff: &Human, id: ClassId) -> Result<ClassRow, Trouble> {
    let class = classes::find(conn, id)?.ok_or(Refusal::NotFound)?;
    match staff.role {
        Role::Head => Ok(class),
        Role::Teacher if classes::taught_by(conn, staff.id)?.iter().any(|c| c.id == id) => Ok(class),
        Role::Teacher | Role::Pupil => Err(Refusal::Forbidden.into()),
    }
}

/// Whether this member of staff may act on this person: the head on everybody, a teacher on the pupils of her classes.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn may_act_on(conn: &Connection, staff: &Human, person: PersonId) -> Result<bool, StoreError> {
    match staff.role {
        Role::Head => Ok(true),
        Role::Teacher => {
            let theirs = classes::of_pupil(conn, person)?;
            Ok(classes::taught_by(conn, staff.id)?.iter().any(|class| theirs.contains(&class.id)))
        }
        Role::Pupil => Ok(false),
    }
}

fn rows_of(conn: &Connection, staff: &Human) -> Result<Vec<ClassRow>, StoreError> {
    match staff.role {
        Role::Head => classes::every(conn),
        Role::Teacher => classes::taught_by(conn, staff.id),
        Role::Pupil => Ok(Vec::new()),
    }
}

fn seat(
    conn: &Connection,
    pupil: PersonId,
    now: Stamp,
    name: impl Fn(TabletId) -> Option<String>,
) -> Result<Option<Seat>, StoreError> {
    let live = sessions::live_of(conn, pupil)?;
    Ok(live.into_iter().next().map(|session| Seat {
        session_id: session.id,
        tablet_id: session.tablet,
        tablet_name: name(session.tablet).unwrap_or_default(),
        for_s: now.since(session.opened).as_secs(),
    }))
}
