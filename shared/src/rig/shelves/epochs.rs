//! Document epochs: the coordinator begins a document anew, and edits of the epoch left behind are carried over by value
//! (ARCHITECTURE §2.1).
//!
//! Whoever holds an edit that the cut did not know writes it again: the box that made it at once, so that a void holds
//! while it travels, and every other replica that hears of it. Equal values settle on themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Author, Project, ShelfError,
    desk::Taking,
    hashes,
    library::{self, PLACE, Place, State, Taken, UNREADABLE, place_at},
    line,
};
use crate::{
    documents::{
        Chunk, DocId, Document, Edit, Fields, Rebased, Rebuilt, Stale, Writer, rebase,
        rule::{Merge, rule},
    },
    replica::Shelf,
    rig::{
        sql::{Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// Epochs that are begun in one act.
const MOST_AT_ONCE: u32 = 200;
/// A saved state of so many bytes is begun anew.
const ROLL_OVER_AT_BYTES: i64 = 64 * 1024;
/// … or a document of so many changes.
const ROLL_OVER_AT_CHANGES: i64 = 1_000;
/// Notes of edits that could not be carried: the newest so many are kept.
const MOST_OVERRIDDEN: i64 = 5_000;

/// Leaves an epoch behind. What was edited in it and the cut did not know is carried once the cut is known, and here
/// whole.
pub(super) fn turn<S: Sql + ?Sized>(conn: &S, current: &Place) -> Result<(), ShelfError> {
    conn.execute("UPDATE replica_documents SET state = 1, carried = 0 WHERE doc = ?1", values![current.row])?;
    Ok(())
}

/// The row of an epoch that was left behind, made when there is none.
pub(super) fn past<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, doc: &DocId, epoch: u32) -> Result<Place, ShelfError> {
    if let Some(place) = library::epoch(conn, shelf, doc, epoch)? {
        return Ok(place);
    }
    let place = library::create(conn, shelf, doc, epoch, State::Past)?;
    turn(conn, &place)?;
    Ok(place)
}

/// Notes what the cut of an epoch knew, when that is not known yet.
pub(super) fn note_cut<S: Sql + ?Sized>(conn: &S, row: i64, cut: &[[u8; 32]]) -> Result<(), ShelfError> {
    if !cut.is_empty() {
        conn.execute(
            "UPDATE replica_documents SET cut = ?2 WHERE doc = ?1 AND cut IS NULL AND state = 1",
            values![row, &cut.concat()],
        )?;
    }
    Ok(())
}

/// A new epoch begins now.
pub(super) fn note_begin<S: Sql + ?Sized>(conn: &S, row: i64, now: Stamp) -> Result<(), ShelfError> {
    conn.execute("UPDATE replica_documents SET began = ?2 WHERE doc = ?1", values![row, now.0])?;
    Ok(())
}

/// What the cut of an epoch knew; nothing when that is not known.
pub(super) fn cut_of<S: Sql + ?Sized>(conn: &S, row: i64) -> Result<Vec<[u8; 32]>, ShelfError> {
    let row = conn.one("SELECT cut FROM replica_documents WHERE doc = ?1", values![row])?;
    Ok(split(row.opt_bytes(0)?.unwrap_or_default())?)
}

fn split(hashes: &[u8]) -> Result<Vec<[u8; 32]>, StoreError> {
    hashes.chunks(32).map(|hash| hash.try_into().map_err(|_| UNREADABLE)).collect()
}

/// What surely was told of a document when nobody says what the cut knew: all but what this author has not seen
/// acknowledged, and what stands on that.
pub(super) fn told<S: Sql + ?Sized>(conn: &S, old: &Taken, author: &Author) -> Result<Vec<[u8; 32]>, ShelfError> {
    let mut untold: BTreeSet<[u8; 32]> = line::unacknowledged(conn, author.origin.box_id)?.into_iter().collect();
    for change in old.document.changes_since(&[]) {
        let chunk = Chunk::read(&change)?;
        if chunk.deps.iter().any(|dep| untold.contains(dep)) {
            untold.insert(chunk.hash);
        }
    }
    let untold: Vec<[u8; 32]> = untold.into_iter().collect();
    Ok(old.document.without(&untold)?.heads())
}

/// An epoch that was left behind has got changes: carries them. Gives the fields of the current epoch when they changed.
pub(super) fn carry<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    past: &Taken,
    before: &Document,
    with: &Taking<'_, S>,
) -> Result<Option<Fields>, ShelfError> {
    let row = conn.one("SELECT carried FROM replica_documents WHERE doc = ?1", values![past.place.row])?;
    if !row.truth(0)? {
        // Until then the cut itself is not here whole, and `carry_what_waited` does it.
        return Ok(None);
    }
    let (before, after) = (before.settled(), past.document.settled());
    write(conn, shelf, &past.place.doc, Late { before: &before, after: &after, whole: true }, with)
}

/// Carries what was edited here before an epoch was left behind, as soon as all that the cut knew is here. What is never
/// undone is carried at once: a void holds meanwhile.
pub(super) fn carry_what_waited<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    with: &Taking<'_, S>,
    changed: &mut BTreeMap<DocId, Fields>,
) -> Result<(), ShelfError> {
    let rows = conn.query(
        &format!(
            "SELECT {PLACE}, d.cut, length(d.heads) FROM replica_documents d
             WHERE d.shelf = ?1 AND d.state = 1 AND d.carried = 0 AND d.cut IS NOT NULL"
        ),
        values![shelf.as_key()],
    )?;
    for row in &rows {
        let (place, cut, empty) = (place_at(row)?, split(row.bytes(5)?)?, row.int(6)? == 0);
        // Most that wait are here without a single change.
        if empty {
            continue;
        }
        let past = library::take(conn, place)?;
        let whole = past.document.missing_from(&cut).is_empty();
        if whole {
            conn.execute("UPDATE replica_documents SET carried = 1 WHERE doc = ?1", values![place.row])?;
        }
        let (before, after) = (past.document.settled_at(&cut), past.document.settled());
        let late = Late { before: &before, after: &after, whole };
        if let Some(fields) = write(conn, shelf, &place.doc, late, with)? {
            changed.insert(place.doc, fields);
        }
    }
    Ok(())
}

/// What was edited in an epoch that was left behind.
struct Late<'a> {
    before: &'a Fields,
    after: &'a Fields,
    /// Whether `before` is all that the cut knew; else only what is never undone may be carried.
    whole: bool,
}

/// Writes a late edit into the current epoch, as far as it may be.
fn write<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    doc: &DocId,
    late: Late<'_>,
    with: &Taking<'_, S>,
) -> Result<Option<Fields>, ShelfError> {
    if *shelf == Shelf::Territory && with.author.writer == Writer::Box {
        return Ok(None);
    }
    let Some(place) = library::current(conn, shelf, doc)?.filter(|place| place.state == State::Current) else {
        return Ok(None);
    };
    let new = library::take(conn, place)?.document.settled();
    let stale = Stale { before: late.before, after: late.after };
    let Rebased { edit, overridden } = rebase(*doc, with.author.writer, stale, &new);
    let mut edit = edit.unwrap_or(Edit::of(*doc));
    if late.whole {
        note_overridden(conn, shelf, doc, &overridden, with.now)?;
    } else {
        edit.set.retain(|(key, _)| rule(doc.kind, key).is_some_and(|rule| rule.merge == Merge::NeverUndone));
    }
    if edit.set.is_empty() {
        return Ok(None);
    }
    let Some((item, fields)) = library::edit(conn, with.author, shelf, &edit)? else { return Ok(None) };
    line::append(conn, shelf, &with.author.origin, with.now, &item)?;
    Ok(Some(fields))
}

/// Notes, for the history page, what could not be carried.
pub(super) fn note_overridden<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    doc: &DocId,
    keys: &[String],
    now: Stamp,
) -> Result<(), ShelfError> {
    for key in keys {
        conn.execute(
            "INSERT INTO replica_overridden (shelf, kind, id, field, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            values![shelf.as_key(), doc.kind.code(), &doc.id, key, now.0],
        )?;
    }
    if !keys.is_empty() {
        conn.execute(
            "DELETE FROM replica_overridden WHERE place <= (SELECT max(place) FROM replica_overridden) - ?1",
            values![MOST_OVERRIDDEN],
        )?;
    }
    Ok(())
}

/// Begins documents anew that have grown too long, where that halves them, or whose epoch began before `before` (a school
/// year ago); the coordinator's alone. Gives how many.
///
/// # Errors
/// [`ShelfError::Refused`] at a box; else when the store fails.
pub fn roll_over<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    shelf: &Shelf,
    (now, before): (Stamp, Stamp),
    project: &dyn Project<S>,
) -> Result<usize, ShelfError> {
    if author.writer == Writer::Box {
        return Err(ShelfError::Refused { reason: "only the coordinator begins an epoch".into() });
    }
    conn.guard(shelf.as_key())?;
    // The first epoch of a document begins when it is first looked at.
    conn.execute(
        "UPDATE replica_documents SET began = ?2 WHERE shelf = ?1 AND state = 0 AND began = 0",
        values![shelf.as_key(), now.0],
    )?;
    let rows = conn.query(
        &format!(
            "SELECT {PLACE}, d.began FROM replica_documents d
             WHERE d.shelf = ?1 AND d.state = 0 AND (d.began < ?2 OR length(d.snapshot) > ?3
                OR (SELECT count(*) FROM replica_hashes h WHERE h.doc = d.doc) > ?4)
             ORDER BY d.doc LIMIT ?5"
        ),
        values![shelf.as_key(), before.0, ROLL_OVER_AT_BYTES, ROLL_OVER_AT_CHANGES, MOST_AT_ONCE],
    )?;
    let mut count = 0_usize;
    for row in &rows {
        let place = place_at(row)?;
        let old = library::take(conn, place)?;
        // A year with a single edit is no reason: nothing would be saved.
        if old.document.hashes().len() < 2 {
            note_begin(conn, place.row, now)?;
            continue;
        }
        let epoch = old.place.epoch.saturating_add(1);
        let new = Document::rebuilt(&place.doc, epoch, &old.document.settled(), author.origin.actor())?;
        // What is long by its fields, not by its past, would be begun anew for ever.
        let halves = new.document.save().len().saturating_mul(2) < old.document.save().len();
        if halves || row.int(5)? < before.0 {
            begin(conn, author, (shelf, now), &old, new, project)?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// Begins one document anew.
fn begin<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    (shelf, now): (&Shelf, Stamp),
    old: &Taken,
    rebuilt: Rebuilt,
    project: &dyn Project<S>,
) -> Result<(), ShelfError> {
    let (doc, cut, epoch) = (old.place.doc, old.document.heads(), old.place.epoch.saturating_add(1));
    turn(conn, &old.place)?;
    note_cut(conn, old.place.row, &cut)?;
    conn.execute("UPDATE replica_documents SET carried = 1 WHERE doc = ?1", values![old.place.row])?;
    let mut new = library::take(conn, library::create(conn, shelf, &doc, epoch, State::Current)?)?;
    new.document = rebuilt.document;
    let changes: Vec<Vec<u8>> = std::iter::once(rebuilt.first).chain(rebuilt.more).collect();
    for (place, change) in changes.iter().enumerate() {
        hashes::keep(conn, shelf, change, new.place.row)?;
        let item = library::item(&doc, epoch, change, (place == 0).then(|| cut.clone()))?;
        line::append(conn, shelf, &author.origin, now, &item)?;
    }
    note_begin(conn, new.place.row, now)?;
    if let Some(fields) = library::put_back(conn, &new, &changes)? {
        project.document(conn, shelf, &doc, &fields)?;
    }
    Ok(())
}
