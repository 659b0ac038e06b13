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
    ids::{PersonId, RosterId, Uai},
    rig::{
        sql::{Row, values},
        writer::StoreError,
    },
    time::Stamp,
};

use super::{Tx, uai as read_uai};

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

fn read(row: &Row) -> Result<RosterRow, StoreError> {
    Ok(RosterRow {
        roster_id: RosterId::from_bytes(row.array(0)?),
        uai: read_uai(row, 1)?,
        school_year: row.text(2)?.to_owned(),
        file_hash: row.array(3)?,
        digest: row.array(4)?,
        lines: row.opt_text(5)?.map(str::to_owned),
        unread: usize::try_from(row.int(6)?).unwrap_or(0),
        state: RosterState::from_word(row.text(7)?).ok_or(StoreError::Unreadable("the state of a roster"))?,
        undo: row.opt_text(8)?.map(str::to_owned),
    })
}

/// Keeps a plan.
pub(crate) fn keep(conn: &Tx, row: &RosterRow, now: Stamp) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO rosters(roster_id, uai, school_year, file_hash, digest, lines, unread, state, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        values![
            row.roster_id.as_bytes(),
            row.uai.as_str(),
            &row.school_year,
            &row.file_hash,
            &row.digest,
            row.lines.as_deref(),
            i64::try_from(row.unread).unwrap_or(i64::MAX),
            row.state.as_str(),
            now.0
        ],
    )?;
    Ok(())
}

/// One roster.
pub(crate) fn find(conn: &Tx, id: RosterId) -> Result<Option<RosterRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM rosters WHERE roster_id = ?1");
    conn.first(&sql, values![id.as_bytes()])?.as_ref().map(read).transpose()
}

/// The waiting plan of the same bytes that would do the same.
pub(crate) fn same(conn: &Tx, row: &RosterRow) -> Result<Option<RosterRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rosters WHERE uai = ?1 AND school_year = ?2 AND file_hash = ?3 AND digest = ?4
         AND state = 'planned' AND lines IS NOT NULL ORDER BY received_at DESC LIMIT 1"
    );
    let found = conn.first(&sql, values![row.uai.as_str(), &row.school_year, &row.file_hash, &row.digest])?;
    found.as_ref().map(read).transpose()
}

/// Whether this is the school's last applied roster: an older one cannot be taken back from under a newer one.
pub(crate) fn is_last_applied(conn: &Tx, row: &RosterRow) -> Result<bool, StoreError> {
    let sql = "SELECT roster_id FROM rosters WHERE uai = ?1 AND state = 'applied' AND undo IS NOT NULL
               ORDER BY applied_at DESC, roster_id LIMIT 1";
    let last = conn.first(sql, values![row.uai.as_str()])?.map(|last| last.array(0)).transpose()?;
    Ok(last == Some(*row.roster_id.as_bytes()))
}

/// Notes that it was applied and how to take it back, if it changed anything; its lines go.
pub(crate) fn applied(conn: &Tx, id: RosterId, undo: Option<&str>, now: Stamp) -> Result<(), StoreError> {
    let last = conn.one("SELECT max(applied_at) FROM rosters", values![])?.opt_int(0)?;
    let at = last.map_or(now.0, |last| now.0.max(last.saturating_add(1)));
    let sql = "UPDATE rosters SET state = 'applied', lines = NULL, undo = ?2, applied_at = ?3 WHERE roster_id = ?1";
    conn.execute(sql, values![id.as_bytes(), undo, at])?;
    Ok(())
}

/// Notes that it was taken back.
pub(crate) fn undone(conn: &Tx, id: RosterId) -> Result<(), StoreError> {
    let sql = "UPDATE rosters SET state = 'undone', lines = NULL, undo = NULL WHERE roster_id = ?1";
    conn.execute(sql, values![id.as_bytes()])?;
    Ok(())
}

/// Forgets what may be forgotten.
pub(crate) fn purge(conn: &Tx, now: Stamp) -> Result<(), StoreError> {
    let days = |count: i64| now.0.saturating_sub(count.saturating_mul(MS_PER_DAY));
    let sql = "DELETE FROM rosters WHERE state = 'planned' AND received_at < ?1";
    conn.execute(sql, values![days(PLAN_DAYS)])?;
    conn.execute("UPDATE rosters SET undo = NULL WHERE applied_at < ?1", values![days(UNDO_DAYS)])?;
    Ok(())
}

/// A person of this school was erased: no plan and no way back may write her name again. Plans are made anew from their
/// file; imports that touched her can no longer be taken back.
pub(crate) fn forget_person(conn: &Tx, uai: &Uai, person: PersonId) -> Result<(), StoreError> {
    conn.execute("DELETE FROM rosters WHERE uai = ?1 AND state = 'planned'", values![uai.as_str()])?;
    let named = format!("%{person}%");
    let sql = "UPDATE rosters SET undo = NULL, lines = NULL WHERE uai = ?1 AND undo LIKE ?2";
    conn.execute(sql, values![uai.as_str(), &named])?;
    Ok(())
}
