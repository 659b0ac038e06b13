//! Rounds of sudden death: real programs at work, killed (SIGKILL) at drawn moments, started again, and held to what they
//! had said.
//!
//! One coordinator with its broker, two schools with a box each, virtual tablets, a head and the DSI who write without a
//! pause. In each round one or two programs die; when all has settled everything that a client was told of must be at its
//! box and at the coordinator, once. With [`Kept::Synced`] the programs stand on a disk that forgets what was not synced
//! ([`crate::durable`]), so that each kill is a power cut.
//!
//! The seed draws who dies when; what the programs were doing at that moment is the machine's, so that a seed that failed
//! may need several tries. The folder of a failed round is kept.

mod check;
mod ledger;
mod outside;
mod people;
mod plan;
mod program;
mod stage;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use preau_shared::dice::{Dice as _, Seeded};
use tokio::time::sleep;

pub use self::plan::{Moment, Victim};
use self::{
    plan::{Act, Plan},
    stage::Stage,
};
use crate::durable::{self, Forgotten};

/// Writing goes on for so long after the last program was started again, drawn below this.
const LAST_WORDS_MS: u64 = 300;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The `preau` program.
    pub program: PathBuf,
    /// How many rounds.
    pub rounds: u64,
    /// Seed of the first; the others follow.
    pub first_seed: u64,
    /// What the disks keep.
    pub disk: Kept,
    /// The coordinator uses Mosquitto in place of its own broker.
    pub mosquitto: bool,
    /// The coordinator keeps its data in PostgreSQL in place of SQLite.
    pub postgres: bool,
    /// Virtual tablets in each school.
    pub tablets: u32,
}

/// What the programs' disks keep when they are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All that was written: the machine goes on.
    Written,
    /// What was synced, and some of the rest by chance: each kill is a power cut.
    Synced,
    /// As `Synced`, and the disks of boxes that were started again say that they synced and did not: a planted fault.
    Lies,
}

/// What the rounds came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rounds held.
    pub rounds: u64,
    /// Kills by program and moment.
    pub kills: BTreeMap<(Victim, Moment), u64>,
    /// Kills by how many requests a box's clients had on the way, for boxes.
    pub on_the_way: BTreeMap<u64, u64>,
    /// Kills by the tenth of a second of the round.
    pub tenths: BTreeMap<u64, u64>,
    /// Acts that clients were told of: sign-ins, sign-outs, wipes, new badges, voids.
    pub told: ledger::Counts,
    /// Sign-ins whose answer was lost and never told.
    pub untold: u64,
    /// Journal entries of boxes at the coordinator.
    pub entries: u64,
    /// What power cuts took.
    pub forgotten: Forgotten,
    /// The longest round.
    pub longest: Duration,
    /// All of them, without raising the stage.
    pub took: Duration,
}

/// Raises the stage and plays. `heard` is told after each round.
///
/// # Errors
/// What was lost, doubled or let back in, with the seed; or what did not come to life.
pub async fn run(wish: &Wish, mut heard: impl FnMut(u64, Duration)) -> Result<Report> {
    let mut stage = Box::pin(Stage::raise(wish)).await?;
    let mut report = Report::default();
    let mut went = Ok(());
    for seed in wish.first_seed..wish.first_seed.saturating_add(wish.rounds) {
        let began = stage.now();
        went = Box::pin(round(&mut stage, seed, &mut report)).await.with_context(|| format!("seed {seed}"));
        if went.is_err() {
            break;
        }
        let took = stage.now().since(began);
        report.rounds += 1;
        report.longest = report.longest.max(took);
        report.took += took;
        heard(seed, took);
    }
    if went.is_ok() {
        went = check::to_the_last(&mut stage).await.context("after the last round");
    }
    for folder in stage.folders() {
        let sum = durable::forgotten(&folder)?;
        let all = &mut report.forgotten;
        all.files += sum.files;
        all.writes += sum.writes;
        all.bytes += sum.bytes;
        all.kept += sum.kept;
    }
    match went {
        Ok(()) => {
            stage.end().await;
            Ok(report)
        }
        // Nobody wants to look at what a planted fault broke.
        Err(error) if wish.disk == Kept::Lies => {
            stage.end().await;
            Err(error.context(format!("broken after {} sound rounds", report.rounds)))
        }
        Err(error) => {
            let kept = stage.keep().await;
            let words = [
                (wish.disk != Kept::Written, " --unsynced"),
                (wish.mosquitto, " --mosquitto"),
                (wish.postgres, " --postgres"),
            ];
            let again: String = words.into_iter().filter_map(|(said, word)| said.then_some(word)).collect();
            Err(error.context(format!(
                "broken after {} sound rounds; its folder is kept in {}; again: rounds --rounds 1 --first-seed SEED{again}",
                report.rounds,
                kept.display()
            )))
        }
    }
}

async fn round(stage: &mut Stage, seed: u64, report: &mut Report) -> Result<()> {
    let dice = Seeded::new(seed);
    let plan = Plan::draw(&dice, &stage.victims());
    let began = stage.now();
    stage.writing(true).await;
    let dsi = stage.dsi_voids(&dice);
    for (at, act) in plan.acts {
        sleep(at.saturating_sub(stage.now().since(began))).await;
        match act {
            Act::Kill(victim, moment, aimed) => {
                if aimed {
                    stage.aim(victim, &dice).await;
                }
                *report.kills.entry((victim, moment)).or_default() += 1;
                if let Some(requests) = stage.on_the_way(victim) {
                    *report.on_the_way.entry(requests).or_default() += 1;
                }
                let tenth = u64::try_from(stage.now().since(began).as_millis() / 100)?;
                *report.tenths.entry(tenth).or_default() += 1;
                stage.kill(victim).await?;
            }
            Act::Start(victim) => stage.start(victim, &dice)?,
        }
    }
    stage.alive().await?;
    sleep(Duration::from_millis(dice.below(LAST_WORDS_MS))).await;
    stage.voided(dsi).await?;
    stage.writing(false).await;
    check::settled(stage).await?;
    (report.told, report.untold, report.entries) = check::everything(stage, &dice).await?;
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = u32::try_from(self.rounds.max(1)).unwrap_or(u32::MAX);
        writeln!(
            f,
            "{} rounds in {:.0} s ({:.1} s each, the longest {:.1} s): nothing lost, nothing doubled, no void badge let in",
            self.rounds,
            self.took.as_secs_f64(),
            self.took.div_f64(f64::from(rounds)).as_secs_f64(),
            self.longest.as_secs_f64()
        )?;
        writeln!(f, "told to clients: {}", self.told)?;
        writeln!(
            f,
            "sign-ins whose answer died on the way: {}; entries of boxes at the coordinator: {}",
            self.untold, self.entries
        )?;
        writeln!(f, "kills, by program and moment:")?;
        let most = self.kills.values().copied().max().unwrap_or(1).max(1);
        for ((victim, moment), count) in &self.kills {
            let bar = usize::try_from(count.saturating_mul(40).div_ceil(most)).unwrap_or(0);
            writeln!(f, "  {victim:<12} {moment:<22} {count:>4} {}", "#".repeat(bar))?;
        }
        let line = |of: &BTreeMap<u64, u64>| of.iter().map(|(k, n)| format!("{k}:{n}")).collect::<Vec<_>>().join(" ");
        writeln!(f, "boxes killed with so many requests on the way: {}", line(&self.on_the_way))?;
        writeln!(f, "kills by tenth of a second of their round: {}", line(&self.tenths))?;
        let lost = &self.forgotten;
        if lost.files > 0 {
            writeln!(
                f,
                "power cuts took {} writes ({} bytes, of which {} bytes stayed all the same) in {} files",
                lost.writes, lost.bytes, lost.kept, lost.files
            )?;
        }
        Ok(())
    }
}
