//! Numbered migrations, append-only, and the check at start. The file's version is SQLite's `user_version`.

use preau_shared::rig::{shelves, writer::StoreError};
use rusqlite::Connection;

use super::{
    agents, badges, catalogue, classes, credentials, enrolment_windows, factors, guest_hours, offers, people, policies,
    prints, quiet, roll, safe_codes, school, sessions, staff_secrets, staff_sessions, tablet_life, tablets, terms,
    training, unplugged, wipes, work,
};

/// Each entry makes version n + 1 from version n. Never edited once released, only added to.
const MIGRATIONS: &[&[&str]] = &[
    FIRST,
    &[
        factors::CREATE,
        guest_hours::CREATE,
        people::ADD_SECRETS,
        people::ADD_PROVISIONAL,
        people::ADD_SETTINGS,
        sessions::ADD_CHOICE,
        badges::ADD_SERIES,
        prints::CREATE,
    ],
    &[
        offers::CREATE,
        work::CREATE,
        sessions::ADD_CLASS,
        school::ADD_ONE_ACCOUNT,
        tablets::ADD_OWNER,
        unplugged::CREATE,
        tablet_life::ADD_CLASSES,
        staff_secrets::CREATE,
        school::ADD_FRAMES,
    ],
    work::EXCHANGED,
    &[safe_codes::CREATE],
    &[terms::CREATE, quiet::CREATE, agents::CREATE],
    &[school::ADD_TRAINING, training::CREATE],
    &[sessions::ADD_HOST],
    &[sessions::LEAN, offers::ALL_THAT_IS_SETTLED],
    &[roll::ADD],
];

const FIRST: &[&str] = &[
    shelves::MIGRATION,
    people::CREATE,
    classes::CREATE,
    badges::CREATE,
    tablets::CREATE,
    policies::CREATE,
    catalogue::CREATE,
    credentials::CREATE,
    school::CREATE,
    sessions::CREATE,
    wipes::CREATE,
    tablet_life::CREATE,
    staff_sessions::CREATE,
    enrolment_windows::CREATE,
];

/// Brings the file to this program's version.
///
/// # Errors
/// When the file belongs to a newer program, or SQLite refuses.
pub(crate) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for version in found..known {
        let step = usize::try_from(version).ok().and_then(|v| MIGRATIONS.get(v)).copied().unwrap_or_default();
        let transaction = conn.transaction()?;
        for sql in step {
            transaction.execute_batch(sql)?;
        }
        transaction.pragma_update(None, "user_version", version.saturating_add(1))?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_a_newer_one_is_left_alone() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrate(&mut conn).expect("made");
        migrate(&mut conn).expect("nothing to do");
        conn.pragma_update(None, "user_version", 99).expect("newer");
        assert!(matches!(migrate(&mut conn), Err(StoreError::Newer { found: 99, .. })));
    }
}
