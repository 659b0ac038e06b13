//! Lines: one row per shelf and origin. Tables `replica_self`, `replica_lines`, `replica_items`.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::ShelfError;
use crate::{
    dice::Dice,
    documents::DocId,
    ids::BoxId,
    journal::Entry,
    replica::{Mark, Origin, Shelf},
    rig::writer::StoreError,
    time::Stamp,
};

/// The kind of a change in the table; an entry is 1.
pub(super) const KIND_CHANGE: i64 = 0;

/// How far one origin stands on one shelf.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) line: i64,
    /// The last number given here, or held.
    pub(super) last: u64,
    /// End of the last run.
    pub(super) held: u64,
    pub(super) chain: [u8; 32],
    pub(super) acked: u64,
}

/// What an origin holds that its peer has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// How many entries and changes.
    pub entries: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Stamp>,
    /// The last number given.
    pub last_number: u64,
    /// Commit to acknowledgement of the last acknowledged item.
    pub lag: Option<Duration>,
}

/// What an acknowledgement showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acknowledged {
    /// Something more is acknowledged than before.
    pub moved: bool,
    /// Commit to acknowledgement of the last of my own items, when it moved.
    pub lag: Option<Duration>,
    /// Marks of my own items that I cannot follow: the peer holds more than I wrote, or something else under the same
    /// number. This disk was restored or cloned: draw a [`new_incarnation`].
    pub unknown: Vec<Mark>,
}

/// A number as SQLite keeps it; ours stay far below 2^63.
pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
pub(super) fn number(sql: i64) -> u64 {
    u64::try_from(sql).unwrap_or(0)
}

/// Who I am on this disk: the incarnation is drawn at the first use.
///
/// # Errors
/// When the store fails, or the disk is another box's.
pub fn origin(conn: &Connection, box_id: BoxId, dice: &dyn Dice) -> Result<Origin, ShelfError> {
    match me(conn)? {
        Some(origin) if origin.box_id == box_id => Ok(origin),
        Some(_) => Err(StoreError::Unreadable("this store belongs to another box").into()),
        None => draw(conn, box_id, dice),
    }
}

/// Draws a new incarnation: at a restore, and when a peer proves to know more of me than I do. Close the runs of the
/// old one first.
///
/// # Errors
/// When the store fails.
pub fn new_incarnation(conn: &Connection, box_id: BoxId, dice: &dyn Dice) -> Result<Origin, ShelfError> {
    draw(conn, box_id, dice)
}

fn draw(conn: &Connection, box_id: BoxId, dice: &dyn Dice) -> Result<Origin, ShelfError> {
    let origin = Origin { box_id, incarnation: dice.u64() };
    conn.prepare_cached(
        "INSERT INTO replica_self (one, box, incarnation) VALUES (1, ?1, ?2)
         ON CONFLICT (one) DO UPDATE SET box = excluded.box, incarnation = excluded.incarnation",
    )?
    .execute(params![box_id.as_bytes(), origin.incarnation.cast_signed()])?;
    Ok(origin)
}

/// Who this disk is.
pub(super) fn me(conn: &Connection) -> Result<Option<Origin>, ShelfError> {
    let mut statement = conn.prepare_cached("SELECT box, incarnation FROM replica_self")?;
    Ok(statement.query_row([], |row| origin_at(row, 0)).optional()?)
}

/// Reads an origin from two neighbouring columns.
fn origin_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Origin> {
    Ok(Origin {
        box_id: BoxId::from_bytes(row.get(at)?),
        incarnation: row.get::<_, i64>(at.saturating_add(1))?.cast_unsigned(),
    })
}

fn shelf_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Shelf> {
    let key: String = row.get(at)?;
    Shelf::from_key(&key).ok_or(rusqlite::Error::InvalidQuery)
}

pub(super) fn find(conn: &Connection, shelf: &Shelf, origin: &Origin) -> Result<Option<Line>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT line, last, held, chain, acked FROM replica_lines WHERE shelf = ?1 AND box = ?2 AND incarnation = ?3",
    )?;
    let key = params![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed()];
    Ok(statement
        .query_row(key, |row| {
            Ok(Line {
                line: row.get(0)?,
                last: number(row.get(1)?),
                held: number(row.get(2)?),
                chain: row.get(3)?,
                acked: number(row.get(4)?),
            })
        })
        .optional()?)
}

/// The line, made when it is not there.
pub(super) fn open(conn: &Connection, shelf: &Shelf, origin: &Origin) -> Result<Line, ShelfError> {
    if let Some(line) = find(conn, shelf, origin)? {
        return Ok(line);
    }
    conn.prepare_cached("INSERT INTO replica_lines (shelf, box, incarnation) VALUES (?1, ?2, ?3)")?
        .execute(params![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed()])?;
    Ok(Line { line: conn.last_insert_rowid(), last: 0, held: 0, chain: [0; 32], acked: 0 })
}

/// Lines of an origin that have items which stand in no run yet.
pub(super) fn unclosed(conn: &Connection, origin: &Origin) -> Result<Vec<(Shelf, Line)>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT shelf, line, last, held, chain, acked FROM replica_lines
         WHERE box = ?1 AND incarnation = ?2 AND last > held ORDER BY shelf",
    )?;
    let rows = statement.query_map(params![origin.box_id.as_bytes(), origin.incarnation.cast_signed()], |row| {
        let line = Line {
            line: row.get(1)?,
            last: number(row.get(2)?),
            held: number(row.get(3)?),
            chain: row.get(4)?,
            acked: number(row.get(5)?),
        };
        Ok((shelf_at(row, 0)?, line))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A run now ends at `held`.
pub(super) fn advance(conn: &Connection, line: i64, held: u64, chain: &[u8; 32]) -> Result<(), ShelfError> {
    conn.prepare_cached("UPDATE replica_lines SET held = ?2, last = max(last, ?2), chain = ?3 WHERE line = ?1")?
        .execute(params![line, sql(held), chain])?;
    Ok(())
}

/// An item of mine.
pub(super) enum Own<'a> {
    Change { doc: &'a DocId, bytes: &'a [u8] },
    Entry { salt: [u8; 16], body: &'a [u8] },
}

/// Numbers an item and keeps it until it stands in a run.
pub(super) fn append(
    conn: &Connection,
    shelf: &Shelf,
    origin: &Origin,
    now: Stamp,
    item: Own<'_>,
) -> Result<u64, ShelfError> {
    let (line, last) = next(conn, shelf, origin)?;
    match item {
        Own::Change { doc, bytes } => conn
            .prepare_cached(
                "INSERT INTO replica_items (line, number, kind, doc_kind, doc_id, body, committed)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![line, last, doc.kind.code(), doc.id, bytes, now.0])?,
        Own::Entry { salt, body } => keep_entry(conn, line, number(last), (&salt, body), now)?,
    };
    Ok(number(last))
}

/// Keeps an entry, own or another's.
pub(super) fn keep_entry(
    conn: &Connection,
    line: i64,
    number: u64,
    (salt, body): (&[u8; 16], &[u8]),
    now: Stamp,
) -> Result<usize, ShelfError> {
    Ok(conn
        .prepare_cached(
            "INSERT INTO replica_items (line, number, kind, salt, body, committed) VALUES (?1, ?2, 1, ?3, ?4, ?5)",
        )?
        .execute(params![line, sql(number), salt, body, now.0])?)
}

fn next(conn: &Connection, shelf: &Shelf, origin: &Origin) -> Result<(i64, i64), ShelfError> {
    let mut statement = conn.prepare_cached(
        "UPDATE replica_lines SET last = last + 1 WHERE shelf = ?1 AND box = ?2 AND incarnation = ?3
         RETURNING line, last",
    )?;
    let key = params![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed()];
    let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    if let Some(found) = statement.query_row(key, pair).optional()? {
        return Ok(found);
    }
    open(conn, shelf, origin)?;
    Ok(statement.query_row(key, pair)?)
}

/// What is held, per shelf and origin, in runs.
///
/// # Errors
/// When the store cannot be read.
pub fn marks(conn: &Connection) -> Result<Vec<Mark>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT shelf, box, incarnation, held, chain FROM replica_lines WHERE held > 0
         ORDER BY shelf, box, incarnation",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Mark {
            shelf: shelf_at(row, 0)?,
            origin: origin_at(row, 1)?,
            number: number(row.get(3)?),
            chain: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Hash of the run that ends at `number`; none when no run ends there. Zeros for number 0.
///
/// # Errors
/// When the store cannot be read.
pub fn chain_at(
    conn: &Connection,
    shelf: &Shelf,
    origin: &Origin,
    number: u64,
) -> Result<Option<[u8; 32]>, ShelfError> {
    if number == 0 {
        return Ok(Some([0; 32]));
    }
    let Some(line) = find(conn, shelf, origin)? else { return Ok(None) };
    Ok(run_ending(conn, line.line, number)?.map(|(hash, _)| hash))
}

/// Hash of the run that ends at `number`, and when its last item was committed.
fn run_ending(conn: &Connection, line: i64, number: u64) -> Result<Option<([u8; 32], Stamp)>, ShelfError> {
    let mut statement = conn.prepare_cached("SELECT hash, newest FROM replica_runs WHERE line = ?1 AND last = ?2")?;
    let row =
        statement.query_row(params![line, sql(number)], |row| Ok((row.get(0)?, Stamp(row.get(1)?)))).optional()?;
    Ok(row)
}

/// Records what the peer holds durably.
///
/// # Errors
/// When the store fails.
pub fn acknowledge(conn: &Connection, held: &[Mark], now: Stamp) -> Result<Acknowledged, ShelfError> {
    let me = me(conn)?;
    let mut result = Acknowledged::default();
    for mark in held.iter().filter(|mark| mark.number > 0) {
        let mine = me.is_some_and(|me| me == mark.origin);
        let line = find(conn, &mark.shelf, &mark.origin)?;
        let known = match &line {
            Some(line) if mark.number <= line.held => {
                run_ending(conn, line.line, mark.number)?.filter(|(chain, _)| *chain == mark.chain)
            }
            Some(_) | None => None,
        };
        match (line, known) {
            (Some(line), Some((_, newest))) if mark.number > line.acked => {
                let lag = now.since(newest);
                conn.prepare_cached("UPDATE replica_lines SET acked = ?2, lag_ms = ?3 WHERE line = ?1")?.execute(
                    params![line.line, sql(mark.number), i64::try_from(lag.as_millis()).unwrap_or(i64::MAX)],
                )?;
                result.moved = true;
                if mine {
                    result.lag = Some(lag);
                }
            }
            (Some(_) | None, Some(_)) => {}
            (_, None) if mine => result.unknown.push(mark.clone()),
            (_, None) => {}
        }
    }
    Ok(result)
}

/// What this origin holds that the peer has not acknowledged. Earlier incarnations of the same box count too: what they
/// wrote is just as much on one disk only.
///
/// # Errors
/// When the store cannot be read.
pub fn exposure(conn: &Connection, origin: &Origin) -> Result<Exposure, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(sum(last - acked), 0),
                coalesce(max(last) FILTER (WHERE incarnation = ?2), 0),
                max(lag_ms) FILTER (WHERE incarnation = ?2),
                min(coalesce(
                    (SELECT oldest FROM replica_runs r WHERE r.line = l.line AND r.last > l.acked
                     ORDER BY r.last LIMIT 1),
                    (SELECT committed FROM replica_items i WHERE i.line = l.line AND i.number > l.held
                     ORDER BY i.number LIMIT 1)))
         FROM replica_lines l WHERE box = ?1",
    )?;
    let key = params![origin.box_id.as_bytes(), origin.incarnation.cast_signed()];
    Ok(statement.query_row(key, |row| {
        Ok(Exposure {
            entries: number(row.get(0)?),
            last_number: number(row.get(1)?),
            lag: row.get::<_, Option<i64>>(2)?.map(|ms| Duration::from_millis(number(ms))),
            oldest: row.get::<_, Option<i64>>(3)?.map(Stamp),
        })
    })?)
}

pub(super) fn entry_count(conn: &Connection, shelf: &Shelf, origin: Option<&Origin>) -> Result<u64, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*) FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE i.kind = 1 AND l.shelf = ?1 AND (?2 IS NULL OR (l.box = ?2 AND l.incarnation = ?3))",
    )?;
    let key = params![
        shelf.as_key(),
        origin.map(|origin| origin.box_id.as_bytes()),
        origin.map(|origin| origin.incarnation.cast_signed())
    ];
    Ok(number(statement.query_row(key, |row| row.get(0))?))
}

pub(super) fn entry_ids(conn: &Connection, shelf: &Shelf) -> Result<Vec<(Origin, u64)>, ShelfError> {
    let mut statement = conn.prepare_cached(
        "SELECT l.box, l.incarnation, i.number FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE i.kind = 1 AND l.shelf = ?1 ORDER BY l.box, l.incarnation, i.number",
    )?;
    let rows = statement.query_map([shelf.as_key()], |row| Ok((origin_at(row, 0)?, number(row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn entries(
    conn: &Connection,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    most: u32,
) -> Result<Vec<(u64, Stamp, Entry)>, ShelfError> {
    let Some(line) = find(conn, shelf, origin)? else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT number, committed, body FROM replica_items WHERE line = ?1 AND number > ?2 AND kind = 1
         ORDER BY number LIMIT ?3",
    )?;
    let rows = statement.query_map(params![line.line, sql(after), most], |row| {
        Ok((number(row.get(0)?), Stamp(row.get(1)?), row.get::<_, Vec<u8>>(2)?))
    })?;
    let mut entries = Vec::new();
    for row in rows {
        let (number, at, body) = row?;
        if let Ok(entry) = Entry::decode(&body) {
            entries.push((number, at, entry));
        }
    }
    Ok(entries)
}
