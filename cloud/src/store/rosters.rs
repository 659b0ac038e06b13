//! Table `rosters` (native, coordinator only): files received, what they would do, and how to take it back.
//!
//! Retention: `lines` hold names, so they go when the file is applied, and after 30 days at the latest; `undo` holds no
//! name of anybody but those it would write back, and goes after 90 days.
//!
//! | column | meaning |
//! |---|---|
//! | `roster_id` | 16 bytes |
//! | `uai`, `school_year` | for which school and year |
//! | `file_hash` | SHA-256 of the bytes received; the bytes themselves are not kept |
//! | `digest` | SHA-256 of the plan that was shown |
//! | `lines` | the rows with keyed hashes in place of evidence, JSON; null once they may go |
//! | `unread` | lines that the reader left out |
//! | `state` | `planned`, `applied` or `undone` |
//! | `received_at`, `applied_at` | ms since 1970 |
//! | `undo` | how to take it back, JSON |

use preau_shared::{
    ids::{RosterId, Uai},
    rig::writer::StoreError,
    time::Stamp,
};
use rusqlite::{Connection, Row};

use super::{bytes16, bytes32, optional, uai as read_uai};

pub(super) const CREATE: &str = "
CREATE TABLE rosters(
  roster_id   BLOB PRIMARY KEY,
  uai         TEXT NOT NULL,
  school_year TEXT NOT NULL,
  file_hash   BLOB NOT NULL,
  digest      BLOB NOT NULL,
  lines       TEXT,
  unread      INTEGER NOT NULL,
  state       TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  applied_at  INTEGER,
  undo        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX rosters_by_school ON rosters(uai, received_at);
";

const MS_PER_DAY: i64 = 24 * 3600 * 1000;
/// A plan that nobody said yes to is forgotten after so long.
const PLAN_DAYS: i64 = 30;
/// An import can be taken back for so long.
const UNDO_DAYS: i64 = 90;
const COLUMNS: &str = "roster_id, uai, school_year, file_hash, digest, lines, unread, state, undo";

/// How far a roster has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RosterState {
    /// Shown, not applied.
    Planned,
    /// Applied.
    Applied,
    /// Applied and taken back.
    Undone,
}

impl RosterState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applied => "applied",
            Self::Undone => "undone",
        }
    }
    fn from_word(word: &str) -> Option<Self> {
        [Self::Planned, Self::Applied, Self::Undone].into_iter().find(|state| state.as_str() == word)
    }
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct RosterRow {
    pub(crate) roster_id: RosterId,
    pub(crate) uai: Uai,
    pub(crate) school_year: String,
    pub(crate) file_hash: [u8; 32],
    pub(crate) digest: [u8; 32],
    pub(crate) lines: Option<String>,
    pub(crate) unread: usize,
    pub(crate) state: RosterState,
    pub(crate) undo: Option<String>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RosterRow> {
    let state = row.get_ref(7)?.as_str()?;
    Ok(RosterRow {
        roster_id: RosterId::from_bytes(bytes16(row.get_ref(0)?)?),
        uai: read_uai(row.get_ref(1)?)?,
        school_year: row.get(2)?,
        file_hash: bytes32(row.get_ref(3)?)?,
        digest: bytes32(row.get_ref(4)?)?,
        lines: row.get(5)?,
        unread: usize::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        state: RosterState::from_word(state).ok_or(rusqlite::types::FromSqlError::InvalidType)?,
        undo: row.get(8)?,
    })
}

/// Keeps a plan.
pub(crate) fn keep(connection: &Connection, row: &RosterRow, now: Stamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO rosters(roster_id, uai, school_year, file_hash, digest, lines, unread, state, received_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    connection.prepare_cached(sql)?.execute((
        row.roster_id.as_bytes(),
        row.uai.as_str(),
        &row.school_year,
        &row.file_hash,
        &row.digest,
        &row.lines,
        i64::try_from(row.unread).unwrap_or(i64::MAX),
        row.state.as_str(),
        now.0,
    ))?;
    Ok(())
}

/// One roster.
pub(crate) fn find(connection: &Connection, id: RosterId) -> Result<Option<RosterRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM rosters WHERE roster_id = ?1"))?;
    optional(statement.query_row([id.as_bytes()], read))
}

/// The waiting plan of the same bytes that would do the same.
pub(crate) fn same(connection: &Connection, row: &RosterRow) -> Result<Option<RosterRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM rosters WHERE uai = ?1 AND school_year = ?2 AND file_hash = ?3 AND digest = ?4
         AND state = 'planned' AND lines IS NOT NULL ORDER BY received_at DESC LIMIT 1"
    ))?;
    optional(statement.query_row((row.uai.as_str(), &row.school_year, &row.file_hash, &row.digest), read))
}

/// Whether this is the school's last applied roster: an older one cannot be taken back from under a newer one.
pub(crate) fn is_last_applied(connection: &Connection, row: &RosterRow) -> Result<bool, StoreError> {
    let sql = "SELECT roster_id FROM rosters WHERE uai = ?1 AND state = 'applied' AND undo IS NOT NULL
               ORDER BY applied_at DESC, roster_id LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let last = optional(statement.query_row([row.uai.as_str()], |r| bytes16(r.get_ref(0)?).map_err(Into::into)))?;
    Ok(last == Some(*row.roster_id.as_bytes()))
}

/// Notes that it was applied and how to take it back, if it changed anything; its lines go.
pub(crate) fn applied(connection: &Connection, id: RosterId, undo: Option<&str>, now: Stamp) -> Result<(), StoreError> {
    let sql = "UPDATE rosters SET state = 'applied', lines = NULL, undo = ?2, applied_at =
               max(?3, coalesce((SELECT max(applied_at) + 1 FROM rosters), 0)) WHERE roster_id = ?1";
    connection.prepare_cached(sql)?.execute((id.as_bytes(), undo, now.0))?;
    Ok(())
}

/// Notes that it was taken back.
pub(crate) fn undone(connection: &Connection, id: RosterId) -> Result<(), StoreError> {
    let sql = "UPDATE rosters SET state = 'undone', lines = NULL, undo = NULL WHERE roster_id = ?1";
    connection.prepare_cached(sql)?.execute([id.as_bytes()])?;
    Ok(())
}

/// Forgets what may be forgotten.
pub(crate) fn purge(connection: &Connection, now: Stamp) -> Result<(), StoreError> {
    let days = |count: i64| now.0.saturating_sub(count.saturating_mul(MS_PER_DAY));
    connection
        .prepare_cached("DELETE FROM rosters WHERE state = 'planned' AND received_at < ?1")?
        .execute([days(PLAN_DAYS)])?;
    connection.prepare_cached("UPDATE rosters SET undo = NULL WHERE applied_at < ?1")?.execute([days(UNDO_DAYS)])?;
    Ok(())
}
