//! Table `work` by file, not by person: which bytes stand on this disk, and which are to come. A pair's work is one file.

use preau_shared::{
    ids::{PersonId, WorkId},
    rig::writer::StoreError,
};
use rusqlite::{Connection, ToSql, params};

use super::{count, numbers};
use crate::store::{all, change, one};

/// What stands on this disk, counted by file: a pair's work is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Works that somebody has now, on this disk and on no other that is known.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Bytes on this disk, with former ones.
    pub(crate) all_bytes: u64,
    /// Rows whose file is not on the disk any more.
    pub(crate) missing: u64,
    /// Works whose bytes have not come yet.
    pub(crate) arriving: u64,
}

/// Whether any row still names this file.
pub(crate) fn is_named(conn: &Connection, file: WorkId) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT 1 FROM work WHERE file = ?1", [&file.as_bytes()[..]], |_| Ok(()))?.is_some())
}

/// Whether its bytes stand on this disk for somebody.
pub(crate) fn is_here(conn: &Connection, file: WorkId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM work WHERE file = ?1 AND here = 1 AND missing = 0";
    Ok(one(conn, sql, [&file.as_bytes()[..]], |_| Ok(()))?.is_some())
}

/// A file that rows name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) file: WorkId,
    pub(crate) size_bytes: u64,
    /// It came, or was kept here.
    pub(crate) here: bool,
    /// It came, and was not on the disk when last looked for.
    pub(crate) missing: bool,
    /// Its hash was taken.
    pub(crate) hashed: bool,
}

/// Every file that a row names, by name.
pub(crate) fn files(conn: &Connection) -> Result<Vec<Named>, StoreError> {
    let sql = "SELECT file, max(size), max(here), max(missing), min(sha256 IS NOT NULL) FROM work GROUP BY file
               ORDER BY file";
    all(conn, sql, [], |row| {
        let (here, missing, hashed) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Named { file: WorkId::from_bytes(row.get(0)?), size_bytes: count(row, 1)?, here, missing, hashed })
    })
}

/// Whether the bytes of a file are on the disk, as found by looking.
pub(crate) fn set_missing(conn: &Connection, file: WorkId, missing: bool) -> Result<(), StoreError> {
    say_again(conn, file, "missing = ?3", missing)
}

/// The hash of a file that was kept by a program that did not take it.
pub(crate) fn set_hash(conn: &Connection, file: WorkId, sha256: [u8; 32]) -> Result<(), StoreError> {
    say_again(conn, file, "sha256 = ?3", sha256)
}

/// The bytes of a file came.
pub(crate) fn came(conn: &Connection, file: WorkId) -> Result<(), StoreError> {
    say_again(conn, file, "here = ?3, missing = 0", true)
}

/// What another box wants to hear of a file, although nobody changed it: one number for each row.
fn say_again(conn: &Connection, file: WorkId, set: &'static str, value: impl ToSql) -> Result<(), StoreError> {
    let sql = format!("UPDATE work SET {set}, number = ?4 WHERE file = ?1 AND person = ?2");
    for person in people_of(conn, file)? {
        let number = numbers::next(conn)?;
        change(conn, &sql, params![&file.as_bytes()[..], &person.as_bytes()[..], value, number])?;
    }
    Ok(())
}

/// Whose a file is.
pub(crate) fn people_of(conn: &Connection, file: WorkId) -> Result<Vec<PersonId>, StoreError> {
    let sql = "SELECT person FROM work WHERE file = ?1 ORDER BY person";
    all(conn, sql, [&file.as_bytes()[..]], |row| Ok(PersonId::from_bytes(row.get(0)?)))
}

/// What stands on this disk.
pub(crate) fn standing(conn: &Connection) -> Result<Standing, StoreError> {
    let sql = "SELECT coalesce(sum(alone), 0), coalesce(sum(size) FILTER (WHERE alone), 0),
                   coalesce(sum(size) FILTER (WHERE here), 0), coalesce(sum(missing), 0), coalesce(sum(NOT here), 0)
               FROM (SELECT max(size) size, max(here) here, max(missing) missing,
                        max(former IS NULL AND here AND NOT missing)
                            AND NOT EXISTS (SELECT 1 FROM work_copies WHERE work_copies.file = work.file) alone
                     FROM work GROUP BY file)";
    let counted = one(conn, sql, [], |row| {
        Ok(Standing {
            files: count(row, 0)?,
            bytes: count(row, 1)?,
            all_bytes: count(row, 2)?,
            missing: count(row, 3)?,
            arriving: count(row, 4)?,
        })
    })?;
    Ok(counted.unwrap_or_default())
}
