//! Numbered migrations, applied at start. Append only: a released number never changes its text.

use preau_shared::rig::{shelves, sql::values, writer::StoreError};
use rusqlite::Connection;

use super::{
    Tx, boxes, carries, certificates, claims, code_imports, filter_names, leases, people, rosters, safe_codes, schools,
    seals, sessions, voids,
};

/// Names our lock among a server's advisory locks.
const SERVER_LOCK: i64 = 0x7072_6561_7500;

/// Migration `n` (from 1) brings the file from version `n - 1` to `n`.
const MIGRATIONS: &[&[&str]] = &[
    &[
        shelves::MIGRATION,
        schools::CREATE,
        boxes::CREATE,
        carries::CREATE,
        certificates::CREATE,
        claims::CREATE,
        leases::CREATE,
        people::CREATE,
        rosters::CREATE,
        seals::CREATE,
        sessions::CREATE,
        voids::CREATE,
    ],
    &[safe_codes::CREATE, code_imports::CREATE],
    &[filter_names::CREATE],
];

/// Brings the file to the newest version; each step is one transaction.
///
/// # Errors
/// [`StoreError::Newer`] when the file belongs to a newer program.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (number, step) in (1_u32..).zip(MIGRATIONS) {
        if number <= found {
            continue;
        }
        let transaction = connection.transaction()?;
        for sql in *step {
            transaction.execute_batch(sql)?;
        }
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The same in PostgreSQL, in the transaction that has begun; `translate` gives the tables their types.
///
/// # Errors
/// [`StoreError::Newer`] when the schema belongs to a newer program.
pub(super) fn migrate_server(conn: &Tx, translate: impl Fn(&str) -> String) -> Result<(), StoreError> {
    // Coordinators that start together: one makes the tables, the others find them.
    conn.query("SELECT pg_advisory_xact_lock(?1)", values![SERVER_LOCK])?;
    conn.batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")?;
    let found = conn.first("SELECT version FROM schema_version", values![])?;
    let found = found.map(|row| row.int(0)).transpose()?.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (_, step) in (1_u32..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        for sql in *step {
            conn.batch(&translate(sql))?;
        }
    }
    conn.execute("DELETE FROM schema_version", values![])?;
    conn.execute("INSERT INTO schema_version (version) VALUES (?1)", values![known])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_reaches_the_newest_version_and_a_newer_one_is_refused() {
        let mut connection = Connection::open_in_memory().expect("open");
        migrate(&mut connection).expect("first");
        migrate(&mut connection).expect("again");
        connection.pragma_update(None, "user_version", 999).expect("newer");
        assert!(matches!(migrate(&mut connection), Err(StoreError::Newer { found: 999, .. })));
    }
}
