//! What a tablet becomes for those who sit down: applications, links, documents, policy. All from the box's own rows.

use std::{collections::BTreeSet, sync::Arc};

use preau_shared::{
    ids::{ClassId, PersonId},
    messages::{Catalogue, Lang},
    rig::writer::StoreError,
    second_factor::Factor,
    time::Stamp,
    wire::{CharterToTell, Environment, PersonView, SessionOpened},
};
use rusqlite::Connection;

use super::{
    charter, code, suit,
    which_class::{self, Which},
};
use crate::classroom::quiet;
use crate::store::{
    classes::{self, ClassRow},
    offers::{Offer, Settled},
    people::{self, Human},
    seats::{SESSION_LASTS, Sitting},
    sessions::Session,
};

/// Everybody of a session, with what the filter and the screen need of them.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    pub(crate) people: Vec<Arc<Human>>,
    /// A guest's class.
    pub(crate) class: Option<ClassRow>,
    /// The classes of the pupils among them.
    pub(crate) classes: BTreeSet<ClassId>,
}

impl Party {
    /// Those of a stored session who are still known.
    pub(crate) fn of(conn: &Connection, session: &Session) -> Result<Self, StoreError> {
        let (mut people, mut classes) = (Vec::new(), BTreeSet::new());
        for person in &session.people {
            people.extend(people::find(conn, *person)?.map(Arc::new));
            classes.extend(classes::of_pupil(conn, *person)?);
        }
        let class = match session.class {
            Some(class) => classes::find(conn, class)?,
            None => None,
        };
        Ok(Self { people, class, classes })
    }

    /// What the filter must know.
    pub(crate) fn sitting(&self, session: &Session) -> Sitting {
        sitting(session, &self.people, self.class.as_ref())
    }
}

/// Levels of everybody; a guest has the class's.
fn levels(people: &[Arc<Human>], class: Option<&ClassRow>) -> BTreeSet<String> {
    let of_class = class.into_iter().flat_map(ClassRow::levels);
    people.iter().map(|p| p.level.as_str()).chain(of_class).map(str::to_owned).collect()
}

/// What the filter must know of those who sit down.
pub(crate) fn sitting(session: &Session, people: &[Arc<Human>], class: Option<&ClassRow>) -> Sitting {
    let staff = !people.is_empty() && people.iter().all(|person| person.is_staff());
    Sitting { session: session.id, tablet: session.tablet, levels: levels(people, class), staff, host: session.host }
}

/// A party, with what their tablet becomes.
#[derive(Debug, Clone)]
pub(crate) struct Welcome {
    party: Party,
    offer: Arc<Offer>,
    which: Which,
    choose: Option<Factor>,
    charter: Option<CharterToTell>,
    quiet: bool,
}

impl Welcome {
    /// Gathers it.
    pub(crate) fn read(
        conn: &Connection,
        (settled, now): (&Settled, Stamp),
        session: &Session,
        party: Party,
    ) -> Result<Self, StoreError> {
        let mut of_classes: BTreeSet<_> = party.class.iter().map(|c| c.id).collect();
        let which = which_class::of(conn, session, (&party.people, &party.classes))?;
        match which.chosen {
            Some(class) => drop(of_classes.insert(class)),
            None => of_classes.extend(&party.classes),
        }
        let offer = settled.offer(conn, (levels(&party.people, party.class.as_ref()), of_classes))?;
        let choose = code::to_choose(conn, settled, session, &party.people)?;
        let charter = charter::to_tell(conn, settled, &party)?;
        let quiet = settled.quiet && quiet::of(conn, session, now)?;
        Ok(Self { party, offer, which, choose, charter, quiet })
    }

    /// The answer to a sign-in, or to a tablet that comes back after a reload.
    pub(crate) fn answer(self, words: &Catalogue, session: &Session, token: Option<String>) -> SessionOpened {
        let Self { party, offer, which, choose, charter, quiet } = self;
        let settings = suit::of(&party.people);
        let environment = Environment {
            apps: offer.apps.clone(),
            links: offer.links.clone(),
            documents: offer.documents.clone(),
            policy: offer.policy.clone(),
            lang: settings.lang.unwrap_or_default().tag().to_owned(),
            settings: settings.into(),
            classes: which.offered,
            class_id: which.chosen,
            choose_code: choose.map(|factor| factor.as_str().to_owned()),
            charter,
            quiet,
        };
        let guest = || PersonView {
            // A guest leaves no trace: the session's own name stands for her.
            person_id: PersonId::from_bytes(*session.id.as_bytes()),
            given_name: words.say(Lang::Fr, "sign-in-guest").into_owned(),
            animal: String::new(),
            level: party.class.as_ref().map(|c| c.level.clone()).unwrap_or_default(),
        };
        let people: Vec<PersonView> = party.people.iter().map(|person| person.view()).collect();
        SessionOpened {
            session_id: session.id,
            token,
            person: people.first().cloned().unwrap_or_else(guest),
            people: if people.is_empty() { vec![guest()] } else { people },
            environment,
            expires_in_s: u32::try_from(SESSION_LASTS.as_secs()).unwrap_or(u32::MAX),
            recorded: true,
            host: session.host,
        }
    }
}
