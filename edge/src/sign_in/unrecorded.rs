//! Sign-ins while the disk fails: kept in memory, so that classes go on (ARCHITECTURE §3.1). The one exception to "no
//! answer before the commit", said in the answer (`recorded: false`).
//!
//! A tablet opened so is not free again before the disk works: its wipe is ordered by a commit, its receipt is one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use preau_shared::{
    ids::{SessionId, TabletId},
    wire::TabletState,
};

use crate::store::sessions::Session;

/// Tablets opened from memory at once: more than a school has.
pub(crate) const MAX_TABLETS: usize = 256;

#[derive(Debug, Clone)]
struct Stay {
    session: Session,
    token: [u8; 32],
    /// False once it ended: then the tablet owes a wipe that the disk has not taken yet.
    live: bool,
}

/// The sessions that no disk knows.
#[derive(Debug, Default)]
pub(crate) struct Unrecorded(Mutex<BTreeMap<TabletId, Stay>>);

impl Unrecorded {
    /// Opens one; false when the tablet is taken already, or when there are too many.
    pub(crate) fn open(&self, session: Session, token: [u8; 32]) -> bool {
        let mut stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stays.contains_key(&session.tablet) || stays.len() >= MAX_TABLETS {
            return false;
        }
        stays.insert(session.tablet, Stay { session, token, live: true });
        true
    }

    /// Where a tablet stands, if memory knows better than the disk.
    pub(crate) fn state(&self, tablet: TabletId) -> Option<TabletState> {
        let stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stays.get(&tablet).map(|stay| if stay.live { TabletState::InUse } else { TabletState::Wiping })
    }

    /// The live session of this token.
    pub(crate) fn by_token(&self, token: &[u8; 32]) -> Option<Session> {
        let stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stays.values().find(|stay| stay.live && stay.token == *token).map(|stay| stay.session.clone())
    }

    /// The live session of this name.
    pub(crate) fn find(&self, session: SessionId) -> Option<Session> {
        let stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stays.values().find(|stay| stay.live && stay.session.id == session).map(|stay| stay.session.clone())
    }

    /// The live sessions.
    pub(crate) fn live(&self) -> Vec<SessionId> {
        let stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stays.values().filter(|stay| stay.live).map(|stay| stay.session.id).collect()
    }

    /// The session on this tablet is over; its wipe is still to be written.
    pub(crate) fn end(&self, tablet: TabletId) {
        if let Some(stay) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&tablet) {
            stay.live = false;
        }
    }

    /// Tablets whose session is over and whose wipe is still to be written.
    pub(crate) fn owed(&self) -> Vec<TabletId> {
        let stays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stays.values().filter(|stay| !stay.live).map(|stay| stay.session.tablet).collect()
    }

    /// Forgets the tablet, of which the disk now knows better; gives the session that was live there.
    pub(crate) fn take(&self, tablet: TabletId) -> Option<Session> {
        let stay = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tablet)?;
        stay.live.then_some(stay.session)
    }

    /// The disk knows now.
    pub(crate) fn forget(&self, tablet: TabletId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tablet);
    }

    /// Whether memory knows something that the disk does not.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}
