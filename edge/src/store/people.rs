//! Table `people` (projected from `Person` documents; kept as long as the document lives).

use preau_shared::{
    documents::person::Person,
    ids::PersonId,
    journal::Pseudonym,
    rig::writer::StoreError,
    second_factor::{Factor, SecretHash},
    wire::{PersonView, Role},
};
use rusqlite::{Connection, Row, params};

use super::{change, one};

pub(super) const CREATE: &str = "CREATE TABLE people(
    person BLOB PRIMARY KEY, pseudonym BLOB NOT NULL, given_name TEXT NOT NULL, family_name TEXT NOT NULL,
    role TEXT NOT NULL, level TEXT NOT NULL, animal TEXT NOT NULL) STRICT, WITHOUT ROWID;";

pub(super) const ADD_SECRETS: &str =
    "ALTER TABLE people ADD COLUMN pictures BLOB; ALTER TABLE people ADD COLUMN digits BLOB;";

/// The columns of a [`Human`], for queries that join.
pub(super) const COLUMNS: &str = "p.person, p.pseudonym, p.given_name, p.role, p.level, p.animal";

/// A person as sign-in and the class page need her; the family name stays in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Human {
    pub(crate) id: PersonId,
    pub(crate) pseudonym: [u8; 16],
    pub(crate) given_name: String,
    pub(crate) role: Role,
    pub(crate) level: String,
    pub(crate) animal: String,
}

/// The second factors that somebody chose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Secrets {
    pub(crate) pictures: Option<SecretHash>,
    pub(crate) digits: Option<SecretHash>,
}

impl Human {
    /// Whether she is a teacher or the head.
    pub(crate) fn is_staff(&self) -> bool {
        match self.role {
            Role::Pupil => false,
            Role::Teacher | Role::Head => true,
        }
    }
    /// What the journal calls her.
    pub(crate) fn in_journal(&self) -> Pseudonym {
        Pseudonym(self.pseudonym)
    }
    /// What the tablet shows of her.
    pub(crate) fn view(&self) -> PersonView {
        PersonView {
            person_id: self.id,
            given_name: self.given_name.clone(),
            animal: self.animal.clone(),
            level: self.level.clone(),
        }
    }
}

/// Writes what a document says; a deleted person leaves.
pub(crate) fn project(conn: &Connection, person: &Person, secrets: Secrets) -> Result<(), StoreError> {
    if person.deleted {
        change(conn, "DELETE FROM people WHERE person = ?1", [&person.id.as_bytes()[..]])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT OR REPLACE INTO people(person, pseudonym, given_name, family_name, role, level, animal, pictures, digits)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            &person.id.as_bytes()[..],
            &person.pseudonym[..],
            person.given_name,
            person.family_name,
            person.role.as_str(),
            person.level,
            person.animal,
            secrets.pictures.map(|hash| hash.0),
            secrets.digits.map(|hash| hash.0)
        ],
    )?;
    Ok(())
}

/// What somebody gives as her second factor of this sort, if she chose one.
pub(crate) fn secret(conn: &Connection, person: PersonId, factor: Factor) -> Result<Option<SecretHash>, StoreError> {
    let sql = match factor {
        Factor::Pictures => "SELECT pictures FROM people WHERE person = ?1",
        Factor::Digits => "SELECT digits FROM people WHERE person = ?1",
    };
    let hash = one(conn, sql, [&person.as_bytes()[..]], |row| row.get::<_, Option<[u8; 32]>>(0))?;
    Ok(hash.flatten().map(SecretHash))
}

/// One person.
pub(crate) fn find(conn: &Connection, person: PersonId) -> Result<Option<Human>, StoreError> {
    one(conn, &format!("SELECT {COLUMNS} FROM people p WHERE p.person = ?1"), [&person.as_bytes()[..]], read)
}

/// Reads [`COLUMNS`], from column 0 on.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Human> {
    Ok(Human {
        id: PersonId::from_bytes(row.get(0)?),
        pseudonym: row.get(1)?,
        given_name: row.get(2)?,
        // A role that a newer coordinator invents has no rights here.
        role: Role::from_word(&row.get::<_, String>(3)?).unwrap_or(Role::Pupil),
        level: row.get(4)?,
        animal: row.get(5)?,
    })
}

/// How many people the box knows.
pub(crate) fn count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.prepare_cached("SELECT count(*) FROM people")?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
