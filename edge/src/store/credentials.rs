//! Table `credentials` (projected from `Credential` journal entries of the coordinator; each replaces the one before).

use preau_shared::{ids::PersonId, journal::CredentialKind, rig::writer::StoreError};
use rusqlite::{Connection, Row, params};

use super::{all, change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE credentials(person BLOB NOT NULL, kind TEXT NOT NULL, phc TEXT NOT NULL, login TEXT NOT NULL,
        PRIMARY KEY(person, kind)) STRICT, WITHOUT ROWID;
    CREATE INDEX credentials_by_login ON credentials(login);";

/// A secret that somebody knows, as its Argon2id hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) person: PersonId,
    pub(crate) kind: CredentialKind,
    /// PHC string.
    pub(crate) phc: String,
    /// The account's identifier, for accounts.
    pub(crate) login: String,
}

/// Replaces a credential; an empty hash takes it away.
pub(crate) fn replace(conn: &Connection, credential: &Credential) -> Result<(), StoreError> {
    let (person, kind) = (&credential.person.as_bytes()[..], word(credential.kind));
    if credential.phc.is_empty() {
        change(conn, "DELETE FROM credentials WHERE person = ?1 AND kind = ?2", params![person, kind])?;
        return Ok(());
    }
    change(
        conn,
        "INSERT OR REPLACE INTO credentials(person, kind, phc, login) VALUES (?1, ?2, ?3, ?4)",
        params![person, kind, credential.phc, credential.login],
    )?;
    Ok(())
}

/// An erased person leaves no secret.
pub(crate) fn forget(conn: &Connection, person: PersonId) -> Result<(), StoreError> {
    change(conn, "DELETE FROM credentials WHERE person = ?1", [&person.as_bytes()[..]])?;
    Ok(())
}

/// All that somebody knows.
pub(crate) fn of(conn: &Connection, person: PersonId) -> Result<Vec<Credential>, StoreError> {
    let sql = "SELECT person, kind, phc, login FROM credentials WHERE person = ?1 ORDER BY kind";
    let rows = all(conn, sql, [&person.as_bytes()[..]], read)?;
    Ok(rows.into_iter().flatten().collect())
}

/// The account of this identifier.
pub(crate) fn account(conn: &Connection, login: &str) -> Result<Option<Credential>, StoreError> {
    let sql = "SELECT person, kind, phc, login FROM credentials WHERE login = ?1 AND kind = 'account' LIMIT 1";
    Ok(one(conn, sql, [login], read)?.flatten())
}

fn word(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Pin => "pin",
        CredentialKind::Password => "password",
        CredentialKind::Pictures => "pictures",
        CredentialKind::Digits => "digits",
        CredentialKind::Account => "account",
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Option<Credential>> {
    use CredentialKind as Kind;
    let stored: String = row.get(1)?;
    let kind = [Kind::Pin, Kind::Password, Kind::Pictures, Kind::Digits, Kind::Account]
        .into_iter()
        .find(|kind| word(*kind) == stored);
    let (person, phc, login) = (PersonId::from_bytes(row.get(0)?), row.get(2)?, row.get(3)?);
    Ok(kind.map(|kind| Credential { person, kind, phc, login }))
}
