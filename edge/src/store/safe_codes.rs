//! Tables `safe_codes` and `safe_uses` (projected from `Person` documents of heads): the code in the school's safe, and the
//! uses of codes; and `safe_seen` (native): who of the staff was told of which use. Retention: with the person.

use preau_shared::{
    documents::{
        DocId, Fields,
        safe::{self, SafeCode},
        staff::{Kept, Number},
    },
    ids::PersonId,
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row, params};

use super::{
    all, change, one,
    people::{self, Human},
};

pub(super) const CREATE: &str = "
    CREATE TABLE safe_codes(person BLOB PRIMARY KEY, number BLOB NOT NULL, since INTEGER NOT NULL, phc TEXT NOT NULL,
        used INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE safe_uses(number BLOB PRIMARY KEY, person BLOB NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE safe_seen(number BLOB NOT NULL, person BLOB NOT NULL, PRIMARY KEY(number, person))
        STRICT, WITHOUT ROWID;";

/// A use of a safe's code, for those who are to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Use {
    /// Of which code.
    pub(crate) number: Number,
    /// Whose secret was replaced.
    pub(crate) given_name: String,
    /// When; zero where no clock was to be trusted.
    pub(crate) at: Stamp,
}

/// Writes what a document says; of somebody who left, nothing stays.
pub(crate) fn project(conn: &Connection, doc: &DocId, fields: Option<&Fields>) -> Result<(), StoreError> {
    change(conn, "DELETE FROM safe_codes WHERE person = ?1", [&doc.id[..]])?;
    change(conn, "DELETE FROM safe_uses WHERE person = ?1", [&doc.id[..]])?;
    let Some(fields) = fields else { return Ok(()) };
    if let Some(SafeCode { code, used }) = safe::safe_code(fields) {
        let sql = "INSERT INTO safe_codes(person, number, since, phc, used) VALUES (?1, ?2, ?3, ?4, ?5)";
        change(conn, sql, params![&doc.id[..], code.number.0, code.since.0, code.phc, used])?;
    }
    for (number, at) in safe::uses(fields) {
        let sql = "INSERT OR REPLACE INTO safe_uses(number, person, at) VALUES (?1, ?2, ?3)";
        change(conn, sql, params![number.0, &doc.id[..], at.0])?;
    }
    Ok(())
}

/// The heads of the school whose code was not used, and the code.
pub(crate) fn unused(conn: &Connection) -> Result<Vec<(Human, Kept)>, StoreError> {
    let sql = format!(
        "SELECT {}, s.number, s.since, s.phc FROM safe_codes s JOIN people p ON p.person = s.person
         WHERE s.used = 0 AND p.role = 'head' AND p.provisional = 0 ORDER BY p.person",
        people::COLUMNS
    );
    all(conn, &sql, [], |row| Ok((people::read(row)?, kept(row)?)))
}

/// Whether the code of this number still waits in the safe for her.
pub(crate) fn is_unused(conn: &Connection, person: PersonId, number: Number) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM safe_codes WHERE person = ?1 AND number = ?2 AND used = 0";
    Ok(one(conn, sql, params![&person.as_bytes()[..], number.0], |_| Ok(()))?.is_some())
}

/// The uses of late that somebody was not told of yet; those of when no clock was to be trusted are of late, too.
pub(crate) fn unseen(conn: &Connection, by: PersonId, since: Stamp) -> Result<Vec<Use>, StoreError> {
    let sql = "SELECT s.number, p.given_name, s.at FROM safe_uses s JOIN people p ON p.person = s.person
               WHERE (s.at >= ?2 OR s.at < ?3) AND NOT EXISTS
                   (SELECT 1 FROM safe_seen n WHERE n.number = s.number AND n.person = ?1)
               ORDER BY s.at, s.number";
    all(conn, sql, params![&by.as_bytes()[..], since.0, Stamp::PLAUSIBLE.0], |row| {
        Ok(Use { number: Number(row.get(0)?), given_name: row.get(1)?, at: Stamp(row.get(2)?) })
    })
}

/// She was told.
pub(crate) fn see(conn: &Connection, number: Number, by: PersonId) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO safe_seen(number, person) SELECT number, ?2 FROM safe_uses WHERE number = ?1";
    change(conn, sql, params![number.0, &by.as_bytes()[..]])?;
    Ok(())
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept { number: Number(row.get("number")?), since: Stamp(row.get("since")?), phc: row.get("phc")? })
}
