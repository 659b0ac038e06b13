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
    &[roll::ADD, sessions::BY_TABLET],
    &[tablets::ADD_FILTER],
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
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    migrate_to(conn, known)
}

fn migrate_to(conn: &mut Connection, known: u32) -> Result<(), StoreError> {
    let found: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
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
    use preau_shared::{ids::TabletId, wire::TabletState};

    use super::*;

    #[test]
    fn who_sits_at_a_tablet_goes_on_sitting_there_after_an_update() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrate_to(&mut conn, 9).expect("the program before");
        conn.execute_batch(
            "INSERT INTO tablet_life(tablet, state, key, token, steps)
                 VALUES (zeroblob(16), 'in_use', zeroblob(32), x'01', ''), (x'01', 'free', zeroblob(32), x'02', '');
             INSERT INTO sessions(session, tablet, how, people, opened, taken, ended)
                 VALUES (x'11111111111111111111111111111111', zeroblob(16), 'guest', x'', 1, 1, 2),
                        (x'22222222222222222222222222222222', zeroblob(16), 'guest', x'', 3, 1, NULL);",
        )
        .expect("a guest went, and one sits there");
        migrate(&mut conn).expect("updated");
        let tablet = TabletId::from_bytes([0; 16]);
        let live = sessions::live_on(&conn, tablet).expect("read").map(|session| session.id);
        assert_eq!(live.map(|id| *id.as_bytes()), Some([0x22; 16]));
        assert_eq!(sessions::live(&conn).expect("read").len(), 1);
        assert_eq!(sessions::signed_in(&conn).expect("read"), 1);
        assert_eq!(tablet_life::find(&conn, tablet).expect("read").map(|life| life.state), Some(TabletState::InUse));
    }

    #[test]
    fn a_file_is_made_once_and_a_newer_one_is_left_alone() {
        let mut conn = Connection::open_in_memory().expect("memory");
        migrate(&mut conn).expect("made");
        migrate(&mut conn).expect("nothing to do");
        conn.pragma_update(None, "user_version", 99).expect("newer");
        assert!(matches!(migrate(&mut conn), Err(StoreError::Newer { found: 99, .. })));
    }
}
