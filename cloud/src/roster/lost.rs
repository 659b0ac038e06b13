//! A tablet that is lost, or found again: its box ends its session, and the filter answers it no more outside.

use preau_shared::{
    documents::{School, Tablet},
    ids::{TabletId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::shelves,
};

use super::desk::{Desk, DeskError};
use crate::store::Tx;

impl Desk {
    /// The tablet is lost, or is not any more. What is so already stays as it is.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`]; [`DeskError::NoTablet`] when the school has no such tablet, or it is retired.
    pub(crate) async fn lose_tablet(&self, uai: Uai, tablet: TabletId, lost: bool) -> Result<(), DeskError> {
        let desk = self.clone();
        self.store.commit(move |connection| desk.lose_tablet_in(connection, &uai, (tablet, lost))).await
    }

    fn lose_tablet_in(&self, conn: &Tx, uai: &Uai, (tablet, lost): (TabletId, bool)) -> Result<(), DeskError> {
        let (shelf, doc) = (Shelf::School(uai.clone()), Tablet::doc(tablet));
        shelves::document(conn, &shelf, &School::doc(uai))?.ok_or(DeskError::NoSchool)?;
        let fields = shelves::document(conn, &shelf, &doc)?;
        let known = fields.and_then(|fields| Tablet::from_fields(&doc, &fields)).filter(|tablet| !tablet.deleted);
        let known = known.ok_or(DeskError::NoTablet)?;
        if known.lost != lost {
            let now = self.clock.stamp();
            self.edit(conn, &shelf, now, &Tablet { lost, ..known }.edit())?;
            let what = format!("tablet {tablet}: {}", if lost { "lost" } else { "found" });
            shelves::journal(conn, &self.author, &shelf, now, &Entry::Audit { what, by: None })?;
        }
        Ok(())
    }
}
