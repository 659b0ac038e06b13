//! Table `voids` (native): under which number of its shelf a badge was voided here, so that it can be told which boxes
//! hold it. Retention: with the badge.
//!
//! | column | meaning |
//! |---|---|
//! | `badge_id` | 16 bytes |
//! | `uai` | the shelf |
//! | `number` | the coordinator's number of the change |
//!
//! Table `box_voids` (native): badges that a box told it made void, so that many in a day are looked at (ARCHITECTURE §2.2).
//! Retention: a day.
//!
//! | column | meaning |
//! |---|---|
//! | `badge_id` | 16 bytes |
//! | `uai` | the shelf |
//! | `box_id` | who told it |
//! | `at` | when it was heard, by the clock here |

use std::time::Duration;

use preau_shared::{
    ids::{BadgeId, BoxId, Uai},
    rig::{sql::values, writer::StoreError},
    time::Stamp,
};

use super::{Tx, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE voids(
  badge_id BLOB NOT NULL,
  uai      TEXT NOT NULL,
  number   INTEGER NOT NULL,
  PRIMARY KEY(badge_id, uai)
) STRICT, WITHOUT ROWID;
CREATE TABLE box_voids(
  badge_id BLOB NOT NULL,
  uai      TEXT NOT NULL,
  box_id   BLOB NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY(badge_id, uai)
) STRICT, WITHOUT ROWID;
";

/// A box's voids count for so long.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Notes a void.
pub(crate) fn note(conn: &Tx, badge: BadgeId, uai: &Uai, number: u64) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO voids(badge_id, uai, number) VALUES (?1, ?2, ?3)
         ON CONFLICT(badge_id, uai) DO UPDATE SET number = excluded.number",
        values![badge.as_bytes(), uai.as_str(), i64::try_from(number).unwrap_or(i64::MAX)],
    )?;
    Ok(())
}

/// The shelves on which a badge was voided here, with the number; boxes' own voids are not among them.
pub(crate) fn of_badge(conn: &Tx, badge: BadgeId) -> Result<Vec<(Uai, u64)>, StoreError> {
    let sql = "SELECT uai, number FROM voids WHERE badge_id = ?1 ORDER BY uai";
    let rows = conn.query(sql, values![badge.as_bytes()])?;
    rows.iter().map(|row| Ok((read_uai(row, 0)?, u64::try_from(row.int(1)?).unwrap_or(0)))).collect()
}

/// A box told that it made a badge void. What was told more than a day ago is forgotten.
pub(crate) fn heard(conn: &Tx, badge: BadgeId, uai: &Uai, (told_by, now): (BoxId, Stamp)) -> Result<(), StoreError> {
    conn.execute("DELETE FROM box_voids WHERE uai = ?1 AND at < ?2", values![uai.as_str(), a_day_before(now)])?;
    conn.execute(
        "INSERT INTO box_voids(badge_id, uai, box_id, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT(badge_id, uai) DO NOTHING",
        values![badge.as_bytes(), uai.as_str(), told_by.as_bytes(), now.0],
    )?;
    Ok(())
}

/// How many badges each box told to be void within a day.
pub(crate) fn of_boxes(conn: &Tx, now: Stamp) -> Result<Vec<(BoxId, u64)>, StoreError> {
    let sql = "SELECT box_id, count(*) FROM box_voids WHERE at >= ?1 GROUP BY box_id ORDER BY box_id";
    let rows = conn.query(sql, values![a_day_before(now)])?;
    rows.iter().map(|row| Ok((BoxId::from_bytes(row.array(0)?), u64::try_from(row.int(1)?).unwrap_or(0)))).collect()
}

fn a_day_before(now: Stamp) -> i64 {
    now.0.saturating_sub(i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX))
}
