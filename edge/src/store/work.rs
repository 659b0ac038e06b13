//! Table `work` (native): what pupils keep. A row says whose, under which name; the bytes stand in a file of
//! [`super::work_files`]. What was replaced or taken away stays as *former* for a while, one of each name.
//!
//! Boxes of a school tell each other their rows. Of two that differ the one with more turns holds ([`Version`]); a row
//! whose bytes have not come yet is not `here`. What is no row any more stays for a while in [`gone`].

pub(crate) mod copies;
pub(crate) mod disk;
pub(crate) mod gone;
pub(crate) mod lines;
pub(crate) mod merge;
pub(crate) mod numbers;
#[cfg(test)]
mod tests;
pub(crate) mod wanted;

use preau_shared::{
    ids::{BoxId, PersonId, WorkId},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row, params};

use super::{all, change, journal::Book, one, work_files::Folder};

pub(super) const CREATE: &str = "
    CREATE TABLE work(person BLOB NOT NULL, file BLOB NOT NULL, name TEXT NOT NULL, media TEXT NOT NULL,
        size INTEGER NOT NULL, kept INTEGER NOT NULL, former INTEGER, missing INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY(person, file)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX work_now ON work(person, name) WHERE former IS NULL;
    CREATE UNIQUE INDEX work_before ON work(person, name) WHERE former IS NOT NULL;
    CREATE INDEX work_by_file ON work(file);
    CREATE INDEX work_by_age ON work(former) WHERE former IS NOT NULL;";

/// What boxes of a school need to tell each other.
pub(super) const EXCHANGED: &[&str] = &[ADD_TURNS, numbers::CREATE, gone::CREATE, copies::CREATE];

/// Two boxes may have given one name while they were apart, until both know.
const ADD_TURNS: &str = "
    DROP INDEX work_now;
    DROP INDEX work_before;
    CREATE INDEX work_now ON work(person, name) WHERE former IS NULL;
    CREATE INDEX work_before ON work(person, name) WHERE former IS NOT NULL;
    ALTER TABLE work ADD COLUMN sha256 BLOB;
    ALTER TABLE work ADD COLUMN here INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE work ADD COLUMN turn INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE work ADD COLUMN author BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
    ALTER TABLE work ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX work_by_number ON work(number);
    CREATE INDEX work_arriving ON work(file) WHERE here = 0 OR missing = 1;";

/// Columns of a [`Work`].
pub(super) const COLUMNS: &str = "file, name, media, size, kept, sha256, here AND NOT missing,
    EXISTS (SELECT 1 FROM work_copies WHERE work_copies.file = work.file)";
/// Which of her works she is shown: those that are here, and those that another box has.
const SHOWN: &str =
    "((here = 1 AND missing = 0) OR EXISTS (SELECT 1 FROM work_copies WHERE work_copies.file = work.file))";

/// A work as its owner finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) file: WorkId,
    pub(crate) name: String,
    /// Media type (RFC 9110), one of those that are kept.
    pub(crate) media: String,
    pub(crate) size_bytes: u64,
    pub(crate) kept: Stamp,
    /// Of its bytes; none yet for what was kept by a program that did not take it.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Its bytes are on this disk.
    pub(crate) here: bool,
    /// Another box of the school said that it has them on its own.
    pub(crate) copied: bool,
}

/// How far a row has come, and by whom: of two that differ the later one holds, at every box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) turn: u64,
    pub(crate) author: BoxId,
}

/// A new work of hers; nothing of that name may be there.
pub(crate) fn add(conn: &Connection, book: &Book, person: PersonId, work: &Work) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT INTO work(person, file, name, media, size, kept, sha256, here, author, number)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            &person.as_bytes()[..],
            &work.file.as_bytes()[..],
            work.name,
            work.media,
            i64::try_from(work.size_bytes).unwrap_or(i64::MAX),
            work.kept.0,
            work.sha256,
            work.here,
            &book.author.origin.box_id.as_bytes()[..],
            numbers::next(conn)?
        ],
    )?;
    Ok(())
}

/// Her works, the newest first. One whose bytes nobody has is not shown: it cannot be given.
pub(crate) fn of(conn: &Connection, person: PersonId) -> Result<Vec<Work>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM work WHERE person = ?1 AND former IS NULL AND {SHOWN} ORDER BY kept DESC, name, file"
    );
    all(conn, &sql, [&person.as_bytes()[..]], read)
}

/// Her work of this name.
pub(crate) fn find(conn: &Connection, person: PersonId, name: &str) -> Result<Option<Work>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM work WHERE person = ?1 AND name = ?2 AND former IS NULL AND {SHOWN}
         ORDER BY here DESC, file LIMIT 1"
    );
    one(conn, &sql, params![&person.as_bytes()[..], name], read)
}

/// Whether the name is in use, also by a work whose file is missing.
pub(crate) fn is_taken(conn: &Connection, person: PersonId, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM work WHERE person = ?1 AND name = ?2 AND former IS NULL";
    Ok(one(conn, sql, params![&person.as_bytes()[..], name], |_| Ok(()))?.is_some())
}

/// What stood last under this name before, as far as it is here.
pub(crate) fn find_former(conn: &Connection, person: PersonId, name: &str) -> Result<Option<Work>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM work WHERE person = ?1 AND name = ?2 AND former IS NOT NULL AND here = 1 AND missing = 0
         ORDER BY former DESC, file LIMIT 1"
    );
    one(conn, &sql, params![&person.as_bytes()[..], name], read)
}

/// Names under which something stood before, by name.
pub(crate) fn former_names(conn: &Connection, person: PersonId) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT name FROM work
               WHERE person = ?1 AND former IS NOT NULL AND here = 1 AND missing = 0 ORDER BY name";
    all(conn, sql, [&person.as_bytes()[..]], |row| row.get(0))
}

/// What she has of this name becomes the former one, and the one before that goes: its file is told. None when she has
/// nothing of this name.
pub(crate) fn retire(
    conn: &Connection,
    book: &Book,
    person: PersonId,
    name: &str,
) -> Result<Option<Vec<WorkId>>, StoreError> {
    if !is_taken(conn, person, name)? {
        return Ok(None);
    }
    let sql = "SELECT file FROM work WHERE person = ?1 AND name = ?2 AND former IS NOT NULL";
    let gone = all(conn, sql, params![&person.as_bytes()[..], name], file)?;
    for before in &gone {
        bury(conn, book, person, *before)?;
    }
    set_aside(conn, book, person, name)?;
    Ok(Some(gone))
}

/// The former one is hers again, and what stood there meanwhile becomes the former one. False when there is none.
pub(crate) fn restore(conn: &Connection, book: &Book, person: PersonId, name: &str) -> Result<bool, StoreError> {
    let Some(back) = find_former(conn, person, name)? else { return Ok(false) };
    set_aside(conn, book, person, name)?;
    set_former(conn, book, (person, back.file), None)?;
    Ok(true)
}

/// What she has of this name becomes former.
fn set_aside(conn: &Connection, book: &Book, person: PersonId, name: &str) -> Result<(), StoreError> {
    let sql = "SELECT file FROM work WHERE person = ?1 AND name = ?2 AND former IS NULL";
    for now in all(conn, sql, params![&person.as_bytes()[..], name], file)? {
        set_former(conn, book, (person, now), Some(book.now))?;
    }
    Ok(())
}

/// A row of hers is no more; the other boxes are to hear of it.
fn bury(conn: &Connection, book: &Book, person: PersonId, file: WorkId) -> Result<(), StoreError> {
    let sql = "DELETE FROM work WHERE person = ?1 AND file = ?2 RETURNING turn";
    let turns = all(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..]], |row| count(row, 0))?;
    for turn in turns {
        let version = Version { turn: turn.saturating_add(1), author: book.author.origin.box_id };
        gone::put(conn, (person, file), version, book.now)?;
    }
    Ok(())
}

/// A row stands aside, or stands again.
fn set_former(
    conn: &Connection,
    book: &Book,
    (person, file): (PersonId, WorkId),
    former: Option<Stamp>,
) -> Result<(), StoreError> {
    let sql = "UPDATE work SET former = ?3, turn = turn + 1, author = ?4, number = ?5 WHERE person = ?1 AND file = ?2";
    let (by, number) = (book.author.origin.box_id, numbers::next(conn)?);
    let former = former.map(|stamp| stamp.0);
    change(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..], former, &by.as_bytes()[..], number])?;
    Ok(())
}

/// Bytes of what she has now, and of all that is kept for her.
pub(crate) fn bytes_of(conn: &Connection, person: PersonId) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT coalesce(sum(size) FILTER (WHERE former IS NULL), 0), coalesce(sum(size), 0) FROM work
               WHERE person = ?1";
    Ok(one(conn, sql, [&person.as_bytes()[..]], |row| Ok((count(row, 0)?, count(row, 1)?)))?.unwrap_or_default())
}

/// Her oldest former work goes; none when there is none.
pub(crate) fn drop_oldest_former(
    conn: &Connection,
    book: &Book,
    person: PersonId,
) -> Result<Option<WorkId>, StoreError> {
    let sql = "SELECT file FROM work WHERE person = ?1 AND former IS NOT NULL ORDER BY former, file LIMIT 1";
    let oldest = one(conn, sql, [&person.as_bytes()[..]], file)?;
    oldest.map(|file| bury(conn, book, person, file).map(|()| file)).transpose()
}

/// Former works that were so before `before` go.
pub(crate) fn forget(conn: &Connection, book: &Book, before: Stamp) -> Result<(), StoreError> {
    let sql = "SELECT person, file FROM work WHERE former < ?1";
    let old =
        all(conn, sql, [before.0], |row| Ok((PersonId::from_bytes(row.get(0)?), WorkId::from_bytes(row.get(1)?))))?;
    old.into_iter().try_for_each(|(person, file)| bury(conn, book, person, file))
}

/// Nobody keeps anything; gives every file.
pub(crate) fn forget_all(conn: &Connection, book: &Book) -> Result<Vec<WorkId>, StoreError> {
    let files = all(conn, "SELECT DISTINCT file FROM work ORDER BY file", [], file)?;
    let rows = all(conn, "SELECT person, file FROM work", [], |row| {
        Ok((PersonId::from_bytes(row.get(0)?), WorkId::from_bytes(row.get(1)?)))
    })?;
    rows.into_iter().try_for_each(|(person, file)| bury(conn, book, person, file))?;
    Ok(files)
}

/// Nothing of hers is left: first the files that are nobody else's, then the rows, so that an erasure that is committed
/// has no file behind it.
pub(super) fn erase(conn: &Connection, person: PersonId) -> Result<(), StoreError> {
    let hers = &person.as_bytes()[..];
    let sql = "SELECT file FROM work WHERE person = ?1 AND file NOT IN (SELECT file FROM work WHERE person <> ?1)";
    let files = all(conn, sql, [hers], file)?;
    if let (false, Some(folder)) = (files.is_empty(), Folder::of(conn)) {
        folder.remove(&files).map_err(|e| StoreError::Commit(format!("a kept work cannot be erased: {e}")))?;
    }
    files.iter().try_for_each(|file| copies::forget(conn, *file))?;
    change(conn, "DELETE FROM work WHERE person = ?1", [hers])?;
    gone::erase(conn, person)
}

pub(super) fn file(row: &Row<'_>) -> rusqlite::Result<WorkId> {
    Ok(WorkId::from_bytes(row.get(0)?))
}

pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Work> {
    Ok(Work {
        file: WorkId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        media: row.get(2)?,
        size_bytes: count(row, 3)?,
        kept: Stamp(row.get(4)?),
        sha256: row.get(5)?,
        here: row.get(6)?,
        copied: row.get(7)?,
    })
}
