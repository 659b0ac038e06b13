//! Table `prints` (native): who printed badges, for whom and when. The last [`KEPT`] are kept; the journal has them all.

use preau_shared::{ids::PersonId, rig::writer::StoreError, time::Stamp};
use rusqlite::{Connection, params};

use super::{all, change};

/// Lines remembered.
pub(crate) const KEPT: u32 = 200;

pub(super) const CREATE: &str = "CREATE TABLE prints(
    print INTEGER PRIMARY KEY, at INTEGER NOT NULL, person BLOB NOT NULL, whose TEXT NOT NULL, count INTEGER NOT NULL,
    lost INTEGER NOT NULL) STRICT;";

/// One print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) at: Stamp,
    /// Who printed.
    pub(crate) by: PersonId,
    /// For which class; nothing for the school or for one child.
    pub(crate) whose: String,
    pub(crate) count: u32,
    /// Whether the badges before were made void at once.
    pub(crate) lost: bool,
}

/// Keeps a line.
pub(crate) fn note(conn: &Connection, print: &Print) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT INTO prints(at, person, whose, count, lost) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![print.at.0, &print.by.as_bytes()[..], print.whose, print.count, print.lost],
    )?;
    change(conn, "DELETE FROM prints WHERE print <= (SELECT max(print) FROM prints) - ?1", [KEPT])?;
    Ok(())
}

/// Forgets them.
pub(crate) fn forget_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM prints", [])?;
    Ok(())
}

/// The last ones, newest first, with the given name of who printed.
pub(crate) fn last(conn: &Connection, count: u32) -> Result<Vec<(Print, String)>, StoreError> {
    all(
        conn,
        "SELECT r.at, r.person, r.whose, r.count, r.lost, coalesce(p.given_name, '')
         FROM prints r LEFT JOIN people p ON p.person = r.person ORDER BY r.print DESC LIMIT ?1",
        [count],
        |row| {
            let print = Print {
                at: Stamp(row.get(0)?),
                by: PersonId::from_bytes(row.get(1)?),
                whose: row.get(2)?,
                count: row.get(3)?,
                lost: row.get(4)?,
            };
            Ok((print, row.get(5)?))
        },
    )
}
