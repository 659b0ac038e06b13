//! `cargo bench -p preau-tests --bench sign_in [-- [--seed N] [beside] [storms] [restarts] [pauses]]`: how fast children
//! come in by badge, at a real box process with its SQLite file in WAL mode and `synchronous=FULL`. The line to the
//! coordinator is cut before anything is measured. Named parts are run alone; without names, all are.
//!
//! *Side by side*: bursts at the box and at a bare axum handler take turns. Both run the same listener with as many
//! threads, check the same proofs with the same code and answer as many bytes; the client is the same, its proofs are made
//! beforehand and its connections are warm. Each tablet signs in once a burst; between two bursts, unmeasured, all leave
//! and are wiped. Capacity is taken with [`CONNECTIONS`] connections and a whole territory's tablets on one box. The time that a child waits is taken with
//! [`TOGETHER`] connections at an equal load: both sides get the same moments, drawn at a rate of half the box's capacity,
//! and each request is timed from its moment. (Connections that ask again as soon as they are answered load each side as
//! it lets them; their times only restate throughput, by Little's law, and are shown beside.) What an fsync takes is
//! measured between two turns; what it takes in the same folder while the bare handler answers the same requests is shown
//! beside: on a machine with two cores a thread that waits for the disk waits for its turn, too.
//! *Fsyncs* are the box's own count of commits (`preau_commits` of its metrics: the writer counts each that wrote) and
//! those of its log's laps, which stand in the log's header.
//! *Storms*, *waking* and *restarts* go over HTTP/2 with a connection of its own for each tablet, as browsers do it.
//!
//! Ends with 1, and names them, when figures fall short of what is promised.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks")]

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use mimalloc::MiMalloc;
use preau_shared::{
    dice::{Dice as _, Seeded},
    rig::{serve::more_open_files, tls},
};
use preau_tests::bench::{
    relay::Relay,
    sign_in::{
        bare::{self, Bare},
        crowd::{Burst, Crowd},
        disk,
        page::{self, Page},
        school::School,
    },
    table::{Table, count, ended, median, percentile},
    territory::Territory,
};
use tempfile::tempdir;
use tokio::time::{Instant, sleep};

/// The bare side allocates as the box does.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

/// Tablets of a class that sign in at the same time.
const TOGETHER: u32 = 30;
/// Pupils of a large school.
const PUPILS: usize = 500;
/// Its tablets here: each of [`TOGETHER`] connections serves so many one after another.
const TABLETS: usize = 16 * 30;
/// Tablets of a large school, twice over.
const SCHOOL_TWICE: usize = 300;
/// Tablets of the whole territory.
const TERRITORY: usize = 2_800;
/// All scans of a storm come within so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Turns of the two sides.
const TURNS: usize = 12;
/// Turns of the long bursts.
const LONG_TURNS: usize = 7;
/// Connections of the long bursts: the tablets of a school three times over.
const CONNECTIONS: u32 = 480;
/// Milliseconds of a second.
const MS: f64 = 1e3;
/// Fsyncs that are timed between two turns.
const FSYNCS: usize = 25;
/// Storms of a school, and times that its tablets wake together.
const STORMS: usize = 3;
/// Times that tablets wake together.
const WAKINGS: usize = 10;
/// Restarts.
const RESTARTS: usize = 11;
/// A box that does not answer so long after its start will not.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pauses of each kind before a badge.
const PAUSES: usize = 10;
/// Short enough for the writer to keep its memory (it gives it back after two seconds).
const SHORT: Duration = Duration::from_secs(1);
/// Long enough for it to have given it back, and for what a sign-in leaves to be done (runs are closed, twice).
const LONG: Duration = Duration::from_secs(7);

fn main() -> ExitCode {
    tls::install_provider();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((first, rest)) if first == bare::WORD => bare::serve(rest).map(|()| Vec::new()),
        Some(_) | None => bench(&words),
    };
    ended(done)
}

/// Runs it; names what fell short. One thread: the client leaves the machine to the servers.
fn bench(words: &[String]) -> Result<Vec<String>> {
    let seed = words.iter().position(|w| w == "--seed").and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(5);
    println!("seed {seed}");
    more_open_files()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let dir = tempdir()?;
        let (mut school, territory) = schools(dir.path()).await?;
        let mut tablets = school.tablets(TABLETS).await.context("enrolment")?;
        let mut many = territory.tablets(TERRITORY).await.context("enrolment")?;
        let dice = Seeded::new(seed);
        let named = |part: &str| words.iter().any(|word| word == part);
        let asked = |part: &str| named(part) || !["beside", "storms", "restarts", "pauses"].into_iter().any(named);
        let mut tables = Vec::new();
        if asked("beside") {
            tables.push(rates(&territory, &mut many).await.context("side by side")?);
            tables.push(waits(&school, &mut tablets, (dir.path(), &dice)).await.context("a class's tablets")?);
        }
        if asked("storms") {
            tables.push(storms((&school, &mut tablets), (&territory, &mut many), &dice).await.context("storms")?);
        }
        if asked("restarts") {
            tables.push(restarts(&mut school, &mut tablets).await.context("restarts")?);
        }
        if asked("pauses") {
            tables.push(pauses(&school, &mut tablets).await.context("pauses")?);
        }
        tables.iter().for_each(|table| print!("{table}"));
        Ok(tables.iter().flat_map(Table::short).map(str::to_owned).collect())
    })
}

/// A large school, and one as large as the territory; then the coordinator is out of reach and gone.
async fn schools(dir: &Path) -> Result<(School, School)> {
    let program = Path::new(env!("CARGO_BIN_EXE_preau-under-test"));
    let coordinator = Territory::start(program, dir, 30).await?;
    let relay = Relay::open(coordinator.mqtt).await?;
    let at = (&coordinator, relay.address);
    let school = School::found(program, dir, at, (1, PUPILS)).await?;
    let territory = School::found(program, dir, at, (2, TERRITORY)).await?;
    relay.cut();
    coordinator.stop().await?;
    Ok((school, territory))
}

/// Both sides in turns.
#[derive(Debug, Default)]
struct Turns {
    boxes: Vec<Burst>,
    bares: Vec<Burst>,
    /// Fsyncs of the box's database for a sign-in.
    syncs: Vec<f64>,
}

impl Turns {
    /// Every tablet signs in at the box and leaves, then at the bare handler; what the disk did meanwhile.
    async fn take(
        &mut self,
        (school, bare): (&School, &Bare),
        tablets: &mut Crowd,
        (pace, disk): ((u32, &[Duration]), Option<&Path>),
    ) -> Result<Vec<f64>> {
        let (door, before) = (&school.door, disk::syncs(&school.boxed).await?);
        self.boxes.push(tablets.sign_in(door, pace, || school.boxed.cpu()).await?);
        let made = disk::syncs(&school.boxed).await?.saturating_sub(before);
        self.syncs.push(count(made) / count(tablets.tablets.len()));
        tablets.leave(door).await?;
        let beside = disk.map(disk::Beside::start).transpose()?;
        self.bares.push(tablets.sign_in(&bare.door, pace, || bare.cpu()).await?);
        tablets.forget();
        beside.map_or(Ok(Vec::new()), disk::Beside::stop)
    }

    fn show_costs(&self, table: &mut Table) {
        table.shown("… fsyncs for a sign-in", median(self.syncs.clone()), "");
        table.shown("… processor for a sign-in", of(&self.boxes, Burst::cpu_each) * MS, "ms");
        table.shown("… bare, processor", of(&self.bares, Burst::cpu_each) * MS, "ms");
    }

    /// Median, and p99 of the box and of the bare handler, in milliseconds.
    fn show_times(&self, table: &mut Table) -> (f64, f64) {
        let at = |hundredths| move |burst: &Burst| percentile(burst.each.clone(), hundredths) * MS;
        table.shown("… a sign-in, median", of(&self.boxes, at(50)), "ms");
        table.shown("… bare, median", of(&self.bares, at(50)), "ms");
        table.shown("… bare, p99", of(&self.bares, at(99)), "ms");
        (of(&self.boxes, at(99)), of(&self.bares, at(99)))
    }
}

/// A bare handler that answers as many bytes as this box; unmeasured, everybody signs in once.
async fn warm(school: &School, tablets: &mut Crowd, hands: u32) -> Result<(Bare, Burst)> {
    let warm = tablets.sign_in(&school.door, (hands, &[]), || school.boxed.cpu()).await?;
    tablets.leave(&school.door).await?;
    let bare = Bare::start(&school.boxed.home, warm.body_bytes / tablets.tablets.len()).await?;
    Ok((bare, warm))
}

/// Sign-ins a second. The bursts are long, so that their beginnings and ends, in which somebody waits for somebody else,
/// count for little.
async fn rates(school: &School, tablets: &mut Crowd) -> Result<Table> {
    let ((bare, _), mut turns) = (warm(school, tablets, CONNECTIONS).await?, Turns::default());
    for _ in 0..LONG_TURNS {
        turns.take((school, &bare), tablets, ((CONNECTIONS, &[]), None)).await?;
    }
    let title = format!("A box beside a bare handler: medians of {LONG_TURNS} turns of {TERRITORY} sign-ins");
    let (rate, bare_rate) = (of(&turns.boxes, Burst::rate), of(&turns.bares, Burst::rate));
    let mut table = Table::new(title);
    table.shown(format!("{CONNECTIONS} connections: durable sign-ins a second"), rate, "/s");
    table.shown("… bare handler", bare_rate, "/s");
    table.least("… box ÷ bare", rate / bare_rate, "x", 0.6);
    turns.show_costs(&mut table);
    Ok(table)
}

/// What a child of a class waits.
async fn waits(school: &School, tablets: &mut Crowd, (dir, dice): (&Path, &Seeded)) -> Result<Table> {
    let (bare, warm) = warm(school, tablets, TOGETHER).await?;
    let half = Duration::from_secs_f64(count(TABLETS) / (warm.rate() / 2.0));
    let (mut eager, mut paced, mut idle, mut busy) = (Turns::default(), Turns::default(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        eager.take((school, &bare), tablets, ((TOGETHER, &[]), None)).await?;
        let due = moments(half, dice)?;
        busy.extend(paced.take((school, &bare), tablets, ((TOGETHER, &due), Some(dir))).await?);
        idle.extend(disk::fsyncs(dir, FSYNCS)?);
    }
    let mut table = Table::new(format!("What a child waits: medians of {TURNS} turns of {TABLETS} sign-ins"));
    let (rate, bare_rate) = (of(&eager.boxes, Burst::rate), of(&eager.bares, Burst::rate));
    table.shown(format!("{TOGETHER} connections: durable sign-ins a second"), rate, "/s");
    table.shown("… bare handler", bare_rate, "/s");
    table.shown("… box ÷ bare", rate / bare_rate, "x");
    eager.show_costs(&mut table);
    let (p99, _) = eager.show_times(&mut table);
    table.shown("… a sign-in, p99", p99, "ms");
    let rate = of(&paced.boxes, Burst::rate);
    table.shown(format!("{TOGETHER} connections, equal load on both sides"), rate, "/s");
    paced.show_costs(&mut table);
    table.shown("… an fsync of a page beside the bare handler's load, median", median(busy.clone()) * MS, "ms");
    table.shown("… an fsync of a page beside the bare handler's load, p99", percentile(busy, 99) * MS, "ms");
    let fsync = median(idle) * MS;
    table.shown("… an fsync of a page", fsync, "ms");
    let (p99, bare_p99) = paced.show_times(&mut table);
    table.most("… a sign-in, p99, beside bare + 3 fsyncs", p99, "ms", bare_p99 + 3.0 * fsync);
    Ok(table)
}

/// A moment for every tablet, drawn within so long.
fn moments(within: Duration, dice: &Seeded) -> Result<Vec<Duration>> {
    let micros = u64::try_from(within.as_micros())?;
    let mut due: Vec<_> = (0..TABLETS).map(|_| Duration::from_micros(dice.below(micros))).collect();
    due.sort_unstable();
    Ok(due)
}

fn of(bursts: &[Burst], figure: impl Fn(&Burst) -> f64) -> f64 {
    median(bursts.iter().map(figure).collect())
}

/// Whole schools at once, pages open; then tablets that wake together.
async fn storms(
    (school, tablets): (&School, &mut Crowd),
    (territory, many): (&School, &mut Crowd),
    dice: &Seeded,
) -> Result<Table> {
    let mut table = Table::new(format!("Storms on one box, line cut, every scan within {} s", WINDOW.as_secs()));
    let (mut each, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..STORMS {
        let some = tablets.tablets.get_mut(..SCHOOL_TWICE).context("tablets")?;
        let storm = page::storm(&school.door, some, WINDOW, dice).await?;
        each.extend(storm.each);
        refused.extend(storm.refused);
        tablets.leave(&school.door).await?;
    }
    shown(&mut table, &format!("{SCHOOL_TWICE} tablets, {STORMS} times"), each, (&refused, 500.0));
    let storm = page::storm(&territory.door, &mut many.tablets, WINDOW, dice).await?;
    shown(&mut table, &format!("{TERRITORY} tablets"), storm.each, (&storm.refused, 2_000.0));
    let mut woken = Vec::new();
    for _ in 0..WAKINGS {
        let some = tablets.tablets.get_mut(..usize::try_from(TOGETHER)?).context("tablets")?;
        woken.extend(page::wake_together(&school.door, some).await?);
        tablets.leave(&school.door).await?;
    }
    shown(&mut table, &format!("{TOGETHER} tablets wake together, {WAKINGS} times"), woken, (&[], 2_000.0));
    Ok(table)
}

fn shown(table: &mut Table, what: &str, each: Vec<f64>, (refused, most): (&[String], f64)) {
    if let Some(first) = refused.first() {
        eprintln!("{what}: {} refused, the first with {first}", refused.len());
    }
    let at = |hundredths| percentile(each.clone(), hundredths) * 1e3;
    table.shown(format!("{what}: a sign-in, median"), at(50), "ms");
    table.most(format!("{what}: p95"), at(95), "ms", most);
    table.shown(format!("{what}: longest"), at(100), "ms");
    table.size(format!("{what}: refused"), count(refused.len()), "", 0.0);
}

/// The box is killed and started; the clock runs from the start of its program until a child is in.
async fn restarts(school: &mut School, tablets: &mut Crowd) -> Result<Table> {
    // As in a school: no enrolment is open.
    school.boxed.configure("")?;
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        let tablet = tablets.tablets.first_mut().context("a tablet")?;
        school.boxed.kill().await?;
        let began = Instant::now();
        school.boxed.start()?;
        Page::wake_when_there(&school.door, tablet, PATIENCE).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        tablets.leave(&school.door).await?;
    }
    let mut table = Table::new(format!("A box of {PUPILS} pupils is killed and started, {RESTARTS} times"));
    table.most("from the start of its program to the first sign-in, median", median(times.clone()), "ms", 150.0);
    table.shown("longest", percentile(times, 100), "ms");
    Ok(table)
}

/// What a badge costs after a rest, in which memory was given back, and after a short pause; and the next badge.
async fn pauses(school: &School, tablets: &mut Crowd) -> Result<Table> {
    let (mut rested, mut paused, mut next) = (Vec::new(), Vec::new(), Vec::new());
    let (first, second) = tablets.tablets.split_at_mut(1);
    let (first, second) = (first.first_mut().context("a tablet")?, second.first_mut().context("another")?);
    let mut pages = (Page::wake(&school.door, first).await?, Page::wake(&school.door, second).await?);
    for _ in 0..PAUSES {
        for (pause, times) in [(LONG, &mut rested), (SHORT, &mut paused)] {
            tablets.leave(&school.door).await?;
            let [first, second, ..] = tablets.tablets.as_mut_slice() else { continue };
            sleep(pause).await;
            for (page, tablet, times) in [(&mut pages.0, first, times), (&mut pages.1, second, &mut next)] {
                let request = page.prepare(tablet)?;
                let began = Instant::now();
                page.sign_in(tablet, request).await?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let (rested, paused, next) = (median(rested), median(paused), median(next));
    let mut table = Table::new(format!("A badge after a pause, medians of {PAUSES} each"));
    table.shown(format!("after {} s: memory was given back", LONG.as_secs()), rested, "ms");
    table.shown(format!("after {} s: it was not", SHORT.as_secs()), paused, "ms");
    table.shown("the next badge at once", next, "ms");
    table.shown("what giving memory back costs the first badge", rested - paused, "ms");
    Ok(table)
}
