//! Table `work_numbers` (native, one row): the last number that a change of [`super`] or [`super::gone`] got.
//! Numbers only grow, so that another box can ask what came after the last one that it heard.

use preau_shared::rig::writer::StoreError;
use rusqlite::Connection;

use super::count;
use crate::store::one;

pub(super) const CREATE: &str = "
    CREATE TABLE work_numbers(last INTEGER NOT NULL) STRICT;
    INSERT INTO work_numbers(last) VALUES (0);";

/// The next number.
pub(super) fn next(conn: &Connection) -> Result<i64, StoreError> {
    let sql = "UPDATE work_numbers SET last = last + 1 RETURNING last";
    Ok(one(conn, sql, [], |row| row.get(0))?.unwrap_or_default())
}

/// The last one that was given.
pub(crate) fn last(conn: &Connection) -> Result<u64, StoreError> {
    Ok(one(conn, "SELECT last FROM work_numbers", [], |row| count(row, 0))?.unwrap_or_default())
}
