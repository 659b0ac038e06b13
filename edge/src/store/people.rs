//! Table `people` (projected from `Person` and `Provisional` documents; kept as long as the document lives).

use preau_shared::{
    documents::{DocId, Kind, Person, Provisional},
    ids::PersonId,
    journal::Pseudonym,
    messages::Lang,
    rig::writer::StoreError,
    second_factor::{Factor, SecretHash},
    settings::{Settings, TextSize},
    time::Stamp,
    wire::{PersonView, Role},
};
use rusqlite::{Connection, Row, params};

use super::{all, change, one};

pub(super) const CREATE: &str = "CREATE TABLE people(
    person BLOB PRIMARY KEY, pseudonym BLOB NOT NULL, given_name TEXT NOT NULL, family_name TEXT NOT NULL,
    role TEXT NOT NULL, level TEXT NOT NULL, animal TEXT NOT NULL) STRICT, WITHOUT ROWID;";

pub(super) const ADD_SECRETS: &str =
    "ALTER TABLE people ADD COLUMN pictures BLOB; ALTER TABLE people ADD COLUMN digits BLOB;";

pub(super) const ADD_PROVISIONAL: &str = "
    ALTER TABLE people ADD COLUMN provisional INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE people ADD COLUMN expires INTEGER;";

pub(super) const ADD_SETTINGS: &str = "
    ALTER TABLE people ADD COLUMN lang TEXT; ALTER TABLE people ADD COLUMN text_size TEXT NOT NULL DEFAULT 'normal';
    ALTER TABLE people ADD COLUMN contrast INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE people ADD COLUMN still INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE people ADD COLUMN mute INTEGER NOT NULL DEFAULT 0;";

/// The columns of a [`Human`], for queries that join.
pub(super) const COLUMNS: &str =
    "p.person, p.pseudonym, p.given_name, p.role, p.level, p.animal, p.provisional, p.expires, p.lang, p.text_size,
     p.contrast, p.still, p.mute";

/// A person as sign-in and the class page need her; the family name stays in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Human {
    pub(crate) id: PersonId,
    pub(crate) pseudonym: [u8; 16],
    pub(crate) given_name: String,
    pub(crate) role: Role,
    pub(crate) level: String,
    pub(crate) animal: String,
    /// Made at a box, until a roster knows her.
    pub(crate) provisional: bool,
    /// Until when she may come; none for those who stay.
    pub(crate) expires: Option<Stamp>,
    /// What she chose for her screens.
    pub(crate) settings: Settings,
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
    /// Her document.
    pub(crate) fn doc(&self) -> DocId {
        if self.provisional { Provisional::doc(self.id) } else { Person::doc(self.id) }
    }
    /// Whether her time is over; nobody's is while the clock is not to be trusted.
    pub(crate) fn is_over(&self, now: Option<Stamp>) -> bool {
        self.expires.is_some_and(|end| end.has_passed(now))
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

/// Writes what the document of somebody provisional says; who is gone leaves. Nobody whom the roster knows is touched.
pub(crate) fn project_provisional(conn: &Connection, person: &Provisional, secrets: Secrets) -> Result<(), StoreError> {
    let id = &person.id.as_bytes()[..];
    if person.deleted {
        change(conn, "DELETE FROM people WHERE person = ?1 AND provisional = 1", [id])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT INTO people(person, pseudonym, given_name, family_name, role, level, animal, pictures, digits,
            provisional, expires)
         VALUES (?1, ?2, ?3, '', ?4, ?5, ?6, ?7, ?8, 1, ?9)
         ON CONFLICT(person) DO UPDATE SET pseudonym = ?2, given_name = ?3, role = ?4, level = ?5, animal = ?6,
            pictures = ?7, digits = ?8, expires = ?9 WHERE provisional = 1",
        params![
            id,
            &person.pseudonym[..],
            person.given_name,
            person.role.as_str(),
            person.level,
            person.animal,
            secrets.pictures.map(|hash| hash.0),
            secrets.digits.map(|hash| hash.0),
            person.expires.map(|stamp| stamp.0)
        ],
    )?;
    Ok(())
}

/// Writes what somebody chose for her screens, after her document made her row.
pub(crate) fn project_settings(conn: &Connection, doc: &DocId, settings: &Settings) -> Result<(), StoreError> {
    change(
        conn,
        "UPDATE people SET lang = ?3, text_size = ?4, contrast = ?5, still = ?6, mute = ?7
         WHERE person = ?1 AND provisional = ?2",
        params![
            &doc.id[..],
            doc.kind == Kind::Provisional,
            settings.lang.map(Lang::tag),
            settings.text.as_str(),
            settings.contrast,
            settings.still,
            settings.mute
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

/// Given and family name, for paper that is handed to her.
pub(crate) fn full_name(conn: &Connection, person: PersonId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT trim(given_name || ' ' || family_name) FROM people WHERE person = ?1";
    one(conn, sql, [&person.as_bytes()[..]], |row| row.get(0))
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
        provisional: row.get(6)?,
        expires: row.get::<_, Option<i64>>(7)?.map(Stamp),
        settings: Settings {
            lang: row.get::<_, Option<String>>(8)?.as_deref().and_then(Lang::from_tag),
            text: TextSize::from_word(&row.get::<_, String>(9)?).unwrap_or_default(),
            contrast: row.get(10)?,
            still: row.get(11)?,
            mute: row.get(12)?,
        },
    })
}

/// How many people wait for a roster.
pub(crate) fn provisional_count(conn: &Connection) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM people WHERE provisional = 1";
    Ok(one(conn, sql, [], |row| row.get(0))?.unwrap_or(0))
}

/// Everybody whom no roster names.
pub(crate) fn provisional(conn: &Connection) -> Result<Vec<Human>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.provisional = 1 ORDER BY p.person");
    all(conn, &sql, [], read)
}

/// Everybody else.
pub(crate) fn lasting(conn: &Connection) -> Result<Vec<Human>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM people p WHERE p.provisional = 0 ORDER BY p.person");
    all(conn, &sql, [], read)
}

/// Substitutes, by name.
pub(crate) fn substitutes(conn: &Connection) -> Result<Vec<Human>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM people p WHERE p.provisional = 1 AND p.role = 'teacher' ORDER BY p.given_name, p.person"
    );
    all(conn, &sql, [], read)
}

/// Those who stay until some time, and until when.
pub(crate) fn with_an_end(conn: &Connection) -> Result<Vec<(PersonId, Stamp)>, StoreError> {
    let sql = "SELECT person, expires FROM people WHERE provisional = 1 AND expires IS NOT NULL ORDER BY person";
    all(conn, sql, [], |row| Ok((PersonId::from_bytes(row.get(0)?), Stamp(row.get(1)?))))
}

/// How many people the box knows.
pub(crate) fn count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.prepare_cached("SELECT count(*) FROM people")?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
