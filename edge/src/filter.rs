//! Names, per pupil. Who asks is read from the name under which her tablet asks (DoH, DoT), or else from the source address
//! of a live session; the rules from the school's policies, the categories from a block list in memory. Nothing on this path
//! touches a disk or waits for the coordinator.
//!
//! It fails closed for pupils: an address, or a tablet, where nobody is known gets the strictest of all policies, several
//! sessions behind one address the strictest of theirs, and a list that cannot be read leaves only names allowed one by one.

mod alone;
mod fetch;
mod listen;
mod lists;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

pub(crate) use alone::serve_alone;
pub(crate) use fetch::{ToFetch, With, fetch};
pub(crate) use listen::{Bound, follow, start};
pub(crate) use lists::{Source, follow as follow_lists, home as lists_home};

use preau_shared::{
    documents::policy::Policy,
    ids::{FilterId, TabletId},
    policy::{Asker, Book, Lists, Reason, judge},
    rig::{
        dns_front::{Counters, Judge, Origin, Outcome, Own, Ruling},
        route::speaks_from,
    },
    time::Clock,
};

use crate::store::seats::Seats;

/// The way to a machine is the same for all of its ports.
const ANY_PORT: u16 = 9;

/// What the filter knows.
pub(crate) struct Filter {
    seats: Arc<Seats>,
    own: Own,
    clock: Arc<dyn Clock>,
    /// Another one takes its place between two questions.
    in_force: RwLock<Arc<InForce>>,
    /// Tablets by the names under which they ask.
    tablets: RwLock<Arc<HashMap<FilterId, TabletId>>>,
    counters: Counters,
}

/// The rules by which a question is judged: lists, and the book that policies make of their categories.
#[derive(Default)]
struct InForce {
    lists: Lists,
    policies: Vec<Policy>,
    book: Book,
}

impl Filter {
    /// A filter without policies yet: until [`Self::set_policies`] it is closed to everybody.
    pub(crate) fn new(seats: Arc<Seats>, lists: Lists, own: Own, clock: Arc<dyn Clock>) -> Self {
        let in_force = RwLock::new(Arc::new(InForce { lists, ..InForce::default() }));
        Self { seats, own, clock, in_force, tablets: RwLock::default(), counters: Counters::default() }
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts the policies in force, from the next question on.
    pub(crate) fn set_policies(&self, policies: Vec<Policy>) {
        if self.in_force().policies != policies {
            self.change(|now| (now.lists.clone(), policies));
        }
    }

    /// Tablets ask under these names, from the next question on.
    pub(crate) fn set_tablets(&self, tablets: HashMap<FilterId, TabletId>) {
        *self.tablets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tablets);
    }

    /// Who asks: the name of a tablet tells it wherever that is, also behind an address that hides several. A name that is
    /// nobody's, or a tablet without a session, is told apart from no other stranger.
    fn who_asks(&self, from: Origin) -> Arc<Asker> {
        let now = self.clock.elapsed();
        let Some(name) = from.tablet else { return self.seats.who_asks(from.address, now) };
        let tablet = self.tablets.read().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
        tablet.map_or_else(|| Arc::new(Asker::Unknown), |tablet| self.seats.who_asks_on(tablet, now))
    }

    /// Puts other lists in force, from the next question on.
    pub(crate) fn set_lists(&self, lists: Lists) {
        // What was counted so far is named by the lists that it was counted under.
        let before = self.in_force();
        self.counters.name(|reason| before.word_of(reason).to_owned());
        self.change(|now| (lists, now.policies.clone()));
    }

    fn change(&self, change: impl FnOnce(&InForce) -> (Lists, Vec<Policy>)) {
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        let (lists, policies) = change(&in_force);
        let book = Book::new(&policies, &lists);
        *in_force = Arc::new(InForce { lists, policies, book });
    }

    /// The version of the block list in use.
    pub(crate) fn blocklist_version(&self) -> Option<String> {
        match &self.in_force().lists {
            Lists::None | Lists::Lost => None,
            Lists::Loaded(list) => Some(list.version().to_owned()),
        }
    }

    /// What was counted, by hour: what became of questions and how often, never for which names.
    pub(crate) fn counted(&self) -> Vec<(i64, String, u64)> {
        let now = self.in_force();
        self.counters.read(|reason| now.word_of(reason).to_owned())
    }
}

impl InForce {
    fn word_of(&self, reason: Reason) -> &str {
        match (reason, &self.lists) {
            (Reason::Listed(category), Lists::Loaded(list)) => list.name(category),
            (Reason::Listed(_), Lists::None | Lists::Lost) => "listed",
            (Reason::Denied, _) => "denied",
            (Reason::Closed, _) => "closed",
        }
    }
}

/// The filter as the DNS front asks it.
pub(crate) struct PerPupil(Arc<Filter>);

impl Judge for PerPupil {
    fn judge(&self, from: Origin, name: &str) -> Ruling {
        let filter = &self.0;
        match filter.own.ruling(name) {
            // Listening everywhere is no address to tell: a tablet finds us where we would speak to it from.
            Some(Ruling::Own(all)) if all.iter().any(IpAddr::is_unspecified) => {
                return Ruling::Own(speaks_from(SocketAddr::new(from.address, ANY_PORT)).into_iter().collect());
            }
            Some(ruling) => return ruling,
            None => {}
        }
        let asker = filter.who_asks(from);
        if let Asker::Shared(_) = *asker {
            filter.counters.shared_address(filter.clock.stamp());
        }
        let now = filter.in_force();
        Ruling::of(judge(&now.book, &asker, name, now.lists.categories(name)), &asker, name)
    }
    fn word(&self, reason: Reason, tell: impl FnOnce(&str)) {
        tell(self.0.in_force().word_of(reason));
    }
    fn count(&self, outcome: Outcome) {
        self.0.counters.add(self.0.clock.stamp(), outcome);
    }
}

#[cfg(test)]
mod tests;
