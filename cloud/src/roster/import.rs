//! Receives a file: bytes → rows → plan, kept until a person says yes. Nothing on a shelf changes here.

use preau_shared::{
    documents::School,
    ids::{RosterId, Uai},
    keys::sha256,
    replica::Shelf,
    rig::shelves,
    roster::{Doubt, Roster, Row, Suspicion, onde},
};

use super::{
    desk::{Desk, DeskError},
    evidence::EvidenceKey,
    plan::{Line, plan},
    preview::{Preview, preview},
    training::nobody_real,
};
use crate::store::{
    Tx,
    rosters::{self, RosterRow, RosterState},
};

/// A file as it was received.
pub(crate) struct Received {
    /// For which school.
    pub(crate) uai: Uai,
    /// For which school year: `2026-2027`.
    pub(crate) school_year: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Desk {
    /// Reads a file and shows what it would do. The same bytes for the same standing give the same roster again.
    ///
    /// # Errors
    /// [`DeskError::Unreadable`] with line and column; [`DeskError::NoSchool`]; [`DeskError::Training`].
    pub(crate) async fn receive(&self, received: Received) -> Result<Preview, DeskError> {
        nobody_real(&received.uai)?;
        let roster = onde::read(&received.bytes)?;
        let file_hash = sha256(&received.bytes);
        let desk = self.clone();
        let Received { uai, school_year, .. } = received;
        self.store
            .commit(move |connection| desk.plan_and_keep(connection, &roster, (uai, school_year, file_hash)))
            .await
    }

    fn plan_and_keep(
        &self,
        connection: &Tx,
        roster: &Roster,
        (uai, school_year, file_hash): (Uai, String, [u8; 32]),
    ) -> Result<Preview, DeskError> {
        let now = self.clock.stamp();
        rosters::purge(connection, now)?;
        if shelves::document(connection, &Shelf::School(uai.clone()), &School::doc(&uai))?.is_none() {
            return Err(DeskError::NoSchool);
        }
        let lines = lines(&self.evidence_key, &roster.rows);
        let unread = unread(&roster.doubts, roster.more_doubts);
        let standing = self.standing(connection, &uai, &lines)?;
        let plan = plan(&lines, unread, &school_year, &standing);
        let mut row = RosterRow {
            roster_id: RosterId::draw(self.dice.as_ref()),
            uai,
            school_year,
            file_hash,
            digest: plan.digest(),
            lines: Some(serde_json::to_string(&lines).map_err(|_| DeskError::Stored)?),
            unread,
            state: RosterState::Planned,
            undo: None,
        };
        match rosters::same(connection, &row)? {
            Some(same) => row = same,
            None => rosters::keep(connection, &row, now)?,
        }
        Ok(preview(&row, &plan, &standing, roster))
    }
}

fn lines(key: &EvidenceKey, rows: &[Row]) -> Vec<Line> {
    rows.iter()
        .map(|row| Line {
            line: row.line,
            family_name: row.usage_name.clone().unwrap_or_else(|| row.family_name.clone()),
            given_name: row.given_name.clone(),
            level: row.level.clone(),
            class_name: row.class_name.clone(),
            evidence: key.of_row(row),
        })
        .collect()
}

/// Lines that may hide a pupil: left out, and not because the pupil stands there twice.
fn unread(doubts: &[Doubt], more: usize) -> usize {
    let hides = |doubt: &&Doubt| doubt.what.leaves_out() && !matches!(doubt.what, Suspicion::Repeated { .. });
    doubts.iter().filter(hides).count().saturating_add(more)
}
