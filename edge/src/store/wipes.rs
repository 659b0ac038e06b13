//! Table `wipes` (native): each clearing of a tablet, owed or done. The last [`KEPT_PER_TABLET`] are kept, so that a
//! repeated receipt is known.

use preau_shared::{
    ids::{TabletId, WipeId},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, params};

use super::{agents, change, one};

/// Wipes remembered per tablet.
pub(crate) const KEPT_PER_TABLET: u32 = 20;

pub(super) const CREATE: &str = "
    CREATE TABLE wipes(wipe BLOB PRIMARY KEY, tablet BLOB NOT NULL, number INTEGER NOT NULL, ordered INTEGER NOT NULL,
        done INTEGER, unconfirmed TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX wipes_by_tablet ON wipes(tablet, number);";

/// One clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wipe {
    pub(crate) id: WipeId,
    pub(crate) tablet: TabletId,
    pub(crate) done: bool,
}

/// A new wipe; the oldest beyond [`KEPT_PER_TABLET`] are forgotten.
pub(crate) fn order(conn: &Connection, wipe: WipeId, tablet: TabletId, now: Stamp) -> Result<(), StoreError> {
    let tablet = &tablet.as_bytes()[..];
    change(
        conn,
        "INSERT INTO wipes(wipe, tablet, number, ordered, unconfirmed)
         VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM wipes WHERE tablet = ?2), ?3, '')",
        params![&wipe.as_bytes()[..], tablet, now.0],
    )?;
    change(
        conn,
        "DELETE FROM wipes WHERE tablet = ?1 AND number <= (SELECT max(number) FROM wipes WHERE tablet = ?1) - ?2",
        params![tablet, KEPT_PER_TABLET],
    )?;
    Ok(())
}

/// One wipe.
pub(crate) fn find(conn: &Connection, wipe: WipeId) -> Result<Option<Wipe>, StoreError> {
    one(conn, "SELECT wipe, tablet, done FROM wipes WHERE wipe = ?1", [&wipe.as_bytes()[..]], |row| {
        Ok(Wipe {
            id: WipeId::from_bytes(row.get(0)?),
            tablet: TabletId::from_bytes(row.get(1)?),
            done: row.get::<_, Option<i64>>(2)?.is_some(),
        })
    })
}

/// The steps of a wipe that were not confirmed.
pub(crate) fn unconfirmed(conn: &Connection, wipe: WipeId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT unconfirmed FROM wipes WHERE wipe = ?1";
    let steps = one(conn, sql, [&wipe.as_bytes()[..]], |row| row.get::<_, String>(0))?;
    Ok(split(&steps.unwrap_or_default()))
}

/// What a receipt lacked.
pub(crate) fn lacks(conn: &Connection, wipe: WipeId, steps: &[String]) -> Result<(), StoreError> {
    change(conn, "UPDATE wipes SET unconfirmed = ?2 WHERE wipe = ?1", params![&wipe.as_bytes()[..], steps.join(" ")])?;
    Ok(())
}

/// Done.
pub(crate) fn done(conn: &Connection, wipe: WipeId, now: Stamp) -> Result<(), StoreError> {
    change(conn, "UPDATE wipes SET done = ?2, unconfirmed = '' WHERE wipe = ?1", params![&wipe.as_bytes()[..], now.0])?;
    agents::forget_parts(conn, wipe)
}

/// Step names as they are stored: words with spaces between.
pub(super) fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}
