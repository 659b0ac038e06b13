//! Changes told to the screens. A slow listener loses the oldest ones and is told to ask again: nothing waits for a screen.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use preau_shared::{
    ids::{PersonId, SessionId, TabletId},
    journal::Why,
    wire::TabletState,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

/// Changes kept for a listener that is slow.
pub(crate) const KEPT_CHANGES: usize = 256;
/// Screens that may listen at once: every tablet and every teacher of a large school.
pub(crate) const MAX_LISTENERS: usize = 512;

/// Something that a screen shows changed. Names are not in it: a screen asks for them with its own rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Somebody sat down.
    Opened {
        /// The session.
        session: SessionId,
        /// On which tablet.
        tablet: TabletId,
        /// Who; nobody for a guest.
        people: Vec<PersonId>,
    },
    /// A session ended.
    Ended {
        /// The session.
        session: SessionId,
        /// On which tablet.
        tablet: TabletId,
        /// Why.
        why: Why,
    },
    /// A tablet moved.
    Tablet {
        /// Which.
        tablet: TabletId,
        /// Where it stands now.
        state: TabletState,
    },
    /// A child waits for an adult.
    Called {
        /// Who.
        person: PersonId,
        /// At which tablet.
        tablet: TabletId,
    },
    /// Badges were made void or drawn.
    Badges,
    /// A class was silenced, or may sound again.
    Quiet,
    /// The box found the coordinator, or lost it.
    Wan(bool),
}

/// The loudspeaker.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    changes: broadcast::Sender<Change>,
    listeners: Arc<Semaphore>,
    wan: Arc<AtomicBool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            changes: broadcast::Sender::new(KEPT_CHANGES),
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
            wan: Arc::default(),
        }
    }
}

/// One screen that listens; the place is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What is told from now on.
    pub(crate) changes: broadcast::Receiver<Change>,
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// Tells every screen that listens.
    pub(crate) fn tell(&self, change: Change) {
        // Nobody listening is no mistake.
        drop(self.changes.send(change));
    }

    /// Tells whether the coordinator is in contact; said once per change.
    pub(crate) fn tell_wan(&self, in_contact: bool) {
        if self.wan.swap(in_contact, Ordering::Relaxed) != in_contact {
            self.tell(Change::Wan(in_contact));
        }
    }

    /// Whether the coordinator was in contact when last told.
    pub(crate) fn wan(&self) -> bool {
        self.wan.load(Ordering::Relaxed)
    }

    /// A place to listen; none when [`MAX_LISTENERS`] listen.
    pub(crate) fn listen(&self) -> Option<Listener> {
        let place = Arc::clone(&self.listeners).try_acquire_owned().ok()?;
        Some(Listener { changes: self.changes.subscribe(), _place: place })
    }
}
