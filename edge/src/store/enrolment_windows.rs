//! Table `enrolment_windows` (native): codes that an adult opened, by keyed hash. Closed by time or by use: gone.

use preau_shared::{rig::writer::StoreError, time::Stamp};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str = "CREATE TABLE enrolment_windows(
    code BLOB PRIMARY KEY, closes INTEGER NOT NULL, tablets_left INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// A new window; closed ones go.
pub(crate) fn open(
    conn: &Connection,
    code: &[u8; 32],
    now: Stamp,
    closes: Stamp,
    tablets: u32,
) -> Result<(), StoreError> {
    change(conn, "DELETE FROM enrolment_windows WHERE closes < ?1 OR tablets_left = 0", [now.0])?;
    change(
        conn,
        "INSERT OR REPLACE INTO enrolment_windows(code, closes, tablets_left) VALUES (?1, ?2, ?3)",
        params![&code[..], closes.0, tablets],
    )?;
    Ok(())
}

/// Closes all.
pub(crate) fn close_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM enrolment_windows", [])?;
    Ok(())
}

/// How many tablets may still come by this code; `None` when it is wrong or closed.
pub(crate) fn tablets_left(conn: &Connection, code: &[u8; 32], now: Stamp) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT tablets_left FROM enrolment_windows WHERE code = ?1 AND closes >= ?2";
    one(conn, sql, params![&code[..], now.0], |row| row.get(0))
}

/// One tablet came.
pub(crate) fn use_one(conn: &Connection, code: &[u8; 32]) -> Result<(), StoreError> {
    change(conn, "UPDATE enrolment_windows SET tablets_left = max(0, tablets_left - 1) WHERE code = ?1", [&code[..]])?;
    Ok(())
}
