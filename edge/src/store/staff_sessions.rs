//! Table `staff_sessions` (native): cookies of teachers and heads, by the SHA-256 of their secret. Ended or too old: gone.

use preau_shared::{ids::PersonId, rig::writer::StoreError, time::Stamp};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE staff_sessions(token BLOB PRIMARY KEY, person BLOB NOT NULL, opened INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX staff_sessions_opened ON staff_sessions(opened);";

/// A new session; those opened before `oldest` go.
pub(crate) fn open(
    conn: &Connection,
    token: &[u8; 32],
    person: PersonId,
    opened: Stamp,
    oldest: Stamp,
) -> Result<(), StoreError> {
    change(conn, "DELETE FROM staff_sessions WHERE opened < ?1", [oldest.0])?;
    change(
        conn,
        "INSERT INTO staff_sessions(token, person, opened) VALUES (?1, ?2, ?3)",
        params![&token[..], &person.as_bytes()[..], opened.0],
    )?;
    Ok(())
}

/// Who, and since when.
pub(crate) fn find(conn: &Connection, token: &[u8; 32]) -> Result<Option<(PersonId, Stamp)>, StoreError> {
    one(conn, "SELECT person, opened FROM staff_sessions WHERE token = ?1", [&token[..]], |row| {
        Ok((PersonId::from_bytes(row.get(0)?), Stamp(row.get(1)?)))
    })
}

/// Ends everybody's.
pub(crate) fn end_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM staff_sessions", [])?;
    Ok(())
}

/// Ends all of somebody's.
pub(crate) fn end_all_of(conn: &Connection, person: PersonId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM staff_sessions WHERE person = ?1", [&person.as_bytes()[..]])?;
    Ok(())
}

/// Ends all of somebody's but this one.
pub(crate) fn end_others(conn: &Connection, person: PersonId, token: &[u8; 32]) -> Result<(), StoreError> {
    let sql = "DELETE FROM staff_sessions WHERE person = ?1 AND token <> ?2";
    change(conn, sql, params![&person.as_bytes()[..], &token[..]])?;
    Ok(())
}

/// Ends one.
pub(crate) fn end(conn: &Connection, token: &[u8; 32]) -> Result<(), StoreError> {
    change(conn, "DELETE FROM staff_sessions WHERE token = ?1", [&token[..]])?;
    Ok(())
}
