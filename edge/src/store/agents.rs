//! Tables `agents` (native: which program on a tablet clears what its page cannot reach, by its own key) and `wipe_parts`
//! (native: what page and agent said of each step of the wipes that are owed).

use std::collections::BTreeMap;

use preau_shared::{
    ids::{TabletId, WipeId},
    keys::dpop::Thumbprint,
    rig::writer::StoreError,
    time::Stamp,
    wire::StepOutcome,
};
use rusqlite::{Connection, Row, params};

use super::{all, change, one};

pub(super) const CREATE: &str = "
    CREATE TABLE agents(tablet BLOB PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL, token BLOB NOT NULL,
        steps TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX agents_by_token ON agents(token);
    CREATE TABLE wipe_parts(wipe BLOB NOT NULL, part TEXT NOT NULL, step TEXT NOT NULL, outcome TEXT NOT NULL,
        PRIMARY KEY(wipe, part, step)) STRICT, WITHOUT ROWID;";

/// Who clears a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The tablet's own page.
    Page,
    /// The program bound to the tablet.
    Agent,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Agent => "agent",
        }
    }
}

/// A program bound to a tablet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) tablet: TabletId,
    /// What it calls itself: says by which port it is told.
    pub(crate) kind: String,
    pub(crate) key: Thumbprint,
    /// What it must do at each wipe.
    pub(crate) steps: Vec<String>,
}

/// Binds a program to a tablet, in the place of the one before.
pub(crate) fn bind(conn: &Connection, agent: &Bound, token: &[u8; 32]) -> Result<(), StoreError> {
    change(
        conn,
        "INSERT OR REPLACE INTO agents(tablet, kind, key, token, steps) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![&agent.tablet.as_bytes()[..], agent.kind, &agent.key.0[..], &token[..], agent.steps.join(" ")],
    )?;
    Ok(())
}

/// Nobody but the page clears this tablet any more; whether somebody did.
pub(crate) fn release(conn: &Connection, tablet: TabletId) -> Result<bool, StoreError> {
    Ok(change(conn, "DELETE FROM agents WHERE tablet = ?1", [&tablet.as_bytes()[..]])? > 0)
}

/// The program bound to a tablet.
pub(crate) fn of(conn: &Connection, tablet: TabletId) -> Result<Option<Bound>, StoreError> {
    let sql = "SELECT tablet, kind, key, steps FROM agents WHERE tablet = ?1";
    one(conn, sql, [&tablet.as_bytes()[..]], read)
}

/// The one with this token (its SHA-256).
pub(crate) fn by_token(conn: &Connection, token: &[u8; 32]) -> Result<Option<Bound>, StoreError> {
    let sql = "SELECT tablet, kind, key, steps FROM agents WHERE token = ?1";
    one(conn, sql, [&token[..]], read)
}

/// The programs whose tablet is being cleared, each with the wipe and when that was ordered.
pub(crate) fn waited_for(conn: &Connection) -> Result<Vec<(Bound, WipeId, Stamp)>, StoreError> {
    all(
        conn,
        "SELECT a.tablet, a.kind, a.key, a.steps, w.wipe, w.ordered FROM agents a
         JOIN tablet_life l ON l.tablet = a.tablet AND l.state = 'wiping' JOIN wipes w ON w.wipe = l.wipe
         ORDER BY a.tablet",
        [],
        |row| Ok((read(row)?, WipeId::from_bytes(row.get(4)?), Stamp(row.get(5)?))),
    )
}

/// Somebody says how a step of a wipe ended; what was said of it before is taken back.
pub(crate) fn say(
    conn: &Connection,
    wipe: WipeId,
    part: Part,
    (step, outcome): (&str, StepOutcome),
) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO wipe_parts(wipe, part, step, outcome) VALUES (?1, ?2, ?3, ?4)";
    change(conn, sql, params![&wipe.as_bytes()[..], part.as_str(), step, word(outcome)])?;
    Ok(())
}

/// What was said of a wipe by one of them, by step.
pub(crate) fn said(conn: &Connection, wipe: WipeId, part: Part) -> Result<BTreeMap<String, bool>, StoreError> {
    let sql = "SELECT step, outcome = 'done' FROM wipe_parts WHERE wipe = ?1 AND part = ?2";
    let lines = all(conn, sql, params![&wipe.as_bytes()[..], part.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(lines.into_iter().collect())
}

/// Nothing is kept of a wipe that is done, nor of those that were forgotten.
pub(crate) fn forget_parts(conn: &Connection, wipe: WipeId) -> Result<(), StoreError> {
    change(
        conn,
        "DELETE FROM wipe_parts WHERE wipe = ?1 OR wipe NOT IN (SELECT wipe FROM wipes)",
        [&wipe.as_bytes()[..]],
    )?;
    Ok(())
}

const fn word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::Failed => "failed",
        StepOutcome::Unsupported => "unsupported",
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Bound> {
    Ok(Bound {
        tablet: TabletId::from_bytes(row.get(0)?),
        kind: row.get(1)?,
        key: Thumbprint(row.get(2)?),
        steps: super::wipes::split(&row.get::<_, String>(3)?),
    })
}
