//! The school's document tells its boxes which of them were revoked, so that none talks to one, coordinator or not.
//!
//! The revocation itself is a row, durable at once and known to every coordinator. Telling it is a second act, because
//! the school's document may be another coordinator's to write: whoever may write it does, at its next look.

use std::{collections::BTreeSet, sync::Arc};

use preau_shared::{
    documents::{School, school},
    ids::{BoxId, Uai},
    replica::Shelf,
    rig::{
        shelves::{self, Author, ShelfError},
        writer::StoreError,
    },
    time::{Clock, Stamp},
};

use crate::{
    coordinator::project::Projection,
    store::{Database, Tx, boxes},
};

/// What telling needs.
#[derive(Clone)]
pub(super) struct Crier {
    pub(super) database: Database,
    pub(super) author: Arc<Author>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Crier {
    /// Tells the schools of all revoked boxes what they were not told yet. `told` is what needs no look any more.
    pub(super) async fn tell(&self, told: &mut BTreeSet<BoxId>) -> Result<(), ShelfError> {
        let known = told.clone();
        let news = self.database.read::<_, ShelfError>(move |conn| {
            let mut revoked = boxes::revoked(conn)?;
            revoked.retain(|(id, _)| !known.contains(id));
            revoked.into_iter().map(|(id, uai)| Ok((id, is_told(conn, &uai, id)?, uai))).collect::<Result<Vec<_>, _>>()
        });
        for (box_id, is_told, uai) in news.await? {
            if is_told {
                told.insert(box_id);
                continue;
            }
            let (author, now) = (self.author.clone(), self.clock.stamp());
            let act = move |conn: &Tx| tell_school(conn, &author, &uai, (box_id, now));
            match self.database.commit(act).await {
                Ok(()) => drop(told.insert(box_id)),
                // Another coordinator holds that school and tells it.
                Err(ShelfError::Store(StoreError::Elsewhere(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether there is nothing to tell: the document says it, or there is none.
fn is_told(conn: &Tx, uai: &Uai, box_id: BoxId) -> Result<bool, ShelfError> {
    let fields = shelves::document(conn, &Shelf::School(uai.clone()), &School::doc(uai))?;
    Ok(fields.is_none_or(|fields| school::is_revoked(&fields, box_id)))
}

fn tell_school(conn: &Tx, author: &Author, uai: &Uai, (box_id, now): (BoxId, Stamp)) -> Result<(), ShelfError> {
    if is_told(conn, uai, box_id)? {
        return Ok(());
    }
    let (shelf, edit) = (Shelf::School(uai.clone()), school::revoke_box(uai, box_id));
    shelves::edit(conn, author, &shelf, now, &edit, &Projection).map(drop)
}
