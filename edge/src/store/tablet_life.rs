//! Table `tablet_life` (native): where each tablet stands at this box, its key and its token. Kept while enrolled here.

use preau_shared::{
    ids::{ClassId, SessionId, TabletId, WipeId},
    keys::{dpop::Thumbprint, same_secret},
    rig::writer::StoreError,
    wire::TabletState,
};
use rusqlite::{Connection, Row, params};

use super::{change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE tablet_life(tablet BLOB PRIMARY KEY, state TEXT NOT NULL, key BLOB NOT NULL, token BLOB NOT NULL,
        wipe BLOB, steps TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX tablet_life_by_token ON tablet_life(token);
    CREATE INDEX tablet_life_by_key ON tablet_life(key);";

/// The classes of whoever sat there last, their identifiers one behind the other.
pub(super) const ADD_CLASSES: &str = "ALTER TABLE tablet_life ADD COLUMN classes BLOB NOT NULL DEFAULT x'';";
/// Classes that are remembered of somebody.
const MAX_CLASSES: usize = 4;

/// A tablet enrolled at this box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) tablet: TabletId,
    pub(crate) state: TabletState,
    pub(crate) key: Thumbprint,
    /// The wipe it owes while it is `wiping`; drawn late when nobody ordered one.
    pub(crate) wipe: Option<WipeId>,
    /// What its capabilities require of each wipe.
    pub(crate) steps: Vec<String>,
}

/// Keeps what enrolment settles. A new token ends the old one.
pub(crate) fn enrol(conn: &Connection, life: &Life, token: &[u8; 32]) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT INTO tablet_life(tablet, state, key, token, wipe, steps) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(tablet) DO UPDATE SET state = ?2, key = ?3, token = ?4, wipe = ?5, steps = ?6",
        params![
            &life.tablet.as_bytes()[..],
            life.state.as_str(),
            &life.key.0[..],
            &token[..],
            life.wipe.map(|w| *w.as_bytes()),
            life.steps.join(" ")
        ],
    )?;
    Ok(())
}

/// Moves a tablet.
pub(crate) fn set(
    conn: &Connection,
    tablet: TabletId,
    state: TabletState,
    wipe: Option<WipeId>,
) -> Result<(), StoreError> {
    change(
        conn,
        "UPDATE tablet_life SET state = ?2, wipe = ?3 WHERE tablet = ?1",
        params![&tablet.as_bytes()[..], state.as_str(), wipe.map(|w| *w.as_bytes())],
    )?;
    Ok(())
}

/// A session takes a tablet.
pub(crate) fn take(conn: &Connection, tablet: TabletId, by: SessionId, state: TabletState) -> Result<(), StoreError> {
    change(
        conn,
        "UPDATE tablet_life SET state = ?2, wipe = NULL, session = ?3 WHERE tablet = ?1",
        params![&tablet.as_bytes()[..], state.as_str(), &by.as_bytes()[..]],
    )?;
    Ok(())
}

/// Remembers the classes of whoever leaves a tablet.
pub(crate) fn sat_last(conn: &Connection, tablet: TabletId, classes: &[ClassId]) -> Result<(), StoreError> {
    let bytes: Vec<u8> = classes.iter().take(MAX_CLASSES).flat_map(|class| *class.as_bytes()).collect();
    change(
        conn,
        "UPDATE tablet_life SET classes = ?2 WHERE tablet = ?1 AND classes <> ?2",
        params![&tablet.as_bytes()[..], bytes],
    )?;
    Ok(())
}

/// Nobody sat at any tablet.
pub(crate) fn forget_classes(conn: &Connection) -> Result<(), StoreError> {
    change(conn, "UPDATE tablet_life SET classes = x'' WHERE classes <> x''", [])?;
    Ok(())
}

/// The classes of whoever left it last.
pub(crate) fn last_classes(conn: &Connection, tablet: TabletId) -> Result<Vec<ClassId>, StoreError> {
    let sql = "SELECT classes FROM tablet_life WHERE tablet = ?1";
    let bytes: Vec<u8> = one(conn, sql, [&tablet.as_bytes()[..]], |row| row.get(0))?.unwrap_or_default();
    let (classes, _) = bytes.as_chunks::<16>();
    Ok(classes.iter().copied().map(ClassId::from_bytes).collect())
}

/// After a start that follows a failing disk nobody knows who sat where: every tablet that was free is cleared first.
pub(crate) fn distrust_all(conn: &Connection) -> Result<usize, StoreError> {
    change(conn, "UPDATE tablet_life SET state = 'wiping', wipe = NULL WHERE state = 'free'", [])
}

/// One tablet.
pub(crate) fn find(conn: &Connection, tablet: TabletId) -> Result<Option<Life>, StoreError> {
    let sql = "SELECT tablet, state, key, wipe, steps FROM tablet_life WHERE tablet = ?1";
    one(conn, sql, [&tablet.as_bytes()[..]], read)
}

/// The tablet of this token (its SHA-256).
pub(crate) fn by_token(conn: &Connection, token: &[u8; 32]) -> Result<Option<Life>, StoreError> {
    let sql = "SELECT tablet, state, key, wipe, steps FROM tablet_life WHERE token = ?1";
    one(conn, sql, [&token[..]], read)
}

/// This tablet, if the token is its.
pub(crate) fn proved(conn: &Connection, tablet: TabletId, token: &[u8; 32]) -> Result<Option<Life>, StoreError> {
    let sql = "SELECT tablet, state, key, wipe, steps, token FROM tablet_life WHERE tablet = ?1";
    let found = one(conn, sql, [&tablet.as_bytes()[..]], |row| Ok((read(row)?, row.get::<_, [u8; 32]>(5)?)))?;
    Ok(found.filter(|(_, known)| same_secret(known, token)).map(|(life, _)| life))
}

/// The tablet of this key.
pub(crate) fn by_key(conn: &Connection, key: &Thumbprint) -> Result<Option<Life>, StoreError> {
    let sql = "SELECT tablet, state, key, wipe, steps FROM tablet_life WHERE key = ?1 ORDER BY tablet LIMIT 1";
    one(conn, sql, [&key.0[..]], read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Life> {
    Ok(Life {
        tablet: TabletId::from_bytes(row.get(0)?),
        // A word that this program does not know is never a free tablet.
        state: TabletState::from_word(&row.get::<_, String>(1)?).unwrap_or(TabletState::Unknown),
        key: Thumbprint(row.get(2)?),
        wipe: row.get::<_, Option<[u8; 16]>>(3)?.map(WipeId::from_bytes),
        steps: row.get::<_, String>(4)?.split_whitespace().map(str::to_owned).collect(),
    })
}
