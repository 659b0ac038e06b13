//! The ties with the coordinator and the other boxes: what arrives becomes rows, what happened here is told.

pub(crate) mod lan;
pub(crate) mod project;
pub(crate) mod pump;
pub(crate) mod seals;
pub(crate) mod vitals;

use preau_shared::rig::replicate::LinkStatus;
use tokio::sync::watch;

/// Whom the box replicates with.
#[derive(Debug, Clone)]
pub(crate) struct Ties {
    /// The coordinator.
    pub(crate) link: watch::Receiver<LinkStatus>,
    /// The other boxes of the school.
    pub(crate) sisters: lan::Sisters,
}
