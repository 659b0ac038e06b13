//! Sudden deaths: whatever is killed, and when, everything that a client was told of is there afterwards, once.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use preau_tests::{
    durable::{self, Disk, Habit, Layer, NUMBERS},
    rounds::{self, Kept, Wish},
};

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const ROUNDS: &str = env!("CARGO_BIN_EXE_rounds");
/// Rounds when nobody says otherwise; two hundred are held by hand.
const FEW: u64 = 8;

/// Lets a program write until it has said `until`, and kills it.
fn killed_while_writing(layer: &Layer, dir: &Path, habit: Habit, until: u64) -> Result<()> {
    let mut child = Command::new(ROUNDS)
        .args(["--write", habit.as_str()])
        .arg(dir.join("data"))
        .envs(layer.environment(dir, Disk::default()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // Held until it is dead: the program ends by itself when its input does.
    let _breath = child.stdin.take();
    let said = BufReader::new(child.stdout.take().context("output")?);
    let there = said.lines().map_while(Result::ok).any(|line| line == until.to_string());
    child.kill()?;
    child.wait()?;
    ensure!(there, "the writer died by itself");
    Ok(())
}

/// The layer under the other stories does what it says: without it they would prove nothing.
#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() -> Result<()> {
    let layer = Layer::build()?;
    for (habit, kept) in [(Habit::File, Some(200)), (Habit::Full, Some(NUMBERS)), (Habit::Off, None)] {
        let dir = tempfile::tempdir()?;
        killed_while_writing(&layer, dir.path(), habit, NUMBERS)?;
        // A process that dies on a machine that lives loses nothing, whatever it syncs.
        let before = std::fs::metadata(dir.path().join("data"))?.len();
        let cut = layer.power_returns(dir.path(), Disk::default())?;
        let read = durable::read_back(habit, &dir.path().join("data"));
        let found = read.as_ref().map_or_else(ToString::to_string, |n| format!("{n} numbers"));
        println!("{}: {before} bytes, then a cut that took {cut:?}, then {found}", habit.as_str());
        match kept {
            Some(kept) => ensure!(read? == kept, "{kept} numbers should be there"),
            // Fewer numbers, or a database that cannot be read at all.
            None => ensure!(read.is_err() || read.is_ok_and(|n| n < NUMBERS), "OFF must lose"),
        }
    }
    Ok(())
}

/// Real disks keep any part of what was not synced: SQLite with `synchronous=FULL` has every commit it spoke of, whichever.
#[test]
fn any_part_of_what_was_not_synced_may_stay() -> Result<()> {
    let layer = Layer::build()?;
    let mut kept = 0;
    for seed in 0..12_u64 {
        let dir = tempfile::tempdir()?;
        let until = 20 + seed * 15;
        killed_while_writing(&layer, dir.path(), Habit::Full, until)?;
        kept += layer.power_returns(dir.path(), Disk { keep: Some(seed), lies: false })?.kept;
        let read = durable::read_back(Habit::Full, &dir.path().join("data")).with_context(|| format!("seed {seed}"))?;
        ensure!(read >= until, "seed {seed}: {until} were committed, {read} are there");
    }
    println!("{kept} bytes stayed though nobody had synced them");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test's count of rounds")]
fn wish(disk: Kept) -> Wish {
    let rounds = std::env::var("PREAU_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW);
    Wish { program: PREAU.into(), rounds, first_seed: 1, disk, mosquitto: false, postgres: false, tablets: 4 }
}

fn heard(seed: u64, took: std::time::Duration) {
    println!("seed {seed}: sound, {:.1} s", took.as_secs_f64());
}

/// Invariants 1 and 4: boxes and coordinator killed at drawn moments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_programs_lose_nothing_they_spoke_of() -> Result<()> {
    println!("{}", rounds::run(&wish(Kept::Written), heard).await?);
    Ok(())
}

/// The same, and the power goes with each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_whose_power_is_cut_lose_nothing_they_spoke_of() -> Result<()> {
    println!("{}", rounds::run(&wish(Kept::Synced), heard).await?);
    Ok(())
}

/// What these rounds are worth: disks that lie are found out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_lies_is_found_out() -> Result<()> {
    let wish = Wish { rounds: 12, ..wish(Kept::Lies) };
    let error = rounds::run(&wish, heard).await.err().context("nobody noticed")?;
    println!("found out: {error:#}");
    Ok(())
}
