//! What this box tells another one of its works: what changed after a number, in the order of numbers.

use preau_shared::{
    ids::{BoxId, PersonId, WorkId},
    rig::writer::StoreError,
    time::Stamp,
    wire::locker::{About, Line, MAX_LINES, Page, State},
};
use rusqlite::{Connection, Row, params};

use super::{count, numbers};
use crate::store::all;

/// A page; read it of one consistent state.
pub(crate) fn since(conn: &Connection, after: u64, now: Stamp) -> Result<Page, StoreError> {
    let last = numbers::last(conn)?;
    if last == after {
        return Ok(Page { last, ..Page::default() });
    }
    let asked = params![i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(MAX_LINES).unwrap_or(i64::MAX)];
    // What has no hash yet cannot be checked by whoever fetches it; it gets another number with its hash.
    let sql = "SELECT number, person, file, turn, author, former, name, media, size, sha256, kept, here AND NOT missing
               FROM work WHERE number > ?1 AND sha256 IS NOT NULL ORDER BY number LIMIT ?2";
    let mut lines = all(conn, sql, asked, |row| standing(row, now))?;
    let sql = "SELECT number, person, file, turn, author FROM work_gone WHERE number > ?1 ORDER BY number LIMIT ?2";
    lines.extend(all(conn, sql, asked, |row| line(row, State::Gone))?);
    lines.sort_unstable_by_key(|(number, _)| *number);
    lines.truncate(MAX_LINES);
    let told = lines.last().filter(|_| lines.len() == MAX_LINES).map(|(number, _)| *number);
    Ok(Page {
        lines: lines.into_iter().map(|(_, line)| line).collect(),
        last: told.unwrap_or(last),
        more: told.is_some_and(|told| told < last),
        full: false,
    })
}

fn standing(row: &Row<'_>, now: Stamp) -> rusqlite::Result<(u64, Line)> {
    let age_ms = |at: i64| u64::try_from(now.since(Stamp(at)).as_millis()).unwrap_or(u64::MAX);
    let about = About {
        name: row.get(6)?,
        media: row.get(7)?,
        size_bytes: count(row, 8)?,
        sha256: row.get(9)?,
        age_ms: age_ms(row.get(10)?),
        here: row.get(11)?,
    };
    let former: Option<i64> = row.get(5)?;
    line(row, former.map_or_else(|| State::Now(about.clone()), |at| State::Former(about.clone(), age_ms(at))))
}

fn line(row: &Row<'_>, state: State) -> rusqlite::Result<(u64, Line)> {
    let line = Line {
        person: PersonId::from_bytes(row.get(1)?),
        file: WorkId::from_bytes(row.get(2)?),
        turn: count(row, 3)?,
        author: BoxId::from_bytes(row.get(4)?),
        state,
    };
    Ok((count(row, 0)?, line))
}
