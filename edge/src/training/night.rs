//! When a training room goes back to its beginning by itself: at night, and never while somebody is there.
//!
//! A box that is switched off for the night does it when it is on again, before the first trainee comes. While the clock
//! is not to be trusted there is no night: then a room in which somebody was begins anew once nobody has been there for long.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use preau_shared::time::{Elapsed, Stamp};

/// Who sits at a tablet or at a page makes herself heard within this time, after a start of the box too.
const BREATH: Duration = Duration::from_secs(2 * 60);
/// Longer than a break between two lessons, shorter than a meal.
const LONG: Duration = Duration::from_secs(30 * 60);
const HOUR_MS: i64 = 3_600_000;

/// What is remembered of quiet.
#[derive(Debug)]
pub(crate) struct Night {
    /// The hour (UTC) at which one night ends and the next begins.
    hour: u8,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    alone_since: Option<Elapsed>,
    /// Somebody was there since it began; what was before the start nobody knows.
    used: bool,
}

/// What it is decided on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) elapsed: Elapsed,
    /// The time, while it is to be trusted.
    pub(crate) trusted: Option<Stamp>,
    /// Somebody is signed in, at a tablet or at the staff's page.
    pub(crate) anybody: bool,
    /// Since when the room stands at its beginning.
    pub(crate) begun: Stamp,
}

impl Night {
    /// Nights that change at this hour (UTC).
    pub(crate) const fn at(hour: u8) -> Self {
        Self { hour, seen: Mutex::new(Seen { alone_since: None, used: true }) }
    }

    /// Whether the room goes back to its beginning now. Asked every few seconds.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.anybody {
            *seen = Seen { alone_since: None, used: true };
            return false;
        }
        let alone_for = now.elapsed.since(*seen.alone_since.get_or_insert(now.elapsed));
        match now.trusted {
            // Not "later": a clock that went back is another night, too.
            Some(at) => alone_for >= BREATH && self.night_of(at) != self.night_of(now.begun),
            None => alone_for >= LONG && seen.used,
        }
    }

    /// It began, or could not: either way not again at once.
    pub(crate) fn tried(&self, now: Elapsed, begun: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Seen { alone_since: Some(now), used: seen.used && !begun };
    }

    fn night_of(&self, at: Stamp) -> i64 {
        at.0.saturating_sub(i64::from(self.hour).saturating_mul(HOUR_MS)).div_euclid(24 * HOUR_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: i64 = 1_790_553_600_000;

    /// Minutes since the box started, hours since Monday 00:00 UTC (none: the clock is lost), somebody there, begun at.
    fn moment(minutes: u64, hours: Option<i64>, anybody: bool, begun: i64) -> Moment {
        Moment {
            elapsed: Elapsed(Duration::from_secs(minutes * 60)),
            trusted: hours.map(|h| Stamp(MONDAY + h * HOUR_MS)),
            anybody,
            begun: Stamp(MONDAY + begun * HOUR_MS),
        }
    }

    #[test]
    fn a_night_begins_the_room_anew_once() {
        let night = Night::at(2);
        // It began on Monday at nine; the evening and midnight are of the same day.
        for (minutes, hours) in [(0, 10), (480, 18), (900, 25)] {
            assert!(!night.is_due(moment(minutes, Some(hours), false, 9)), "{hours} h");
        }
        assert!(night.is_due(moment(960, Some(26), false, 9)), "Tuesday, 02:00");
        night.tried(Elapsed(Duration::from_secs(960 * 60)), true);
        assert!(!night.is_due(moment(970, Some(26), false, 26)));
    }

    #[test]
    fn nobody_is_sent_out_by_the_clock() {
        let night = Night::at(2);
        // The box was off for the night; a trainee was at once there when it was on.
        assert!(!night.is_due(moment(0, Some(32), false, 9)), "whoever was there before the start is waited for");
        assert!(!night.is_due(moment(1, Some(32), true, 9)));
        assert!(!night.is_due(moment(60, Some(33), true, 9)));
        assert!(!night.is_due(moment(61, Some(33), false, 9)), "between two pupils");
        assert!(night.is_due(moment(63, Some(33), false, 9)), "a break");
    }

    #[test]
    fn what_fails_is_not_tried_at_every_look() {
        let night = Night::at(2);
        night.is_due(moment(0, Some(32), false, 9));
        assert!(night.is_due(moment(2, Some(32), false, 9)));
        night.tried(Elapsed(Duration::from_secs(120)), false);
        assert!(!night.is_due(moment(3, Some(32), false, 9)));
        assert!(night.is_due(moment(4, Some(32), false, 9)));
    }

    #[test]
    fn without_a_clock_a_long_quiet_is_a_night_after_somebody_was_there() {
        let night = Night::at(2);
        assert!(!night.is_due(moment(0, None, false, 0)));
        assert!(night.is_due(moment(30, None, false, 0)), "what was before the start nobody knows");
        night.tried(Elapsed(Duration::from_secs(30 * 60)), true);
        assert!(!night.is_due(moment(600, None, false, 0)), "it stands at its beginning");
        assert!(!night.is_due(moment(601, None, true, 0)));
        assert!(!night.is_due(moment(602, None, false, 0)));
        assert!(night.is_due(moment(632, None, false, 0)));
    }
}
