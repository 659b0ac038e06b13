//! Table `carries` (native): people whose document changed on a shelf and stands on others too; the coordinator is about
//! to carry it there. Retention: until it is done, a moment.
//!
//! | column | meaning |
//! |---|---|
//! | `person` | 16 bytes |
//! | `shelf` | where the document changed |
//! | `toward` | where it stands too: the holder of that shelf carries |

use preau_shared::{
    documents::{DocId, Kind},
    ids::PersonId,
    replica::Shelf,
    rig::{sql::values, writer::StoreError},
};

use super::Tx;

pub(super) const CREATE: &str = "
CREATE TABLE carries(
  person BLOB NOT NULL,
  shelf  TEXT NOT NULL,
  toward TEXT NOT NULL,
  PRIMARY KEY(person, shelf, toward)
) STRICT, WITHOUT ROWID;
CREATE INDEX carries_toward ON carries(toward);
";

/// People carried to one shelf in one act.
const AT_ONCE: u32 = 100;

/// What is to be carried: whose document, from where, to where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carry {
    /// Who.
    pub(crate) person: PersonId,
    /// Where the document changed.
    pub(crate) from: Shelf,
    /// Where it stands too.
    pub(crate) to: Shelf,
}

/// A person's document changed on a shelf: the others on which it stands are to follow.
pub(crate) fn note(conn: &Tx, shelf: &Shelf, doc: &DocId) -> Result<(), StoreError> {
    if doc.kind != Kind::Person {
        return Ok(());
    }
    let others = conn.query(
        "SELECT DISTINCT shelf FROM replica_documents WHERE kind = ?1 AND id = ?2 AND state = 0 AND shelf <> ?3",
        values![doc.kind.code(), &doc.id, shelf.as_key()],
    )?;
    for other in &others {
        conn.execute(
            "INSERT INTO carries(person, shelf, toward) VALUES (?1, ?2, ?3)
             ON CONFLICT(person, shelf, toward) DO NOTHING",
            values![&doc.id, shelf.as_key(), other.text(0)?],
        )?;
    }
    Ok(())
}

/// Whether something is to be carried, by whomever.
pub(crate) fn any(conn: &Tx) -> Result<bool, StoreError> {
    Ok(conn.first("SELECT person FROM carries LIMIT 1", &[])?.is_some())
}

/// Takes what is to be carried off the list, as far as the shelves it goes to may be written here.
pub(crate) fn take(conn: &Tx) -> Result<Vec<Carry>, StoreError> {
    let shelf = |key: &str| Shelf::from_key(key).ok_or(StoreError::Unreadable("the name of a shelf"));
    let mut due = Vec::new();
    for toward in conn.query("SELECT DISTINCT toward FROM carries ORDER BY toward", &[])? {
        let toward = toward.text(0)?;
        if !conn.may_write(toward)? {
            continue;
        }
        let sql = "SELECT person, shelf FROM carries WHERE toward = ?1 ORDER BY person, shelf LIMIT ?2";
        for row in conn.query(sql, values![toward, AT_ONCE])? {
            let (person, from) = (row.array(0)?, row.text(1)?);
            let sql = "DELETE FROM carries WHERE person = ?1 AND shelf = ?2 AND toward = ?3";
            conn.execute(sql, values![&person, from, toward])?;
            due.push(Carry { person: PersonId::from_bytes(person), from: shelf(from)?, to: shelf(toward)? });
        }
    }
    Ok(due)
}
