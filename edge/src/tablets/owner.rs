//! Whose a tablet is, where a school works in *one account per tablet* (*un compte par tablette*): the first pupil who signs
//! in alone on it, until an adult gives it to another or frees it. Where it works in *many accounts*, nobody's.
//!
//! An adult always wins: her own badge, a pupil she lets in and guests she opens to sit down on any free tablet.

use std::sync::Arc;

use preau_shared::{
    documents::tablet,
    ids::{PersonId, TabletId},
    journal::{Entry, How, Pseudonym},
    refusal::Refusal,
};
use rusqlite::Connection;

use crate::{
    app::App,
    classroom::live::Change,
    store::{
        Trouble,
        journal::Book,
        people::{self, Human},
        school, tablet_life, tablets,
    },
};

/// In this turn of the school's accounts, a tablet of nobody becomes hers by her sign-in, inside the caller's commit. A
/// pair claims nothing, whoever was let in neither, and nobody gets a second one.
pub(crate) fn claim(
    conn: &Connection,
    book: &Book,
    (tablet, turn): (TabletId, Option<i64>),
    (who, how): (&[Arc<Human>], How),
) -> Result<(), Trouble> {
    let [pupil] = who else { return Ok(()) };
    let claims = match how {
        How::Badge | How::Account => !pupil.is_staff(),
        How::Pair | How::Guest | How::LetIn => false,
    };
    let Some(turn) = turn.filter(|_| claims) else { return Ok(()) };
    if tablets::owner(conn, tablet)?.is_some() || !tablets::owned_by(conn, pupil.id)?.is_empty() {
        return Ok(());
    }
    book.edit(conn, &tablet::give(tablet, Some((pupil.id, turn))))
}

/// An adult gives a tablet to a pupil, whose other ones are nobody's then, or frees it.
///
/// # Errors
/// `not_found` for a tablet or a pupil that is not of this school, and where tablets are nobody's; 507 while the disk
/// fails.
pub(crate) async fn give(app: &App, id: TabletId, to: Option<PersonId>, by: Pseudonym) -> Result<(), Trouble> {
    let moved = app.commit(move |conn, book| {
        tablets::name(conn, id)?.ok_or(Refusal::NotFound)?;
        let new = match to {
            Some(person) => {
                let turn = school::one_account(conn)?.ok_or(Refusal::NotFound)?;
                people::find(conn, person)?.filter(|found| !found.is_staff()).ok_or(Refusal::NotFound)?;
                for other in tablets::owned_by(conn, person)?.into_iter().filter(|other| *other != id) {
                    book.edit(conn, &tablet::give(other, None))?;
                }
                Some((person, turn))
            }
            None => None,
        };
        book.edit(conn, &tablet::give(id, new))?;
        let what = if new.is_some() { "tablet given to a pupil" } else { "tablet given to nobody" };
        book.note(conn, &Entry::Audit { what: format!("{what}, tablet {id}"), by: Some(by) })?;
        Ok(tablet_life::find(conn, id)?.map(|life| life.state))
    });
    if let Some(state) = moved.await? {
        app.live.tell(Change::Tablet { tablet: id, state });
    }
    Ok(())
}
