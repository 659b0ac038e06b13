//! What is known of each box's link, for whoever shows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use preau_shared::{ids::BoxId, rig::replicate::LinkStatus, time::Elapsed};
use tokio::sync::watch;

/// The links that run, by box.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links(Arc<Mutex<BTreeMap<BoxId, watch::Receiver<LinkStatus>>>>);

impl Links {
    /// A link runs.
    pub(super) fn put(&self, box_id: BoxId, status: watch::Receiver<LinkStatus>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(box_id, status);
    }

    /// It does not any more.
    pub(super) fn remove(&self, box_id: &BoxId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(box_id);
    }

    /// Where a box's link stands; `None` when it was not heard since the start.
    pub(crate) fn status(&self, box_id: &BoxId) -> Option<LinkStatus> {
        let status = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(box_id).cloned()?;
        let status = status.borrow().clone();
        Some(status)
    }

    /// Every link that runs.
    pub(crate) fn all(&self) -> Vec<(BoxId, LinkStatus)> {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().map(|(box_id, status)| (*box_id, status.borrow().clone())).collect()
    }

    /// Whether any box is in contact.
    pub(crate) fn any_contact(&self, now: Elapsed, keep_alive: Duration) -> bool {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.values().any(|status| status.borrow().is_contact(now, keep_alive))
    }
}
