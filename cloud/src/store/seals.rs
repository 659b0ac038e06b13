//! Tables of sealing keys (native). Secrets stand in files; here are numbers and public halves.
//!
//! `seal_keys`, the coordinator's own:
//!
//! | column | meaning |
//! |---|---|
//! | `number` | counted from 1, never used again |
//! | `public` | 32 bytes, X25519 |
//! | `drawn_at` | ms since 1970 |
//! | `hurried` | 1 when the one before is not to be trusted any more |
//! | `withdrawn_at` | ms since 1970, or null |
//!
//! `box_seals`, the two newest of each box: `place` (in the order they came), `box_id`, `number`, `public`.
//! `seal_uses`: the coordinator's newest key that a box was seen to use.

use std::collections::BTreeMap;

use preau_shared::{
    ids::BoxId,
    replica::SealPublic,
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
    time::Stamp,
};

use super::Tx;

pub(super) const CREATE: &str = "
CREATE TABLE seal_keys(
  number       INTEGER NOT NULL,
  public       BLOB NOT NULL,
  drawn_at     INTEGER NOT NULL,
  hurried      INTEGER NOT NULL,
  withdrawn_at INTEGER,
  PRIMARY KEY (number)
) STRICT, WITHOUT ROWID;
CREATE TABLE box_seals(
  place  INTEGER PRIMARY KEY,
  box_id BLOB NOT NULL,
  number INTEGER NOT NULL,
  public BLOB NOT NULL,
  UNIQUE (box_id, number)
) STRICT;
CREATE TABLE seal_uses(
  box_id BLOB PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Announcements read at once.
const PAGE: u32 = 1_000;

/// A key of the coordinator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SealKey {
    /// Which.
    pub(crate) number: u32,
    /// Its public half.
    pub(crate) public: SealPublic,
    /// When it was drawn.
    pub(crate) drawn_at: Stamp,
    /// The one before is not to be trusted any more.
    pub(crate) hurried: bool,
    /// When it was withdrawn.
    pub(crate) withdrawn_at: Option<Stamp>,
}

fn number(row: &Row, at: usize) -> Result<u32, StoreError> {
    u32::try_from(row.int(at)?).map_err(|_| StoreError::Column { at, wanted: "a number of a key" })
}

/// Every key of the coordinator's, oldest first, withdrawn ones too.
pub(crate) fn keys(conn: &Tx) -> Result<Vec<SealKey>, StoreError> {
    let sql = "SELECT number, public, drawn_at, hurried, withdrawn_at FROM seal_keys ORDER BY number";
    let read = |row: &Row| {
        Ok(SealKey {
            number: number(row, 0)?,
            public: SealPublic(row.array(1)?),
            drawn_at: Stamp(row.int(2)?),
            hurried: row.truth(3)?,
            withdrawn_at: row.opt_int(4)?.map(Stamp),
        })
    };
    conn.query(sql, values![])?.iter().map(read).collect()
}

/// Notes a new key of the coordinator's; a repeat changes nothing.
pub(crate) fn drawn(conn: &Tx, key: &SealKey) -> Result<(), StoreError> {
    let sql = "INSERT INTO seal_keys(number, public, drawn_at, hurried) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (number) DO NOTHING";
    conn.execute(sql, values![key.number, &key.public.0, key.drawn_at.0, key.hurried])?;
    Ok(())
}

/// Notes that a key is withdrawn.
pub(crate) fn withdraw(conn: &Tx, number: u32, now: Stamp) -> Result<(), StoreError> {
    let sql = "UPDATE seal_keys SET withdrawn_at = coalesce(withdrawn_at, ?2) WHERE number = ?1";
    conn.execute(sql, values![number, now.0])?;
    Ok(())
}

/// Notes a box's key: the newest two stay. One that is there already stays as it is.
pub(crate) fn announce(conn: &Tx, box_id: BoxId, number: u32, public: &SealPublic) -> Result<(), StoreError> {
    let sql = "INSERT INTO box_seals(box_id, number, public) VALUES (?1, ?2, ?3)
               ON CONFLICT (box_id, number) DO NOTHING";
    if conn.execute(sql, values![box_id.as_bytes(), number, &public.0])? > 0 {
        let sql = "DELETE FROM box_seals WHERE box_id = ?1 AND number NOT IN
                   (SELECT number FROM box_seals WHERE box_id = ?1 ORDER BY number DESC LIMIT 2)";
        conn.execute(sql, values![box_id.as_bytes()])?;
    }
    Ok(())
}

/// A box's key and its place in the order they came.
pub(crate) type Announced = (i64, BoxId, u32, SealPublic);

/// Keys of boxes after a place, in the order they came, a page of them.
pub(crate) fn announced(conn: &Tx, after: i64) -> Result<Vec<Announced>, StoreError> {
    let sql = "SELECT place, box_id, number, public FROM box_seals WHERE place > ?1 ORDER BY place LIMIT ?2";
    let read =
        |row: &Row| Ok((row.int(0)?, BoxId::from_bytes(row.array(1)?), number(row, 2)?, SealPublic(row.array(3)?)));
    conn.query(sql, values![after, PAGE])?.iter().map(read).collect()
}

/// Notes the newest keys that boxes were seen to use.
pub(crate) fn used(conn: &Tx, uses: &BTreeMap<BoxId, u32>) -> Result<(), StoreError> {
    let sql = "INSERT INTO seal_uses(box_id, number) VALUES (?1, ?2)
               ON CONFLICT (box_id) DO UPDATE SET number = excluded.number";
    uses.iter().try_for_each(|(box_id, number)| conn.execute(sql, values![box_id.as_bytes(), *number]).map(drop))
}

/// How many boxes that may speak were not yet seen to use this key or a newer one.
pub(crate) fn still_without(conn: &Tx, number: u32) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM boxes b LEFT JOIN seal_uses u ON u.box_id = b.box_id
               WHERE b.revoked_at IS NULL AND (u.number IS NULL OR u.number < ?1)";
    Ok(u64::try_from(conn.one(sql, values![number])?.int(0)?).unwrap_or_default())
}
