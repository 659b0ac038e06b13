//! Table `school` (projected from the `School` document; one row).

use preau_shared::{documents::school::School, rig::writer::StoreError};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str = "CREATE TABLE school(
    one INTEGER PRIMARY KEY CHECK (one = 1), uai TEXT NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL) STRICT;";

/// Whether the DSI lets this box decode camera frames.
pub(super) const ADD_FRAMES: &str = "ALTER TABLE school ADD COLUMN frames_on_box INTEGER NOT NULL DEFAULT 0;";

/// Writes what the document says.
pub(crate) fn project(conn: &Connection, school: &School, frames_on_box: bool) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO school(one, uai, name, slug, frames_on_box) VALUES (1, ?1, ?2, ?3, ?4)",
        params![school.uai.to_string(), school.name, school.slug, frames_on_box],
    )?;
    Ok(())
}

/// The school's name as its document says it.
pub(crate) fn name(conn: &Connection) -> Result<Option<String>, StoreError> {
    one(conn, "SELECT name FROM school WHERE one = 1", [], |row| row.get(0))
}

/// Whether the DSI lets this box decode camera frames.
pub(crate) fn frames_on_box(conn: &Connection) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT frames_on_box FROM school WHERE one = 1", [], |row| row.get(0))?.unwrap_or(false))
}
