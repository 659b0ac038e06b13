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
    rig::writer::StoreError,
};
use rusqlite::Connection;

use super::uai as read_uai;

pub(super) const CREATE: &str = "
CREATE TABLE voids(
  badge_id BLOB NOT NULL,
  uai      TEXT NOT NULL,
  number   INTEGER NOT NULL,
  PRIMARY KEY(badge_id, uai)
) STRICT, WITHOUT ROWID;
";

/// Notes a void.
pub(crate) fn note(connection: &Connection, badge: BadgeId, uai: &Uai, number: u64) -> Result<(), StoreError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    connection.prepare_cached("INSERT OR REPLACE INTO voids(badge_id, uai, number) VALUES (?1, ?2, ?3)")?.execute((
        badge.as_bytes(),
        uai.as_str(),
        number,
    ))?;
    Ok(())
}

/// The shelves on which a badge was voided here, with the number; boxes' own voids are not among them.
pub(crate) fn of_badge(connection: &Connection, badge: BadgeId) -> Result<Vec<(Uai, u64)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT uai, number FROM voids WHERE badge_id = ?1 ORDER BY uai")?;
    let rows = statement
        .query_map([badge.as_bytes()], |row| {
            Ok((read_uai(row.get_ref(0)?)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
