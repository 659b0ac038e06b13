//! Table `safe_codes` (projected from `Person` documents of heads): the schools whose safe holds a code, and whether it was
//! used, so that the DSI is told to print another. Retention: with the person.
//!
//! | column | meaning |
//! |---|---|
//! | `uai` | the school |
//! | `person` | 16 bytes: the head |
//! | `used` | 1 when the code that was drawn last was used |

use std::collections::BTreeSet;

use preau_shared::{
    ids::{PersonId, Uai},
    rig::{sql::values, writer::StoreError},
};

use super::{Tx, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE safe_codes(
  uai    TEXT NOT NULL,
  person BLOB NOT NULL,
  used   INTEGER NOT NULL,
  PRIMARY KEY(uai, person)
) STRICT, WITHOUT ROWID;
";

/// Writes what a head's document says; none when she has no code, or is head no longer.
pub(crate) fn project(conn: &Tx, uai: &Uai, person: PersonId, used: Option<bool>) -> Result<(), StoreError> {
    match used {
        None => conn.execute(
            "DELETE FROM safe_codes WHERE uai = ?1 AND person = ?2",
            values![uai.as_str(), person.as_bytes()],
        )?,
        Some(used) => conn.execute(
            "INSERT INTO safe_codes(uai, person, used) VALUES (?1, ?2, ?3)
             ON CONFLICT(uai, person) DO UPDATE SET used = excluded.used",
            values![uai.as_str(), person.as_bytes(), i64::from(used)],
        )?,
    };
    Ok(())
}

/// The schools whose code was used, and no other was drawn since.
pub(crate) fn used(conn: &Tx) -> Result<BTreeSet<Uai>, StoreError> {
    let rows = conn.query("SELECT DISTINCT uai FROM safe_codes WHERE used = 1", values![])?;
    rows.iter().map(|row| read_uai(row, 0)).collect()
}
