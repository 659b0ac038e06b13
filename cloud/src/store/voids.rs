//! Table `voids` (native): under which number of its shelf a badge was voided here, so that it can be told which boxes
//! hold it. Retention: with the badge.
//!
//! | column | meaning |
//! |---|---|
//! | `badge_id` | 16 bytes |
//! | `uai` | the shelf |
//! | `number` | the coordinator's number of the change |

use preau_shared::{
    ids::{BadgeId, Uai},
    rig::{sql::values, writer::StoreError},
};

use super::{Tx, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE voids(
  badge_id BLOB NOT NULL,
  uai      TEXT NOT NULL,
  number   INTEGER NOT NULL,
  PRIMARY KEY(badge_id, uai)
) STRICT, WITHOUT ROWID;
";

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
