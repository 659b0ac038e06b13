//! Table `factors` (projected from the `School` document): what pupils of a level are asked for besides their badge.

use std::collections::BTreeMap;

use preau_shared::{rig::writer::StoreError, second_factor::Factor};
use rusqlite::{Connection, params};

use super::{all, change, one};

pub(super) const CREATE: &str =
    "CREATE TABLE factors(level TEXT PRIMARY KEY, factor TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// Writes what the document says.
pub(crate) fn project(conn: &Connection, factors: &BTreeMap<String, Factor>) -> Result<(), StoreError> {
    change(conn, "DELETE FROM factors", [])?;
    for (level, factor) in factors {
        change(conn, "INSERT INTO factors(level, factor) VALUES (?1, ?2)", params![level, factor.as_str()])?;
    }
    Ok(())
}

/// What pupils of this level are asked for.
pub(crate) fn of_level(conn: &Connection, level: &str) -> Result<Option<Factor>, StoreError> {
    let word = one(conn, "SELECT factor FROM factors WHERE level = ?1", [level], |row| row.get::<_, String>(0))?;
    Ok(word.as_deref().and_then(Factor::from_word))
}

/// The levels of the school's pupils: what each is asked for, and how many pupils it has.
pub(crate) fn by_level(conn: &Connection) -> Result<Vec<(String, Option<Factor>, u32)>, StoreError> {
    all(
        conn,
        "SELECT p.level, coalesce(f.factor, ''), count(*) FROM people p LEFT JOIN factors f ON f.level = p.level
         WHERE p.role = 'pupil' GROUP BY p.level ORDER BY p.level",
        [],
        |row| Ok((row.get(0)?, Factor::from_word(&row.get::<_, String>(1)?), row.get(2)?)),
    )
}
