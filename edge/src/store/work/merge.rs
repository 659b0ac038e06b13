//! What another box says of a work, taken beside what is known here, so that all boxes come to say the same in whatever
//! order they hear of it.
//!
//! Of two versions of a row the one with more turns holds. With as many turns, what she has goes before what she can have
//! back, and that before what is gone: of a doubt nothing is lost. Two works that were given one name apart both stay; the
//! one with the higher number of its bytes gets a number, which is a change like any other.

use preau_shared::{
    documents::{Person, Provisional},
    ids::{BoxId, PersonId, WorkId},
    rig::{shelves, writer::StoreError},
    wire::locker::{About, Line, State},
};
use rusqlite::{Connection, params};

use super::{Version, copies, count, file, gone, numbers};
use crate::store::{Trouble, all, change, journal::Book, one};

/// Rows of works that a box keeps: far beyond what a school has, whoever tells of more is not believed.
const MAX_ROWS: u64 = 500_000;
/// Names that are tried for a work: `fleur (2).png` and so on.
const MAX_TRIES: usize = 1_000;
/// Works renamed in one act.
const MAX_RENAMED: usize = 500;

/// What makes one of two versions the later one.
type Rank<'a> = (u64, u8, BoxId, &'a str);

/// A row as it is known here.
struct Known {
    version: Version,
    name: String,
    is_former: bool,
    size_bytes: u64,
    sha256: Option<[u8; 32]>,
}

/// Takes lines of a page; files that lost a row are told.
///
/// # Errors
/// When the store fails, or holds more than anybody keeps.
pub(crate) fn take(conn: &Connection, book: &Book, from: (BoxId, i64), lines: &[Line]) -> Result<Vec<WorkId>, Trouble> {
    if one(conn, "SELECT count(*) FROM work", [], |row| count(row, 0))?.unwrap_or_default() > MAX_ROWS {
        return Err(StoreError::Commit(format!("more than {MAX_ROWS} kept works")).into());
    }
    let mut left = Vec::new();
    for line in lines {
        if !is_erased(conn, book, line.person)? && take_one(conn, book, from, line)? {
            left.push(line.file);
        }
    }
    Ok(left)
}

/// Nothing of somebody erased comes back.
fn is_erased(conn: &Connection, book: &Book, person: PersonId) -> Result<bool, Trouble> {
    Ok(shelves::is_erased(conn, &book.shelf, &Person::doc(person))?
        || shelves::is_erased(conn, &book.shelf, &Provisional::doc(person))?)
}

/// Whether the file lost a row.
fn take_one(conn: &Connection, book: &Book, from: (BoxId, i64), line: &Line) -> Result<bool, StoreError> {
    let known = known(conn, line.person, line.file)?;
    if let (Some(known), Some(about)) = (&known, line.state.about())
        && (known.size_bytes != about.size_bytes || known.sha256.is_some_and(|hash| hash != about.sha256))
    {
        tracing::warn!(file = %line.file, "another box has other bytes under this name");
        return Ok(false);
    }
    // Of what is gone for her nothing follows for a pair's other one.
    if let Some(about) = line.state.about() {
        copies::told(conn, from, line.file, about.here)?;
    }
    let buried = gone::find(conn, line.person, line.file)?;
    let here = match (&known, buried) {
        (Some(known), _) => Some(rank_of(known)),
        (None, Some(version)) => Some((version.turn, 0, version.author, "")),
        (None, None) => None,
    };
    if here.is_some_and(|here| here >= rank(line)) {
        return Ok(false);
    }
    match &line.state {
        State::Gone => {
            let (person, file) = (&line.person.as_bytes()[..], &line.file.as_bytes()[..]);
            change(conn, "DELETE FROM work WHERE person = ?1 AND file = ?2", params![person, file])?;
            let version = Version { turn: line.turn, author: line.author };
            gone::put(conn, (line.person, line.file), version, book.now)?;
            Ok(known.is_some())
        }
        State::Former(about, for_ms) => stand(conn, book, line, (about, Some(*for_ms))).map(|()| false),
        State::Now(about) => stand(conn, book, line, (about, None)).map(|()| false),
    }
}

fn known(conn: &Connection, person: PersonId, file: WorkId) -> Result<Option<Known>, StoreError> {
    let sql = "SELECT turn, author, name, former IS NOT NULL, size, sha256 FROM work WHERE person = ?1 AND file = ?2";
    one(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..]], |row| {
        Ok(Known {
            version: Version { turn: count(row, 0)?, author: BoxId::from_bytes(row.get(1)?) },
            name: row.get(2)?,
            is_former: row.get(3)?,
            size_bytes: count(row, 4)?,
            sha256: row.get(5)?,
        })
    })
}

fn rank_of(known: &Known) -> Rank<'_> {
    let Version { turn, author } = known.version;
    (turn, if known.is_former { 1 } else { 2 }, author, &known.name)
}

fn rank(line: &Line) -> Rank<'_> {
    let (stands, name) = match &line.state {
        State::Gone => (0, ""),
        State::Former(about, _) => (1, about.name.as_str()),
        State::Now(about) => (2, about.name.as_str()),
    };
    (line.turn, stands, line.author, name)
}

/// The row stands as the line says. Its bytes are here when those of another row of the same file are.
fn stand(
    conn: &Connection,
    book: &Book,
    line: &Line,
    (about, former_ms): (&About, Option<u64>),
) -> Result<(), StoreError> {
    gone::revive(conn, line.person, line.file)?;
    let ago = |ms: u64| book.now.0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX));
    change(
        conn,
        "INSERT INTO work(person, file, name, media, size, sha256, kept, former, turn, author, number, here, missing)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
             coalesce((SELECT max(here) FROM work WHERE file = ?2), 0),
             coalesce((SELECT max(missing) FROM work WHERE file = ?2), 0))
         ON CONFLICT(person, file) DO UPDATE SET name = ?3, former = ?8, turn = ?9, author = ?10, number = ?11",
        params![
            &line.person.as_bytes()[..],
            &line.file.as_bytes()[..],
            about.name,
            about.media,
            i64::try_from(about.size_bytes).unwrap_or(i64::MAX),
            about.sha256,
            ago(about.age_ms),
            former_ms.map(ago),
            i64::try_from(line.turn).unwrap_or(i64::MAX),
            &line.author.as_bytes()[..],
            numbers::next(conn)?
        ],
    )?;
    Ok(())
}

/// No two works of a person have one name: what was given it apart gets a number. Called when another box has told all that
/// it knows, for before that a work may seem to stand which it has replaced.
///
/// # Errors
/// When the store fails.
pub(crate) fn tell_apart(
    conn: &Connection,
    book: &Book,
    numbered: impl Fn(&str, usize) -> String,
) -> Result<(), StoreError> {
    let sql = "SELECT max(file), name FROM work WHERE former IS NULL GROUP BY person, name HAVING count(*) > 1 LIMIT 1";
    for _ in 0..MAX_RENAMED {
        let Some((file, name)) = one(conn, sql, [], |row| Ok((file(row)?, row.get::<_, String>(1)?)))? else { break };
        let sql = "SELECT person FROM work WHERE file = ?1 AND name = ?2 AND former IS NULL";
        let whose = all(conn, sql, params![&file.as_bytes()[..], name], |row| Ok(PersonId::from_bytes(row.get(0)?)))?;
        let mut free = None;
        for number in 2..MAX_TRIES {
            let tried = numbered(&name, number);
            let mut taken = false;
            for person in &whose {
                taken |= super::is_taken(conn, *person, &tried)?;
            }
            if !taken {
                free = Some(tried);
                break;
            }
        }
        let Some(free) = free else { break };
        for person in whose {
            rename(conn, book, (person, file), &free)?;
        }
    }
    Ok(())
}

fn rename(conn: &Connection, book: &Book, (person, file): (PersonId, WorkId), name: &str) -> Result<(), StoreError> {
    let sql = "UPDATE work SET name = ?3, turn = turn + 1, author = ?4, number = ?5 WHERE person = ?1 AND file = ?2";
    let (by, number) = (book.author.origin.box_id, numbers::next(conn)?);
    change(conn, sql, params![&person.as_bytes()[..], &file.as_bytes()[..], name, &by.as_bytes()[..], number])?;
    Ok(())
}
