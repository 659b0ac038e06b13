//! `cargo bench -p preau-tests --bench outage [-- --seed N] [--entries N] [--schools N]`: a school comes back after
//! thirty days, and all schools of a territory come back at once. Coordinator and the school's box are real processes;
//! the boxes of the other schools are drivers with their own stores in this process, over the same broker.
//! Ends with 1 when something is lost, doubled or refused; never for a time.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks")]

use std::{fs, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::HEXLOWER;
use preau_shared::{
    dice::Seeded,
    documents,
    keys::SigningKey,
    replica::Shelf,
    rig::{
        dice::SystemDice,
        serve::more_open_files,
        shelves::{self, Author},
        task::Tasks,
        tls,
        writer::Writer,
    },
    time::Elapsed,
    wire::ClaimGrant,
};
use preau_tests::bench::{
    boxed::Boxed,
    relay::Relay,
    table::{Table, count},
    territory::Territory,
    whole::{Whole, school_days, write_entries},
};
use tempfile::tempdir;
use tokio::time::{Instant, sleep};

/// What a school does not do within so long it will not do.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the territory's line is down: long enough for every box to reach the longest wait between two tries.
const DOWN: Duration = Duration::from_secs(15);
/// Entries of a school in a day.
const A_DAY: usize = 2_000;
/// Width of a bar of the histogram.
const BAR: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    tls::install_provider();
    let words: Vec<String> = std::env::args().collect();
    let after = |word: &str| words.iter().position(|w| w == word).and_then(|at| words.get(at + 1)?.parse::<u32>().ok());
    let (seed, entries, schools) =
        (after("--seed").unwrap_or(4), after("--entries").unwrap_or(60_000), after("--schools").unwrap_or(47));
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let run = async {
        more_open_files()?;
        let thirty_days = thirty_days(seed.into(), usize::try_from(entries)?).await?;
        let all_at_once = all_at_once(seed.into(), schools).await?;
        print!("{thirty_days}{all_at_once}");
        Ok::<_, anyhow::Error>(thirty_days.holds() && all_at_once.holds())
    };
    match runtime.map_err(Into::into).and_then(|r| r.block_on(run)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("something was lost, doubled or refused");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the bench could not be run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_preau-under-test"))
}

/// Thirty days without the coordinator, written into the box's file by the product's own shelves while it does not run.
async fn lives_alone(home: &Path, seed: u64, entries: usize) -> Result<()> {
    let grant: ClaimGrant = serde_json::from_slice(&fs::read(home.join("identity/grant.json"))?)?;
    let seed_of_key = fs::read_to_string(home.join("identity/signing.seed"))?;
    let key = HEXLOWER.decode(seed_of_key.trim().as_bytes())?;
    let Ok(key) = key.try_into() else { bail!("the box's key has another length") };
    let writer = Writer::open(&home.join("box.db"), |_| Ok(()))?;
    let id = grant.box_id;
    let origin = writer.commit(move |conn| shelves::begin(conn, id, &SystemDice)).await?;
    let author = Author {
        origin,
        key: Arc::new(SigningKey::from_seed(&key)?),
        dice: Arc::new(SystemDice),
        writer: documents::Writer::Box,
    };
    let days = school_days(entries, &Seeded::new(seed));
    write_entries(&writer, &Arc::new(author), &Shelf::School(grant.uai), days).await
}

/// One school of real people, thirty days of it.
async fn thirty_days(seed: u64, entries: usize) -> Result<Table> {
    let dir = tempdir()?;
    let territory = Territory::start(program(), dir.path(), 30).await?;
    let relay = Relay::open(territory.mqtt).await?;
    let school = preau::invent::schools(&Seeded::new(seed), preau_shared::time::Stamp(1_790_000_000_000));
    let school = school.into_iter().next().context("a school")?;
    territory.api.add_school(&school.uai, school.name, Some(school.place)).await?;
    let plan = territory.api.plan_roster(&school.uai, "2026-2027", school.onde).await?;
    let people = territory.api.apply_roster(&plan, false).await?.len();
    let mut alone = Boxed::claim(program(), dir.path(), (&territory, relay.address), &school.uai).await?;
    alone.start()?;
    alone.in_step(u64::try_from(people)?).await?;
    alone.stop().await?;
    relay.cut();
    lives_alone(&alone.home, seed, entries).await?;
    let held = lines(&territory.api.entries(&school.uai).await?);
    let (before, cpu) = (relay.look(), territory.cpu()?);
    relay.mend();
    let began = Instant::now();
    alone.start()?;
    // It is started with everything unacknowledged; until it has read that, it knows of nothing.
    alone.in_step(u64::try_from(people)?).await?;
    let seconds = began.elapsed().as_secs_f64();
    let passed = relay.look().since(before);
    let cpu = territory.cpu()?.saturating_sub(cpu);
    let all = territory.api.entries(&school.uai).await?;
    let came = lines(&all).saturating_sub(held);
    let sign_ins = territory.api.sign_ins(&school.uai).await?.len();
    let mut table = Table::new(format!("A school of {people} people returns after 30 days with {entries} entries"));
    table.time("from the start of its program until all is acknowledged", seconds, "s", 60.0);
    table.shown("entries a second", count(entries) / seconds, "");
    table.shown("processor of the coordinator meanwhile", cpu.as_secs_f64(), "s");
    table.shown("bytes upwards, TLS", count(passed.up.bytes), "B");
    table.shown("bytes downwards, TLS", count(passed.down.bytes), "B");
    table.shown("bytes upwards per entry", count(passed.up.bytes) / count(entries), "B");
    table.size("entries lost or doubled at the coordinator", count(came.abs_diff(entries)), "", 0.0);
    table.size("sign-ins lost or doubled there", count(sign_ins.abs_diff(entries.div_ceil(3))), "", 0.0);
    alone.stop().await?;
    territory.stop().await?;
    Ok(table)
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Every school of a territory, each with a day's backlog, when the line comes back for all.
async fn all_at_once(seed: u64, schools: u32) -> Result<Table> {
    let dir = tempdir()?;
    let territory = Territory::start(program(), dir.path(), 30).await?;
    let relay = Relay::open(territory.mqtt).await?;
    let tasks = Tasks::default();
    let (mut boxes, mut all) = (Vec::new(), territory.boxes(0..schools).await?);
    all.sort_by(|a, b| a.grant.uai.cmp(&b.grant.uai));
    for claimed in &all {
        boxes.push(Whole::start(claimed, dir.path(), relay.address, &tasks).await?);
    }
    settled(&boxes).await?;
    relay.cut();
    let down = Instant::now();
    for (n, alone) in (0..).zip(&boxes) {
        alone.live(school_days(A_DAY, &Seeded::new(seed ^ (n << 8)))).await?;
    }
    sleep(DOWN.saturating_sub(down.elapsed())).await;
    let tries = relay.knocks().len();
    let (before, cpu) = (relay.look(), territory.cpu()?);
    let mended = relay.mend();
    let began = Instant::now();
    settled(&boxes).await?;
    let seconds = began.elapsed().as_secs_f64();
    let passed = relay.look().since(before);
    let cpu = territory.cpu()?.saturating_sub(cpu);
    let came: Vec<Elapsed> = relay.knocks().iter().skip(tries).filter(|k| k.let_in).map(|k| k.at).collect();
    let moments: Vec<Duration> = came.iter().map(|at| at.since(mended)).collect();
    let mut wrong = 0;
    for (claimed, alone) in all.iter().zip(&boxes) {
        let entries = lines(&territory.api.entries(&claimed.grant.uai).await?);
        let status = alone.status.borrow().clone();
        if !status.alerts.is_empty() {
            eprintln!("{}: {:?} {:?}", claimed.grant.uai, status.alerts, status.last_error);
        }
        wrong += entries.abs_diff(A_DAY) + status.alerts.len();
    }
    println!("\nWhen they knock, after the line is mended:\n{}", histogram(&moments));
    let mut table = Table::new(format!(
        "{schools} schools return at once after {} s, each with a day's {A_DAY} entries",
        DOWN.as_secs()
    ));
    table.time("until all is acknowledged", seconds, "s", 60.0);
    table.shown("entries a second", count(A_DAY * boxes.len()) / seconds, "");
    table.shown("processor of the coordinator meanwhile", cpu.as_secs_f64(), "s");
    table.shown("bytes both ways, TLS", count(passed.bytes()), "B");
    table.shown("the last knock after", moments.iter().max().map_or(f64::NAN, Duration::as_secs_f64), "s");
    table.size(
        "connections more than schools: refused, or hellos that failed",
        count(came.len().saturating_sub(boxes.len())),
        "",
        0.0,
    );
    table.size("entries lost or doubled, alerts", count(wrong), "", 0.0);
    tasks.stop();
    tasks.ended().await;
    territory.stop().await?;
    Ok(table)
}

/// Waits until every box is in contact and has nothing unacknowledged.
async fn settled(boxes: &[Whole]) -> Result<()> {
    let began = Instant::now();
    for alone in boxes {
        loop {
            let status = alone.status.borrow().clone();
            if status.in_contact && status.settled && alone.exposure()? == 0 {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "{alone:?} is not in step: {status:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

fn histogram(moments: &[Duration]) -> String {
    let bars = moments.iter().max().map_or(0, |last| last.as_millis() / BAR.as_millis() + 1);
    let bar = |n: u128| {
        let many = moments.iter().filter(|m| m.as_millis() / BAR.as_millis() == n).count();
        format!("{:>6} ms {many:>3} {}\n", n * BAR.as_millis(), "#".repeat(many))
    };
    (0..bars).map(bar).collect()
}
