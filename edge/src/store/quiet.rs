//! Table `quiet` (native): classes whose tablets are silent, and until when. Ended by time or by a tap: gone.

use preau_shared::{ids::ClassId, rig::writer::StoreError, time::Stamp};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str =
    "CREATE TABLE quiet(class BLOB PRIMARY KEY, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// Silences a class until then; classes whose time is over go.
pub(crate) fn begin(conn: &Connection, class: ClassId, now: Stamp, ends: Stamp) -> Result<(), StoreError> {
    change(conn, "DELETE FROM quiet WHERE ends < ?1", [now.0])?;
    let sql = "INSERT OR REPLACE INTO quiet(class, ends) VALUES (?1, ?2)";
    change(conn, sql, params![&class.as_bytes()[..], ends.0])?;
    Ok(())
}

/// Gives the sound back.
pub(crate) fn end(conn: &Connection, class: ClassId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM quiet WHERE class = ?1", [&class.as_bytes()[..]])?;
    Ok(())
}

/// Gives every class its sound back.
pub(crate) fn end_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM quiet", [])?;
    Ok(())
}

/// Whether a class is silent now.
pub(crate) fn is_on(conn: &Connection, class: ClassId, now: Stamp) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM quiet WHERE class = ?1 AND ends >= ?2";
    Ok(one(conn, sql, params![&class.as_bytes()[..], now.0], |_| Ok(()))?.is_some())
}

/// Whether no class was silenced lately.
pub(crate) fn is_empty(conn: &Connection) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT 1 FROM quiet LIMIT 1", [], |_| Ok(()))?.is_none())
}

/// Whether any class is.
pub(crate) fn any(conn: &Connection, now: Stamp) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT 1 FROM quiet WHERE ends >= ?1 LIMIT 1", [now.0], |_| Ok(()))?.is_some())
}
