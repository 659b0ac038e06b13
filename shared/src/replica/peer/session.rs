//! Contact and its timers.

use std::time::Duration;

use super::{End, Key, Output, Peer, end, marks};
use crate::{
    dice::Dice,
    replica::{
        batch::Message,
        rights::{Rights, Side},
        shelf::Origin,
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
}

impl Timings {
    /// The waits that go with an MQTT keep-alive (ARCHITECTURE §2.5).
    pub fn for_keep_alive(keep_alive: Duration) -> Self {
        Self {
            heartbeat: keep_alive / 2,
            silence: keep_alive.mul_f64(1.5),
            resend: keep_alive.max(Duration::from_secs(2)),
            resend_max: Duration::from_secs(60).max(keep_alive),
            greet: Duration::from_millis(500),
            greet_max: keep_alive,
            hello_every: keep_alive.saturating_mul(20),
            let_in: Duration::from_secs(2),
        }
    }
}

/// Why a hello is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hello {
    Answer,
    Ask,
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
    hello: Option<Hello>,
    hello_at: Elapsed,
    let_in_until: Elapsed,
    pub(super) resend_at: Option<Elapsed>,
    pub(super) resend_tries: u32,
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
    pub(super) fn want_hello(&mut self, hello: Hello) {
        self.hello = self.hello.max(Some(hello));
    }
    pub(super) fn hello_wanted(&mut self) -> Option<Hello> {
        self.hello.take()
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
        self.theirs.clear();
        self.their_survey = None;
        self.owed.clear();
    }

    /// A box waits for the runs that the coordinator's hello announced, but not for ever.
    pub(super) fn lets_in_first(&self, now: Elapsed) -> bool {
        let announced = self.their_survey.iter().flat_map(|s| &s.known);
        let mut lacking = announced
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
                    let jitter = below(&*self.dice, timings.hello_every / 4);
                    self.session.hello_at = now.after(timings.hello_every).after(jitter);
                    self.ask(out);
                } else if now >= self.session.sent.after(timings.heartbeat) {
                    self.tell_all(now, out);
                }
                if self.session.resend_at.is_some_and(|at| now >= at) {
                    let tries = self.session.resend_tries.saturating_add(1);
                    self.start_over();
                    self.session.resend_tries = tries;
                }
            }
        }
    }

    fn ask(&mut self, out: &mut Vec<Output>) {
        self.session.want_hello(Hello::Ask);
        out.push(Output::Survey);
    }

    fn tell_all(&mut self, now: Elapsed, out: &mut Vec<Output>) {
        let taken =
            |(key, _): &(&Key, &End)| key.1 != self.config.own && self.config.rights.may_send(&key.0, &key.1).is_ok();
        let have = marks(&self.held.iter().filter(taken).map(|(k, e)| (k.clone(), *e)).collect());
        self.send(now, Message::Have(have), out);
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

fn doubled(wait: Duration, times: u32, most: Duration) -> Duration {
    wait.saturating_mul(1 << times.min(MAX_DOUBLINGS)).min(most)
}

fn below(dice: &dyn Dice, bound: Duration) -> Duration {
    Duration::from_millis(dice.below(u64::try_from(bound.as_millis()).unwrap_or(u64::MAX)))
}
