//! Tables `classes` and `class_members` (projected from `Class` documents). Joined here with `people` and `sessions`.

use preau_shared::{
    documents::class::Class,
    ids::{ClassId, PersonId},
    rig::writer::StoreError,
};
use rusqlite::{Connection, Row, params};

use super::{
    all, change, one,
    people::{self, Human},
};

pub(super) const CREATE: &str = "
    CREATE TABLE classes(class BLOB PRIMARY KEY, name TEXT NOT NULL, level TEXT NOT NULL, school_year TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE TABLE class_members(class BLOB NOT NULL, person BLOB NOT NULL, teaches INTEGER NOT NULL,
        PRIMARY KEY(class, person, teaches)) STRICT, WITHOUT ROWID;
    CREATE INDEX class_members_by_person ON class_members(person, teaches, class);";

/// A class without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassRow {
    pub(crate) id: ClassId,
    pub(crate) name: String,
    /// Several in a mixed class, with spaces between.
    pub(crate) level: String,
}

impl ClassRow {
    /// Its levels; the empty one where none is known.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &str> {
        let unknown = self.level.trim().is_empty().then_some("");
        self.level.split_whitespace().chain(unknown)
    }
}

/// Writes what a document says; a deleted class leaves.
pub(crate) fn project(conn: &Connection, class: &Class) -> Result<(), StoreError> {
    let id = &class.id.as_bytes()[..];
    change(conn, "DELETE FROM class_members WHERE class = ?1", [id])?;
    if class.deleted {
        change(conn, "DELETE FROM classes WHERE class = ?1", [id])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT OR REPLACE INTO classes(class, name, level, school_year) VALUES (?1, ?2, ?3, ?4)",
        params![id, class.name, class.level, class.school_year],
    )?;
    for (people, teaches) in [(&class.members, 0), (&class.teachers, 1)] {
        for person in people {
            change(
                conn,
                "INSERT OR IGNORE INTO class_members(class, person, teaches) VALUES (?1, ?2, ?3)",
                params![id, &person.as_bytes()[..], teaches],
            )?;
        }
    }
    Ok(())
}

/// One class.
pub(crate) fn find(conn: &Connection, class: ClassId) -> Result<Option<ClassRow>, StoreError> {
    one(conn, "SELECT class, name, level FROM classes WHERE class = ?1", [&class.as_bytes()[..]], read)
}

/// Every class, by name.
pub(crate) fn every(conn: &Connection) -> Result<Vec<ClassRow>, StoreError> {
    all(conn, "SELECT class, name, level FROM classes ORDER BY name, class", [], read)
}

/// The classes that somebody teaches, by name.
pub(crate) fn taught_by(conn: &Connection, teacher: PersonId) -> Result<Vec<ClassRow>, StoreError> {
    all(
        conn,
        "SELECT c.class, c.name, c.level FROM classes c JOIN class_members m ON m.class = c.class
         WHERE m.person = ?1 AND m.teaches = 1 ORDER BY c.name, c.class",
        [&teacher.as_bytes()[..]],
        read,
    )
}

/// Who teaches a class, by given name.
pub(crate) fn teachers(conn: &Connection, class: ClassId) -> Result<Vec<Human>, StoreError> {
    members(conn, class, true)
}

/// The classes that somebody is a pupil of.
pub(crate) fn of_pupil(conn: &Connection, pupil: PersonId) -> Result<Vec<ClassId>, StoreError> {
    all(
        conn,
        "SELECT class FROM class_members WHERE person = ?1 AND teaches = 0 ORDER BY class",
        [&pupil.as_bytes()[..]],
        |row| Ok(ClassId::from_bytes(row.get(0)?)),
    )
}

/// The pupils of a class, by given name.
pub(crate) fn pupils(conn: &Connection, class: ClassId) -> Result<Vec<Human>, StoreError> {
    members(conn, class, false)
}

fn members(conn: &Connection, class: ClassId, teach: bool) -> Result<Vec<Human>, StoreError> {
    let sql = format!(
        "SELECT {} FROM class_members m JOIN people p ON p.person = m.person
         WHERE m.class = ?1 AND m.teaches = ?2 ORDER BY p.given_name, p.person",
        people::COLUMNS
    );
    all(conn, &sql, params![&class.as_bytes()[..], teach], people::read)
}

/// How many pupils a class has, and how many of them sit at a tablet.
pub(crate) fn counts(conn: &Connection, class: ClassId) -> Result<(u32, u32), StoreError> {
    let counts = one(
        conn,
        "SELECT count(*), count(s.person) FROM class_members m
         JOIN people p ON p.person = m.person
         LEFT JOIN (SELECT DISTINCT person FROM session_people) s ON s.person = m.person
         WHERE m.class = ?1 AND m.teaches = 0",
        [&class.as_bytes()[..]],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(counts.unwrap_or_default())
}

/// Whether somebody is a pupil of a class.
pub(crate) fn has_pupil(conn: &Connection, class: ClassId, pupil: PersonId) -> Result<bool, StoreError> {
    let found = one(
        conn,
        "SELECT 1 FROM class_members m JOIN people p ON p.person = m.person
         WHERE m.class = ?1 AND m.person = ?2 AND m.teaches = 0",
        params![&class.as_bytes()[..], &pupil.as_bytes()[..]],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

fn read(row: &Row<'_>) -> rusqlite::Result<ClassRow> {
    Ok(ClassRow { id: ClassId::from_bytes(row.get(0)?), name: row.get(1)?, level: row.get(2)? })
}
