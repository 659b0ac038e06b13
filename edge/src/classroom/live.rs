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
/// Staff's pages that may listen at once. Tablets have places of their own: no crowd of them keeps a teacher out.
pub(crate) const MAX_STAFF: usize = 256;
/// Tablets that may: those of a large school, one and a half times over.
pub(crate) const MAX_TABLETS: usize = 512;

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Pages of the staff: every change.
    Staff,
    /// Tablets at which somebody sits: ends of sessions, silence, the line. What happens at other tablets does not wake them.
    Tablets,
}

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

impl Change {
    /// Whether it may concern a tablet at which somebody sits.
    const fn is_for_tablets(&self) -> bool {
        match self {
            Self::Ended { .. } | Self::Quiet | Self::Wan(_) => true,
            Self::Opened { .. } | Self::Tablet { .. } | Self::Called { .. } | Self::Badges => false,
        }
    }
}

/// One audience's loudspeaker, and the places before it.
#[derive(Debug, Clone)]
struct Hall {
    changes: broadcast::Sender<Change>,
    places: Arc<Semaphore>,
}

impl Hall {
    fn of(places: usize) -> Self {
        Self { changes: broadcast::Sender::new(KEPT_CHANGES), places: Arc::new(Semaphore::new(places)) }
    }
}

/// The loudspeakers.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    staff: Hall,
    tablets: Hall,
    wan: Arc<AtomicBool>,
}

impl Default for Live {
    fn default() -> Self {
        Self { staff: Hall::of(MAX_STAFF), tablets: Hall::of(MAX_TABLETS), wan: Arc::default() }
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
    /// Tells every screen that it may concern.
    pub(crate) fn tell(&self, change: Change) {
        // Nobody listening is no mistake.
        if change.is_for_tablets() {
            drop(self.tablets.changes.send(change.clone()));
        }
        drop(self.staff.changes.send(change));
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

    /// A place to listen; none when all of this audience are taken.
    pub(crate) fn listen(&self, audience: Audience) -> Option<Listener> {
        let hall = match audience {
            Audience::Staff => &self.staff,
            Audience::Tablets => &self.tablets,
        };
        let place = Arc::clone(&hall.places).try_acquire_owned().ok()?;
        Some(Listener { changes: hall.changes.subscribe(), _place: place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_of_tablets_takes_no_place_of_a_teacher() {
        let live = Live::default();
        let crowd: Vec<_> = (0..MAX_TABLETS).map(|_| live.listen(Audience::Tablets).expect("a place")).collect();
        assert!(live.listen(Audience::Tablets).is_none());
        assert!(live.listen(Audience::Staff).is_some(), "a teacher comes in");
        drop(crowd);
        assert!(live.listen(Audience::Tablets).is_some(), "a place is free when its screen is gone");
    }

    #[test]
    fn a_tablet_is_not_woken_by_what_happens_at_another() {
        let live = Live::default();
        let mut teacher = live.listen(Audience::Staff).expect("a place");
        let mut tablet = live.listen(Audience::Tablets).expect("a place");
        live.tell(Change::Badges);
        live.tell(Change::Quiet);
        assert_eq!(teacher.changes.try_recv(), Ok(Change::Badges));
        assert_eq!(teacher.changes.try_recv(), Ok(Change::Quiet));
        assert_eq!(tablet.changes.try_recv(), Ok(Change::Quiet));
        assert!(tablet.changes.try_recv().is_err());
    }
}
