//! Table `school` (projected from the `School` document; one row).

use preau_shared::{
    documents::school::{Accounts, School},
    ids::Uai,
    rig::writer::StoreError,
};
use rusqlite::{Connection, params};

use super::{change, one};

pub(super) const CREATE: &str = "CREATE TABLE school(
    one INTEGER PRIMARY KEY CHECK (one = 1), uai TEXT NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL) STRICT;";

/// The turn in which the school works in one account per tablet; none while it works in many.
pub(super) const ADD_ONE_ACCOUNT: &str = "ALTER TABLE school ADD COLUMN one_account INTEGER;";

/// Whether the DSI lets this box decode camera frames.
pub(super) const ADD_FRAMES: &str = "ALTER TABLE school ADD COLUMN frames_on_box INTEGER NOT NULL DEFAULT 0;";

/// Whether it is a training room, which its number says.
pub(super) const ADD_TRAINING: &str = "ALTER TABLE school ADD COLUMN training INTEGER NOT NULL DEFAULT 0;";

/// Writes what the document says.
pub(crate) fn project(
    conn: &Connection,
    school: &School,
    accounts: (Accounts, i64),
    frames_on_box: bool,
) -> Result<(), StoreError> {
    let one_account = match accounts {
        (Accounts::One, turn) => Some(turn),
        (Accounts::Many, _) => None,
    };
    change(
        conn,
        "INSERT OR REPLACE INTO school(one, uai, name, slug, one_account, frames_on_box, training)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![school.uai.to_string(), school.name, school.slug, one_account, frames_on_box, school.uai.is_training()],
    )?;
    Ok(())
}

/// The turn in which the school works in one account per tablet; none while it works in many.
pub(crate) fn one_account(conn: &Connection) -> Result<Option<i64>, StoreError> {
    Ok(one(conn, "SELECT one_account FROM school WHERE one = 1", [], |row| row.get(0))?.flatten())
}

/// Whether it is a training room.
pub(crate) fn is_training(conn: &Connection) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT training FROM school WHERE one = 1", [], |row| row.get(0))?.unwrap_or(false))
}

/// Whose database this is; none before the school's document has come.
pub(crate) fn uai(conn: &Connection) -> Result<Option<Uai>, StoreError> {
    let text: Option<String> = one(conn, "SELECT uai FROM school WHERE one = 1", [], |row| row.get(0))?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// The school's name as its document says it.
pub(crate) fn name(conn: &Connection) -> Result<Option<String>, StoreError> {
    one(conn, "SELECT name FROM school WHERE one = 1", [], |row| row.get(0))
}

/// Whether the DSI lets this box decode camera frames.
pub(crate) fn frames_on_box(conn: &Connection) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT frames_on_box FROM school WHERE one = 1", [], |row| row.get(0))?.unwrap_or(false))
}
