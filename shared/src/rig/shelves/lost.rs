//! What nobody keeps any more. Table `replica_lost`.

use super::{ShelfError, desk::Taking, line, lives, runs};
use crate::{
    replica::{Mark, Origin, Run, Shelf},
    rig::sql::{Row, Sql, values},
};

/// Numbers of an origin that nobody keeps any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// On which shelf,
    pub shelf: Shelf,
    /// of which origin,
    pub origin: Origin,
    /// from this number on,
    pub first: u64,
    /// up to this one.
    pub last: u64,
}

/// Notes that numbers up to the end of a run are lost, and goes on from there. The run has no items, but its signature.
///
/// # Errors
/// [`ShelfError::Fork`] for numbers of my own; else when the store fails.
pub fn skip<S: Sql + ?Sized>(conn: &S, head: &Run, with: &Taking<'_, S>) -> Result<(), ShelfError> {
    let mark = Mark { shelf: head.shelf.clone(), origin: head.origin, number: head.last(), chain: head.hash() };
    lives::say_again(conn, with.author)?;
    let line = line::open(conn, &mark.shelf, &mark.origin)?;
    if mark.origin == with.author.origin {
        return Err(ShelfError::Fork { held: line.held });
    }
    if line.held >= mark.number {
        return Ok(());
    }
    let (shelf, life) = (mark.shelf.as_key(), mark.origin);
    let (held, last) = (line::sql(line.held), line::sql(mark.number));
    // What follows a loss and is lost too is one loss.
    let grown = conn.execute(
        "UPDATE replica_lost SET last = ?5 WHERE shelf = ?1 AND box = ?2 AND incarnation = ?3 AND last = ?4",
        values![shelf, life.box_id.as_bytes(), life.incarnation.cast_signed(), held, last],
    )?;
    if grown == 0 {
        conn.execute(
            "INSERT INTO replica_lost (shelf, box, incarnation, first, last, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            values![
                shelf,
                life.box_id.as_bytes(),
                life.incarnation.cast_signed(),
                held.saturating_add(1),
                last,
                with.now.0
            ],
        )?;
    }
    runs::rest_on(conn, &mark, Some(head), with.now)
}

/// What is lost on all shelves.
///
/// # Errors
/// When the store cannot be read.
pub fn list<S: Sql + ?Sized>(conn: &S) -> Result<Vec<Lost>, ShelfError> {
    let rows =
        conn.query("SELECT shelf, box, incarnation, first, last FROM replica_lost ORDER BY place LIMIT 1000", &[])?;
    let read = |row: &Row| -> Result<Lost, ShelfError> {
        let (first, last) = (line::number(row.int(3)?), line::number(row.int(4)?));
        Ok(Lost { shelf: line::shelf_at(row, 0)?, origin: line::origin_at(row, 1)?, first, last })
    };
    rows.iter().map(read).collect()
}
