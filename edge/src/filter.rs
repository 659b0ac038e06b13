//! Names, per pupil. Who asks is read from the source address of a live session, the rules from the school's policies,
//! the categories from a block list in memory; nothing on this path touches a disk or waits for the coordinator.
//!
//! It fails closed for pupils: an address where nobody is known gets the strictest of all policies, several sessions
//! behind one address the strictest of theirs, and a list that cannot be read leaves only names allowed one by one.

mod alone;
mod asker;
mod counters;
mod listen;
mod local;

use std::{
    net::IpAddr,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

pub(crate) use alone::serve_alone;
pub(crate) use counters::Counters;
pub(crate) use listen::{follow_policies, start};
pub(crate) use local::Own;

use preau_shared::{
    blocklist::BlockList,
    dice::Dice,
    documents::policy::Policy,
    policy::{Asker, Book, Lists, Reason, judge},
    rig::dns_front::{Judge, Outcome, Ruling},
    time::Clock,
};

use crate::store::seats::Seats;

/// What the filter knows.
pub(crate) struct Filter {
    seats: Arc<Seats>,
    lists: Lists,
    own: Own,
    clock: Arc<dyn Clock>,
    book: RwLock<(Vec<Policy>, Arc<Book>)>,
    counters: Counters,
}

impl Filter {
    /// A filter without policies yet: until [`Self::set_policies`] it is closed to everybody.
    pub(crate) fn new(seats: Arc<Seats>, lists: Lists, own: Own, clock: Arc<dyn Clock>) -> Self {
        let counters = Counters::default();
        Self { seats, lists, own, clock, book: RwLock::default(), counters }
    }

    /// Puts the policies in force, from the next question on.
    pub(crate) fn set_policies(&self, policies: Vec<Policy>) {
        if self.book.read().unwrap_or_else(PoisonError::into_inner).0 == policies {
            return;
        }
        let book = Arc::new(Book::new(&policies, &self.lists));
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = (policies, book);
    }

    /// The version of the block list in use.
    pub(crate) fn blocklist_version(&self) -> Option<String> {
        match &self.lists {
            Lists::None | Lists::Lost => None,
            Lists::Loaded(list) => Some(list.version().to_owned()),
        }
    }

    /// Whether block lists are configured and cannot be read: the head and the DSI are told.
    pub(crate) fn lists_lost(&self) -> bool {
        match self.lists {
            Lists::Lost => true,
            Lists::None | Lists::Loaded(_) => false,
        }
    }

    /// What was counted, by hour: what became of questions and how often, never for which names.
    pub(crate) fn counted(&self) -> Vec<(i64, String, u64)> {
        self.counters.read(|reason| self.word_of(reason))
    }

    fn word_of(&self, reason: Reason) -> String {
        match (reason, &self.lists) {
            (Reason::Listed(category), Lists::Loaded(list)) => list.name(category).to_owned(),
            (Reason::Listed(_), Lists::None | Lists::Lost) => "listed".to_owned(),
            (Reason::Denied, _) => "denied".to_owned(),
            (Reason::Closed, _) => "closed".to_owned(),
        }
    }
}

/// Reads the block lists. Takes seconds for millions of names: call it where waiting is allowed. Lists that are
/// configured and cannot be read are lost, which closes the filter to whoever has a blocked category; the reason is
/// logged.
pub(crate) fn load_lists(dir: Option<&Path>, dice: &dyn Dice) -> Lists {
    let Some(dir) = dir else { return Lists::None };
    let mut seed = [0; 16];
    dice.fill(&mut seed);
    match BlockList::load(dir, seed) {
        Ok(list) => {
            let (_, left_out) = list.bad_lines();
            tracing::info!(names = list.len(), left_out, version = list.version(), "block lists are read");
            Lists::Loaded(Arc::new(list))
        }
        Err(error) => {
            tracing::error!(%error, "block lists cannot be read: pupils see only names allowed one by one");
            Lists::Lost
        }
    }
}

/// The filter as the DNS front asks it.
struct PerPupil(Arc<Filter>);

impl Judge for PerPupil {
    fn judge(&self, asker: IpAddr, name: &str) -> Ruling {
        let filter = &self.0;
        if let Some(ruling) = filter.own.ruling(name) {
            return ruling;
        }
        let asker = asker::who_asks(&filter.seats, asker, filter.clock.elapsed());
        if let Asker::Shared(_) = asker {
            filter.counters.shared_address(filter.clock.stamp());
        }
        let book = filter.book.read().unwrap_or_else(PoisonError::into_inner).1.clone();
        Ruling::Judged(judge(&book, &asker, name, filter.lists.categories(name)))
    }
    fn word(&self, reason: Reason) -> String {
        self.0.word_of(reason)
    }
    fn count(&self, outcome: Outcome) {
        self.0.counters.add(self.0.clock.stamp(), outcome);
    }
}

#[cfg(test)]
mod tests;
