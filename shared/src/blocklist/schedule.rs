//! When a list is fetched, and from which of its mirrors. What happened and what time it is go in, what to do comes out.

use std::time::Duration;

use crate::{
    dice::Dice,
    time::{Elapsed, Stamp},
};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// A list that is not there yet is asked for within this after a start: a school without lists sees next to nothing.
const SOON: Duration = Duration::from_secs(30);
/// One that is due at a start, within this: a district whose power comes back must not ask at once.
const AFTER_START: Duration = Duration::from_secs(600);
/// Within the hour that was chosen.
const WITHIN: Duration = HOUR;
/// The pause after the first round in which no mirror answered; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(300);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// After so long; up to a tenth of it is added by lot.
    Every(Duration),
    /// Each day at this hour (UTC), at a minute drawn by lot; every 24 hours while the clock is not to be trusted.
    Daily(u8),
}

/// What both clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the start of the program.
    pub elapsed: Elapsed,
    /// By the wall clock; none while it is not to be trusted.
    pub stamp: Option<Stamp>,
}

/// What became of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The list is here, or is still the same.
    Good,
    /// What came cannot be taken: the next mirror may be better, and the same one will not be before long.
    Refused,
    /// Nothing came.
    Nothing,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing, for so long.
    Wait(Duration),
    /// To ask this mirror, by its place.
    Ask(usize),
}

/// One list's times. Every mirror is asked once a round, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    when: When,
    mirrors: usize,
    next: Elapsed,
    mirror: usize,
    /// Rounds without an answer, one after another.
    silent: u32,
    /// Whether a mirror of this round sent what cannot be taken.
    refused: bool,
}

impl Schedule {
    /// As a program starts: `last` is when the list that is there was fetched or found unchanged, none when there is none.
    pub fn start((when, mirrors): (When, usize), last: Option<Stamp>, now: Now, dice: &dyn Dice) -> Self {
        let wait = match (last, now.stamp) {
            (None, _) => lot(SOON, dice),
            (Some(_), None) => lot(AFTER_START, dice),
            (Some(last), Some(stamp)) => match due(when, last).checked_sub(age(last, stamp)) {
                Some(left) if !left.is_zero() => left.saturating_add(lot(spread(when), dice)),
                Some(_) | None => lot(AFTER_START, dice),
            },
        };
        Self { when, mirrors, next: now.elapsed.after(wait), mirror: 0, silent: 0, refused: false }
    }

    /// What to do now.
    pub fn next(&self, now: Now) -> Act {
        match self.next.since(now.elapsed) {
            Duration::ZERO => Act::Ask(self.mirror),
            wait => Act::Wait(wait),
        }
    }

    /// What became of the mirror that was asked.
    pub fn heard(&mut self, heard: Heard, now: Now, dice: &dyn Dice) {
        self.mirror = self.mirror.saturating_add(1);
        self.refused |= heard == Heard::Refused;
        let wait = match heard {
            Heard::Good => self.regular(now, dice),
            Heard::Refused | Heard::Nothing if self.mirror < self.mirrors => Duration::ZERO,
            Heard::Refused | Heard::Nothing if self.refused => self.regular(now, dice),
            Heard::Refused | Heard::Nothing => {
                let pause = FIRST_PAUSE.saturating_mul(1 << self.silent.min(10)).min(LONGEST_PAUSE);
                self.silent = self.silent.saturating_add(1);
                // At least half of it: whoever is down is not asked all the time.
                self.begin(pause / 2 + lot(pause / 2, dice))
            }
        };
        self.next = now.elapsed.after(wait);
    }

    fn regular(&mut self, now: Now, dice: &dyn Dice) -> Duration {
        self.silent = 0;
        let wait = now.stamp.map_or(DAY, |stamp| due(self.when, stamp));
        let wait = if let When::Every(period) = self.when { period } else { wait };
        self.begin(wait.saturating_add(lot(spread(self.when), dice)))
    }

    /// The next round begins with the first mirror.
    fn begin(&mut self, wait: Duration) -> Duration {
        (self.mirror, self.refused) = (0, false);
        wait
    }
}

/// How long after `last` the next one is due.
fn due(when: When, last: Stamp) -> Duration {
    match when {
        When::Every(period) => period,
        When::Daily(hour) => {
            let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
            let hour = i64::from(hour).saturating_mul(i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX));
            let left = hour.saturating_sub(last.0).rem_euclid(day);
            // An hour in which it was fetched is over.
            let left = if left == 0 { day } else { left };
            Duration::from_millis(u64::try_from(left).unwrap_or_default())
        }
    }
}

/// How long ago; a clock that went back since says that it was now.
fn age(last: Stamp, now: Stamp) -> Duration {
    now.since(last)
}

fn spread(when: When) -> Duration {
    match when {
        When::Every(period) => period / 10,
        When::Daily(_) => WITHIN,
    }
}

fn lot(below: Duration, dice: &dyn Dice) -> Duration {
    Duration::from_millis(dice.below(u64::try_from(below.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Seeded;

    /// 15 November 2026, midnight UTC.
    const MIDNIGHT: Stamp = Stamp(1_794_700_800_000);
    const EVERY: When = When::Every(DAY);

    fn at(hours: u64) -> Now {
        let since = HOUR.saturating_mul(u32::try_from(hours).expect("few"));
        Now { elapsed: Elapsed(since), stamp: Some(MIDNIGHT.after(since)) }
    }

    fn wait(schedule: &Schedule, now: Now) -> Duration {
        match schedule.next(now) {
            Act::Wait(wait) => wait,
            Act::Ask(_) => Duration::ZERO,
        }
    }

    fn later(now: Now, by: Duration) -> Now {
        Now { elapsed: now.elapsed.after(by), stamp: now.stamp.map(|stamp| stamp.after(by)) }
    }

    #[test]
    fn a_list_is_asked_for_soon_where_there_is_none_and_when_it_is_due_where_there_is() {
        for seed in 0..100 {
            let dice = Seeded::new(seed);
            let now = at(24);
            let first = |when, last, now| wait(&Schedule::start((when, 1), last, now, &dice), now);
            assert!(first(EVERY, None, now) < SOON);
            assert!(first(EVERY, Some(MIDNIGHT), now) < AFTER_START, "it is a day old");
            let left = first(EVERY, Some(MIDNIGHT.after(HOUR)), now);
            assert!((HOUR..HOUR + DAY / 10).contains(&left), "{left:?}");
            assert!(first(EVERY, Some(MIDNIGHT), Now { stamp: None, ..now }) < AFTER_START);
            // A clock that went back asks a day later at most.
            assert!(first(EVERY, Some(MIDNIGHT.after(DAY * 30)), now) <= DAY + DAY / 10);
            // At three: yesterday's of two is due, one of half past three is not.
            let night = |last| first(When::Daily(3), Some(last), at(24 + 8));
            assert!(night(MIDNIGHT.after(HOUR * 2)) < AFTER_START);
            let left = night(MIDNIGHT.after(DAY + HOUR * 3 + HOUR / 2));
            assert!((HOUR * 19..HOUR * 20).contains(&left), "{left:?}");
        }
    }

    #[test]
    fn after_a_list_came_the_next_one_waits_for_its_hour() {
        for seed in 0..100 {
            let dice = Seeded::new(seed);
            let after = |when, now| {
                let mut schedule = Schedule::start((when, 2), None, at(0), &dice);
                schedule.heard(Heard::Good, now, &dice);
                wait(&schedule, now)
            };
            assert!((DAY..DAY + DAY / 10).contains(&after(EVERY, at(1))));
            assert!((HOUR * 2..HOUR * 3).contains(&after(When::Daily(3), at(1))));
            assert!((HOUR * 23..HOUR * 24).contains(&after(When::Daily(3), at(4))));
            let lost = after(When::Daily(3), Now { stamp: None, ..at(4) });
            assert!((DAY..DAY + HOUR).contains(&lost), "{lost:?}");
        }
    }

    #[test]
    fn every_mirror_is_asked_and_pauses_grow() {
        let dice = Seeded::new(3);
        let mut now = at(1);
        let mut schedule = Schedule::start((EVERY, 3), None, now, &dice);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            now = later(now, wait(&schedule, now));
            for mirror in 0..3 {
                assert_eq!(schedule.next(now), Act::Ask(mirror));
                schedule.heard(Heard::Nothing, now, &dice);
            }
            pauses.push(wait(&schedule, now));
        }
        assert!(pauses[0] >= FIRST_PAUSE / 2 && pauses[0] <= FIRST_PAUSE, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE) && pauses[11] >= LONGEST_PAUSE / 2, "{pauses:?}");
        // One that answers ends it.
        now = later(now, wait(&schedule, now));
        schedule.heard(Heard::Nothing, now, &dice);
        schedule.heard(Heard::Good, now, &dice);
        assert!(wait(&schedule, now) >= DAY);
        now = later(now, wait(&schedule, now));
        assert_eq!(schedule.next(now), Act::Ask(0));
    }

    #[test]
    fn what_cannot_be_taken_is_not_asked_for_again_before_its_time() {
        let dice = Seeded::new(4);
        let mut schedule = Schedule::start((EVERY, 2), None, at(1), &dice);
        schedule.heard(Heard::Refused, at(1), &dice);
        assert_eq!(schedule.next(at(1)), Act::Ask(1), "another mirror may have it right");
        schedule.heard(Heard::Nothing, at(1), &dice);
        assert!(wait(&schedule, at(1)) >= DAY);
    }
}
