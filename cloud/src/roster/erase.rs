//! A person is erased: on every shelf where she stands, with her badges, in one commit (RGPD, article 17).
//!
//! What goes with the documents is the shelves' work; here is what only the coordinator keeps: evidence, plans and ways
//! back of rosters that could write her name again.

use preau_shared::{
    documents::{Badge, Class, Kind, Person, class},
    ids::{PersonId, Uai},
    journal::Entry,
    replica::{Shelf, Tombstone},
    rig::{shelves, store::Store as _},
};

use super::desk::{Desk, DeskError, person_on, views};
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
            let Some(person) = person_on(connection, &shelf, id)? else { continue };
            if let Some(done) = self.erase_on(connection, &shelf, &person)? {
                erased.push(Erased { uai: school.uai.clone(), ..done });
            }
            rosters::forget_person(connection, &school.uai, id)?;
        }
        if erased.is_empty() { Err(DeskError::NoPerson) } else { Ok(erased) }
    }

    fn erase_on(&self, connection: &Tx, shelf: &Shelf, person: &Person) -> Result<Option<Erased>, DeskError> {
        let (now, project) = (self.clock.stamp(), self.project.as_ref());
        let Shelf::School(uai) = shelf else { return Ok(None) };
        for list in views(connection, shelf, Kind::Class, Class::from_fields)? {
            if list.members.contains(&person.id) {
                self.edit(connection, shelf, now, &class::leave(list.id, person.id))?;
            }
        }
        let badges = views(connection, shelf, Kind::Badge, Badge::from_fields)?;
        let badges: Vec<_> = badges.into_iter().filter(|badge| badge.person == person.id).collect();
        for badge in &badges {
            let tombstone = Tombstone { doc: Badge::doc(badge.id), pseudonym: None };
            shelves::erase(connection, &self.author, shelf, now, tombstone, project)?;
        }
        let tombstone = Tombstone { doc: Person::doc(person.id), pseudonym: Some(person.pseudonym) };
        let number = shelves::erase(connection, &self.author, shelf, now, tombstone, project)?;
        let audit = Entry::Audit { what: "a person was erased".into(), by: None };
        shelves::journal(connection, &self.author, shelf, now, &audit)?;
        Ok(number.map(|number| Erased { uai: uai.clone(), number, badges: badges.len() }))
    }
}
