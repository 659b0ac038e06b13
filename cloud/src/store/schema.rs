//! Numbered migrations, applied at start. Append only: a released number never changes its text.

use preau_shared::rig::{shelves, writer::StoreError};
use rusqlite::Connection;

use super::{boxes, claims, people, rosters, schools, sessions, voids};

/// Migration `n` (from 1) brings the file from version `n - 1` to `n`.
const MIGRATIONS: &[&[&str]] = &[&[
    shelves::MIGRATION,
    schools::CREATE,
    boxes::CREATE,
    claims::CREATE,
    people::CREATE,
    rosters::CREATE,
    sessions::CREATE,
    voids::CREATE,
]];

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
