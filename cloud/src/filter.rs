//! Names for tablets away from school: the box's verdict, at the coordinator. A tablet asks under its own name (DoH, DoT);
//! whose it is in the turn that holds chooses her school's rules, and a tablet that is nobody's gets the strictest of
//! them. Whoever asks under no name, an unknown one or that of a lost tablet is refused: the coordinator stands on the
//! Internet and is nobody else's resolver. Nothing is kept but counts.
//!
//! Names are answered from an index in memory, which a task keeps that of the store (`follow.rs`); until it was read for the
//! first time everybody is refused. Block lists are read when the program starts. The seam to follow their folder as the
//! boxes do is [`Filter::set_lists`].

mod follow;
mod index;
mod lists;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use preau_shared::{
    dice::Dice,
    ids::FilterId,
    policy::{Lists, Reason, judge},
    rig::{
        dns_front::{Counters, Front, FrontError, Judge, Origin, Outcome, Own, Ruling, serve_encrypted},
        task::Tasks,
        tls::{self, Identity, TlsError},
    },
    time::Clock,
};
use tokio::net::TcpListener;

use self::index::Who;
use crate::{config::Config, enrolment::Leaf, store::Database};

/// What the filter knows.
pub(crate) struct Filter {
    known: RwLock<Known>,
    /// There is no name of ours among them: a box's is told by the box alone.
    own: Own,
    clock: Arc<dyn Clock>,
    counters: Counters,
}

/// By what a question is judged.
#[derive(Debug, Default)]
struct Known {
    lists: Lists,
    names: HashMap<FilterId, Who>,
}

/// The filter as the DNS front asks it.
pub(crate) struct AwayFromSchool(Arc<Filter>);

/// What answers questions.
pub(crate) type Names = Front<AwayFromSchool>;

/// What the filter starts from.
pub(crate) struct Ground<'a> {
    /// The coordinator's folder.
    pub(crate) dir: &'a Path,
    pub(crate) config: &'a Config,
    pub(crate) store: &'a Database,
    /// What the coordinator proves itself with.
    pub(crate) server: &'a Leaf,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) dice: &'a Arc<dyn Dice>,
}

/// The filter cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// The address is taken, or not this machine's.
    #[error("dns_tls: cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, #[source] std::io::Error),
    /// The upstream cannot be used.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// The certificate does not fit.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Answers over TLS where the configuration says so, and gives what answers for other ways to ask. Lists and tablets are
/// read meanwhile.
///
/// # Errors
/// [`FilterError`] when the address is taken, or the upstream cannot be used.
pub(crate) async fn start(ground: Ground<'_>, tasks: &Tasks) -> Result<Arc<Names>, FilterError> {
    let Ground { dir, config, store, server, clock, dice } = ground;
    let filter = Arc::new(Filter::new(Arc::clone(clock)));
    let front = Arc::new(Front::new(AwayFromSchool(Arc::clone(&filter)), &config.upstream, Arc::clone(clock))?);
    if let Some(address) = config.dns_tls {
        let listener = TcpListener::bind(address).await.map_err(|error| FilterError::Listen(address, error))?;
        let identity = Identity { certificate: &server.chain, key: &server.key };
        serve_encrypted(&front, listener, tls::server(identity, None)?, tasks);
        tracing::info!(%address, "names are filtered over TLS");
    }
    let source = config.lists.clone().map(|folder| (folder, lists::home(dir)));
    follow::start(filter, store.clone(), (source, Arc::clone(dice)), tasks);
    Ok(front)
}

impl Filter {
    /// A filter that knows nobody yet.
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { known: RwLock::default(), own: Own::default(), clock, counters: Counters::default() }
    }

    /// Tablets ask under these names, from the next question on.
    fn set_names(&self, names: HashMap<FilterId, Who>) {
        let before = std::mem::replace(&mut self.known.write().unwrap_or_else(PoisonError::into_inner).names, names);
        // Outside the lock: there may be many.
        drop(before);
    }

    /// Puts other lists in force. What was judged by those before has no name until [`Self::set_names`] gives it one whose
    /// rules were drawn for these lists.
    fn set_lists(&self, lists: Lists) {
        self.counters.name(|reason| self.word_of(reason));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { lists, names: HashMap::new() };
    }

    fn lists(&self) -> Lists {
        self.known.read().unwrap_or_else(PoisonError::into_inner).lists.clone()
    }

    fn word_of(&self, reason: Reason) -> String {
        let mut word = String::new();
        self.tell(reason, |told| told.clone_into(&mut word));
        word
    }

    fn tell(&self, reason: Reason, tell: impl FnOnce(&str)) {
        match (reason, &self.known.read().unwrap_or_else(PoisonError::into_inner).lists) {
            (Reason::Listed(category), Lists::Loaded(list)) => tell(list.name(category)),
            (Reason::Listed(_), Lists::None | Lists::Lost) => tell("listed"),
            (Reason::Denied, _) => tell("denied"),
            (Reason::Closed, _) => tell("closed"),
        }
    }
}

impl AwayFromSchool {
    /// What was counted, by hour since 1970: what became of questions and how often, never for which names or whom.
    pub(crate) fn counted(&self) -> Vec<(i64, String, u64)> {
        self.0.counters.read(|reason| self.0.word_of(reason))
    }
}

impl Judge for AwayFromSchool {
    fn judge(&self, from: Origin, name: &str) -> Ruling {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(who) = from.tablet.and_then(|tablet| known.names.get(&tablet)) else { return Ruling::Refused };
        self.0.own.ruling(name).unwrap_or_else(|| {
            Ruling::of(judge(&who.book, &who.asker, name, known.lists.categories(name)), &who.asker, name)
        })
    }
    fn word(&self, reason: Reason, tell: impl FnOnce(&str)) {
        self.0.tell(reason, tell);
    }
    fn count(&self, outcome: Outcome) {
        self.0.counters.add(self.0.clock.stamp(), outcome);
    }
}

#[cfg(test)]
mod tests;
