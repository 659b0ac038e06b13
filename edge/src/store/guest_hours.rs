//! Table `guest_hours` (native): classes whose guests may sit down, and until when. Closed by time or by a tap: gone.

use preau_shared::{ids::ClassId, rig::writer::StoreError, time::Stamp};
use rusqlite::{Connection, params};

use super::{all, change, one};

pub(super) const CREATE: &str =
    "CREATE TABLE guest_hours(class BLOB PRIMARY KEY, closes INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// Opens a class to guests until then, or moves its end; those that are over go.
pub(crate) fn open(conn: &Connection, class: ClassId, now: Stamp, closes: Stamp) -> Result<(), StoreError> {
    change(conn, "DELETE FROM guest_hours WHERE closes < ?1", [now.0])?;
    let sql = "INSERT OR REPLACE INTO guest_hours(class, closes) VALUES (?1, ?2)";
    change(conn, sql, params![&class.as_bytes()[..], closes.0])?;
    Ok(())
}

/// Closes it at once.
pub(crate) fn close(conn: &Connection, class: ClassId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM guest_hours WHERE class = ?1", [&class.as_bytes()[..]])?;
    Ok(())
}

/// Closes all.
pub(crate) fn close_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM guest_hours", [])?;
    Ok(())
}

/// Until when guests of this class may sit down, if they may now.
pub(crate) fn closes(conn: &Connection, class: ClassId, now: Stamp) -> Result<Option<Stamp>, StoreError> {
    let sql = "SELECT closes FROM guest_hours WHERE class = ?1 AND closes >= ?2";
    one(conn, sql, params![&class.as_bytes()[..], now.0], |row| Ok(Stamp(row.get(0)?)))
}

/// The classes that are open to guests now, by name.
pub(crate) fn every(conn: &Connection, now: Stamp) -> Result<Vec<(ClassId, String)>, StoreError> {
    all(
        conn,
        "SELECT c.class, c.name FROM guest_hours g JOIN classes c ON c.class = g.class WHERE g.closes >= ?1
         ORDER BY c.name, c.class",
        [now.0],
        |row| Ok((ClassId::from_bytes(row.get(0)?), row.get(1)?)),
    )
}
