//! One end of one link, as a pure state machine: what happened goes in, what to do comes out.
//!
//! Both ends say `hello` (what they hold) when they meet and on a slow timer; then each sends what the other lacks, a
//! bounded amount ahead of the other's `have`, and sends it again when no `have` comes. `have` is said only of what is
//! durable (invariant 1): after [`Input::Stored`], never after [`Output::Commit`]. Runs are taken in the order of their
//! chain only; whatever else arrives (repeated, too early, lost before) changes nothing but time, because the sender
//! goes on from my mark. A box lets the coordinator's runs in before it sends its own, so that voids hold first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{
    batch::{Message, SPEAKS},
    rights::{Reason, Rights},
    run::Run,
    shelf::{Mark, Origin, Shelf},
};
use crate::{dice::Dice, time::Elapsed};

pub use alert::Alert;
pub use session::{Config, Timings};

mod alert;
mod offer;
mod session;
mod take;
#[cfg(test)]
mod tests;

/// Bytes of runs asked from the store for one message; the last run may exceed it.
pub const MESSAGE_BYTES: usize = 192 * 1024;
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
    /// The answer to [`Output::Survey`]: marks and digests of one consistent state.
    Surveyed {
        /// As in [`Input::Stored`].
        marks: Vec<Mark>,
        /// Digest of each shelf.
        digests: Vec<(Shelf, [u8; 32])>,
    },
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
    },
    /// A run of [`Output::Commit`] was not committed. Whoever says so keeps it aside, unless it was only
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
    /// Draw a new incarnation before writing anything more, and make a new peer with it.
    NewIncarnation,
    /// Say [`Input::Tick`] at this moment, unless something happens before.
    WakeAt(Elapsed),
}

type Key = (Shelf, Origin);
type Known = BTreeMap<Key, End>;

/// How far somebody's knowledge of an origin goes: its last number, and the hash of the run that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct End {
    number: u64,
    chain: [u8; 32],
}

/// Marks and digests of one state.
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
    /// Runs on their way.
    in_flight: Vec<offer::Flight>,
    fetching: Option<(Key, u64)>,
    /// Not sent until the next hello: refused there, or not continuous here.
    blocked: BTreeSet<Key>,
    my_survey: Option<Survey>,
    their_survey: Option<Survey>,
    alerts: BTreeSet<Alert>,
    cloned: bool,
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
            in_flight: Vec::new(),
            fetching: None,
            blocked: BTreeSet::new(),
            my_survey: None,
            their_survey: None,
            alerts: BTreeSet::new(),
            cloned: false,
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
            Input::Surveyed { marks, digests } => self.surveyed(now, marks, digests, &mut out),
            Input::Loaded { shelf, origin, after, runs } => self.loaded(now, (shelf, origin), after, runs, &mut out),
            Input::Refused { shelf, origin, first, reason } => {
                self.not_committed(now, (shelf, origin), first, reason, &mut out);
            }
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
            Message::Hello { speaks, marks, digests, answer_wanted } => {
                if speaks.1 < SPEAKS.0 || SPEAKS.1 < speaks.0 {
                    self.alert(Alert::TooOld { theirs: speaks }, out);
                } else {
                    self.greeted(now, Survey { known: self.known(marks), digests: digests.into_iter().collect() }, out);
                }
                if answer_wanted {
                    self.session.want_hello(session::Hello::Answer);
                    out.push(Output::Survey);
                }
            }
            Message::Runs(runs) => self.take_all(now, runs, out),
            Message::Have(marks) => self.acknowledged(now, marks, out),
            Message::Nack { shelf, origin, first: _, reason } => self.turned_down((shelf, origin), reason, out),
        }
    }

    fn greeted(&mut self, now: Elapsed, survey: Survey, out: &mut Vec<Output>) {
        self.alerts.retain(|a| !matches!(a, Alert::TooOld { .. } | Alert::Refused { .. } | Alert::Gap { .. }));
        self.session.greeted(now, &self.config.timings);
        self.check_own(&survey.known, out);
        self.start_over();
        self.blocked.clear();
        self.theirs = survey.known.clone();
        self.their_survey = Some(survey);
        out.push(Output::Acknowledged(self.theirs()));
        self.compare(out);
    }

    fn surveyed(&mut self, now: Elapsed, held: Vec<Mark>, digests: Vec<(Shelf, [u8; 32])>, out: &mut Vec<Output>) {
        self.stored(now, held, out);
        self.my_survey = Some(Survey { known: self.held.clone(), digests: digests.iter().cloned().collect() });
        self.compare(out);
        if let Some(hello) = self.session.hello_wanted() {
            let answer_wanted = hello == session::Hello::Ask;
            let marks = marks(&self.held);
            self.send(now, Message::Hello { speaks: SPEAKS, marks, digests, answer_wanted }, out);
        }
    }

    /// Same items, same documents: else an alert, until they are the same again.
    fn compare(&mut self, out: &mut Vec<Output>) {
        let (Some(mine), Some(theirs)) = (&self.my_survey, &self.their_survey) else { return };
        let of = |known: &Known, shelf: &Shelf| -> Vec<(Origin, End)> {
            known.iter().filter(|(k, _)| k.0 == *shelf).map(|(k, end)| (k.1, *end)).collect()
        };
        let both =
            mine.digests.iter().filter_map(|(shelf, mine)| theirs.digests.get(shelf).map(|t| (shelf, mine == t)));
        let (same, other): (Vec<_>, Vec<_>) = both.partition(|(_, same)| *same);
        for (shelf, _) in same {
            self.alerts.remove(&Alert::DigestMismatch { shelf: shelf.clone() });
        }
        let other = other.into_iter().filter(|(shelf, _)| of(&mine.known, shelf) == of(&theirs.known, shelf));
        let alerts: Vec<_> = other.map(|(shelf, _)| Alert::DigestMismatch { shelf: shelf.clone() }).collect();
        alerts.into_iter().for_each(|alert| self.alert(alert, out));
    }

    /// Items of mine that I never wrote, or wrote otherwise, are another life's.
    fn check_own(&mut self, theirs: &Known, out: &mut Vec<Output>) {
        let foreign = |(key, theirs): (&Key, &End)| {
            let mine = end(&self.held, key);
            let beyond = theirs.number > mine.number || theirs.number == mine.number && theirs.chain != mine.chain;
            key.1 == self.config.own && beyond
        };
        if theirs.iter().any(foreign) {
            self.clone_detected(out);
        }
    }

    fn clone_detected(&mut self, out: &mut Vec<Output>) {
        if !self.cloned {
            self.cloned = true;
            self.alert(Alert::CloneDetected { origin: self.config.own }, out);
            out.push(Output::NewIncarnation);
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
    let mark = |((shelf, origin), end): (&Key, &End)| Mark {
        shelf: shelf.clone(),
        origin: *origin,
        number: end.number,
        chain: end.chain,
    };
    known.iter().map(mark).collect()
}

fn end(known: &Known, key: &Key) -> End {
    known.get(key).copied().unwrap_or_default()
}
