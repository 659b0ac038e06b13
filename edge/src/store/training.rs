//! Table `training` (native; one row, in a training room only): since when the room stands at its beginning.

use preau_shared::{rig::writer::StoreError, time::Stamp};
use rusqlite::Connection;

use super::{change, one};

pub(super) const CREATE: &str =
    "CREATE TABLE training(one INTEGER PRIMARY KEY CHECK (one = 1), begun INTEGER NOT NULL) STRICT;";

/// When it last began, by the clock as it was then; none in a room that never did.
pub(crate) fn begun(conn: &Connection) -> Result<Option<Stamp>, StoreError> {
    one(conn, "SELECT begun FROM training WHERE one = 1", [], |row| Ok(Stamp(row.get(0)?)))
}

/// It begins now.
pub(crate) fn begin(conn: &Connection, now: Stamp) -> Result<(), StoreError> {
    change(conn, "INSERT OR REPLACE INTO training(one, begun) VALUES (1, ?1)", [now.0])?;
    Ok(())
}
