//! Table `work_gone` (native): works that are no more, without their names, so that no other box brings them back. Kept
//! until every other box of the school has heard of it, 400 days at most (a box that lies in a cupboard for a school year).

use std::time::Duration;

use preau_shared::{
    ids::{BoxId, PersonId, WorkId},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, params};

use super::{Version, count, numbers};
use crate::store::{change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE work_gone(person BLOB NOT NULL, file BLOB NOT NULL, turn INTEGER NOT NULL, author BLOB NOT NULL,
        gone INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(person, file)) STRICT, WITHOUT ROWID;
    CREATE INDEX work_gone_by_number ON work_gone(number);";

/// Kept no longer than this.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 3_600);

/// A work of hers is no more, as of this version.
pub(super) fn put(
    conn: &Connection,
    (person, file): (PersonId, WorkId),
    version: Version,
    now: Stamp,
) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO work_gone(person, file, turn, author, gone, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            &person.as_bytes()[..],
            &file.as_bytes()[..],
            i64::try_from(version.turn).unwrap_or(i64::MAX),
            &version.author.as_bytes()[..],
            now.0,
            numbers::next(conn)?
        ],
    )?;
    Ok(())
}

/// As of which version a work of hers is no more.
pub(super) fn find(conn: &Connection, person: PersonId, file: WorkId) -> Result<Option<Version>, StoreError> {
    let sql = "SELECT turn, author FROM work_gone WHERE person = ?1 AND file = ?2";
    one(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..]], |row| {
        Ok(Version { turn: count(row, 0)?, author: BoxId::from_bytes(row.get(1)?) })
    })
}

/// It stands again: another box had it back.
pub(super) fn revive(conn: &Connection, person: PersonId, file: WorkId) -> Result<(), StoreError> {
    let sql = "DELETE FROM work_gone WHERE person = ?1 AND file = ?2";
    change(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..]])?;
    Ok(())
}

/// Lets go of what every other box has heard of (`heard`: up to this number), and of what is too old.
pub(crate) fn forget(conn: &Connection, heard: u64, now: Stamp) -> Result<(), StoreError> {
    let oldest = now.0.saturating_sub(i64::try_from(MAX_AGE.as_millis()).unwrap_or(i64::MAX));
    let heard = i64::try_from(heard).unwrap_or(i64::MAX);
    change(conn, "DELETE FROM work_gone WHERE number <= ?1 OR gone < ?2", params![heard, oldest])?;
    Ok(())
}

/// Not even that is kept of somebody erased.
pub(super) fn erase(conn: &Connection, person: PersonId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM work_gone WHERE person = ?1", [&person.as_bytes()[..]])?;
    Ok(())
}
