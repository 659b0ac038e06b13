//! Table `work` (native): what pupils keep. A row says whose, under which name; the bytes stand in a file of
//! [`super::work_files`]. What was replaced or taken away stays as *former* for a while, one of each name.

use preau_shared::{
    ids::{PersonId, WorkId},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row, params};

use super::{all, change, one, work_files::Folder};

pub(super) const CREATE: &str = "
    CREATE TABLE work(person BLOB NOT NULL, file BLOB NOT NULL, name TEXT NOT NULL, media TEXT NOT NULL,
        size INTEGER NOT NULL, kept INTEGER NOT NULL, former INTEGER, missing INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY(person, file)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX work_now ON work(person, name) WHERE former IS NULL;
    CREATE UNIQUE INDEX work_before ON work(person, name) WHERE former IS NOT NULL;
    CREATE INDEX work_by_file ON work(file);
    CREATE INDEX work_by_age ON work(former) WHERE former IS NOT NULL;";

const COLUMNS: &str = "file, name, media, size, kept";

/// A work as its owner finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) file: WorkId,
    pub(crate) name: String,
    /// Media type (RFC 9110), one of those that are kept.
    pub(crate) media: String,
    pub(crate) size_bytes: u64,
    pub(crate) kept: Stamp,
}

/// What stands on this disk, counted by file: a pair's work is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Works that somebody has now.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Bytes with former ones.
    pub(crate) all_bytes: u64,
    /// Rows whose file is not on the disk any more.
    pub(crate) missing: u64,
}

/// A new work of hers; nothing of that name may be there.
pub(crate) fn add(conn: &Connection, person: PersonId, work: &Work) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT INTO work(person, file, name, media, size, kept) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            &person.as_bytes()[..],
            &work.file.as_bytes()[..],
            work.name,
            work.media,
            i64::try_from(work.size_bytes).unwrap_or(i64::MAX),
            work.kept.0
        ],
    )?;
    Ok(())
}

/// Her works, the newest first. One whose file is missing is not shown: it cannot be given.
pub(crate) fn of(conn: &Connection, person: PersonId) -> Result<Vec<Work>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM work WHERE person = ?1 AND former IS NULL AND missing = 0 ORDER BY kept DESC, name"
    );
    all(conn, &sql, [&person.as_bytes()[..]], read)
}

/// Her work of this name.
pub(crate) fn find(conn: &Connection, person: PersonId, name: &str) -> Result<Option<Work>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM work WHERE person = ?1 AND name = ?2 AND former IS NULL AND missing = 0");
    one(conn, &sql, params![&person.as_bytes()[..], name], read)
}

/// Whether the name is in use, also by a work whose file is missing.
pub(crate) fn is_taken(conn: &Connection, person: PersonId, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM work WHERE person = ?1 AND name = ?2 AND former IS NULL";
    Ok(one(conn, sql, params![&person.as_bytes()[..], name], |_| Ok(()))?.is_some())
}

/// What stood under this name before.
pub(crate) fn find_former(conn: &Connection, person: PersonId, name: &str) -> Result<Option<Work>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM work WHERE person = ?1 AND name = ?2 AND former IS NOT NULL AND missing = 0");
    one(conn, &sql, params![&person.as_bytes()[..], name], read)
}

/// Names under which something stood before, by name.
pub(crate) fn former_names(conn: &Connection, person: PersonId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name FROM work WHERE person = ?1 AND former IS NOT NULL AND missing = 0 ORDER BY name";
    all(conn, sql, [&person.as_bytes()[..]], |row| row.get(0))
}

/// What she has of this name becomes the former one, and the one before that goes: its file is told. None when she has
/// nothing of this name.
pub(crate) fn retire(
    conn: &Connection,
    person: PersonId,
    name: &str,
    now: Stamp,
) -> Result<Option<Vec<WorkId>>, StoreError> {
    if !is_taken(conn, person, name)? {
        return Ok(None);
    }
    let person = &person.as_bytes()[..];
    let sql = "DELETE FROM work WHERE person = ?1 AND name = ?2 AND former IS NOT NULL RETURNING file";
    let gone = all(conn, sql, params![person, name], file)?;
    let sql = "UPDATE work SET former = ?3 WHERE person = ?1 AND name = ?2 AND former IS NULL";
    change(conn, sql, params![person, name, now.0])?;
    Ok(Some(gone))
}

/// The former one is hers again, and what stood there meanwhile becomes the former one. False when there is none.
pub(crate) fn restore(conn: &Connection, person: PersonId, name: &str, now: Stamp) -> Result<bool, StoreError> {
    let Some(back) = find_former(conn, person, name)? else { return Ok(false) };
    let hers = &person.as_bytes()[..];
    change(conn, "DELETE FROM work WHERE person = ?1 AND file = ?2", params![hers, &back.file.as_bytes()[..]])?;
    retire(conn, person, name, now)?;
    add(conn, person, &back)?;
    Ok(true)
}

/// Bytes of what she has now, and of all that is kept for her.
pub(crate) fn bytes_of(conn: &Connection, person: PersonId) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT coalesce(sum(size) FILTER (WHERE former IS NULL), 0), coalesce(sum(size), 0) FROM work
               WHERE person = ?1";
    Ok(one(conn, sql, [&person.as_bytes()[..]], |row| Ok((count(row, 0)?, count(row, 1)?)))?.unwrap_or_default())
}

/// Her oldest former work goes; none when there is none.
pub(crate) fn drop_oldest_former(conn: &Connection, person: PersonId) -> Result<Option<WorkId>, StoreError> {
    let sql = "DELETE FROM work WHERE person = ?1 AND file =
                   (SELECT file FROM work WHERE person = ?1 AND former IS NOT NULL ORDER BY former, file LIMIT 1)
               RETURNING file";
    Ok(all(conn, sql, [&person.as_bytes()[..]], file)?.pop())
}

/// Former works that were so before `before` go.
pub(crate) fn forget(conn: &Connection, before: Stamp) -> Result<usize, StoreError> {
    change(conn, "DELETE FROM work WHERE former < ?1", [before.0])
}

/// Nobody keeps anything; gives every file.
pub(crate) fn forget_all(conn: &Connection) -> Result<Vec<WorkId>, StoreError> {
    let files = all(conn, "SELECT DISTINCT file FROM work ORDER BY file", [], file)?;
    change(conn, "DELETE FROM work", [])?;
    Ok(files)
}

/// Whether any row still names this file.
pub(crate) fn is_named(conn: &Connection, file: WorkId) -> Result<bool, StoreError> {
    Ok(one(conn, "SELECT 1 FROM work WHERE file = ?1", [&file.as_bytes()[..]], |_| Ok(()))?.is_some())
}

/// Every file that a row names, with its size, and whether it was missing when last looked for.
pub(crate) fn files(conn: &Connection) -> Result<Vec<(WorkId, u64, bool)>, StoreError> {
    let sql = "SELECT file, max(size), max(missing) FROM work GROUP BY file ORDER BY file";
    all(conn, sql, [], |row| Ok((WorkId::from_bytes(row.get(0)?), count(row, 1)?, row.get(2)?)))
}

/// Whether the bytes of a file are on the disk.
pub(crate) fn set_missing(conn: &Connection, file: WorkId, missing: bool) -> Result<(), StoreError> {
    change(conn, "UPDATE work SET missing = ?2 WHERE file = ?1", params![&file.as_bytes()[..], missing])?;
    Ok(())
}

/// What stands on this disk and nowhere else.
pub(crate) fn standing(conn: &Connection) -> Result<Standing, StoreError> {
    let sql = "SELECT coalesce(sum(now), 0), coalesce(sum(size) FILTER (WHERE now), 0), coalesce(sum(size), 0),
                   coalesce(sum(missing), 0)
               FROM (SELECT max(size) size, max(former IS NULL AND NOT missing) now, max(missing) missing
                     FROM work GROUP BY file)";
    let counted = one(conn, sql, [], |row| {
        Ok(Standing {
            files: count(row, 0)?,
            bytes: count(row, 1)?,
            all_bytes: count(row, 2)?,
            missing: count(row, 3)?,
        })
    })?;
    Ok(counted.unwrap_or_default())
}

/// Nothing of hers is left: first the files that are nobody else's, then the rows, so that an erasure that is committed
/// has no file behind it.
pub(super) fn erase(conn: &Connection, person: PersonId) -> Result<(), StoreError> {
    let person = &person.as_bytes()[..];
    let sql = "SELECT file FROM work WHERE person = ?1 AND file NOT IN (SELECT file FROM work WHERE person <> ?1)";
    let files = all(conn, sql, [person], file)?;
    if let (false, Some(folder)) = (files.is_empty(), Folder::of(conn)) {
        folder.remove(&files).map_err(|e| StoreError::Commit(format!("a kept work cannot be erased: {e}")))?;
    }
    change(conn, "DELETE FROM work WHERE person = ?1", [person])?;
    Ok(())
}

fn file(row: &Row<'_>) -> rusqlite::Result<WorkId> {
    Ok(WorkId::from_bytes(row.get(0)?))
}

fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Work> {
    Ok(Work {
        file: WorkId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        media: row.get(2)?,
        size_bytes: count(row, 3)?,
        kept: Stamp(row.get(4)?),
    })
}
