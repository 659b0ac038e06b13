//! Tables `terms` (projected from the school's `Terms` document) and `terms_read` (native, and from the entries of the
//! school's other boxes: who said that she understood which words; erased with her).

use preau_shared::{
    documents::Terms,
    journal::Pseudonym,
    rig::writer::StoreError,
    terms::{Audience, Charter, Version},
};
use rusqlite::{Connection, params};

use super::{all, change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE terms(audience TEXT PRIMARY KEY, version BLOB NOT NULL, text TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TABLE terms_read(person BLOB NOT NULL, version BLOB NOT NULL, PRIMARY KEY(person, version))
        STRICT, WITHOUT ROWID;";

/// Writes what the document says.
pub(crate) fn project(conn: &Connection, terms: &Terms) -> Result<(), StoreError> {
    change(conn, "DELETE FROM terms", [])?;
    for (audience, charter) in &terms.charters {
        let sql = "INSERT INTO terms(audience, version, text) VALUES (?1, ?2, ?3)";
        change(conn, sql, params![audience.as_str(), &charter.version().0[..], charter.text()])?;
    }
    Ok(())
}

/// The school's own charter for these, if it wrote one.
pub(crate) fn own(conn: &Connection, audience: Audience) -> Result<Option<Charter>, StoreError> {
    let sql = "SELECT text FROM terms WHERE audience = ?1";
    let text = one(conn, sql, [audience.as_str()], |row| row.get::<_, String>(0))?;
    Ok(text.and_then(|text| Charter::parse(text.as_bytes()).ok()))
}

/// The versions of the charters that the school wrote itself.
pub(crate) fn own_versions(conn: &Connection) -> Result<Vec<(Audience, Version)>, StoreError> {
    let rows = all(conn, "SELECT audience, version FROM terms", [], |row| {
        Ok((row.get::<_, String>(0)?, Version(row.get(1)?)))
    })?;
    Ok(rows.into_iter().filter_map(|(word, version)| Some((Audience::from_word(&word)?, version))).collect())
}

/// Somebody understood these words; false when that is no news.
pub(crate) fn read(conn: &Connection, person: Pseudonym, version: Version) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO terms_read(person, version) VALUES (?1, ?2)";
    Ok(change(conn, sql, params![&person.0[..], &version.0[..]])? > 0)
}

/// Whether somebody understood these words; none when she never understood any.
pub(crate) fn has_read(conn: &Connection, person: Pseudonym, version: Version) -> Result<Option<bool>, StoreError> {
    let sql = "SELECT max(version = ?2) FROM terms_read WHERE person = ?1";
    let read = one(conn, sql, params![&person.0[..], &version.0[..]], |row| row.get::<_, Option<bool>>(0))?;
    Ok(read.flatten())
}

/// Nothing is left of what an erased person read.
pub(crate) fn forget(conn: &Connection, person: [u8; 16]) -> Result<(), StoreError> {
    change(conn, "DELETE FROM terms_read WHERE person = ?1", [&person[..]])?;
    Ok(())
}

/// Nobody has read anything yet.
pub(crate) fn forget_all(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "DELETE FROM terms_read", [])?;
    Ok(())
}
