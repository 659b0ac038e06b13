//! Takes the school's last import back: every field that still says what the import wrote says again what it said
//! before; what was changed since stays. Badges that the import drew are void for good.

use preau_shared::{
    documents::{Edit, badge},
    ids::RosterId,
    journal::Entry,
    replica::Shelf,
    rig::shelves,
};

use super::{
    desk::{Desk, DeskError},
    preview::Undone,
    sheaf::{TakeBack, present},
};
use crate::store::Tx;
use crate::store::{
    people,
    rosters::{self, RosterState},
};

impl Desk {
    /// Takes an applied roster back.
    ///
    /// # Errors
    /// [`DeskError::NotLast`] when it was not applied, or a newer one stands on it.
    pub(crate) async fn undo(&self, id: RosterId) -> Result<Undone, DeskError> {
        let desk = self.clone();
        self.store.commit(move |connection| desk.undo_in(connection, id)).await
    }

    fn undo_in(&self, connection: &Tx, id: RosterId) -> Result<Undone, DeskError> {
        let row = rosters::find(connection, id)?.ok_or(DeskError::NoRoster)?;
        if row.state == RosterState::Undone {
            return Ok(Undone { id, documents: 0, badges_voided: 0 });
        }
        let (RosterState::Applied, Some(undo)) = (row.state, &row.undo) else { return Err(DeskError::NotLast) };
        if !rosters::is_last_applied(connection, &row)? {
            return Err(DeskError::NotLast);
        }
        let back: TakeBack = serde_json::from_str(undo).map_err(|_| DeskError::Stored)?;
        let (now, shelf) = (self.clock.stamp(), Shelf::School(row.uai.clone()));
        let mut documents = 0_usize;
        for fields in back.fields.chunk_by(|a, b| a.doc == b.doc) {
            let Some(doc) = fields.first().map(|field| field.doc) else { continue };
            let Some(current) = shelves::document(connection, &shelf, &doc)? else { continue };
            let mut edit = Edit::of(doc);
            for field in fields.iter().filter(|f| present(&current, &f.key, &f.after) == f.after) {
                edit = edit.with(&field.key, field.before.clone());
            }
            self.edit(connection, &shelf, now, &edit)?;
            documents = documents.saturating_add(1);
        }
        for id in &back.badges {
            self.edit(connection, &shelf, now, &badge::void(*id, "import_undone"))?;
        }
        for (person, before) in &back.evidence {
            people::restore(connection, *person, &row.uai, before.as_ref())?;
        }
        rosters::undone(connection, id)?;
        let what = format!("roster {id} taken back");
        shelves::journal(connection, &self.author, &shelf, now, &Entry::Audit { what, by: None })?;
        Ok(Undone { id, documents, badges_voided: back.badges.len() })
    }
}
