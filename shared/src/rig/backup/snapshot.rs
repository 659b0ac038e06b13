//! One consistent copy of a SQLite database that is in use.
//!
//! A read transaction holds one state of the database (WAL: the program goes on writing meanwhile), SQLite's backup
//! interface copies its pages in their places, so that an unchanged page stays an unchanged piece (`VACUUM INTO` would move
//! them all). The copy's file loses its name before the first byte is written to it: it has the protection of the folder,
//! and nothing of it is left when the machine dies.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _,
    backup::{Backup, StepResult},
};

use super::{BackupError, database, file};
use crate::ids::BoxId;

/// Somebody else's lock is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pages copied at once.
const PAGES_A_STEP: i32 = 1_024;
/// Where the header says how the file is written and read: 1 with a rollback journal, 2 with WAL
/// (<https://sqlite.org/fileformat2.html> §1.3.3). The copy is whole without a WAL; the program chooses again.
const FORMAT_AT: u64 = 18;
/// Ending of the copy's name, as long as it has one.
pub(super) const COPY: &str = "backup-copy";

/// A copy without a name.
#[derive(Debug)]
pub(super) struct Copy {
    /// Reads it.
    pub(super) file: File,
    /// Whether SQLite finds nothing wrong in it.
    pub(super) sound: bool,
    /// Whose shelves it holds.
    pub(super) owner: Option<BoxId>,
}

/// Copies the database at `path`.
///
/// # Errors
/// When it is no database, stays locked, or the folder has no room for the copy.
pub(super) fn copy(path: &Path) -> Result<Copy, BackupError> {
    let beside = path.with_extension(COPY);
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(BackupError::File(beside, e)),
        Ok(()) | Err(_) => {}
    }
    let new = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&beside);
    let copy = new.map_err(file(&beside))?;
    // Both are open before the name goes: afterwards nobody could open it.
    let open = |flags| Connection::open_with_flags(&beside, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let opened = open(OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|to| {
        let check = open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok((to, check))
    });
    fs::remove_file(&beside).map_err(file(&beside))?;
    let (mut to, check) = opened.map_err(database(path))?;
    pages(path, &mut to).map_err(database(path))?;
    drop(to);
    copy.write_all_at(&[1, 1], FORMAT_AT).map_err(file(path))?;
    let sound = is_sound(&check);
    let owner = if sound { owner(&check).map_err(database(path))? } else { None };
    Ok(Copy { file: copy, sound, owner })
}

fn pages(path: &Path, to: &mut Connection) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(path, flags)?;
    from.busy_timeout(PATIENCE)?;
    to.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;")?;
    let state = from.unchecked_transaction()?;
    // A transaction begins with its first read: from here on the state is held.
    state.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(&state, to)?;
    loop {
        match backup.step(PAGES_A_STEP)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            StepResult::Busy | StepResult::Locked | _ => {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    Some("the database stays locked: try again".into()),
                ));
            }
        }
    }
}

/// What SQLite's own check says.
pub(super) fn is_sound(conn: &Connection) -> bool {
    conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)).is_ok_and(|said| said == "ok")
}

/// Whose shelves a database holds, if it holds shelves.
pub(super) fn owner(conn: &Connection) -> rusqlite::Result<Option<BoxId>> {
    let holds = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'replica_self'";
    if conn.query_row(holds, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    let owner = conn.query_row("SELECT box FROM replica_self", [], |row| row.get::<_, [u8; 16]>(0)).optional()?;
    Ok(owner.map(BoxId::from_bytes))
}
