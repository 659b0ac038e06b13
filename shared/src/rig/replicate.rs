//! Drives a [`Peer`](crate::replica::Peer) over the store and a carrier: reads for it, commits for it, sends for it, keeps its time.
//!
//! A box runs one, the coordinator one per box. What it decides nothing about: who may send what and in which order is
//! the peer's; what a run does to documents is `rig::shelves`'. Own items become runs in [`close_runs`], one task per
//! program; the links of a shelf hear of what became durable on it by [`News`].

mod carrier;
mod drive;
mod envelope;
mod news;
mod perform;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

pub use self::{carrier::Carrier, envelope::Envelope, news::News};
use super::{
    apply::Bench,
    shelves::{self, Author, Project, ShelfError},
    store::Store,
    task::Tasks,
};
use crate::{
    dice::Dice,
    ids::BoxId,
    replica::{Alert, Mark, Origin, Reason, Rights, Side, Timings, Vitals},
    time::{Clock, Elapsed},
};

/// In contact, items wait so long for company before they are closed into a run: what the lag pays for fewer runs.
pub const CLOSE_IN_CONTACT: Duration = Duration::from_millis(100);
/// Without contact, so long: fuller runs compress better, and nobody waits for them.
pub const CLOSE_OUT_OF_CONTACT: Duration = Duration::from_secs(2);
/// Durable news are told to the peer at most so often.
pub const NEWS_EVERY: Duration = Duration::from_millis(20);
/// A message that finds no room at the carrier for so long is dropped; the peer sends it again.
pub const CARRIER_PATIENCE: Duration = Duration::from_secs(1);

/// What the carrier tells, for this link alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The carrier stands.
    Connected,
    /// It does not.
    Disconnected,
    /// A batch came. Its topic was the right one, and the certificate that of the other end.
    Message(Vec<u8>),
}

/// What a box says of itself.
pub type TellVitals = Arc<dyn Fn() -> Vitals + Send + Sync>;

/// What a link works with.
pub struct Replication<D: Store> {
    /// What is held.
    pub store: D,
    /// Who writes here.
    pub author: Arc<Author>,
    /// Rows made of documents and entries.
    pub project: Arc<dyn Project<D::Tx>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub dice: Arc<dyn Dice>,
    /// Applies what comes, for no longer than its limit.
    pub bench: Arc<Bench>,
    /// Who hears what became durable.
    pub news: News,
    /// What batches travel in.
    pub envelope: Envelope,
    /// Rights on this link.
    pub rights: Rights,
    /// Waits.
    pub timings: Timings,
    /// Told with every message upwards; `None` at the coordinator.
    pub vitals: Option<TellVitals>,
    /// Called when the other end knew more of this origin than it does: the disk was restored or cloned. The new origin
    /// is on the disk; the program must start again before it writes more.
    pub on_clone: Arc<dyn Fn(Origin) + Send + Sync>,
}

/// A link as pages show it. Moments are of this program's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkStatus {
    /// The carrier stands.
    pub connected: bool,
    /// Both ends have said hello and are still heard.
    pub in_contact: bool,
    /// In contact, and what the coordinator had waiting is here (or had its two seconds).
    pub settled: bool,
    /// When the last batch that could be read came, on this or an earlier carrier.
    pub last_message: Option<Elapsed>,
    /// What the box said of itself then.
    pub vitals: Option<Vitals>,
    /// Documents are being pulled: a snapshot, or a repair.
    pub pulling: bool,
    /// What the other end holds durably, as last told.
    pub theirs: Vec<Mark>,
    /// What somebody should look at.
    pub alerts: Vec<Alert>,
    /// The last thing that went wrong on the link, in words.
    pub last_error: Option<String>,
}

impl LinkStatus {
    /// Whether a batch came within 1.5 keep-alives (ARCHITECTURE §2.5).
    pub fn is_contact(&self, now: Elapsed, keep_alive: Duration) -> bool {
        self.last_message.is_some_and(|at| now.since(at) < keep_alive.mul_f64(1.5))
    }
}

/// Not derived: that would ask it of transactions too.
impl<D: Store> Clone for Replication<D> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            author: self.author.clone(),
            project: self.project.clone(),
            clock: self.clock.clone(),
            dice: self.dice.clone(),
            bench: self.bench.clone(),
            news: self.news.clone(),
            envelope: self.envelope.clone(),
            rights: self.rights.clone(),
            timings: self.timings,
            vitals: self.vitals.clone(),
            on_clone: self.on_clone.clone(),
        }
    }
}

impl<D: Store> Replication<D> {
    /// The link of the same box, over the same store, to another box of its school.
    #[must_use]
    pub fn to_sister(&self, sister: BoxId) -> Self {
        let rights = Rights { side: Side::Sibling, box_id: sister, ..self.rights.clone() };
        Self { envelope: Envelope::Direct, rights, vitals: None, ..self.clone() }
    }

    /// Starts the task of one link; it ends with the program, or when `inbound` ends.
    pub fn start(
        self,
        inbound: mpsc::Receiver<LinkEvent>,
        carrier: impl Carrier,
        tasks: &Tasks,
    ) -> watch::Receiver<LinkStatus> {
        let (say, status) = watch::channel(LinkStatus::default());
        tasks.spawn("replication", drive::run(self, inbound, carrier, say, tasks.stopping()));
        status
    }
}

/// Starts the task that closes this program's own items into runs: soon while `in_contact`, else every
/// [`CLOSE_OUT_OF_CONTACT`].
pub fn close_runs<D: Store>(
    store: D,
    author: Arc<Author>,
    clock: Arc<dyn Clock>,
    news: News,
    in_contact: impl Fn() -> bool + Send + Sync + 'static,
    tasks: &Tasks,
) {
    let mut stop = tasks.stopping();
    tasks.spawn("closing runs", async move {
        let mut committed = store.committed();
        loop {
            // What the last life left pending is closed first.
            let (by, stamp) = (author.clone(), clock.stamp());
            let closed = store.commit(move |conn| shelves::close_runs(conn, &by, stamp)).await;
            match closed {
                Ok(marks) => news.tell_of(&marks),
                Err(error) => tracing::error!(%error, "own items could not be closed into runs; they stay pending"),
            }
            tokio::select! {
                news = committed.changed() => if news.is_err() { return },
                () = stop.wait() => return,
            }
            // In steps, so that a return of contact does not wait for the longer time.
            let mut waited = Duration::ZERO;
            while waited < CLOSE_OUT_OF_CONTACT {
                sleep(CLOSE_IN_CONTACT).await;
                waited = waited.saturating_add(CLOSE_IN_CONTACT);
                if in_contact() {
                    break;
                }
            }
        }
    });
}

/// What the other end is told. What may pass by itself is only tried again.
pub fn reason_of(error: &ShelfError) -> Reason {
    match error {
        ShelfError::Fork { .. } => Reason::Fork,
        ShelfError::Refused { .. } => Reason::Items,
        ShelfError::Store(_) | ShelfError::Gap { .. } | ShelfError::Stuck => Reason::NotNow,
    }
}
