//! A badge is voided at the coordinator: on every shelf where it stands, in one commit.

use preau_shared::{
    documents::{Badge, badge},
    ids::{BadgeId, Uai},
    journal::Entry,
    replica::Shelf,
    rig::shelves,
};

use super::desk::{Desk, DeskError};
use crate::store::{Tx, schools, voids};

/// Why it was voided, as the badge's document keeps it.
const REASON: &str = "voided_by_dsi";

impl Desk {
    /// Voids a badge for good; voided again, it says where it stands. Gives each shelf with the coordinator's number
    /// of the void, where the void was made here.
    ///
    /// # Errors
    /// [`DeskError::NoBadge`] when no shelf holds it.
    pub(crate) async fn void(&self, badge: BadgeId) -> Result<Vec<(Uai, Option<u64>)>, DeskError> {
        let desk = self.clone();
        self.store.commit(move |connection| desk.void_in(connection, badge)).await
    }

    fn void_in(&self, connection: &Tx, id: BadgeId) -> Result<Vec<(Uai, Option<u64>)>, DeskError> {
        let now = self.clock.stamp();
        let noted = voids::of_badge(connection, id)?;
        let mut found = Vec::new();
        for school in schools::open(connection)? {
            let shelf = Shelf::School(school.uai.clone());
            if shelves::document(connection, &shelf, &Badge::doc(id))?.is_none() {
                continue;
            }
            let edit = badge::void(id, REASON);
            let mut number = noted.iter().find(|(uai, _)| *uai == school.uai).map(|(_, number)| *number);
            if let Some(new) = shelves::edit(connection, &self.author, &shelf, now, &edit, self.project.as_ref())? {
                voids::note(connection, id, &school.uai, new)?;
                shelves::journal(connection, &self.author, &shelf, now, &Entry::BadgeVoided { badge: id, by: None })?;
                number = Some(new);
            }
            found.push((school.uai, number));
        }
        if found.is_empty() { Err(DeskError::NoBadge) } else { Ok(found) }
    }
}
