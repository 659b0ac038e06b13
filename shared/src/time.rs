//! Time as values. Rules receive it; nothing here reads a clock, and no order is ever decided by a [`Stamp`].

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A wall-clock stamp: milliseconds since 1970-01-01 UTC. For people to read and for retention; a box may have it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Stamp(pub i64);

impl Stamp {
    /// The first one that a clock that is right may say: 2026.
    pub const PLAUSIBLE: Self = Self(1_767_225_600_000);

    /// How long ago `earlier` was; zero when a clock went back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// Whether a clock that is right may say this: not before 2026. A machine without a battery starts in 1970.
    pub const fn is_plausible(self) -> bool {
        self.0 >= Self::PLAUSIBLE.0
    }
    /// Whether this end has passed; `now` is absent while the clock is not to be trusted. An end that a lost clock set is
    /// not known, and has not passed.
    pub fn has_passed(self, now: Option<Self>) -> bool {
        self.is_plausible() && now.is_some_and(|now| now > self)
    }
    /// Year, month and day in the Gregorian calendar and UTC, counted in eras of 400 years from 1 March 0000.
    pub const fn date(self) -> (i64, i64, i64) {
        let days = self.0.div_euclid(86_400_000) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let early = if month <= 2 { 1 } else { 0 };
        (year_of_era + era * 400 + early, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
    }
    /// This stamp moved forward.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Monotonic time since the program started. All timers and ages of one process are counted in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Elapsed(pub Duration);

impl Elapsed {
    /// How long after `earlier`; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
    /// The moment `by` later.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// How far the box trusts its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockQuality {
    /// Authenticated time was heard since the start.
    Synchronised,
    /// Carried over from before the start; plausible.
    Carried,
    /// Before the persisted floor, or never set.
    Unknown,
}

impl fmt::Display for ClockQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Synchronised => "synchronised",
            Self::Carried => "carried",
            Self::Unknown => "unknown",
        })
    }
}

/// The two clocks of a program, handed in so that tests and the simulator can move them.
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn stamp(&self) -> Stamp;
    /// Monotonic time since the start.
    fn elapsed(&self) -> Elapsed;
    /// For how long the machine itself has been running: since its plug was put in, or its system started anew. None where
    /// the system does not tell.
    fn machine(&self) -> Option<Duration> {
        None
    }
}
