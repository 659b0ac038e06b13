//! Table `factors` (projected from the `School` document): what pupils of a level are asked for besides their badge.

use std::collections::BTreeMap;

use preau_shared::{rig::writer::StoreError, second_factor::Factor};
use rusqlite::{Connection, params};

use super::{all, change};

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

/// What pupils of each level are asked for, where they are asked for something.
pub(crate) fn every(conn: &Connection) -> Result<BTreeMap<String, Factor>, StoreError> {
    let rows = all(conn, "SELECT level, factor FROM factors", [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    Ok(rows.into_iter().filter_map(|(level, word)| Some((level, Factor::from_word(&word)?))).collect())
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
