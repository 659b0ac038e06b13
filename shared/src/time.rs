//! Time as values. Rules receive it; nothing here reads a clock, and no order is ever decided by a [`Stamp`].

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A wall-clock stamp: milliseconds since 1970-01-01 UTC. For people to read and for retention; a box may have it wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Stamp(pub i64);

impl Stamp {
    /// How long ago `earlier` was; zero when a clock went back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// Whether a clock that is right may say this: not before 2026. A machine without a battery starts in 1970.
    pub const fn is_plausible(self) -> bool {
        self.0 >= 1_767_225_600_000
    }
    /// Whether this end has passed; `now` is absent while the clock is not to be trusted. An end that a lost clock set is
    /// not known, and has not passed.
    pub fn has_passed(self, now: Option<Self>) -> bool {
        self.is_plausible() && now.is_some_and(|now| now > self)
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
}
