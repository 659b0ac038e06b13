//! A training room goes back to its beginning: by a tap of whoever teaches there, and every night ([`night`]).
//!
//! One commit does it all, so that a cut in the middle has done nothing and the next start finds either the room as it was
//! or the room as it begins. Files of works go after it; those that a cut leaves are nobody's, and are swept at the start.
//!
//! What a lesson does to a badge is as final here as anywhere. The papers that the room began with open again all the
//! same, each by a document of its own (`shared/decisions/0020-training-rooms.md`).

pub(crate) mod night;

use std::collections::BTreeMap;

use preau_shared::{
    documents::{
        self, badge, class, person, provisional,
        school::{ask_factor, factors},
        staff::{self, Number, Standing},
        tablet,
    },
    ids::{BadgeId, WorkId},
    journal::{Entry, Pseudonym, Why},
    refusal::Refusal,
    replica::Shelf,
    rig::shelves,
    second_factor::Factor,
    settings::Settings,
};
use rusqlite::Connection;

use self::night::Moment;
use crate::{
    app::App,
    classroom::live::Change,
    sign_in::{
        leave::{self, Ended},
        unplugged,
    },
    store::{
        Trouble,
        badges::{self, Paper},
        classes, enrolment_windows, guest_hours,
        journal::Book,
        people::{self, Human},
        prints, quiet, sessions, staff_sessions, tablet_life, tablets, terms, training, unplugged as unplugged_rows,
        work,
    },
};

/// Everybody leaves, and all is as at the beginning. By nobody: the night.
///
/// # Errors
/// `training_only` at a school; `overloaded` when too many secrets are being compared; 507 while the disk fails: then
/// nothing changed.
pub(crate) async fn begin_again(app: &App, by: Option<Pseudonym>) -> Result<(), Trouble> {
    if !app.shelf.is_training() {
        return Err(Refusal::TrainingOnly.into());
    }
    let code = match app.reader.read(unplugged_rows::number)? {
        Some(_) => Some(unplugged::fresh(app).await?),
        None => None,
    };
    for session in app.unrecorded.live() {
        leave::end_by_staff(app, session).await?;
    }
    let (ended, files) = app
        .commit(move |conn, book| {
            let ended = everybody_leaves(conn, book)?;
            newcomers_leave(conn, book)?;
            papers_open_again(conn, book, by)?;
            choices_are_forgotten(conn, book)?;
            let files = rows_go(conn, book)?;
            if let Some(code) = code {
                code.keep(conn)?;
            }
            training::begin(conn, book.now)?;
            book.note(conn, &Entry::Audit { what: "training room: back to its beginning".into(), by })?;
            Ok((ended, files))
        })
        .await?;
    ended.tell(app);
    app.touched.forget_all();
    app.tries.forget_all();
    app.calls.forget_all();
    app.watch.forget_all();
    app.night.tried(app.clock.elapsed(), true);
    app.live.tell(Change::Badges);
    crate::work::remove(app, &files).await;
    Ok(())
}

/// Looks whether a night has passed with nobody here; called every few seconds.
///
/// # Errors
/// As [`begin_again`].
pub(crate) async fn at_night(app: &App) -> Result<bool, Trouble> {
    if !app.shelf.is_training() {
        return Ok(false);
    }
    let (begun, sitting) = app.reader.read(|conn| Ok::<_, Trouble>((training::begun(conn)?, sessions::live(conn)?)))?;
    let Some(begun) = begun else {
        // A new room stands at its beginning.
        app.commit(|conn, book| Ok(training::begin(conn, book.now)?)).await?;
        return Ok(false);
    };
    let elapsed = app.clock.elapsed();
    let anybody = !sitting.is_empty() || !app.unrecorded.is_empty() || app.touched.is_anybody(elapsed);
    if !app.night.is_due(Moment { elapsed, trusted: app.trusted_now(), anybody, begun }) {
        return Ok(false);
    }
    app.night.tried(elapsed, false);
    begin_again(app, None).await?;
    Ok(true)
}

/// Sessions end, and their tablets are to be cleared; pages of staff close; nobody remembers who sat where.
fn everybody_leaves(conn: &Connection, book: &Book) -> Result<Ended, Trouble> {
    let mut ended = Ended::default();
    for session in sessions::live(conn)? {
        ended.and(leave::end(conn, book, &session, Why::Staff)?);
    }
    staff_sessions::end_all(conn)?;
    tablet_life::forget_classes(conn)?;
    Ok(ended)
}

/// Pupils and substitutes whom a trainee made. Their badges are void with all that are not of the beginning.
fn newcomers_leave(conn: &Connection, book: &Book) -> Result<(), Trouble> {
    for someone in people::provisional(conn)? {
        for list in classes::of_pupil(conn, someone.id)? {
            book.edit(conn, &class::leave(list, someone.id))?;
        }
        book.edit(conn, &provisional::leave(someone.id))?;
    }
    Ok(())
}

/// What was printed here is void for good; each paper of the beginning opens.
fn papers_open_again(conn: &Connection, book: &Book, by: Option<Pseudonym>) -> Result<(), Trouble> {
    let mut beginning: BTreeMap<_, Vec<Paper>> = BTreeMap::new();
    for paper in badges::papers(conn)? {
        if is_of_the_beginning(conn, &paper)? {
            beginning.entry(paper.hash).or_default().push(paper);
        } else if !paper.row.void {
            book.edit(conn, &badge::void(paper.row.id, "training"))?;
            book.note(conn, &Entry::BadgeVoided { badge: paper.row.id, by })?;
        }
    }
    for same in beginning.into_values().filter(|same| same.iter().all(|paper| paper.row.void)) {
        let Some(next) = next_of(&same) else { continue };
        let Some(Paper { row, hash, short }) = same.into_iter().next() else { continue };
        let again = documents::Badge {
            id: next,
            person: row.person,
            hash,
            void: false,
            void_reason: String::new(),
            expires: None,
            series: row.series,
            short,
        };
        book.edit(conn, &again.edit())?;
    }
    Ok(())
}

/// Drawn by the coordinator, or opened again in the place of one that was: what a box prints has a higher series, or an end.
fn is_of_the_beginning(conn: &Connection, paper: &Paper) -> Result<bool, Trouble> {
    let invented = people::find(conn, paper.row.person)?.is_some_and(|human| !human.provisional);
    Ok(invented && paper.row.series == 0 && paper.row.expires.is_none())
}

/// The name of the next document of this paper: it follows from that of the last, of which nothing follows yet.
fn next_of(same: &[Paper]) -> Option<BadgeId> {
    let is_there = |id: &BadgeId| same.iter().any(|paper| paper.row.id == *id);
    same.iter().map(|paper| badge::again(paper.row.id)).find(|next| !is_there(next))
}

/// What people, the head and the school's tablets chose in documents.
fn choices_are_forgotten(conn: &Connection, book: &Book) -> Result<(), Trouble> {
    for human in people::lasting(conn)? {
        let doc = human.doc();
        for factor in [Factor::Pictures, Factor::Digits] {
            if people::secret(conn, human.id, factor)?.is_some() {
                book.edit(conn, &person::choose_secret(doc, factor, None))?;
            }
        }
        if human.settings != Settings::default() {
            book.edit(conn, &person::choose_settings(doc, &Settings::default()))?;
        }
        if human.is_staff() {
            given_secret(conn, book, &human)?;
        }
    }
    if let Shelf::School(uai) = &book.shelf
        && let Some(fields) = shelves::document(conn, &book.shelf, &documents::School::doc(uai))?
    {
        for level in factors(&fields).into_keys() {
            book.edit(conn, &ask_factor(uai, &level, None))?;
        }
    }
    for owned in tablets::owned(conn)? {
        book.edit(conn, &tablet::give(owned, None))?;
    }
    Ok(())
}

/// What the coordinator gave her holds again.
fn given_secret(conn: &Connection, book: &Book, human: &Human) -> Result<(), Trouble> {
    let Some(fields) = shelves::document(conn, &book.shelf, &human.doc())? else { return Ok(()) };
    if staff::standing(&fields) != Standing::Given {
        let mut number = [0; 16];
        book.dice.fill(&mut number);
        book.edit(conn, &staff::give(human.doc(), Number(number), book.now))?;
    }
    Ok(())
}

/// What only this box knows; gives the files that are nobody's from now on.
fn rows_go(conn: &Connection, book: &Book) -> Result<Vec<WorkId>, Trouble> {
    guest_hours::close_all(conn)?;
    enrolment_windows::close_all(conn)?;
    prints::forget_all(conn)?;
    quiet::end_all(conn)?;
    terms::forget_all(conn)?;
    Ok(work::forget_all(conn, book)?)
}
