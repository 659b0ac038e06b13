//! Table `school` (projected from the `School` document; one row).

use preau_shared::{documents::school::School, rig::writer::StoreError};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str = "CREATE TABLE school(
    one INTEGER PRIMARY KEY CHECK (one = 1), uai TEXT NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL) STRICT;";

/// Writes what the document says.
pub(crate) fn project(conn: &Connection, school: &School) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO school(one, uai, name, slug) VALUES (1, ?1, ?2, ?3)",
        params![school.uai.to_string(), school.name, school.slug],
    )?;
    Ok(())
}

/// The school's name as its document says it.
pub(crate) fn name(conn: &Connection) -> Result<Option<String>, StoreError> {
    one(conn, "SELECT name FROM school WHERE one = 1", [], |row| row.get(0))
}
