//! `sim [--schedules N] [--first-seed N]`: runs the simulator; on a failure prints the smallest schedule that still fails
//! and the command that replays it, and exits 1; with `--until end` it goes on and lists all that fail. `sim --seed N` tells what happens in one. `sim --plant all` shows at
//! which seed each mistake of ours is caught.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use mimalloc::MiMalloc;
use preau_shared::{rig::clock::SystemClock, time::Clock as _};
use preau_tests::sim::{self, Plan, Plant, Trim, Until};

/// A simulated school day is above all small allocations: an eighth of its time goes with the system's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const USAGE: &str =
    "usage: sim [--schedules N] [--first-seed N] [--until failure|end]   for example: sim --schedules 20000
       sim --seed N [--without FAULT,…] [--boxes N] [--acts N] [--storms N]   one schedule, step by step
       sim --plant NAME|all [--schedules N]          mistakes that must be caught";
/// Schedules when nobody says otherwise.
const SCHEDULES: u64 = 1_000;

#[derive(Default)]
struct Words {
    schedules: Option<u64>,
    first: u64,
    until: Option<Until>,
    seed: Option<u64>,
    trim: Trim,
    plant: Option<String>,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]
fn main() -> ExitCode {
    let words = match read() {
        Ok(words) => words,
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match act(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read() -> Result<Words> {
    let mut words = Words::default();
    let mut args = std::env::args().skip(1);
    while let Some(word) = args.next() {
        let value = args.next().with_context(|| format!("{word} wants a value"))?;
        match word.as_str() {
            "--schedules" => words.schedules = Some(value.parse()?),
            "--first-seed" => words.first = value.parse()?,
            "--until" => {
                words.until = Some(match value.as_str() {
                    "failure" => Until::Failure,
                    "end" => Until::End,
                    _ => bail!("--until {value}: failure or end"),
                });
            }
            "--seed" => words.seed = Some(value.parse()?),
            "--without" => words.trim.without = sim::faults(&value)?,
            "--boxes" => words.trim.boxes = Some(value.parse()?),
            "--acts" => words.trim.acts = Some(value.parse()?),
            "--storms" => words.trim.storms = Some(value.parse()?),
            "--plant" => words.plant = Some(value),
            _ => bail!("{word} is unknown"),
        }
    }
    Ok(words)
}

fn act(words: &Words) -> Result<String> {
    let plant: Option<Plant> = match words.plant.as_deref() {
        None => None,
        Some("all") => return plants(&Plant::ALL, words),
        Some(name) => Some(name.parse()?),
    };
    if let Some(seed) = words.seed {
        let plan = Plan::draw(seed, &words.trim, plant);
        let report = sim::run(&plan, true).with_context(|| format!("{plan:?}"))?;
        return Ok(format!("{plan:?}\n{report:?}"));
    }
    match plant {
        Some(plant) => plants(&[plant], words),
        None => course(words),
    }
}

fn plants(plants: &[Plant], words: &Words) -> Result<String> {
    let mut lines = Vec::new();
    for plant in plants {
        let (seed, why) = sim::caught(*plant, words.schedules.unwrap_or(SCHEDULES))?;
        lines.push(format!("{:<18} caught at seed {seed}: {why}", plant.name()));
    }
    Ok(lines.join("\n"))
}

fn course(words: &Words) -> Result<String> {
    let clock = SystemClock::start();
    let count = words.schedules.unwrap_or(SCHEDULES);
    let terminal = std::io::stderr().is_terminal();
    let until = words.until.unwrap_or(Until::Failure);
    let tell = |done: u64, why: Option<&str>| {
        if let Some(why) = why.filter(|_| until == Until::End) {
            drop(writeln!(std::io::stderr(), "broken: {why}"));
        }
        if terminal && done.is_multiple_of(50) {
            drop(write!(std::io::stderr(), "\r{done} of {count} schedules"));
        }
    };
    let outcome = sim::run_many((words.first, count), &words.trim, (None, until), &tell)?;
    if terminal {
        drop(writeln!(std::io::stderr()));
    }
    if until == Until::End && !outcome.failed.is_empty() {
        bail!("{} of {count} schedules failed", outcome.failed.len());
    }
    if let Some((seed, why)) = outcome.failed.first() {
        let (trim, smallest) = sim::minimise(*seed, None, why.clone());
        bail!(
            "broken: {why}\nsmallest: {smallest}\nagain: cargo run --release -p preau-tests --bin sim -- --seed {seed}{trim}"
        );
    }
    let took = clock.elapsed().0.as_secs_f64();
    let each = took * 1_000.0 / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
    Ok(format!("{count} schedules in {took:.1} s ({each:.1} ms each): 0 divergence\n{outcome}"))
}
