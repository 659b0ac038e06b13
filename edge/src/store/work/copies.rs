//! Table `work_copies` (native): which other box of the school said that it has the bytes of a work durably. A box tells all
//! that it has whenever it is met again; what it does not name then is not there any more.

use preau_shared::{
    ids::{BoxId, WorkId},
    rig::writer::StoreError,
};
use rusqlite::{Connection, params};

use crate::store::{all, change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE work_copies(sister BLOB NOT NULL, file BLOB NOT NULL, round INTEGER NOT NULL,
        PRIMARY KEY(sister, file)) STRICT, WITHOUT ROWID;
    CREATE INDEX work_copies_by_file ON work_copies(file);";

/// The number of the next time that this box is met.
pub(crate) fn next_round(conn: &Connection, sister: BoxId) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(round), 0) + 1 FROM work_copies WHERE sister = ?1";
    Ok(one(conn, sql, [&sister.as_bytes()[..]], |row| row.get(0))?.unwrap_or(1))
}

/// It has the file, or has not.
pub(super) fn told(
    conn: &Connection,
    (sister, round): (BoxId, i64),
    file: WorkId,
    here: bool,
) -> Result<(), StoreError> {
    let (sister, file) = (&sister.as_bytes()[..], &file.as_bytes()[..]);
    if here {
        let sql = "INSERT OR REPLACE INTO work_copies(sister, file, round) VALUES (?1, ?2, ?3)";
        change(conn, sql, params![sister, file, round])?;
    } else {
        change(conn, "DELETE FROM work_copies WHERE sister = ?1 AND file = ?2", params![sister, file])?;
    }
    Ok(())
}

/// It has told all: what it did not name it has not.
pub(crate) fn told_all(conn: &Connection, (sister, round): (BoxId, i64)) -> Result<(), StoreError> {
    let sql = "DELETE FROM work_copies WHERE sister = ?1 AND round <> ?2";
    change(conn, sql, params![&sister.as_bytes()[..], round])?;
    Ok(())
}

/// Only these boxes are of the school.
pub(crate) fn keep_only(conn: &Connection, sisters: &[BoxId]) -> Result<(), StoreError> {
    let known = all(conn, "SELECT DISTINCT sister FROM work_copies", [], |row| Ok(BoxId::from_bytes(row.get(0)?)))?;
    for gone in known.iter().filter(|known| !sisters.contains(known)) {
        change(conn, "DELETE FROM work_copies WHERE sister = ?1", [&gone.as_bytes()[..]])?;
    }
    Ok(())
}

/// Nobody has this file.
pub(super) fn forget(conn: &Connection, file: WorkId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM work_copies WHERE file = ?1", [&file.as_bytes()[..]])?;
    Ok(())
}

/// What is said of files that no row names.
pub(crate) fn tidy(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM work_copies WHERE file NOT IN (SELECT file FROM work)", [])?;
    Ok(())
}
