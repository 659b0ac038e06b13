//! Every start of a program is another life of its box or coordinator: it numbers under a name of its own (ARCHITECTURE
//! §2.4).
//!
//! So a disk that was rolled back, restored or copied never gives a number twice, whether it knows what happened to it or
//! not: what it holds is how its lines truly began, and the rest of them comes back from whoever has it. Only of what
//! stood in no run yet nobody can tell how it was closed later. The next life says it again in its own line, with the name
//! it had: whoever holds it already knows it by that name, so that nothing is lost and nothing is doubled.

use std::collections::BTreeSet;

use super::{
    Author, ShelfError,
    line::{self, KIND_ENTRY, Line, number, sql},
    runs,
};
use crate::{
    dice::Dice,
    ids::BoxId,
    replica::{Item, Origin, Shelf},
    rig::{
        sql::{Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// Lives of one box on one shelf that a hostile one may name: no school starts its box so often between two years.
const MOST_LIVES: i64 = 4_096;

/// Begins a life of this box on its disk, or of this coordinator.
///
/// # Errors
/// When the store fails, or is another box's.
pub fn begin<S: Sql + ?Sized>(conn: &S, box_id: BoxId, dice: &dyn Dice) -> Result<Origin, ShelfError> {
    conn.execute(
        "INSERT INTO replica_self (one, box) VALUES (1, ?1) ON CONFLICT (one) DO NOTHING",
        values![box_id.as_bytes()],
    )?;
    if owner(conn)? != Some(box_id) {
        return Err(StoreError::Unreadable("this store belongs to another box").into());
    }
    Ok(Origin { box_id, incarnation: dice.u64() })
}

/// Whose disk this is.
pub(super) fn owner<S: Sql + ?Sized>(conn: &S) -> Result<Option<BoxId>, ShelfError> {
    let row = conn.first("SELECT box FROM replica_self", values![])?;
    Ok(row.map(|row| row.array(0)).transpose()?.map(BoxId::from_bytes))
}

/// Says again what former lives of this author numbered and closed into no run.
pub(super) fn say_again<S: Sql + ?Sized>(conn: &S, author: &Author) -> Result<(), ShelfError> {
    let rows = conn.query(
        "SELECT shelf, line, last, held, chain, acked, base, box, incarnation FROM replica_lines
         WHERE box = ?1 AND incarnation <> ?2 AND last > held ORDER BY shelf, incarnation",
        values![author.origin.box_id.as_bytes(), author.origin.incarnation.cast_signed()],
    )?;
    for row in &rows {
        // Another coordinator does so for what stands on its shelves.
        if conn.may_write(row.text(0)?)? {
            say_line_again(
                conn,
                author,
                &line::shelf_at(row, 0)?,
                (&line::line_at(row, 1)?, line::origin_at(row, 7)?),
            )?;
        }
    }
    Ok(())
}

fn say_line_again<S: Sql + ?Sized>(
    conn: &S,
    author: &Author,
    shelf: &Shelf,
    (line, life): (&Line, Origin),
) -> Result<(), ShelfError> {
    let rows = conn.query(
        "SELECT number, committed, kind, salt, body, gone FROM replica_items
         WHERE line = ?1 AND number > ?2 AND number <= ?3 ORDER BY number",
        values![line.line, sql(line.held), sql(line.last)],
    )?;
    for row in &rows {
        let item = runs::item_at(row, 2)?;
        let again = item.former(life.incarnation, number(row.int(0)?));
        let again = again.or_else(|| matches!(item, Item::Former { .. }).then(|| item.clone()));
        if let Some(again) = again {
            line::append(conn, shelf, &author.origin, Stamp(row.int(1)?), &again)?;
        }
    }
    // Entries keep their name, and their place under it.
    conn.execute(
        "DELETE FROM replica_items WHERE line = ?1 AND number > ?2 AND kind <> ?3",
        values![line.line, sql(line.held), KIND_ENTRY],
    )?;
    conn.execute("UPDATE replica_lines SET last = held WHERE line = ?1", values![line.line])?;
    Ok(())
}

/// Whose changes a box may tell of: its own, and those of whom runs were lost here. A life says again what its former lives
/// could not: what a lost run carried may be of any life of its box.
pub(super) fn believed<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, from: BoxId) -> Result<BTreeSet<BoxId>, ShelfError> {
    let lost = conn.query("SELECT DISTINCT box FROM replica_lost WHERE shelf = ?1", values![shelf.as_key()])?;
    let mut believed = BTreeSet::from([from]);
    for row in &lost {
        believed.insert(BoxId::from_bytes(row.array(0)?));
    }
    Ok(believed)
}

/// All lives that are known on a shelf, also those of which nothing is held.
pub(super) fn known<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<Origin>, ShelfError> {
    let rows = conn.query(
        "SELECT box, incarnation FROM replica_lines WHERE shelf = ?1 ORDER BY box, incarnation",
        values![shelf.as_key()],
    )?;
    rows.iter().map(|row| line::origin_at(row, 0)).collect()
}

/// The line of a former life that something is said again of.
pub(super) fn line_of<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, life: &Origin) -> Result<Line, ShelfError> {
    if let Some(line) = line::find(conn, shelf, life)? {
        return Ok(line);
    }
    let row = conn.one(
        "SELECT count(*) FROM replica_lines WHERE shelf = ?1 AND box = ?2",
        values![shelf.as_key(), life.box_id.as_bytes()],
    )?;
    if row.int(0)? >= MOST_LIVES {
        return Err(ShelfError::Refused { reason: "a box says something again of too many lives".into() });
    }
    line::open(conn, shelf, life)
}
