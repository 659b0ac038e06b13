//! The network and its faults: a queue of what will happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use preau_shared::{
    dice::{Dice, Seeded},
    time::Elapsed,
};

use super::{Fault, Place, Plan};

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
    Blow(Blow),
}

/// What strikes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// A disk is copied aside.
    Snapshot(Place),
    /// The copy comes back to life.
    Rewind(Place),
    /// A second machine with a copy of a box's disk.
    Clone(u8),
    /// The other of two machines is plugged in.
    Plug(u8),
    Full(Place),
    Erase,
    RollOver,
    /// Months pass.
    Sleep,
    /// What each program does at night.
    House(Place),
    Clock(Place),
    Revoke(u8),
    Steal(u8),
    /// What a stolen box tries.
    Attack(u8),
}

/// What a message takes, and what a fault adds to it at most, in milliseconds.
const ON_ITS_WAY_MS: u64 = 50;
const DELAY_MS: u64 = 5_000;
/// By then everything that was sent has arrived, or never will.
pub(super) const LONGEST_ON_ITS_WAY: Duration = Duration::from_millis(ON_ITS_WAY_MS + DELAY_MS);

#[derive(Debug)]
pub(super) struct Net {
    /// Each in percent.
    rates: BTreeMap<Fault, u64>,
    stormy: bool,
    dice: Seeded,
    queue: BTreeMap<(Elapsed, u64), Happening>,
    count: u64,
    up: BTreeSet<u8>,
    /// How often each fault happened.
    pub(super) happened: BTreeMap<Fault, u64>,
}

impl Net {
    pub(super) fn new(plan: &Plan) -> Self {
        let dice = plan.dice("rates");
        let mut rates = BTreeMap::new();
        for (fault, most) in [
            (Fault::Loss, 40),
            (Fault::Duplication, 30),
            (Fault::Damage, 12),
            (Fault::Delay, 50),
            (Fault::Partition, 80),
        ] {
            let rate = dice.below(most).saturating_add(2);
            if plan.has(fault) {
                rates.insert(fault, rate);
            }
        }
        Self {
            rates,
            stormy: true,
            dice: plan.dice("net"),
            queue: BTreeMap::new(),
            count: 0,
            up: BTreeSet::new(),
            happened: BTreeMap::new(),
        }
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

    pub(super) fn storm(&mut self) {
        self.stormy = true;
    }

    /// What was about to break does not; nobody writes more.
    pub(super) fn calm(&mut self) {
        self.stormy = false;
        self.queue.retain(|_, h| !matches!(h, Happening::LinkDown(_) | Happening::Act(_) | Happening::Blow(_)));
    }

    pub(super) fn is_up(&self, link: u8) -> bool {
        self.up.contains(&link)
    }

    /// It happened.
    pub(super) fn count(&mut self, fault: Fault) {
        let count = self.happened.entry(fault).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether a fault strikes now.
    fn falls(&mut self, fault: Fault) -> bool {
        let rate = self.rates.get(&fault).copied().unwrap_or(0);
        let falls = self.stormy && rate > 0 && self.dice.below(100) < rate;
        if falls {
            self.count(fault);
        }
        falls
    }

    /// The link stands; it may break some time.
    pub(super) fn raise(&mut self, link: u8, now: Elapsed) {
        self.up.insert(link);
        if let (true, Some(rate)) = (self.stormy, self.rates.get(&Fault::Partition)) {
            let wait = self.dice.below(20_000).saturating_mul(100) / rate;
            self.at(now.after(Duration::from_millis(wait)), Happening::LinkDown(link));
        }
    }

    /// The link is gone for a while.
    pub(super) fn cut(&mut self, link: u8, now: Elapsed) {
        self.up.remove(&link);
        let wait = self.moment(10_000);
        self.at(now.after(wait), Happening::LinkUp(link));
    }

    /// Whether an end notices what became of its link. A black hole tells nobody.
    pub(super) fn is_noticed(&self) -> bool {
        !self.stormy || self.dice.below(100) < 60
    }

    pub(super) fn send(&mut self, now: Elapsed, to: Place, link: u8, bytes: Vec<u8>) {
        if !self.is_up(link) || self.falls(Fault::Loss) {
            return;
        }
        let copies = if self.falls(Fault::Duplication) { 2 } else { 1 };
        for _ in 0..copies {
            let mut bytes = bytes.clone();
            if self.falls(Fault::Damage) {
                let at = usize::try_from(self.dice.below(bytes.len().try_into().unwrap_or(1))).unwrap_or(0);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.dice.below(8);
                }
            }
            let mut wait = Duration::from_millis(5).saturating_add(self.moment(ON_ITS_WAY_MS - 5));
            if self.falls(Fault::Delay) {
                wait = wait.saturating_add(self.moment(DELAY_MS));
            }
            self.at(now.after(wait), Happening::Arrive { to, link, bytes });
        }
    }
}
