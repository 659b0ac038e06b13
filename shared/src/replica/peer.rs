//! One end of one link, as a pure state machine: what happened goes in, what to do comes out.
//!
//! Both ends say `hello` when they meet and on a slow timer: a summary first, everything they hold when the summaries
//! differ. Then each sends what the other lacks, a bounded amount ahead of the other's `have`, and sends it again when
//! no `have` comes. `have` is said only of what is durable (invariant 1): after [`Input::Stored`], never after
//! [`Output::Commit`]. Runs are taken in the order of their chain only; whatever else arrives (repeated, too early, lost
//! before) changes nothing but time, because the sender goes on from my mark. A box lets the coordinator's runs in
//! before it sends its own, so that voids hold first. Who lacks more than runs can give pulls documents, page by page.
//!
//! | file | its one idea |
//! |---|---|
//! | `session` | contact and its timers |
//! | `greet` | hello: who holds what, who is a copy of whom |
//! | `offer` | what the other end lacks |
//! | `take` | what the other end sends |
//! | `pull` | snapshot and repair |
//! | `alert` | what a person should look at |

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use litemap::LiteMap;

use super::{
    batch::{Knowledge, Message},
    page::{Lacking, Page, Pull},
    rights::{Reason, Rights},
    run::Run,
    shelf::{Mark, Origin, Shelf},
};
use crate::{dice::Dice, time::Elapsed};

pub use alert::Alert;
pub use session::{Config, Timings};

mod alert;
mod greet;
mod offer;
mod pull;
mod session;
mod take;
#[cfg(test)]
mod tests;

/// Bytes of runs asked from the store for one message; a lone run may exceed it. A line that breaks loses half a message.
pub const MESSAGE_BYTES: usize = 16 * 1024;
/// Bytes of runs on their way without a `have`.
pub const WINDOW_BYTES: usize = 512 * 1024;
/// Messages of runs on their way without a `have`.
pub const WINDOW_MESSAGES: usize = 8;
/// Alerts, and refused runs, remembered on one link.
pub const MAX_REMEMBERED: usize = 64;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The carrier stands. Said again at any time, it starts the conversation anew.
    Connected,
    /// The carrier is gone.
    Disconnected,
    /// A batch was read.
    Received(Message),
    /// What is durable now, on the shelves of this link.
    Stored(Vec<Mark>),
    /// The answer to [`Output::Survey`].
    Surveyed(Knowledge),
    /// The answer to [`Output::Fetch`], with its own words.
    Loaded {
        /// As asked.
        shelf: Shelf,
        /// As asked.
        origin: Origin,
        /// As asked.
        after: u64,
        /// The runs that follow, in order.
        runs: Vec<Run>,
        /// Without runs: the last of those that followed and are no longer kept, without its items.
        pruned: Option<Run>,
    },
    /// The store could not be read now: what was asked by [`Output::Fetch`] is asked again later.
    Unread,
    /// A run of [`Output::Commit`], or a skip, was not committed. Whoever says so keeps it aside, unless it was only
    /// [`Reason::NotNow`].
    Refused {
        /// Its shelf.
        shelf: Shelf,
        /// Its origin.
        origin: Origin,
        /// Its first number.
        first: u64,
        /// Why.
        reason: Reason,
    },
    /// The answer to [`Output::Serve`].
    Served(Page),
    /// The answer to [`Output::Take`]: it is durable. What the server's copies lack comes with it.
    Taken {
        /// What was asked.
        pull: Pull,
        /// What to hand over.
        mend: Lacking,
    },
    /// The answer to [`Output::Sum`].
    Summed(Shelf, Vec<u64>),
    /// Time has passed.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Give this to the carrier; it may get lost.
    Send(Message),
    /// Read runs from the store and answer with [`Input::Loaded`].
    Fetch {
        /// Of this shelf
        shelf: Shelf,
        /// and origin
        origin: Origin,
        /// those after this number,
        after: u64,
        /// about so many bytes of them, one run at least.
        max_bytes: usize,
    },
    /// Read marks and digests together and answer with [`Input::Surveyed`].
    Survey,
    /// Commit this judged run, which follows what is held; then say [`Input::Stored`] or [`Input::Refused`].
    Commit(Run),
    /// The other end no longer keeps what I lack: note the loss, go on from this run, then say [`Input::Stored`].
    Skip(Run),
    /// Read a page and answer with [`Input::Served`]; nothing is said when it cannot be read.
    Serve(Pull),
    /// Merge this page; with marks, hold them from then on, in the same commit. Then say [`Input::Taken`], and
    /// [`Input::Stored`] when marks came with it.
    Take {
        /// The page.
        page: Page,
        /// What the server held when it read the first page of a snapshot; with the last page only.
        adopt: Option<Vec<Mark>>,
    },
    /// Sum up the buckets of a shelf and answer with [`Input::Summed`].
    Sum(Shelf),
    /// Merge these changes, each of them judged as one of this link's box, and the tombstones that are proved; then say
    /// [`Input::Stored`].
    Mend(Shelf, Lacking),
    /// Keep this run aside for a person to look at.
    Quarantine {
        /// The run.
        run: Run,
        /// Why it is not taken.
        reason: Reason,
    },
    /// The other end holds this; the store may mark it acknowledged.
    Acknowledged(Vec<Mark>),
    /// Somebody should look. Said once, then kept in [`Peer::alerts`] until it is over.
    Alert(Alert),
    /// Another machine speaks under the name of this life: begin another before anything more is written.
    NewIncarnation,
    /// Say [`Input::Tick`] at this moment, unless something happens before.
    WakeAt(Elapsed),
}

type Key = (Shelf, Origin);
/// A few entries, kept for every school: one allocation of their size.
type Known = LiteMap<Key, End>;

/// How far somebody's knowledge of an origin goes: its last number, and the hash of the run that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct End {
    number: u64,
    chain: [u8; 32],
}

/// Marks and digests of one state.
#[derive(Debug, Clone, Default)]
struct Survey {
    known: Known,
    digests: BTreeMap<Shelf, [u8; 32]>,
}

/// One end of one link.
pub struct Peer {
    config: Config,
    dice: Arc<dyn Dice>,
    session: session::Session,
    /// Durable here.
    held: Known,
    /// Durable here, or handed out to be committed.
    accepted: Known,
    /// Runs came in for these; their marks are due.
    owed: BTreeSet<Key>,
    /// Runs kept aside once.
    refused: BTreeSet<(Key, u64)>,
    /// Durable there, as far as they told.
    theirs: Known,
    /// The same, as it was when the last meeting ended.
    theirs_before: Known,
    /// Runs on their way.
    in_flight: Vec<offer::Flight>,
    fetching: Option<(Key, u64)>,
    /// Not sent until the next hello: refused there, or not continuous here.
    blocked: BTreeSet<Key>,
    /// At a box: what they said that they hold.
    announced: Known,
    /// Shelves whose documents they pull first.
    pulled: BTreeSet<Shelf>,
    /// Shelves whose documents I pull.
    pulling: BTreeMap<Shelf, pull::Pulling>,
    /// Shelves that read differently at the last hello.
    suspected: BTreeSet<Shelf>,
    /// Shelves that were repaired, how often, and may still differ.
    repaired: BTreeMap<Shelf, u32>,
    /// What they no longer keep and I lack, and since when they say so.
    given_up: BTreeMap<Key, Elapsed>,
    /// Lives of the link's box, in the order in which each was first heard, and when.
    lives: Vec<(u64, Elapsed)>,
    /// How often a life spoke again long after another began.
    returns: u32,
    /// Lives that did so more than once may.
    superseded: BTreeSet<Origin>,
    alerts: BTreeSet<Alert>,
    /// This life of mine must not be told any more.
    silenced: bool,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({} with {:?})", self.config.own, self.config.rights)
    }
}

impl Peer {
    /// A peer without a carrier, that holds `marks` durably.
    pub fn new(config: Config, dice: Arc<dyn Dice>, marks: Vec<Mark>) -> Self {
        let held = known(&config.rights, marks);
        Self {
            config,
            dice,
            session: session::Session::default(),
            accepted: held.clone(),
            held,
            owed: BTreeSet::new(),
            refused: BTreeSet::new(),
            theirs: Known::new(),
            theirs_before: Known::new(),
            in_flight: Vec::new(),
            fetching: None,
            blocked: BTreeSet::new(),
            announced: Known::new(),
            pulled: BTreeSet::new(),
            pulling: BTreeMap::new(),
            suspected: BTreeSet::new(),
            repaired: BTreeMap::new(),
            given_up: BTreeMap::new(),
            lives: Vec::new(),
            returns: 0,
            superseded: BTreeSet::new(),
            alerts: BTreeSet::new(),
            silenced: false,
        }
    }

    /// Takes what happened; says what to do, in order. The last output is always a [`Output::WakeAt`].
    pub fn handle(&mut self, now: Elapsed, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected => self.meet(now),
            Input::Disconnected => self.part(),
            Input::Received(message) => self.received(now, message, &mut out),
            Input::Stored(marks) => self.stored(now, marks, &mut out),
            Input::Surveyed(knowledge) => self.surveyed(now, knowledge, &mut out),
            Input::Loaded { shelf, origin, after, runs, pruned } => match pruned {
                Some(pruned) => self.no_longer_kept(now, (shelf, origin), after, pruned, &mut out),
                None => self.loaded(now, (shelf, origin), after, runs, &mut out),
            },
            Input::Unread => self.not_loaded(now),
            Input::Refused { shelf, origin, first, reason } => {
                self.not_committed(now, (shelf, origin), first, reason, &mut out);
            }
            Input::Served(page) => self.serve(now, page, &mut out),
            Input::Taken { pull, mend } => self.taken(now, &pull, mend, &mut out),
            Input::Summed(shelf, sums) => self.summed(now, shelf, sums, &mut out),
            Input::Tick => {}
        }
        self.keep_time(now, &mut out);
        self.offer(now, &mut out);
        out.push(Output::WakeAt(self.next_wake(now)));
        out
    }

    /// What somebody should look at now.
    pub fn alerts(&self) -> &BTreeSet<Alert> {
        &self.alerts
    }

    /// Whether both ends have said hello and are still heard.
    pub fn is_open(&self) -> bool {
        self.session.is_open()
    }

    /// Whether it is open, and (for a box) what the coordinator had waiting is here or had its time.
    pub fn is_settled(&self, now: Elapsed) -> bool {
        self.is_open() && !self.lets_in_first(now)
    }

    /// Whether documents are being pulled, here or there: a snapshot, or a repair.
    pub fn is_pulling(&self) -> bool {
        !self.pulling.is_empty() || !self.pulled.is_empty()
    }

    /// What the other end is known to hold.
    pub fn theirs(&self) -> Vec<Mark> {
        marks(&self.theirs)
    }

    fn received(&mut self, now: Elapsed, message: Message, out: &mut Vec<Output>) {
        if !self.session.is_up() {
            self.meet(now);
        }
        self.session.heard(now);
        match message {
            Message::Hello(hello) => self.heard_hello(now, hello, out),
            Message::Runs(runs) => self.take_all(now, runs, out),
            Message::Have(marks) => self.acknowledged(now, marks, out),
            Message::Nack { shelf, origin, first: _, reason } => self.turned_down(now, (shelf, origin), reason, out),
            Message::Skip(head) => self.told_to_skip(now, head, out),
            Message::Pull(pull) => self.asked_for_page(now, pull, out),
            Message::Page(page) => self.take_page(now, page, out),
            Message::Buckets(shelf, sums) => self.asked_to_compare(shelf, sums, out),
            Message::Differ(shelf, buckets) => self.told_what_differs(now, shelf, buckets, out),
            Message::Mend(shelf, lacking) => self.told_to_mend(shelf, lacking, out),
        }
    }

    fn alert(&mut self, alert: Alert, out: &mut Vec<Output>) {
        if self.alerts.len() < MAX_REMEMBERED && self.alerts.insert(alert.clone()) {
            out.push(Output::Alert(alert));
        }
    }

    fn send(&mut self, now: Elapsed, message: Message, out: &mut Vec<Output>) {
        self.session.sent(now);
        out.push(Output::Send(message));
    }

    fn known(&self, marks: Vec<Mark>) -> Known {
        known(&self.config.rights, marks)
    }
}

fn known(rights: &Rights, marks: Vec<Mark>) -> Known {
    let marks = marks.into_iter().filter(|m| m.number > 0 && rights.carries(&m.shelf));
    marks.map(|m| ((m.shelf, m.origin), End { number: m.number, chain: m.chain })).collect()
}

fn marks(known: &Known) -> Vec<Mark> {
    known.iter().map(|(key, end)| mark(key, *end)).collect()
}

fn mark((shelf, origin): &Key, end: End) -> Mark {
    Mark { shelf: shelf.clone(), origin: *origin, number: end.number, chain: end.chain }
}

fn end(known: &Known, key: &Key) -> End {
    known.get(key).copied().unwrap_or_default()
}
