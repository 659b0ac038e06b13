//! A person is erased: on every shelf where she stands, with her badges, in one commit (RGPD, article 17).
//!
//! What goes with the documents is the shelves' work; here is what only the coordinator keeps: evidence, plans and ways
//! back of rosters that could write her name again.

use preau_shared::{
    documents::{Badge, Class, DocId, Kind, Person, Provisional, class},
    ids::{PersonId, Uai},
    journal::Entry,
    replica::{Shelf, Tombstone},
    rig::{shelves, store::Store as _},
};

use super::desk::{Desk, DeskError, views};
use crate::store::{Tx, rosters, schools};

/// Where a person was erased.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Erased {
    /// The school.
    pub(crate) uai: Uai,
    /// The coordinator's number of her tombstone on that shelf: boxes that acknowledge it have erased her.
    pub(crate) number: u64,
    /// Her badges, erased with her.
    pub(crate) badges: usize,
}

impl Desk {
    /// Erases a person for good; there is no way back.
    ///
    /// # Errors
    /// [`DeskError::NoPerson`] when no shelf holds her, or she was erased before.
    pub(crate) async fn erase(&self, person: PersonId) -> Result<Vec<Erased>, DeskError> {
        let desk = self.clone();
        let erased = self.store.commit(move |connection| desk.erase_in(connection, person)).await?;
        self.store.scrub();
        Ok(erased)
    }

    fn erase_in(&self, connection: &Tx, id: PersonId) -> Result<Vec<Erased>, DeskError> {
        let mut erased = Vec::new();
        for school in schools::all(connection)? {
            let shelf = Shelf::School(school.uai.clone());
            let known = stands_on(connection, &shelf, id)?;
            if known.is_empty() {
                continue;
            }
            for her in known {
                if let Some(done) = self.erase_on(connection, &shelf, (id, her))? {
                    erased.push(Erased { uai: school.uai.clone(), ..done });
                }
            }
            rosters::forget_person(connection, &school.uai, id)?;
        }
        if erased.is_empty() { Err(DeskError::NoPerson) } else { Ok(erased) }
    }

    fn erase_on(
        &self,
        connection: &Tx,
        shelf: &Shelf,
        (id, (doc, pseudonym)): (PersonId, (DocId, [u8; 16])),
    ) -> Result<Option<Erased>, DeskError> {
        let (now, project) = (self.clock.stamp(), self.project.as_ref());
        let Shelf::School(uai) = shelf else { return Ok(None) };
        for list in views(connection, shelf, Kind::Class, Class::from_fields)? {
            if list.members.contains(&id) {
                self.edit(connection, shelf, now, &class::leave(list.id, id))?;
            }
        }
        let badges = views(connection, shelf, Kind::Badge, Badge::from_fields)?;
        let badges: Vec<_> = badges.into_iter().filter(|badge| badge.person == id).collect();
        for badge in &badges {
            let tombstone = Tombstone { doc: Badge::doc(badge.id), pseudonym: None };
            shelves::erase(connection, &self.author, shelf, now, tombstone, project)?;
        }
        let tombstone = Tombstone { doc, pseudonym: Some(pseudonym) };
        let number = shelves::erase(connection, &self.author, shelf, now, tombstone, project)?;
        let audit = Entry::Audit { what: "a person was erased".into(), by: None };
        shelves::journal(connection, &self.author, shelf, now, &audit)?;
        Ok(number.map(|number| Erased { uai: uai.clone(), number, badges: badges.len() }))
    }
}

/// Her documents on a shelf, with what journals call her: what a roster says of her, and what a box said before.
fn stands_on(connection: &Tx, shelf: &Shelf, id: PersonId) -> Result<Vec<(DocId, [u8; 16])>, DeskError> {
    let read = |doc: DocId| shelves::document(connection, shelf, &doc);
    let (rostered, made) = (Person::doc(id), Provisional::doc(id));
    let rostered = read(rostered)?
        .and_then(|fields| Person::from_fields(&rostered, &fields))
        .map(|person| (rostered, person.pseudonym));
    let made = read(made)?
        .and_then(|fields| Provisional::from_fields(&made, &fields))
        .map(|someone| (made, someone.pseudonym));
    Ok(rostered.into_iter().chain(made).collect())
}
