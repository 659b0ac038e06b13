//! Table `headcount` (projected from `Person` documents): who is on which shelf with which role, without a name, so
//! that schools can be counted.
//!
//! | column | meaning |
//! |---|---|
//! | `uai`, `person_id` | the shelf and the person |
//! | `role` | `pupil`, `teacher`, `head` |
//! | `gone` | 1 when no longer of this school |

use preau_shared::{documents::Person, ids::Uai, rig::writer::StoreError, wire::Role};
use rusqlite::Connection;

pub(super) const CREATE: &str = "
CREATE TABLE headcount(
  uai       TEXT NOT NULL,
  person_id BLOB NOT NULL,
  role      TEXT NOT NULL,
  gone      INTEGER NOT NULL,
  PRIMARY KEY (uai, person_id)
) STRICT, WITHOUT ROWID;
";

/// People of a school, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Headcount {
    /// Pupils.
    pub(crate) pupils: u64,
    /// Teachers and heads.
    pub(crate) staff: u64,
}

/// Writes what the document says.
pub(crate) fn project(connection: &Connection, uai: &Uai, person: &Person) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO headcount(uai, person_id, role, gone) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(uai, person_id) DO UPDATE SET role = excluded.role, gone = excluded.gone",
        )?
        .execute((uai.as_str(), person.id.as_bytes(), person.role.as_str(), person.deleted))?;
    Ok(())
}

/// People of this school now.
pub(crate) fn of_school(connection: &Connection, uai: &Uai) -> Result<Headcount, StoreError> {
    let sql = "SELECT role, count(*) FROM headcount WHERE uai = ?1 AND gone = 0 GROUP BY role";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([uai.as_str()])?;
    let mut counted = Headcount::default();
    while let Some(row) = rows.next()? {
        let people = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        match Role::from_word(row.get_ref(0)?.as_str().unwrap_or_default()) {
            Some(Role::Pupil) => counted.pupils = counted.pupils.saturating_add(people),
            Some(Role::Teacher | Role::Head) => counted.staff = counted.staff.saturating_add(people),
            None => {}
        }
    }
    Ok(counted)
}
