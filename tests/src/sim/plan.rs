//! What a schedule is made of, drawn from its seed: who takes part, which kinds of faults, and how bad each is.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use anyhow::{Context as _, bail};
use preau_shared::dice::{Dice, Seeded};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Messages that never arrive.
    Loss,
    /// Messages that arrive twice.
    Duplication,
    /// Messages that arrive with a changed bit.
    Damage,
    /// Messages that are late, so that others overtake them.
    Delay,
    /// Links that break; a black hole tells nobody.
    Partition,
    /// Programs that die right before or right after a commit.
    Crash,
    /// Programs that die in the middle of a commit.
    Torn,
    /// Disks that take no write for a while.
    FullDisk,
    /// An older state of a disk comes back to life: a backup, or an image.
    Rollback,
    /// Two machines with one disk alternate on the link.
    Clone,
    /// People are erased.
    Erasure,
    /// The coordinator begins documents anew.
    Rollover,
    /// Weeks and months pass; runs are pruned and folded.
    Seasons,
    /// Wall clocks are wrong, and jump.
    Clocks,
    /// A box is revoked.
    Revoked,
    /// A box is stolen: its key and its link are a stranger's.
    Hostile,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Loss,
        Self::Duplication,
        Self::Damage,
        Self::Delay,
        Self::Partition,
        Self::Crash,
        Self::Torn,
        Self::FullDisk,
        Self::Rollback,
        Self::Clone,
        Self::Erasure,
        Self::Rollover,
        Self::Seasons,
        Self::Clocks,
        Self::Revoked,
        Self::Hostile,
    ];

    /// Of a hundred schedules, how many have it.
    const fn percent(self) -> u64 {
        match self {
            Self::Loss | Self::Delay | Self::Partition | Self::Crash | Self::Clocks => 60,
            Self::Duplication | Self::Damage | Self::Torn | Self::FullDisk | Self::Erasure => 40,
            Self::Rollover | Self::Seasons => 30,
            Self::Rollback => 28,
            Self::Clone | Self::Revoked | Self::Hostile => 12,
        }
    }

    /// How it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Duplication => "duplication",
            Self::Damage => "damage",
            Self::Delay => "delay",
            Self::Partition => "partition",
            Self::Crash => "crash",
            Self::Torn => "torn",
            Self::FullDisk => "full-disk",
            Self::Rollback => "rollback",
            Self::Clone => "clone",
            Self::Erasure => "erasure",
            Self::Rollover => "rollover",
            Self::Seasons => "seasons",
            Self::Clocks => "clocks",
            Self::Revoked => "revoked",
            Self::Hostile => "hostile",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == text).with_context(|| format!("no such fault: {text}"))
    }
}

/// A mistake of ours that the simulator must catch. It is made in the simulator's own driver, never in the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// `have` is said before what it tells of is on disk.
    AcknowledgeEarly,
    /// After a restart the last numbers are given again.
    ReuseNumbers,
    /// A restart forgets who was erased.
    ForgetTombstones,
    /// Of two readings of a document the one with the later wall clock stands.
    TrustClock,
    /// A run is taken whoever signed it.
    SkipSignature,
    /// `synchronous=OFF`: a crash takes the last commits with it.
    SynchronousOff,
}

impl Plant {
    /// Every mistake.
    pub const ALL: [Self; 6] = [
        Self::AcknowledgeEarly,
        Self::ReuseNumbers,
        Self::ForgetTombstones,
        Self::TrustClock,
        Self::SkipSignature,
        Self::SynchronousOff,
    ];

    /// How it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcknowledgeEarly => "acknowledge-early",
            Self::ReuseNumbers => "reuse-numbers",
            Self::ForgetTombstones => "forget-tombstones",
            Self::TrustClock => "trust-clock",
            Self::SkipSignature => "skip-signature",
            Self::SynchronousOff => "synchronous-off",
        }
    }
}

impl FromStr for Plant {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == text).with_context(|| format!("no such plant: {text}"))
    }
}

/// What is left out of a schedule, to find the smallest that still fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trim {
    /// These faults.
    pub without: BTreeSet<Fault>,
    /// Boxes beyond so many.
    pub boxes: Option<u8>,
    /// Acts beyond so many.
    pub acts: Option<u32>,
    /// Storms beyond so many.
    pub storms: Option<u8>,
}

impl fmt::Display for Trim {
    /// As options of the command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.without.is_empty() {
            let names: Vec<&str> = self.without.iter().map(|fault| fault.name()).collect();
            write!(f, " --without {}", names.join(","))?;
        }
        self.boxes.map_or(Ok(()), |n| write!(f, " --boxes {n}"))?;
        self.acts.map_or(Ok(()), |n| write!(f, " --acts {n}"))?;
        self.storms.map_or(Ok(()), |n| write!(f, " --storms {n}"))
    }
}

/// One schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All dice are thrown from it.
    pub seed: u64,
    /// How many boxes.
    pub boxes: u8,
    /// Whether the last box is of another school.
    pub two_schools: bool,
    /// Whether boxes of one school talk directly.
    pub lan: bool,
    /// Of the carrier.
    pub keep_alive: Duration,
    /// Kinds of faults.
    pub faults: BTreeSet<Fault>,
    /// Most acts of people.
    pub acts: u32,
    /// Storms, each followed by a calm.
    pub storms: u8,
    /// A mistake of ours.
    pub plant: Option<Plant>,
}

/// Fewest kinds of faults in a schedule.
const FEWEST: usize = 4;

impl Plan {
    /// The schedule of a seed.
    pub fn draw(seed: u64, trim: &Trim, plant: Option<Plant>) -> Self {
        let dice = stream(seed, "plan");
        let boxes = if dice.below(4) == 0 { 3 } else { 2 };
        let (two_schools, lan) = (dice.below(4) == 0, dice.below(3) == 0);
        let keep_alive = Duration::from_secs(if dice.below(3) == 0 { 30 } else { 4 });
        let mut faults: BTreeSet<Fault> =
            Fault::ALL.into_iter().filter(|fault| dice.below(100) < fault.percent()).collect();
        while faults.len() < FEWEST {
            faults.extend(Fault::ALL.get(usize::try_from(dice.below(16)).unwrap_or(0)));
        }
        faults.retain(|fault| !trim.without.contains(fault));
        // Whom a box of the school trusts on its own network is for that network to say.
        let lan = lan && !faults.contains(&Fault::Revoked) && !faults.contains(&Fault::Hostile);
        Self {
            seed,
            boxes: trim.boxes.map_or(boxes, |most| most.min(boxes)),
            two_schools,
            lan,
            keep_alive,
            faults,
            acts: trim.acts.unwrap_or(u32::MAX),
            storms: trim.storms.unwrap_or(2).min(2),
            plant,
        }
    }

    /// Whether a kind of fault is in it.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Dice for one concern: those of another fall the same whether this one is left out or not.
    pub fn dice(&self, concern: &str) -> Seeded {
        stream(self.seed, concern)
    }
}

fn stream(seed: u64, concern: &str) -> Seeded {
    let salt = concern
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Seeded::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt)
}

/// Reads a list of faults.
///
/// # Errors
/// For a name that is none.
pub fn faults(list: &str) -> anyhow::Result<BTreeSet<Fault>> {
    if list.is_empty() {
        bail!("name the faults to leave out, separated by commas");
    }
    list.split(',').map(str::parse).collect()
}
