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
    rig::writer::StoreError,
};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};

use super::{bytes16, optional, uai as read_uai};

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

fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Evidence> {
    Ok(Evidence { ine: row.get(from)?, born: row.get(from.saturating_add(1))?, name: row.get(from.saturating_add(2))? })
}

/// What a school's files proved of its people.
pub(crate) fn of_school(connection: &Connection, uai: &Uai) -> Result<BTreeMap<PersonId, Evidence>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT person, ine, born, name FROM evidence WHERE uai = ?1")?;
    let rows = statement
        .query_map([uai.as_str()], |row| Ok((PersonId::from_bytes(bytes16(row.get_ref(0)?)?), read(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// The person of a national number in another school than `uai`: the one whose evidence is oldest in id order, always
/// the same one.
pub(crate) fn elsewhere(connection: &Connection, ine: &str, uai: &Uai) -> Result<Option<(PersonId, Uai)>, StoreError> {
    let sql = "SELECT person, uai FROM evidence WHERE ine = ?1 AND uai <> ?2 ORDER BY person, uai LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    optional(statement.query_row([ine, uai.as_str()], |row| {
        Ok((PersonId::from_bytes(bytes16(row.get_ref(0)?)?), read_uai(row.get_ref(1)?)?))
    }))
}

/// Keeps what a file proves; returns what was known before.
pub(crate) fn keep(
    connection: &Connection,
    person: PersonId,
    uai: &Uai,
    evidence: &Evidence,
) -> Result<Option<Evidence>, StoreError> {
    let before = optional(
        connection
            .prepare_cached("SELECT ine, born, name FROM evidence WHERE person = ?1 AND uai = ?2")?
            .query_row((person.as_bytes(), uai.as_str()), |row| read(row, 0)),
    )?;
    // A file without the column says nothing against what an earlier one proved.
    connection
        .prepare_cached(
            "INSERT INTO evidence(person, uai, ine, born, name) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(person, uai) DO UPDATE SET ine = coalesce(excluded.ine, ine),
               born = coalesce(excluded.born, born), name = excluded.name",
        )?
        .execute((person.as_bytes(), uai.as_str(), &evidence.ine, &evidence.born, &evidence.name))?;
    Ok(before)
}

/// Puts back what was known before (nothing, when `before` is none).
pub(crate) fn restore(
    connection: &Connection,
    person: PersonId,
    uai: &Uai,
    before: Option<&Evidence>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM evidence WHERE person = ?1 AND uai = ?2")?
        .execute((person.as_bytes(), uai.as_str()))?;
    if let Some(evidence) = before {
        keep(connection, person, uai, evidence)?;
    }
    Ok(())
}
