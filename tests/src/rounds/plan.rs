//! Who dies when: drawn by the seed of the round.

use std::{fmt, time::Duration};

use preau_shared::dice::Dice;

/// The first program of a round dies within this time.
const FIRST_WITHIN_MS: u64 = 900;
/// A second one dies within this time after the first.
const SECOND_WITHIN_MS: u64 = 600;
/// A dead program stays down for less than this.
const DOWN_BELOW_MS: u64 = 300;
/// One that dies again while it starts does so within this time.
const AGAIN_WITHIN_MS: u64 = 350;

/// What can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The box of a school, by its place.
    Box(usize),
    /// The coordinator, with the embedded broker when there is no other.
    Coordinator,
    /// A broker of its own.
    Broker,
    /// The coordinator's PostgreSQL.
    Database,
}

/// In which situation it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Everything else ran.
    AtWork,
    /// Another program had just been killed.
    AmongRuins,
    /// It was starting after a kill.
    WhileStarting,
}

/// A step of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Aimed: in the middle of somebody's request.
    Kill(Victim, Moment, bool),
    Start(Victim),
}

/// The steps of a round, by time since its begin.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) acts: Vec<(Duration, Act)>,
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box(place) => f.pad(&format!("box {}", place + 1)),
            Self::Coordinator => f.pad("coordinator"),
            Self::Broker => f.pad("broker"),
            Self::Database => f.pad("database"),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AtWork => "at work",
            Self::AmongRuins => "after another",
            Self::WhileStarting => "again, while starting",
        })
    }
}

impl Plan {
    /// One or two different victims, two in three aimed; a quarter of the deaths are followed by another one during the start.
    pub(super) fn draw(dice: &dyn Dice, victims: &[Victim]) -> Self {
        let ms = |bound| Duration::from_millis(dice.below(bound));
        let mut left = victims.to_vec();
        let (mut acts, mut at) = (Vec::new(), ms(FIRST_WITHIN_MS));
        for place in 0..1 + dice.below(2) {
            if left.is_empty() {
                break;
            }
            let chosen = usize::try_from(dice.below(u64::try_from(left.len()).unwrap_or(1))).unwrap_or(0);
            let victim = left.swap_remove(chosen);
            let moment = if place == 0 { Moment::AtWork } else { Moment::AmongRuins };
            acts.push((at, Act::Kill(victim, moment, dice.below(3) > 0)));
            let mut up = at + ms(DOWN_BELOW_MS);
            acts.push((up, Act::Start(victim)));
            if dice.below(4) == 0 {
                up += ms(AGAIN_WITHIN_MS);
                acts.push((up, Act::Kill(victim, Moment::WhileStarting, false)));
                acts.push((up, Act::Start(victim)));
            }
            at += ms(SECOND_WITHIN_MS);
        }
        // Stable: a kill and the start that follows it at the same moment keep their order.
        acts.sort_by_key(|(at, _)| *at);
        Self { acts }
    }
}

#[cfg(test)]
mod tests {
    use preau_shared::dice::Seeded;

    use super::*;

    #[test]
    fn whoever_is_killed_is_started_again() {
        let victims = [Victim::Box(0), Victim::Box(1), Victim::Coordinator, Victim::Broker];
        for seed in 0..2_000 {
            let plan = Plan::draw(&Seeded::new(seed), &victims);
            let again = Plan::draw(&Seeded::new(seed), &victims);
            assert_eq!(plan.acts, again.acts, "a seed draws one plan");
            let mut down = Vec::new();
            for (_, act) in plan.acts {
                match act {
                    Act::Kill(victim, _, _) => {
                        assert!(!down.contains(&victim), "seed {seed}: dead already");
                        down.push(victim);
                    }
                    Act::Start(victim) => down.retain(|v| *v != victim),
                }
            }
            assert!(down.is_empty(), "seed {seed}: {down:?} stay down");
        }
    }
}
