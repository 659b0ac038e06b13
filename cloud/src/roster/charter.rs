//! A school's own charter: written by the DSI for the school, carried to its boxes like any document.

use std::collections::BTreeSet;

use preau_shared::{
    documents::{School, Terms, terms},
    ids::Uai,
    journal::Entry,
    replica::Shelf,
    rig::shelves,
    terms::{Audience, Charter},
};

use super::desk::{Desk, DeskError};
use crate::store::Tx;

impl Desk {
    /// The charter of these audiences is this one from now on, or again the one that comes with the program. What is so
    /// already stays as it is; the journal says each change, with the version.
    ///
    /// # Errors
    /// [`DeskError::NoSchool`].
    pub(crate) async fn write_charter(
        &self,
        uai: Uai,
        audiences: BTreeSet<Audience>,
        charter: Option<Charter>,
    ) -> Result<(), DeskError> {
        let desk = self.clone();
        let write = move |connection: &Tx| {
            let (shelf, doc) = (Shelf::School(uai.clone()), School::doc(&uai));
            let fields = shelves::document(connection, &shelf, &doc)?.ok_or(DeskError::NoSchool)?;
            School::from_fields(&doc, &fields).filter(|school| !school.deleted).ok_or(DeskError::NoSchool)?;
            let doc = Terms::doc(&uai);
            let known = shelves::document(connection, &shelf, &doc)?.and_then(|f| Terms::from_fields(&doc, &f));
            let known = known.map(|terms| terms.charters).unwrap_or_default();
            let now = desk.clock.stamp();
            for audience in audiences {
                if known.get(&audience) == charter.as_ref() {
                    continue;
                }
                desk.edit(connection, &shelf, now, &terms::write_charter(&uai, audience, charter.as_ref()))?;
                let version = charter.as_ref().map_or_else(|| "shipped".to_owned(), |c| c.version().to_string());
                let what = format!("charter {}: {version}", audience.as_str());
                shelves::journal(connection, &desk.author, &shelf, now, &Entry::Audit { what, by: None })?;
            }
            Ok::<_, DeskError>(())
        };
        self.store.commit(write).await
    }
}
