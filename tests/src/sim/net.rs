//! The network and its faults: a queue of what will happen.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use preau_shared::{
    dice::{Dice, Seeded},
    time::Elapsed,
};

use super::Place;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Arrive { to: Place, link: u8, bytes: Vec<u8> },
    LinkUp(u8),
    LinkDown(u8),
    Wake(Place, u8),
    Close(Place),
    Start(Place),
    Act(Place),
}

/// How bad a storm is, each in percent, drawn by the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Messages that never arrive.
    pub loss: u64,
    /// Messages that arrive twice or more.
    pub repetition: u64,
    /// Messages that arrive with a changed byte.
    pub damage: u64,
    /// Messages that are late by up to five seconds, so that others overtake them.
    pub delay: u64,
    /// Of ten seconds of a link, how likely it breaks.
    pub breaks: u64,
}

impl Faults {
    pub(super) fn draw(dice: &dyn Dice) -> Self {
        let up_to = |most: u64| if dice.below(4) == 0 { 0 } else { dice.below(most) };
        Self { loss: up_to(40), repetition: up_to(30), damage: up_to(10), delay: up_to(50), breaks: up_to(80) }
    }
}

#[derive(Debug)]
pub(super) struct Net {
    faults: Faults,
    stormy: bool,
    dice: Arc<Seeded>,
    queue: BTreeMap<(Elapsed, u64), Happening>,
    count: u64,
    up: [bool; 2],
}

impl Net {
    pub(super) fn new(faults: Faults, dice: Arc<Seeded>) -> Self {
        Self { faults, stormy: true, dice, queue: BTreeMap::new(), count: 0, up: [false; 2] }
    }

    pub(super) fn at(&mut self, at: Elapsed, happening: Happening) {
        self.count = self.count.saturating_add(1);
        self.queue.insert((at, self.count), happening);
    }

    /// The next happening before `end`.
    pub(super) fn next(&mut self, end: Elapsed) -> Option<(Elapsed, Happening)> {
        let first = self.queue.first_entry().filter(|e| e.key().0 < end)?;
        let ((at, _), happening) = first.remove_entry();
        Some((at, happening))
    }

    /// Some time, so many milliseconds at most.
    pub(super) fn moment(&self, most_ms: u64) -> Duration {
        Duration::from_millis(self.dice.below(most_ms.max(1)))
    }

    pub(super) fn is_stormy(&self) -> bool {
        self.stormy
    }

    pub(super) fn calm(&mut self) {
        self.stormy = false;
        self.faults = Faults::default();
        // What was about to break does not; nobody writes more.
        self.queue.retain(|_, h| !matches!(h, Happening::LinkDown(_) | Happening::Act(_)));
    }

    pub(super) fn is_up(&self, link: u8) -> bool {
        self.up.get(usize::from(link)).copied().unwrap_or(false)
    }

    fn set(&mut self, link: u8, up: bool) {
        if let Some(state) = self.up.get_mut(usize::from(link)) {
            *state = up;
        }
    }

    fn falls(&self, percent: u64) -> bool {
        percent > 0 && self.dice.below(100) < percent
    }

    /// The link stands; gives who is told. Sometimes one end does not notice that it was ever gone.
    pub(super) fn raise(&mut self, link: u8, now: Elapsed) -> Vec<Place> {
        self.set(link, true);
        if self.stormy && self.faults.breaks > 0 {
            let ten_seconds = self.dice.below(20_000).saturating_mul(100) / self.faults.breaks;
            self.at(now.after(Duration::from_millis(ten_seconds)), Happening::LinkDown(link));
        }
        self.who_notices(link)
    }

    /// The link is gone; gives who is told. A black hole tells nobody.
    pub(super) fn cut(&mut self, link: u8, now: Elapsed) -> Vec<Place> {
        self.set(link, false);
        let wait = self.moment(20_000);
        self.at(now.after(wait), Happening::LinkUp(link));
        self.who_notices(link)
    }

    fn who_notices(&self, link: u8) -> Vec<Place> {
        let both = [Place::Cloud, Place::Box(link)];
        both.into_iter().filter(|_| !self.stormy || self.falls(60)).collect()
    }

    pub(super) fn send(&mut self, now: Elapsed, to: Place, link: u8, bytes: Vec<u8>) {
        if !self.is_up(link) || self.falls(self.faults.loss) {
            return;
        }
        let copies = if self.falls(self.faults.repetition) { 2 } else { 1 };
        for _ in 0..copies {
            let mut bytes = bytes.clone();
            if self.falls(self.faults.damage) {
                let at = usize::try_from(self.dice.below(bytes.len().try_into().unwrap_or(1))).unwrap_or(0);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.dice.below(8);
                }
            }
            let mut wait = Duration::from_millis(5).saturating_add(self.moment(45));
            if self.falls(self.faults.delay) {
                wait = wait.saturating_add(self.moment(5_000));
            }
            self.at(now.after(wait), Happening::Arrive { to, link, bytes });
        }
    }
}
