//! Table `evidence` (native, coordinator only): what proves who a pupil is, as keyed hashes; never on a shelf.
//! Retention: as long as the person stands on the school's shelf.
//!
//! | column | meaning |
//! |---|---|
//! | `person` | 16 bytes |
//! | `uai` | the school whose file said it |
//! | `ine` | keyed hash of the national number, 32 hexadecimal digits, or null |
//! | `born` | … of full name and birth date, or null |
//! | `name` | … of the full name |

use std::collections::BTreeMap;

use preau_shared::{
    ids::{PersonId, Uai},
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
};
use serde::{Deserialize, Serialize};

use super::{Tx, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE evidence(
  person BLOB NOT NULL,
  uai    TEXT NOT NULL,
  ine    TEXT,
  born   TEXT,
  name   TEXT NOT NULL,
  PRIMARY KEY(person, uai)
) STRICT, WITHOUT ROWID;
CREATE INDEX evidence_by_ine ON evidence(ine) WHERE ine IS NOT NULL;
CREATE INDEX evidence_by_school ON evidence(uai);
";

/// What is known of a child besides what a shelf shows: keyed hashes, 32 hexadecimal digits each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// Of the national number; often absent in September.
    pub(crate) ine: Option<String>,
    /// Of family name, given name and birth date.
    pub(crate) born: Option<String>,
    /// Of family name and given name.
    pub(crate) name: String,
}

fn read(row: &Row, from: usize) -> Result<Evidence, StoreError> {
    Ok(Evidence {
        ine: row.opt_text(from)?.map(str::to_owned),
        born: row.opt_text(from.saturating_add(1))?.map(str::to_owned),
        name: row.text(from.saturating_add(2))?.to_owned(),
    })
}

/// What a school's files proved of its people.
pub(crate) fn of_school(conn: &Tx, uai: &Uai) -> Result<BTreeMap<PersonId, Evidence>, StoreError> {
    let rows = conn.query("SELECT person, ine, born, name FROM evidence WHERE uai = ?1", values![uai.as_str()])?;
    rows.iter().map(|row| Ok((PersonId::from_bytes(row.array(0)?), read(row, 1)?))).collect()
}

/// The person of a national number in another school than `uai`: the one whose evidence is oldest in id order, always
/// the same one.
pub(crate) fn elsewhere(conn: &Tx, ine: &str, uai: &Uai) -> Result<Option<(PersonId, Uai)>, StoreError> {
    let sql = "SELECT person, uai FROM evidence WHERE ine = ?1 AND uai <> ?2 ORDER BY person, uai LIMIT 1";
    let row = conn.first(sql, values![ine, uai.as_str()])?;
    row.map(|row| Ok((PersonId::from_bytes(row.array(0)?), read_uai(&row, 1)?))).transpose()
}

/// Keeps what a file proves; returns what was known before.
pub(crate) fn keep(
    conn: &Tx,
    person: PersonId,
    uai: &Uai,
    evidence: &Evidence,
) -> Result<Option<Evidence>, StoreError> {
    let sql = "SELECT ine, born, name FROM evidence WHERE person = ?1 AND uai = ?2";
    let before = conn.first(sql, values![person.as_bytes(), uai.as_str()])?;
    // A file without the column says nothing against what an earlier one proved.
    conn.execute(
        "INSERT INTO evidence(person, uai, ine, born, name) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(person, uai) DO UPDATE SET ine = coalesce(excluded.ine, evidence.ine),
           born = coalesce(excluded.born, evidence.born), name = excluded.name",
        values![person.as_bytes(), uai.as_str(), evidence.ine.as_deref(), evidence.born.as_deref(), &evidence.name],
    )?;
    before.map(|row| read(&row, 0)).transpose()
}

/// Puts back what was known before (nothing, when `before` is none).
pub(crate) fn restore(conn: &Tx, person: PersonId, uai: &Uai, before: Option<&Evidence>) -> Result<(), StoreError> {
    let sql = "DELETE FROM evidence WHERE person = ?1 AND uai = ?2";
    conn.execute(sql, values![person.as_bytes(), uai.as_str()])?;
    if let Some(evidence) = before {
        keep(conn, person, uai, evidence)?;
    }
    Ok(())
}

/// Nothing is known of an erased person any more.
pub(crate) fn forget(conn: &Tx, person: PersonId, uai: &Uai) -> Result<(), StoreError> {
    let sql = "DELETE FROM evidence WHERE person = ?1 AND uai = ?2";
    conn.execute(sql, values![person.as_bytes(), uai.as_str()])?;
    Ok(())
}
