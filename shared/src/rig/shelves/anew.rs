//! A disk that was rolled back, restored or copied begins another life (ARCHITECTURE §2.4).
//!
//! What it wrote since may stand under numbers that its former life has told otherwise, and Automerge takes no two changes
//! of one actor under one number. So the tail is taken out again: edits are written by value under the new name, at once,
//! because a void must hold. Entries are set aside until all that the other end holds of this box's lives has come back,
//! and only those that had not left are written again, as the same items, so that nothing is doubled.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Author, Project, ShelfError,
    desk::Taking,
    epochs, hashes,
    library::{self, Place, State},
    line::{self, Line, sql},
    runs,
};
use crate::{
    documents::{Chunk, DocId, Document, Edit, Fields, Stale, rebase},
    journal::Entry,
    keys::sha256,
    replica::{Item, Mark, Origin, Shelf, Tombstone},
    rig::sql::{Row, Sql, values},
    time::Stamp,
};

/// What was taken out of a line, but for its entries.
struct Tail {
    shelf: Shelf,
    edits: Vec<Edit>,
    erased: Vec<Tombstone>,
}

/// Begins another life; gives its name. `theirs` is what the peer holds on the shelves of its link.
///
/// # Errors
/// When the store fails.
pub fn begin<S: Sql + ?Sized>(
    conn: &S,
    former: &Author,
    theirs: &[Mark],
    now: Stamp,
    project: &dyn Project<S>,
) -> Result<Origin, ShelfError> {
    let lines = conn.query(
        "SELECT shelf, line, last, held, chain, acked, base, box, incarnation FROM replica_lines
         WHERE box = ?1 ORDER BY shelf, line",
        values![former.origin.box_id.as_bytes()],
    )?;
    let mut tails = Vec::new();
    for row in &lines {
        let (shelf, line) = (line::shelf_at(row, 0)?, line::line_at(row, 1)?);
        let life = line::origin_at(row, 7)?;
        let told = theirs.iter().find(|mark| mark.shelf == shelf && mark.origin == life);
        // Of a life before that only what was told to be otherwise.
        if life == former.origin || told.is_some() {
            let common = common(conn, &line, told)?;
            tails.push(cut_off(conn, (&shelf, &line), &Author { origin: life, ..former.clone() }, common)?);
        }
    }
    let origin = line::new_incarnation(conn, former.origin.box_id, &*former.dice)?;
    let author = Author { origin, ..former.clone() };
    rewrite(conn, &author, &tails, now, project)?;
    Ok(origin)
}

/// What a former life numbered and no run holds: a backup was taken there. Nobody knows how its life went on.
pub(super) fn settle_former<S: Sql + ?Sized>(conn: &S, author: &Author, now: Stamp) -> Result<(), ShelfError> {
    let rows = conn.query(
        "SELECT shelf, line, last, held, chain, acked, base, box, incarnation FROM replica_lines
         WHERE box = ?1 AND incarnation <> ?2 AND last > held ORDER BY shelf, incarnation",
        values![author.origin.box_id.as_bytes(), author.origin.incarnation.cast_signed()],
    )?;
    let mut tails = Vec::new();
    for row in &rows {
        if conn.may_write(row.text(0)?)? {
            let (shelf, line) = (line::shelf_at(row, 0)?, line::line_at(row, 1)?);
            let former = Author { origin: line::origin_at(row, 7)?, ..author.clone() };
            tails.push(cut_off(conn, (&shelf, &line), &former, line.held)?);
        }
    }
    rewrite(conn, author, &tails, now, &AsBefore)
}

/// A run of a former life contradicts what this disk holds of it: the tail here gives way. False when there is none.
pub(super) fn give_way<S: Sql + ?Sized>(
    conn: &S,
    (shelf, line): (&Shelf, &Line),
    life: &Origin,
    with: &Taking<'_, S>,
) -> Result<bool, ShelfError> {
    let common = common(conn, line, None)?;
    if common >= line.last {
        return Ok(false);
    }
    let former = Author { origin: *life, ..with.author.clone() };
    let tail = cut_off(conn, (shelf, line), &former, common)?;
    rewrite(conn, with.author, &[tail], with.now, with.project)?;
    Ok(true)
}

/// What is written again reads as it did.
struct AsBefore;

impl<S: ?Sized> Project<S> for AsBefore {
    fn document(&self, _: &S, _: &Shelf, _: &DocId, _: &Fields) -> Result<(), ShelfError> {
        Ok(())
    }
    fn entry(&self, _: &S, _: &Shelf, _: &Origin, _: u64, _: Stamp, _: &Entry) -> Result<(), ShelfError> {
        Ok(())
    }
    fn erased(&self, _: &S, _: &Shelf, _: &Tombstone) -> Result<(), ShelfError> {
        Ok(())
    }
}

/// How far the former life's line is surely the same here and there: to their mark when that is a run's end here, else to
/// what was acknowledged to this disk.
fn common<S: Sql + ?Sized>(conn: &S, line: &Line, told: Option<&Mark>) -> Result<u64, ShelfError> {
    if let Some(mark) = told
        && let Some(row) = conn.first(
            "SELECT hash FROM replica_runs WHERE line = ?1 AND last = ?2",
            values![line.line, sql(mark.number)],
        )?
        && row.array(0)? == mark.chain
    {
        return Ok(mark.number);
    }
    let holders = conn.one("SELECT max(number) FROM replica_holders WHERE line = ?1", values![line.line])?;
    // A box may hold more than this disk does.
    let known = holders.opt_int(0)?.map(line::number).filter(|number| *number <= line.held).unwrap_or(0);
    Ok(known.max(line.acked).max(line.base))
}

/// Takes the tail of a line out: its edits out of documents, its entries aside, its numbers out of use.
fn cut_off<S: Sql + ?Sized>(
    conn: &S,
    (shelf, line): (&Shelf, &Line),
    former: &Author,
    common: u64,
) -> Result<Tail, ShelfError> {
    let tail = runs::items_after(conn, line, (shelf, &former.origin), common)?;
    let since = since(conn, line, common)?;
    conn.execute("DELETE FROM replica_told", &[])?;
    for item in &tail {
        if let Item::Entry { salt, body } = item {
            conn.execute(
                "INSERT INTO replica_aside (shelf, box, incarnation, hash, salt, body, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                values![
                    shelf.as_key(),
                    former.origin.box_id.as_bytes(),
                    former.origin.incarnation.cast_signed(),
                    &item.hash(),
                    salt,
                    body,
                    since
                ],
            )?;
        }
    }
    let edits = take_out(conn, shelf, former, &tail)?;
    let erased = tail.iter().filter_map(|item| if let Item::Erased(stone) = item { Some(*stone) } else { None });
    shorten(conn, line, common)?;
    Ok(Tail { shelf: shelf.clone(), edits, erased: erased.collect() })
}

/// When the first item after a number was committed.
fn since<S: Sql + ?Sized>(conn: &S, line: &Line, after: u64) -> Result<i64, ShelfError> {
    let row = conn.one(
        "SELECT coalesce(
             (SELECT min(oldest) FROM replica_runs WHERE line = ?1 AND last > ?2),
             (SELECT min(committed) FROM replica_items WHERE line = ?1 AND number > ?2), 0)",
        values![line.line, sql(after)],
    )?;
    Ok(row.int(0)?)
}

/// Takes the tail's changes out of their documents; gives what they did, to be written by value. A change that somebody
/// else's already stands on has left this disk, and stays.
fn take_out<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, former: &Author, tail: &[Item]) -> Result<Vec<Edit>, ShelfError> {
    let mut of_rows: BTreeMap<i64, (Place, BTreeSet<[u8; 32]>)> = BTreeMap::new();
    for item in tail {
        let (Item::First { bytes, .. } | Item::Change { bytes }) = item else { continue };
        let hash = sha256(bytes);
        if let Some(place) = hashes::find(conn, shelf, &hash)? {
            of_rows.entry(place.row).or_insert_with(|| (place, BTreeSet::new())).1.insert(hash);
        }
    }
    // What was edited in an epoch left behind is judged by the current one without its own tail.
    let (current, past): (Vec<_>, Vec<_>) = of_rows
        .into_values()
        .filter(|(place, _)| place.state != State::Erased)
        .partition(|(place, _)| place.state == State::Current);
    let mut edits = Vec::new();
    for (place, out) in current.into_iter().chain(past) {
        let mut taken = library::take(conn, place)?;
        let out = removable(&taken.document, out)?;
        let without = taken.document.without(&out)?;
        let (before, after) = (without.settled(), taken.document.settled());
        taken.document = without;
        library::save(conn, &taken)?;
        library::read_anew(conn, &taken)?;
        for hash in &out {
            hashes::forget(conn, shelf, hash)?;
        }
        let now = match library::current(conn, shelf, &place.doc)?.filter(|now| now.row != place.row) {
            Some(now) => library::take(conn, now)?.document.settled(),
            None => before.clone(),
        };
        edits.extend(rebase(place.doc, former.writer, Stale { before: &before, after: &after }, &now).edit);
    }
    Ok(edits)
}

/// Those of these changes that no change that stays stands on.
fn removable(document: &Document, mut out: BTreeSet<[u8; 32]>) -> Result<Vec<[u8; 32]>, ShelfError> {
    for change in document.changes_since(&[]).iter().rev() {
        let chunk = Chunk::read(change)?;
        if !out.contains(&chunk.hash) {
            for dep in &chunk.deps {
                out.remove(dep);
            }
        }
    }
    Ok(out.into_iter().collect())
}

/// Writes by value, under the name of this life, what was taken out.
fn rewrite<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    tails: &[Tail],
    now: Stamp,
    project: &dyn Project<S>,
) -> Result<(), ShelfError> {
    for Tail { shelf, edits, erased } in tails {
        for tombstone in erased {
            line::append(conn, shelf, &author.origin, now, &Item::Erased(*tombstone))?;
        }
        for edit in edits {
            match super::edit(conn, author, shelf, now, edit, project) {
                Ok(Some(_)) => {}
                // Somebody else's writing says it too.
                Ok(None) => {
                    if let Some(fields) = library::document(conn, shelf, &edit.doc)? {
                        project.document(conn, shelf, &edit.doc, &fields)?;
                    }
                }
                // Whatever one document is like, a life must begin.
                Err(ShelfError::Refused { .. }) => {
                    let keys: Vec<String> = edit.set.iter().map(|(key, _)| key.clone()).collect();
                    epochs::note_overridden(conn, shelf, &edit.doc, &keys, now)?;
                }
                Err(why) => return Err(why),
            }
        }
    }
    Ok(())
}

fn shorten<S: Sql + ?Sized>(conn: &S, line: &Line, common: u64) -> Result<(), ShelfError> {
    let row =
        conn.first("SELECT hash FROM replica_runs WHERE line = ?1 AND last = ?2", values![line.line, sql(common)])?;
    let chain: [u8; 32] = row.map(|row| row.array(0)).transpose()?.unwrap_or_default();
    conn.execute("DELETE FROM replica_runs WHERE line = ?1 AND last > ?2", values![line.line, sql(common)])?;
    conn.execute("DELETE FROM replica_items WHERE line = ?1 AND number > ?2", values![line.line, sql(common)])?;
    conn.execute(
        "UPDATE replica_lines SET last = ?2, held = ?2, chain = ?3, acked = CASE WHEN acked > ?2 THEN ?2 ELSE acked END
         WHERE line = ?1",
        values![line.line, sql(common), &chain],
    )?;
    Ok(())
}

/// An entry of another life has come back: it had left, or that life wrote it again already.
pub(super) fn came_back<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, item: &Item) -> Result<(), ShelfError> {
    conn.execute("DELETE FROM replica_aside WHERE shelf = ?1 AND hash = ?2", values![shelf.as_key(), &item.hash()])?;
    Ok(())
}

/// What the coordinator holds of the lives of this box, as it told.
pub(super) fn note_told<S: Sql + ?Sized>(conn: &S, told: &[Mark]) -> Result<(), ShelfError> {
    note(conn, told, "excluded.number")
}

/// What one box among several holds of the coordinator's lives.
pub(super) fn note_told_by_one<S: Sql + ?Sized>(conn: &S, told: &[Mark]) -> Result<(), ShelfError> {
    note(
        conn,
        told,
        "CASE WHEN replica_told.number > excluded.number THEN replica_told.number ELSE excluded.number END",
    )
}

fn note<S: Sql + ?Sized>(conn: &S, told: &[Mark], number: &str) -> Result<(), ShelfError> {
    let lives = conn.query("SELECT DISTINCT shelf, box, incarnation FROM replica_aside", &[])?;
    for life in &lives {
        let (shelf, life) = (line::shelf_at(life, 0)?, line::origin_at(life, 1)?);
        let of_shelf: Vec<&Mark> = told.iter().filter(|mark| mark.shelf == shelf).collect();
        if of_shelf.is_empty() {
            continue;
        }
        // Nothing of the life itself is an answer too.
        let mut held = BTreeMap::from([(life, 0)]);
        held.extend(of_shelf.iter().filter(|m| m.origin.box_id == life.box_id).map(|m| (m.origin, m.number)));
        for (life, told) in held {
            conn.execute(
                &format!(
                    "INSERT INTO replica_told (shelf, box, incarnation, number) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (shelf, box, incarnation) DO UPDATE SET number = {number}"
                ),
                values![shelf.as_key(), life.box_id.as_bytes(), life.incarnation.cast_signed(), sql(told)],
            )?;
        }
    }
    Ok(())
}

/// Whether something is set aside.
///
/// # Errors
/// When the store cannot be read.
pub fn is_waiting<S: Sql + ?Sized>(conn: &S) -> Result<bool, ShelfError> {
    Ok(conn.first("SELECT place FROM replica_aside LIMIT 1", &[])?.is_some())
}

/// Writes again, in the line of this life, the entries of former ones, once all that the other end holds of this box's
/// lives has come back. They stay the same items, so that another copy of this disk knows them. Gives how many.
///
/// # Errors
/// When the store fails.
pub fn write_again<S: Sql + ?Sized>(conn: &S, author: &Author, now: Stamp) -> Result<usize, ShelfError> {
    if !is_waiting(conn)? {
        return Ok(0);
    }
    let rows = conn.query(
        "DELETE FROM replica_aside WHERE EXISTS (
             SELECT 1 FROM replica_told t WHERE t.shelf = replica_aside.shelf AND t.box = replica_aside.box
             AND t.incarnation = replica_aside.incarnation)
         AND NOT EXISTS (
             SELECT 1 FROM replica_told t WHERE t.shelf = replica_aside.shelf AND t.box = replica_aside.box
             AND t.number > coalesce((SELECT l.held FROM replica_lines l WHERE l.shelf = t.shelf AND l.box = t.box
                                      AND l.incarnation = t.incarnation), 0))
         RETURNING place, shelf, salt, body",
        &[],
    )?;
    let mut again: Vec<(i64, Shelf, Item)> = rows
        .iter()
        .map(|row: &Row| {
            let item = Item::Entry { salt: row.array(2)?, body: row.bytes(3)?.to_vec() };
            Ok((row.int(0)?, line::shelf_at(row, 1)?, item))
        })
        .collect::<Result<_, ShelfError>>()?;
    again.sort_by_key(|(place, ..)| *place);
    for (_, shelf, item) in &again {
        line::append(conn, shelf, &author.origin, now, item)?;
    }
    Ok(again.len())
}
