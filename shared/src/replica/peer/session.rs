//! Contact and its timers.

use std::time::Duration;

use super::{Output, Peer, end};
use crate::{
    dice::Dice,
    replica::{
        batch::{Hello, Message},
        rights::{Rights, Side},
        shelf::{Origin, Shelf},
    },
    time::Elapsed,
};

/// With nothing to wait for, the driver looks again after so long.
const IDLE: Duration = Duration::from_secs(600);
/// Waits between repetitions stop doubling here.
const MAX_DOUBLINGS: u32 = 10;

/// Who this end is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The origin that writes here.
    pub own: Origin,
    /// Rights on the link.
    pub rights: Rights,
    /// Waits.
    pub timings: Timings,
}

/// Waits of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Something is said at least so often.
    pub heartbeat: Duration,
    /// Without a message for so long, contact is lost.
    pub silence: Duration,
    /// Runs without a `have` for so long are sent again; doubles, up to [`Self::resend_max`].
    pub resend: Duration,
    /// Longest wait before sending again.
    pub resend_max: Duration,
    /// A hello without an answer is repeated after so long; doubles, up to [`Self::greet_max`].
    pub greet: Duration,
    /// Longest wait before another hello.
    pub greet_max: Duration,
    /// In contact, hello is said so often.
    pub hello_every: Duration,
    /// A box lets the coordinator's runs in for so long, at most, before it sends.
    pub let_in: Duration,
    /// Items that one box gives up are not lost before every box had so long to bring them.
    pub give_up: Duration,
}

impl Timings {
    /// The waits that go with an MQTT keep-alive (ARCHITECTURE §2.5).
    pub fn for_keep_alive(keep_alive: Duration) -> Self {
        Self {
            heartbeat: keep_alive,
            silence: keep_alive.mul_f64(1.5),
            resend: keep_alive.max(Duration::from_secs(2)),
            resend_max: Duration::from_secs(60).max(keep_alive),
            greet: Duration::from_millis(500),
            greet_max: keep_alive,
            hello_every: keep_alive.saturating_mul(120),
            let_in: Duration::from_secs(2),
            give_up: Duration::from_secs(24 * 60 * 60),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// No carrier.
    #[default]
    Down,
    /// Waiting for their hello; ours is repeated at `next`.
    Greeting { tries: u32, next: Elapsed },
    /// Their hello is here.
    Open,
}

/// What belongs to one meeting.
#[derive(Debug, Default)]
pub(super) struct Session {
    stage: Stage,
    heard: Elapsed,
    sent: Elapsed,
    /// A hello of mine is due, that asks for theirs.
    asks: bool,
    /// Theirs, to be answered once the store is surveyed.
    heard_hello: Option<Hello>,
    hello_at: Elapsed,
    let_in_until: Elapsed,
    pub(super) resend_at: Option<Elapsed>,
    pub(super) resend_tries: u32,
    /// Their buckets, to be compared with mine.
    pub(super) sums: Option<(Shelf, Vec<u64>)>,
}

impl Session {
    pub(super) fn is_up(&self) -> bool {
        self.stage != Stage::Down
    }
    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }
    pub(super) fn heard(&mut self, now: Elapsed) {
        self.heard = now;
    }
    pub(super) fn sent(&mut self, now: Elapsed) {
        self.sent = now;
    }
    pub(super) fn want_hello(&mut self) {
        self.asks = true;
    }
    pub(super) fn hello_wanted(&mut self) -> bool {
        std::mem::take(&mut self.asks)
    }
    /// Two in a row: the later one is true, but an answer is owed to either.
    pub(super) fn heard_hello(&mut self, hello: Hello) {
        let owed = self.heard_hello.take().is_some_and(|earlier| earlier.answer_wanted);
        self.heard_hello = Some(Hello { answer_wanted: hello.answer_wanted || owed, ..hello });
    }
    pub(super) fn hello_to_answer(&mut self) -> Option<Hello> {
        self.heard_hello.take()
    }
    /// Something is on its way that wants an answer by then.
    pub(super) fn expect_answer(&mut self, by: Elapsed) {
        self.resend_at.get_or_insert(by);
    }
    /// Hello is said again by then.
    pub(super) fn hello_by(&mut self, by: Elapsed) {
        self.hello_at = self.hello_at.min(by);
    }
    /// Progress: waits are short again.
    pub(super) fn answered(&mut self) {
        self.resend_at = None;
        self.resend_tries = 0;
    }
    pub(super) fn greeted(&mut self, now: Elapsed, timings: &Timings) {
        if !self.is_open() {
            self.let_in_until = now.after(timings.let_in);
        }
        self.stage = Stage::Open;
        self.hello_at = now.after(timings.hello_every);
    }
}

impl Peer {
    pub(super) fn meet(&mut self, now: Elapsed) {
        self.part();
        self.session.stage = Stage::Greeting { tries: 0, next: now };
    }

    pub(super) fn part(&mut self) {
        self.session = Session::default();
        self.start_over();
        self.pulled.clear();
        let theirs = std::mem::take(&mut self.theirs);
        if !theirs.is_empty() {
            self.theirs_before = theirs;
        }
        self.announced.clear();
        self.owed.clear();
    }

    /// A box waits for the runs that the coordinator's hello announced, but not for ever.
    pub(super) fn lets_in_first(&self, now: Elapsed) -> bool {
        let mut lacking = self
            .announced
            .iter()
            .filter(|(key, _)| key.1 != self.config.own)
            .filter(|(key, theirs)| end(&self.held, key).number < theirs.number);
        self.config.rights.side == Side::Box && now < self.session.let_in_until && lacking.next().is_some()
    }

    pub(super) fn keep_time(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        let timings = self.config.timings;
        if self.session.is_open() && now >= self.session.heard.after(timings.silence) {
            self.meet(now);
        }
        match self.session.stage {
            Stage::Down => {}
            Stage::Greeting { tries, next } if now >= next => {
                let wait = doubled(timings.greet, tries, timings.greet_max);
                let next = now.after(wait / 2).after(below(&*self.dice, wait / 2));
                self.session.stage = Stage::Greeting { tries: tries.saturating_add(1), next };
                self.ask(out);
            }
            Stage::Greeting { .. } => {}
            Stage::Open => {
                if now >= self.session.hello_at {
                    // Who should pull and does not has lost a message: it is greeted sooner.
                    let every = if self.pulled.is_empty() { timings.hello_every } else { timings.resend_max };
                    let jitter = below(&*self.dice, every / 4);
                    self.session.hello_at = now.after(every).after(jitter);
                    self.ask(out);
                } else if now >= self.session.sent.after(timings.heartbeat) {
                    self.send(now, Message::Have(Vec::new()), out);
                }
                if self.session.resend_at.is_some_and(|at| now >= at) {
                    let tries = self.session.resend_tries.saturating_add(1);
                    self.start_over();
                    self.session.resend_tries = tries;
                    self.ask_for_pages(now, out);
                }
            }
        }
    }

    fn ask(&mut self, out: &mut Vec<Output>) {
        self.session.want_hello();
        out.push(Output::Survey);
    }

    /// When runs that leave now are sent again.
    pub(super) fn resend_after(&self, now: Elapsed) -> Elapsed {
        let timings = &self.config.timings;
        let wait = doubled(timings.resend, self.session.resend_tries, timings.resend_max);
        now.after(wait).after(below(&*self.dice, wait / 2))
    }

    pub(super) fn next_wake(&self, now: Elapsed) -> Elapsed {
        let timings = &self.config.timings;
        let idle = now.after(IDLE);
        let session = &self.session;
        match session.stage {
            Stage::Down => idle,
            Stage::Greeting { next, .. } => next,
            Stage::Open => {
                let let_in = (session.let_in_until > now).then_some(session.let_in_until);
                [
                    Some(session.heard.after(timings.silence)),
                    Some(session.sent.after(timings.heartbeat)),
                    Some(session.hello_at),
                    session.resend_at,
                    let_in,
                ]
                .into_iter()
                .flatten()
                .fold(idle, Elapsed::min)
            }
        }
    }
}

/// A wait that doubles each time, up to the longest.
pub(super) fn doubled(wait: Duration, times: u32, most: Duration) -> Duration {
    wait.saturating_mul(1 << times.min(MAX_DOUBLINGS)).min(most)
}

fn below(dice: &dyn Dice, bound: Duration) -> Duration {
    Duration::from_millis(dice.below(u64::try_from(bound.as_millis()).unwrap_or(u64::MAX)))
}
