//! Table `staff_secrets` (projected from `Person` documents): what a box settled of what a member of staff knows. Without
//! a row, what the coordinator gave holds ([`super::credentials`]).

use preau_shared::{
    documents::{
        DocId,
        staff::{Kept, Number, Standing},
    },
    ids::PersonId,
    journal::CredentialKind,
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, params};

use super::{
    all, change,
    credentials::{self, Credential},
    one,
    people::{self, Human},
    staff_sessions,
};

pub(super) const CREATE: &str = "CREATE TABLE staff_secrets(person BLOB PRIMARY KEY, waiting INTEGER NOT NULL,
    number BLOB NOT NULL, since INTEGER NOT NULL, phc TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// Writes what a document says. Whoever was reset, at this box or at a sister, leaves her page: by a head, who draws a code
/// under a new number, or by the code of the safe, with which a secret is chosen under one.
pub(crate) fn project(conn: &Connection, doc: &DocId, standing: &Standing) -> Result<(), StoreError> {
    let person = PersonId::from_bytes(doc.id);
    let (waiting, kept) = match standing {
        Standing::Given => {
            change(conn, "DELETE FROM staff_secrets WHERE person = ?1", [&doc.id[..]])?;
            return Ok(());
        }
        Standing::Waiting(code) => (true, code),
        Standing::Own(secret) => (false, secret),
    };
    let before = find(conn, person)?;
    let number = match &before {
        Some(Standing::Waiting(kept) | Standing::Own(kept)) => kept.number,
        Some(Standing::Given) | None => Number::default(),
    };
    if (waiting && before.as_ref() != Some(standing)) || number != kept.number {
        staff_sessions::end_all_of(conn, person)?;
    }
    change(
        conn,
        "INSERT OR REPLACE INTO staff_secrets(person, waiting, number, since, phc) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![&doc.id[..], waiting, kept.number.0, kept.since.0, kept.phc],
    )?;
    Ok(())
}

/// What was settled for her; nothing while what the coordinator gave holds.
pub(crate) fn find(conn: &Connection, person: PersonId) -> Result<Option<Standing>, StoreError> {
    let sql = "SELECT waiting, number, since, phc FROM staff_secrets WHERE person = ?1";
    one(conn, sql, [&person.as_bytes()[..]], |row| {
        let kept = Kept { number: Number(row.get(1)?), since: Stamp(row.get(2)?), phc: row.get(3)? };
        Ok(if row.get(0)? { Standing::Waiting(kept) } else { Standing::Own(kept) })
    })
}

/// The activation code that waits for her, if one does.
pub(crate) fn waiting(conn: &Connection, person: PersonId) -> Result<Option<Kept>, StoreError> {
    Ok(match find(conn, person)? {
        Some(Standing::Waiting(code)) => Some(code),
        Some(Standing::Own(_) | Standing::Given) | None => None,
    })
}

/// What opens for somebody now: of staff the secret that she chose, beside a badge and beside her account alike.
pub(crate) fn known(conn: &Connection, human: &Human) -> Result<Vec<Credential>, StoreError> {
    let standing = if human.is_staff() { find(conn, human.id)? } else { None };
    Ok(match standing {
        Some(Standing::Own(secret)) => [CredentialKind::Pin, CredentialKind::Account]
            .into_iter()
            .map(|kind| Credential { person: human.id, kind, phc: secret.phc.clone(), login: String::new() })
            .collect(),
        Some(Standing::Waiting(_)) => Vec::new(),
        Some(Standing::Given) | None => credentials::of(conn, human.id)?,
    })
}

/// The school's own staff, heads first, then by name.
pub(crate) fn staff(conn: &Connection) -> Result<Vec<(Human, Option<Standing>)>, StoreError> {
    let sql = format!(
        "SELECT {} FROM people p WHERE p.provisional = 0 AND p.role IN ('teacher', 'head')
         ORDER BY p.role = 'teacher', p.given_name, p.person",
        people::COLUMNS
    );
    let everybody = all(conn, &sql, [], people::read)?;
    everybody.into_iter().map(|human| Ok((find(conn, human.id)?, human))).map(|r| r.map(|(s, h)| (h, s))).collect()
}
