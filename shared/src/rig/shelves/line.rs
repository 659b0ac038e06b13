//! Lines: one row per shelf and origin. Tables `replica_self`, `replica_lines`, `replica_items`.

use std::time::Duration;

use super::ShelfError;
use crate::{
    ids::BoxId,
    journal::Entry,
    keys::sha256,
    replica::{Item, Mark, Origin, Shelf},
    rig::{
        sql::{Row, Sql, values},
        writer::StoreError,
    },
    time::Stamp,
};

/// The kind of everything in the table that is no journal entry: changes and tombstones of mine that stand in no run yet.
pub(super) const KIND_OTHER: i64 = 0;
/// The kind of a journal entry.
pub(super) const KIND_ENTRY: i64 = 1;

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
    /// Runs up to here are not kept.
    pub(super) base: u64,
}

/// What a box holds that its peer has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exposure {
    /// How many entries and changes.
    pub entries: u64,
    /// When the oldest of them was committed.
    pub oldest: Option<Stamp>,
    /// How many were ever numbered, in all lives.
    pub written: u64,
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
    /// Marks of my own items that I never wrote, or wrote otherwise: another machine speaks under the name of this life.
    pub unknown: Vec<Mark>,
}

/// A number as SQLite keeps it; ours stay far below 2^63.
pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
pub(super) fn number(sql: i64) -> u64 {
    u64::try_from(sql).unwrap_or(0)
}

/// Reads an origin from two neighbouring columns.
pub(super) fn origin_at(row: &Row, at: usize) -> Result<Origin, ShelfError> {
    Ok(Origin {
        box_id: BoxId::from_bytes(row.array(at)?),
        incarnation: row.int(at.saturating_add(1))?.cast_unsigned(),
    })
}

pub(super) fn shelf_at(row: &Row, at: usize) -> Result<Shelf, ShelfError> {
    Ok(Shelf::from_key(row.text(at)?).ok_or(StoreError::Unreadable("the name of a shelf"))?)
}

/// Reads `line, last, held, chain, acked, base` from neighbouring columns.
pub(super) fn line_at(row: &Row, at: usize) -> Result<Line, ShelfError> {
    let next = |by| at.saturating_add(by);
    Ok(Line {
        line: row.int(at)?,
        last: number(row.int(next(1))?),
        held: number(row.int(next(2))?),
        chain: row.array(next(3))?,
        acked: number(row.int(next(4))?),
        base: number(row.int(next(5))?),
    })
}

pub(super) fn find<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, origin: &Origin) -> Result<Option<Line>, ShelfError> {
    let row = conn.first(
        "SELECT line, last, held, chain, acked, base FROM replica_lines
         WHERE shelf = ?1 AND box = ?2 AND incarnation = ?3",
        values![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed()],
    )?;
    row.map(|row| line_at(&row, 0)).transpose()
}

/// The line, made when it is not there.
pub(super) fn open<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, origin: &Origin) -> Result<Line, ShelfError> {
    if let Some(line) = find(conn, shelf, origin)? {
        return Ok(line);
    }
    let chain = [0; 32];
    let row = conn.one(
        "INSERT INTO replica_lines (shelf, box, incarnation, chain) VALUES (?1, ?2, ?3, ?4) RETURNING line",
        values![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed(), &chain],
    )?;
    Ok(Line { line: row.int(0)?, last: 0, held: 0, chain, acked: 0, base: 0 })
}

/// Lines of an origin that have items which stand in no run yet.
pub(super) fn unclosed<S: Sql + ?Sized>(conn: &S, origin: &Origin) -> Result<Vec<(Shelf, Line)>, ShelfError> {
    let rows = conn.query(
        "SELECT shelf, line, last, held, chain, acked, base FROM replica_lines
         WHERE box = ?1 AND incarnation = ?2 AND last > held ORDER BY shelf",
        values![origin.box_id.as_bytes(), origin.incarnation.cast_signed()],
    )?;
    let mut lines = Vec::new();
    for row in &rows {
        // Another coordinator closes what stands on its shelves.
        if conn.may_write(row.text(0)?)? {
            lines.push((shelf_at(row, 0)?, line_at(row, 1)?));
        }
    }
    Ok(lines)
}

/// A run now ends at `held`.
pub(super) fn advance<S: Sql + ?Sized>(conn: &S, line: i64, held: u64, chain: &[u8; 32]) -> Result<(), ShelfError> {
    conn.execute(
        "UPDATE replica_lines SET held = ?2, last = CASE WHEN last > ?2 THEN last ELSE ?2 END, chain = ?3
         WHERE line = ?1",
        values![line, sql(held), chain],
    )?;
    Ok(())
}

/// Numbers an item of mine and keeps it until it stands in a run.
pub(super) fn append<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    origin: &Origin,
    now: Stamp,
    item: &Item,
) -> Result<u64, ShelfError> {
    conn.guard(shelf.as_key())?;
    let Line { line, last, .. } = open(conn, shelf, origin)?;
    let last = last.saturating_add(1);
    conn.execute("UPDATE replica_lines SET last = ?2 WHERE line = ?1", values![line, sql(last)])?;
    match item {
        Item::Entry { .. } | Item::Gone { entry: true, .. } => {
            keep_entry(conn, line, last, item, now)?;
        }
        Item::First { .. }
        | Item::Change { .. }
        | Item::Erased(_)
        | Item::Gone { .. }
        | Item::Former { .. }
        | Item::Traces { .. } => {
            let body = postcard::to_stdvec(item).map_err(|_| StoreError::Unreadable("an item"))?;
            conn.execute(
                "INSERT INTO replica_items (line, number, kind, body, committed) VALUES (?1, ?2, ?3, ?4, ?5)",
                values![line, sql(last), KIND_OTHER, &body, now.0],
            )?;
        }
    }
    Ok(last)
}

/// Keeps an entry, own or another's; of one whose body is gone, the hole that it leaves. False when it was here already.
pub(super) fn keep_entry<S: Sql + ?Sized>(
    conn: &S,
    line: i64,
    number: u64,
    item: &Item,
    now: Stamp,
) -> Result<bool, ShelfError> {
    let (salt, body, gone): (Option<&[u8]>, &[u8], Option<&[u8]>) = match item {
        Item::Entry { salt, body } => (Some(salt), body, None),
        Item::Gone { hash, entry: true } => (None, &[], Some(hash)),
        Item::First { .. }
        | Item::Change { .. }
        | Item::Erased(_)
        | Item::Gone { .. }
        | Item::Former { .. }
        | Item::Traces { .. } => {
            return Ok(false);
        }
    };
    let kept = conn.execute(
        "INSERT INTO replica_items (line, number, kind, salt, body, gone, committed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (line, number) DO NOTHING",
        values![line, sql(number), KIND_ENTRY, salt, body, gone, now.0],
    )?;
    Ok(kept > 0)
}

/// The body of an entry goes; its hash stays.
pub(super) fn entry_gone<S: Sql + ?Sized>(conn: &S, line: i64, number: u64, hash: &[u8; 32]) -> Result<(), ShelfError> {
    let nothing: &[u8] = &[];
    conn.execute(
        "UPDATE replica_items SET salt = NULL, body = ?3, gone = ?4 WHERE line = ?1 AND number = ?2",
        values![line, sql(number), nothing, hash],
    )?;
    Ok(())
}

/// What is held, per shelf and origin, in runs.
///
/// # Errors
/// When the store cannot be read.
pub fn marks<S: Sql + ?Sized>(conn: &S) -> Result<Vec<Mark>, ShelfError> {
    let rows = conn.query(
        "SELECT shelf, box, incarnation, held, chain FROM replica_lines WHERE held > 0
         ORDER BY shelf, box, incarnation",
        values![],
    )?;
    rows.iter().map(mark_at).collect()
}

fn mark_at(row: &Row) -> Result<Mark, ShelfError> {
    let number = number(row.int(3)?);
    Ok(Mark { shelf: shelf_at(row, 0)?, origin: origin_at(row, 1)?, number, chain: row.array(4)? })
}

/// What is held on some shelves, per origin, in runs.
///
/// # Errors
/// When the store cannot be read.
pub fn marks_of<S: Sql + ?Sized>(conn: &S, shelves: &[Shelf; 2]) -> Result<Vec<Mark>, ShelfError> {
    let [one, two] = shelves;
    let rows = conn.query(
        "SELECT shelf, box, incarnation, held, chain FROM replica_lines WHERE held > 0 AND shelf IN (?1, ?2)
         ORDER BY shelf, box, incarnation",
        values![one.as_key(), two.as_key()],
    )?;
    rows.iter().map(mark_at).collect()
}

/// Hashes of changes of this box, in all its lives, that the peer has not acknowledged.
pub(super) fn unacknowledged<S: Sql + ?Sized>(conn: &S, me: BoxId) -> Result<Vec<[u8; 32]>, ShelfError> {
    let lines = conn.query(
        "SELECT shelf, line, last, held, chain, acked, base, box, incarnation FROM replica_lines
         WHERE box = ?1 AND last > acked",
        values![me.as_bytes()],
    )?;
    let mut hashes = Vec::new();
    for row in &lines {
        let (shelf, line, life) = (shelf_at(row, 0)?, line_at(row, 1)?, origin_at(row, 7)?);
        for item in super::runs::items_after(conn, &line, (&shelf, &life), line.acked)? {
            hashes.extend(item.change().map(|bytes| sha256(&bytes)));
        }
    }
    Ok(hashes)
}

/// Hash of the run that ends at `number`; none when no run ends there. Zeros for number 0.
///
/// # Errors
/// When the store cannot be read.
pub fn chain_at<S: Sql + ?Sized>(
    conn: &S,
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
fn run_ending<S: Sql + ?Sized>(conn: &S, line: i64, number: u64) -> Result<Option<([u8; 32], Stamp)>, ShelfError> {
    let row =
        conn.first("SELECT hash, newest FROM replica_runs WHERE line = ?1 AND last = ?2", values![line, sql(number)])?;
    row.map(|row| Ok((row.array(0)?, Stamp(row.int(1)?)))).transpose()
}

/// Records what the peer holds durably.
///
/// # Errors
/// When the store fails.
pub fn acknowledge<S: Sql + ?Sized>(
    conn: &S,
    me: &Origin,
    held: &[Mark],
    now: Stamp,
) -> Result<Acknowledged, ShelfError> {
    let mut result = Acknowledged::default();
    for mark in held.iter().filter(|mark| mark.number > 0) {
        let mine = *me == mark.origin;
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
                conn.execute(
                    "UPDATE replica_lines SET acked = ?2, lag_ms = ?3 WHERE line = ?1",
                    values![line.line, sql(mark.number), i64::try_from(lag.as_millis()).unwrap_or(i64::MAX)],
                )?;
                // From now on it is kept for as long as what is acknowledged is.
                conn.execute(
                    "UPDATE replica_runs SET stored = ?4 WHERE line = ?1 AND last > ?2 AND last <= ?3",
                    values![line.line, sql(line.acked), sql(mark.number), now.0],
                )?;
                result.moved = true;
                if mine {
                    result.lag = Some(lag);
                }
            }
            (Some(_) | None, Some(_)) => {}
            // What was cut cannot be compared any more.
            (Some(line), None) if mark.number < line.base => {}
            (_, None) if mine => result.unknown.push(mark.clone()),
            (_, None) => {}
        }
    }
    Ok(result)
}

/// What this box holds that the peer has not acknowledged, over all its lives: what former ones wrote is just as much on
/// one disk only.
///
/// # Errors
/// When the store cannot be read.
pub fn exposure<S: Sql + ?Sized>(conn: &S, origin: &Origin) -> Result<Exposure, ShelfError> {
    let row = conn.one(
        "SELECT CAST(coalesce(sum(last - acked), 0) AS BIGINT),
                CAST(coalesce(sum(last), 0) AS BIGINT),
                max(lag_ms) FILTER (WHERE incarnation = ?2),
                min(coalesce(
                    (SELECT oldest FROM replica_runs r WHERE r.line = l.line AND r.last > l.acked
                     ORDER BY r.last LIMIT 1),
                    (SELECT committed FROM replica_items i
                     WHERE i.line = l.line AND i.number > l.held AND i.number <= l.last ORDER BY i.number LIMIT 1)))
         FROM replica_lines l WHERE box = ?1",
        values![origin.box_id.as_bytes(), origin.incarnation.cast_signed()],
    )?;
    Ok(Exposure {
        entries: number(row.int(0)?),
        written: number(row.int(1)?),
        lag: row.opt_int(2)?.map(|ms| Duration::from_millis(number(ms))),
        oldest: row.opt_int(3)?.map(Stamp),
    })
}

pub(super) fn entry_count<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    origin: Option<&Origin>,
) -> Result<u64, ShelfError> {
    let row = match origin {
        None => conn.one(
            "SELECT count(*) FROM replica_items i JOIN replica_lines l ON l.line = i.line
             WHERE i.kind = 1 AND l.shelf = ?1",
            values![shelf.as_key()],
        )?,
        Some(origin) => conn.one(
            "SELECT count(*) FROM replica_items i JOIN replica_lines l ON l.line = i.line
             WHERE i.kind = 1 AND l.shelf = ?1 AND l.box = ?2 AND l.incarnation = ?3",
            values![shelf.as_key(), origin.box_id.as_bytes(), origin.incarnation.cast_signed()],
        )?,
    };
    Ok(number(row.int(0)?))
}

pub(super) fn entry_ids<S: Sql + ?Sized>(conn: &S, shelf: &Shelf) -> Result<Vec<(Origin, u64)>, ShelfError> {
    let rows = conn.query(
        "SELECT l.box, l.incarnation, i.number FROM replica_items i JOIN replica_lines l ON l.line = i.line
         WHERE i.kind = 1 AND l.shelf = ?1 ORDER BY l.box, l.incarnation, i.number",
        values![shelf.as_key()],
    )?;
    rows.iter().map(|row| Ok((origin_at(row, 0)?, number(row.int(2)?)))).collect()
}

pub(super) fn entries<S: Sql + ?Sized>(
    conn: &S,
    shelf: &Shelf,
    origin: &Origin,
    after: u64,
    most: u32,
) -> Result<Vec<(u64, Stamp, Entry)>, ShelfError> {
    let Some(line) = find(conn, shelf, origin)? else { return Ok(Vec::new()) };
    let rows = conn.query(
        "SELECT number, committed, body FROM replica_items WHERE line = ?1 AND number > ?2 AND kind = 1
         AND gone IS NULL ORDER BY number LIMIT ?3",
        values![line.line, sql(after), most],
    )?;
    let mut entries = Vec::new();
    for row in &rows {
        if let Ok(entry) = Entry::decode(row.bytes(2)?) {
            entries.push((number(row.int(0)?), Stamp(row.int(1)?), entry));
        }
    }
    Ok(entries)
}
