//! What everybody has is cut: documents are kept, the runs that made them are not (ARCHITECTURE §2.4).
//!
//! A box cuts what the coordinator has had for 14 days, so that a coordinator restored from a backup learns those days
//! again. What the coordinator wrote itself a box keeps: a year of it is small, and its signature is the only proof of
//! it. The coordinator cuts what every box of a school holds, and nothing of the territory, whose shelf is the same
//! everywhere. A box that was silent for 120 days, or holds back more
//! than 64 MB, does not count any more: at its return it hands over what it wrote, and takes a snapshot.

use std::time::Duration;

use super::{
    ShelfError, hashes,
    line::{self, number, sql},
    quarantine,
};
use crate::{
    ids::BoxId,
    replica::{Mark, Shelf},
    rig::sql::{Row, Sql, values},
    time::Stamp,
};

/// How long a box keeps runs after the coordinator has them.
pub const KEEP_ACKNOWLEDGED: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// A box silent for so long does not count: a summer is 70 days.
pub const SILENT_FOR: Duration = Duration::from_secs(120 * 24 * 60 * 60);
/// A box that holds back more than so many bytes of runs does not count.
pub const HELD_BACK_BYTES: i64 = 64 * 1024 * 1024;

/// That a box is still heard is written so often.
const HEARD_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

fn before(now: Stamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Cuts what the peer has had for [`KEEP_ACKNOWLEDGED`], but of whoever writes the territory's shelf; for boxes. Gives how
/// many runs went.
///
/// # Errors
/// When the store fails.
pub fn prune<S: Sql + ?Sized>(conn: &S, now: Stamp) -> Result<usize, ShelfError> {
    let rows = conn.query(
        "SELECT l.line, max(r.last) FROM replica_lines l JOIN replica_runs r ON r.line = l.line
         WHERE r.last <= l.acked AND r.last > l.base AND r.stored < ?1
            AND NOT EXISTS (SELECT 1 FROM replica_lines c WHERE c.shelf = ?2 AND c.box = l.box)
         GROUP BY l.line",
        values![before(now, KEEP_ACKNOWLEDGED), Shelf::Territory.as_key()],
    )?;
    rows.iter().try_fold(0_usize, |sum, row| Ok(sum.saturating_add(cut(conn, row.int(0)?, number(row.int(1)?))?)))
}

/// Cuts a line up to the end of a run; gives how many runs went.
fn cut<S: Sql + ?Sized>(conn: &S, line: i64, up_to: u64) -> Result<usize, ShelfError> {
    let gone = conn.execute(
        "DELETE FROM replica_runs WHERE line = ?1 AND last < ?2 AND payload IS NOT NULL",
        values![line, sql(up_to)],
    )?;
    conn.execute("DELETE FROM replica_runs WHERE line = ?1 AND last < ?2", values![line, sql(up_to)])?;
    conn.execute("UPDATE replica_runs SET payload = NULL WHERE line = ?1 AND last = ?2", values![line, sql(up_to)])?;
    conn.execute("UPDATE replica_lines SET base = ?2 WHERE line = ?1", values![line, sql(up_to)])?;
    Ok(gone.saturating_add(1))
}

/// Notes what a box holds; for the coordinator. Told often, written only when it is news or a day old.
///
/// # Errors
/// When the store fails.
pub fn note_holder<S: Sql + ?Sized>(conn: &S, holder: BoxId, held: &[Mark], now: Stamp) -> Result<(), ShelfError> {
    for mark in held {
        let Some(line) = line::find(conn, &mark.shelf, &mark.origin)? else { continue };
        conn.execute(
            "INSERT INTO replica_holders (holder, line, number, heard) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (holder, line) DO UPDATE SET number = excluded.number, heard = excluded.heard
             WHERE replica_holders.number <> excluded.number OR replica_holders.heard < ?5",
            values![holder.as_bytes(), line.line, sql(mark.number), now.0, before(now, HEARD_WITHIN)],
        )?;
    }
    Ok(())
}

/// Cuts what every box of a shelf that counts holds; for the coordinator. `boxes` are those that replicate the shelf now.
/// Gives how many runs went. A shelf without a box that counts is left as it is.
///
/// # Errors
/// When the store fails.
pub fn fold<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, boxes: &[BoxId], now: Stamp) -> Result<usize, ShelfError> {
    conn.guard(shelf.as_key())?;
    if *shelf == Shelf::Territory {
        return Ok(0);
    }
    let mut quorum = Vec::new();
    for holder in boxes {
        if counts(conn, shelf, *holder, now)? {
            quorum.push(*holder);
        }
    }
    if quorum.is_empty() {
        return Ok(0);
    }
    let lines = conn.query(
        "SELECT line, held, base FROM replica_lines WHERE shelf = ?1 AND held > base",
        values![shelf.as_key()],
    )?;
    let mut gone = 0_usize;
    for row in &lines {
        let (line, held, base) = (row.int(0)?, number(row.int(1)?), number(row.int(2)?));
        // Whoever takes a snapshot needs the runs of which something waits here.
        let mut known = hashes::first_waiting(conn, line)?.map_or(held, |waits| waits.saturating_sub(1));
        for holder in &quorum {
            let told = conn.first(
                "SELECT number FROM replica_holders WHERE holder = ?1 AND line = ?2",
                values![holder.as_bytes(), line],
            )?;
            known = known.min(told.map_or(Ok(0), |row| row.int(0)).map(number)?);
        }
        // A box's mark stands at the end of a run; the last of those is where the line is cut.
        let end = conn.first(
            "SELECT last FROM replica_runs WHERE line = ?1 AND last <= ?2 ORDER BY last DESC LIMIT 1",
            values![line, sql(known)],
        )?;
        if let Some(end) = end.map(|row| row.int(0)).transpose()?.map(number).filter(|end| *end > base) {
            gone = gone.saturating_add(cut(conn, line, end)?);
        }
    }
    Ok(gone)
}

/// Whether a box counts: heard within [`SILENT_FOR`], and not holding back more than [`HELD_BACK_BYTES`].
fn counts<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, holder: BoxId, now: Stamp) -> Result<bool, ShelfError> {
    let heard = conn.first(
        "SELECT max(h.heard) FROM replica_holders h JOIN replica_lines l ON l.line = h.line
         WHERE h.holder = ?1 AND l.shelf = ?2",
        values![holder.as_bytes(), shelf.as_key()],
    )?;
    let heard = heard.map(|row| row.opt_int(0)).transpose()?.flatten();
    if heard.is_none_or(|heard| heard < before(now, SILENT_FOR)) {
        return Ok(false);
    }
    let back = conn.one(
        "SELECT CAST(coalesce(sum(length(r.payload)), 0) AS BIGINT) FROM replica_runs r
         JOIN replica_lines l ON l.line = r.line
         LEFT JOIN replica_holders h ON h.line = r.line AND h.holder = ?1
         WHERE l.shelf = ?2 AND r.last > coalesce(h.number, 0)",
        values![holder.as_bytes(), shelf.as_key()],
    )?;
    Ok(back.int(0)? <= HELD_BACK_BYTES)
}

/// Lets go of epochs that were left behind so long ago that no box that counts can still write in them. Gives how many.
///
/// # Errors
/// When the store fails.
pub fn drop_past<S: Sql + ?Sized>(conn: &S, shelf: &Shelf, now: Stamp) -> Result<usize, ShelfError> {
    conn.guard(shelf.as_key())?;
    let rows = conn.query(
        "SELECT p.doc FROM replica_documents p JOIN replica_documents c
             ON c.shelf = p.shelf AND c.kind = p.kind AND c.id = p.id AND c.state = 0
         WHERE p.shelf = ?1 AND p.state = 1 AND (p.carried = 1 OR length(p.heads) = 0) AND c.began > 0 AND c.began < ?2",
        values![shelf.as_key(), before(now, SILENT_FOR)],
    )?;
    let gone: Vec<i64> = rows.iter().map(|row: &Row| row.int(0)).collect::<Result<_, _>>()?;
    let nothing: &[u8] = &[];
    for doc in &gone {
        conn.execute("DELETE FROM replica_changes WHERE doc = ?1", values![*doc])?;
        // The names of its changes stay: runs that hold them are kept for longer, and must be known for what they are.
        conn.execute(
            "UPDATE replica_documents SET state = 3, snapshot = NULL, heads = ?2, fields = ?2, cut = NULL,
                tail_count = 0, tail_bytes = 0 WHERE doc = ?1",
            values![*doc, nothing],
        )?;
    }
    // An edit in such an epoch was written again by whoever made it.
    for bytes in hashes::waited_in_vain(conn, shelf, before(now, SILENT_FOR))? {
        quarantine::note(conn, shelf.as_key(), &bytes, "what it stands on has not come in 120 days", now)?;
    }
    Ok(gone.len())
}
