//! Which bytes this box lacks and another one has, as far as there is room for them.

use std::collections::BTreeSet;

use preau_shared::{
    ids::{BoxId, WorkId},
    rig::writer::StoreError,
};
use rusqlite::{Connection, params};

use super::{count, disk::people_of, file};
use crate::store::one;

/// Bytes to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) file: WorkId,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: [u8; 32],
}

/// What to fetch next from this box: what somebody has before what she can have back, the newest first. Nothing of
/// `refused`, and nothing of whoever has no room left here (`max_person_bytes`).
pub(crate) fn next(
    conn: &Connection,
    sister: BoxId,
    refused: &BTreeSet<WorkId>,
    max_person_bytes: u64,
) -> Result<Option<Wanted>, StoreError> {
    let sql = "SELECT w.file, w.size, w.sha256 FROM work w
               JOIN work_copies c ON c.file = w.file AND c.sister = ?1
               WHERE (w.here = 0 OR w.missing = 1) AND w.sha256 IS NOT NULL
               ORDER BY w.former IS NOT NULL, w.number DESC";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([&sister.as_bytes()[..]])?;
    while let Some(row) = rows.next()? {
        let wanted = Wanted { file: file(row)?, size_bytes: count(row, 1)?, sha256: row.get(2)? };
        if !refused.contains(&wanted.file) && has_room(conn, &wanted, max_person_bytes)? {
            return Ok(Some(wanted));
        }
    }
    Ok(None)
}

/// Whether it would be within the share of each whose it is.
fn has_room(conn: &Connection, wanted: &Wanted, max_person_bytes: u64) -> Result<bool, StoreError> {
    let sql = "SELECT coalesce(sum(size), 0) FROM work WHERE person = ?1 AND here = 1 AND file <> ?2";
    for person in people_of(conn, wanted.file)? {
        let has = one(conn, sql, params![&person.as_bytes()[..], &wanted.file.as_bytes()[..]], |row| count(row, 0))?;
        if has.unwrap_or_default().saturating_add(wanted.size_bytes) > max_person_bytes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the bytes of this file are still waited for.
pub(crate) fn is_wanted(conn: &Connection, file: WorkId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM work WHERE file = ?1 AND (here = 0 OR missing = 1)";
    Ok(one(conn, sql, [&file.as_bytes()[..]], |_| Ok(()))?.is_some())
}
