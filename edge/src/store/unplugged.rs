//! Tables `unplugged_code` (native; one row) and `unplugged_stays` (native): the code for a time without the box, and the
//! stays that tablets told afterwards, remembered so that a repeated telling is known.
//!
//! The code stands here in clear, because any teacher may read it at her page. It is a secret of the school's and of no
//! person, and opens nothing but a guest's screen on a tablet that has no box (`shared/decisions/0017-unplugged.md`).

use std::num::NonZeroU32;

use preau_shared::{
    ids::{SessionId, TabletId},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, params};

use super::{change, one};

/// Stays remembered of one tablet. An adult types six digits before each: nobody reaches it in [`super::sessions::KEPT`].
pub(crate) const KEPT_PER_TABLET: u32 = 4_096;

pub(super) const CREATE: &str = "
    CREATE TABLE unplugged_code(one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, code TEXT NOT NULL,
        salt BLOB NOT NULL, rounds INTEGER NOT NULL, verifier BLOB NOT NULL) STRICT;
    CREATE TABLE unplugged_stays(tablet BLOB NOT NULL, stay BLOB NOT NULL, told INTEGER NOT NULL,
        PRIMARY KEY(tablet, stay)) STRICT, WITHOUT ROWID;";

/// The code, and what tablets check it by.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: u32,
    pub(crate) code: String,
    pub(crate) salt: [u8; 16],
    pub(crate) rounds: NonZeroU32,
    pub(crate) verifier: [u8; 32],
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({})", self.number)
    }
}

/// The code, if one was drawn.
pub(crate) fn code(conn: &Connection) -> Result<Option<Code>, StoreError> {
    one(conn, "SELECT number, code, salt, rounds, verifier FROM unplugged_code WHERE one = 1", [], |row| {
        Ok(Code {
            number: row.get(0)?,
            code: row.get(1)?,
            salt: row.get(2)?,
            rounds: NonZeroU32::new(row.get(3)?).unwrap_or(NonZeroU32::MIN),
            verifier: row.get(4)?,
        })
    })
}

/// The number of the code, if one was drawn.
pub(crate) fn number(conn: &Connection) -> Result<Option<u32>, StoreError> {
    one(conn, "SELECT number FROM unplugged_code WHERE one = 1", [], |row| row.get(0))
}

/// Keeps a code in the place of the last.
pub(crate) fn replace(conn: &Connection, code: &Code) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO unplugged_code(one, number, code, salt, rounds, verifier)
         VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        params![code.number, code.code, &code.salt[..], code.rounds.get(), &code.verifier[..]],
    )?;
    Ok(())
}

/// Remembers a stay; false when it was told before.
pub(crate) fn remember(conn: &Connection, tablet: TabletId, stay: SessionId, now: Stamp) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO unplugged_stays(tablet, stay, told) VALUES (?1, ?2, ?3)";
    Ok(change(conn, sql, params![&tablet.as_bytes()[..], &stay.as_bytes()[..], now.0])? > 0)
}

/// How many are remembered of a tablet.
pub(crate) fn count(conn: &Connection, tablet: TabletId) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM unplugged_stays WHERE tablet = ?1";
    Ok(one(conn, sql, [&tablet.as_bytes()[..]], |row| row.get(0))?.unwrap_or(0))
}

/// Forgets what was told before `before`.
pub(crate) fn forget(conn: &Connection, before: Stamp) -> Result<usize, StoreError> {
    change(conn, "DELETE FROM unplugged_stays WHERE told < ?1", [before.0])
}
