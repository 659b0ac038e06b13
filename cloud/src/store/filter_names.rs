//! Tables of the filter (projected from `Tablet` documents of schools): under which name each tablet asks for names, and
//! whose it was said to be. Retention: with the tablet.
//!
//! `filter_names`:
//!
//! | column | meaning |
//! |---|---|
//! | `uai` | the school |
//! | `tablet` | 16 bytes |
//! | `filter` | 16 bytes: the name under which it asks; a tablet without one has no row |
//! | `owner` | 16 bytes: the person whose it was said to be, or null |
//! | `owner_turn` | … in which turn of the school's accounts, or null |
//! | `lost` | 1 when it is said to be lost |
//!
//! `filter_stamps`: by shelf (`shelf`), a number that grows with each change of what the filter reads there (`stamp`). A
//! school without a row has not been read into `filter_names` yet.

use std::collections::BTreeMap;

use preau_shared::{
    ids::{FilterId, PersonId, TabletId, Uai},
    replica::Shelf,
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
};

use super::{Tx, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE filter_names(
  uai        TEXT NOT NULL,
  tablet     BLOB NOT NULL,
  filter     BLOB NOT NULL,
  owner      BLOB,
  owner_turn INTEGER,
  lost       INTEGER NOT NULL,
  PRIMARY KEY(uai, tablet)
) STRICT, WITHOUT ROWID;
CREATE INDEX filter_names_by_owner ON filter_names(owner) WHERE owner IS NOT NULL;
CREATE TABLE filter_stamps(
  shelf TEXT PRIMARY KEY,
  stamp INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO filter_stamps(shelf, stamp) VALUES ('territory', 1);
";

/// A tablet and the name under which it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The tablet.
    pub(crate) tablet: TabletId,
    /// Its name.
    pub(crate) filter: FilterId,
    /// Whose it was said to be, and in which turn of the school's accounts.
    pub(crate) owner: Option<(PersonId, i64)>,
    /// It is said to be lost.
    pub(crate) lost: bool,
}

/// Writes what a tablet's document says.
pub(crate) fn project(conn: &Tx, uai: &Uai, named: &Named) -> Result<(), StoreError> {
    let (owner, turn) = named.owner.unzip();
    conn.execute(
        "INSERT INTO filter_names(uai, tablet, filter, owner, owner_turn, lost) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(uai, tablet) DO UPDATE SET filter = excluded.filter, owner = excluded.owner,
         owner_turn = excluded.owner_turn, lost = excluded.lost",
        values![
            uai.as_str(),
            named.tablet.as_bytes(),
            named.filter.as_bytes(),
            owner.as_ref().map(|person| &person.as_bytes()[..]),
            turn,
            i64::from(named.lost)
        ],
    )?;
    Ok(())
}

/// A tablet that is gone, or asks under no name.
pub(crate) fn forget(conn: &Tx, uai: &Uai, tablet: TabletId) -> Result<(), StoreError> {
    let sql = "DELETE FROM filter_names WHERE uai = ?1 AND tablet = ?2";
    conn.execute(sql, values![uai.as_str(), tablet.as_bytes()])?;
    Ok(())
}

/// Tablets of an erased person are nobody's.
pub(crate) fn forget_owner(conn: &Tx, uai: &Uai, person: PersonId) -> Result<(), StoreError> {
    let sql = "UPDATE filter_names SET owner = NULL, owner_turn = NULL WHERE uai = ?1 AND owner = ?2";
    conn.execute(sql, values![uai.as_str(), person.as_bytes()])?;
    Ok(())
}

/// Whether a tablet of the school was ever said to be hers.
pub(crate) fn owns(conn: &Tx, uai: &Uai, person: PersonId) -> Result<bool, StoreError> {
    let sql = "SELECT tablet FROM filter_names WHERE uai = ?1 AND owner = ?2 LIMIT 1";
    Ok(conn.first(sql, values![uai.as_str(), person.as_bytes()])?.is_some())
}

/// A school's tablets.
pub(crate) fn of_school(conn: &Tx, uai: &Uai) -> Result<Vec<Named>, StoreError> {
    let sql = "SELECT tablet, filter, owner, owner_turn, lost FROM filter_names WHERE uai = ?1 ORDER BY tablet";
    let read = |row: &Row| {
        Ok(Named {
            tablet: TabletId::from_bytes(row.array(0)?),
            filter: FilterId::from_bytes(row.array(1)?),
            owner: row.opt_array(2)?.map(PersonId::from_bytes).zip(row.opt_int(3)?),
            lost: row.truth(4)?,
        })
    };
    conn.query(sql, values![uai.as_str()])?.iter().map(read).collect()
}

/// Something that the filter reads on this shelf is another. A school that was not read yet is read whole later.
pub(crate) fn changed(conn: &Tx, shelf: &Shelf) -> Result<(), StoreError> {
    conn.execute("UPDATE filter_stamps SET stamp = stamp + 1 WHERE shelf = ?1", values![shelf.as_key()])?;
    Ok(())
}

/// A school's tablets stand in `filter_names`.
pub(crate) fn begin(conn: &Tx, uai: &Uai) -> Result<(), StoreError> {
    let sql = "INSERT INTO filter_stamps(shelf, stamp) VALUES (?1, 1) ON CONFLICT(shelf) DO NOTHING";
    conn.execute(sql, values![uai.as_str()])?;
    Ok(())
}

/// Schools after this one whose tablets do not stand in `filter_names` yet, some of them.
pub(crate) fn unread(conn: &Tx, after: Option<&Uai>, at_most: u32) -> Result<Vec<Uai>, StoreError> {
    let sql = "SELECT uai FROM schools WHERE uai > ?1
               AND NOT EXISTS (SELECT shelf FROM filter_stamps WHERE shelf = uai) ORDER BY uai LIMIT ?2";
    conn.query(sql, values![after.map_or("", Uai::as_str), at_most])?.iter().map(|row| read_uai(row, 0)).collect()
}

/// One number that is another whenever a stamp is.
pub(crate) fn all_stamps(conn: &Tx) -> Result<i64, StoreError> {
    conn.one("SELECT CAST(coalesce(sum(stamp), 0) AS BIGINT) FROM filter_stamps", values![])?.int(0)
}

/// The stamp of each shelf.
pub(crate) fn stamps(conn: &Tx) -> Result<BTreeMap<Shelf, i64>, StoreError> {
    let shelf = |key: &str| Shelf::from_key(key).ok_or(StoreError::Unreadable("the name of a shelf"));
    let rows = conn.query("SELECT shelf, stamp FROM filter_stamps", values![])?;
    rows.iter().map(|row| Ok((shelf(row.text(0)?)?, row.int(1)?))).collect()
}
