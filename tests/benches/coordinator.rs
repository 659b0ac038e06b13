//! `cargo bench -p preau-tests --bench coordinator [-- --schools N,N,N] [--window SECONDS]`: what an idle school costs a
//! real coordinator process with its embedded broker: resident memory, processor, bytes on the wire. Every box is a
//! mutual-TLS MQTT connection of its own, claimed through the API; the boxes' side is in this process.
//! The target of 30 KB an hour binds what MQTT writes; what TLS adds to each small record is shown beside it.
//! Ends with 1 when a size is above its target; never for a time.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks")]

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Result;
use preau_shared::rig::{serve::more_open_files, task::Tasks, tls};
use preau_tests::bench::{
    idle::{self, Seen},
    relay::{Relay, SEGMENT_HEADERS},
    table::{Table, count},
    territory::Territory,
};
use tempfile::tempdir;
use tokio::time::sleep;

/// The usual keep-alive (ARCHITECTURE §2.5).
const KEEP_ALIVE_S: u16 = 30;
/// All timers of a link are multiples of its keep-alive: with this one a minute has what half an hour has with 30 s.
const QUICK_KEEP_ALIVE_S: u16 = 2;
/// Long enough for one slow hello of each box with the quick keep-alive: 120 of them, and a quarter more.
const WIRE_WINDOW: Duration = Duration::from_secs(300);
/// Each tier is watched for so long: three beats of each box.
const ROOM_WINDOW: Duration = Duration::from_secs(90);
/// Boxes whose bytes are counted on the wire.
const COUNTED: u32 = 47;
/// Time for what follows a connection (the allocator's, the database's) to end.
const REST: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    tls::install_provider();
    let words: Vec<String> = std::env::args().collect();
    let after = |word: &str| words.iter().position(|w| w == word).and_then(|at| words.get(at + 1));
    let tiers: Option<Vec<u32>> =
        after("--schools").map(|list| list.split(',').filter_map(|n| n.parse().ok()).collect());
    let tiers = tiers.unwrap_or_else(|| vec![47, 500, 5_000]);
    let window = after("--window").and_then(|s| s.parse().ok()).map(Duration::from_secs);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|r| r.block_on(bench(&tiers, window))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a size is above its target");
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

async fn bench(tiers: &[u32], window: Option<Duration>) -> Result<bool> {
    let files = more_open_files()?;
    let most = u64::from(tiers.iter().copied().max().unwrap_or(0)) + u64::from(COUNTED) * 3 + 200;
    println!("this machine lets a process hold {files} files; {most} are needed at most");
    anyhow::ensure!(most <= files, "too few open files for that many boxes: raise the hard limit (ulimit -Hn)");
    let wire = wire(window.unwrap_or(WIRE_WINDOW)).await?;
    let room = room(tiers, window.unwrap_or(ROOM_WINDOW)).await?;
    print!("{wire}{room}");
    Ok(wire.holds() && room.holds())
}

/// Bytes of an idle school, with a short keep-alive so that a short window has many beats and several slow hellos.
async fn wire(window: Duration) -> Result<Table> {
    let dir = tempdir()?;
    let territory = Territory::start(program(), dir.path(), QUICK_KEEP_ALIVE_S).await?;
    let relay = Relay::open(territory.mqtt).await?;
    let (tasks, seen) = (Tasks::default(), Arc::new(Seen::default()));
    for claimed in territory.boxes(0..COUNTED).await? {
        idle::start(&claimed, relay.address, seen.clone(), &tasks)?;
    }
    seen.all_in_step(COUNTED.into(), Duration::from_secs(60)).await?;
    sleep(REST).await;
    let (before, payload, cpu) = (relay.look(), both(&seen), territory.cpu()?);
    sleep(window).await;
    let (passed, payload) = (relay.look().since(before), both(&seen) - payload);
    let cpu = territory.cpu()?.saturating_sub(cpu);
    // An hour with 30 s is as many beats as an hour less 14/15 of it with 2 s.
    let slower = f64::from(KEEP_ALIVE_S) / f64::from(QUICK_KEEP_ALIVE_S);
    let an_hour = |bytes: f64| bytes / f64::from(COUNTED) / window.as_secs_f64() / slower * 3_600.0;
    let mut table = Table::new(format!(
        "An idle school on the wire: {COUNTED} boxes for {} s with a keep-alive of {QUICK_KEEP_ALIVE_S} s, scaled to an hour with {KEEP_ALIVE_S} s",
        window.as_secs()
    ));
    let plain = count(passed.up.plain + passed.down.plain);
    let segments = count((passed.up.chunks + passed.down.chunks) * SEGMENT_HEADERS);
    table.shown("payload of MQTT messages, both ways", an_hour(count(payload)), "B/h");
    table.size("MQTT, both ways", an_hour(plain), "B/h", 30_000.0);
    table.shown("… of it upwards", an_hour(count(passed.up.plain)), "B/h");
    table.time("TLS, both ways", an_hour(count(passed.bytes())), "B/h", 30_000.0);
    table.shown(
        "IP, about: a segment for each piece that passed, without pure acknowledgements",
        an_hour(count(passed.bytes()) + segments),
        "B/h",
    );
    table.shown("processor of the coordinator per school", an_hour(cpu.as_secs_f64() * 1e3), "ms/h");
    table.size(
        "connections lost, odd messages",
        count(seen.losses.load(Ordering::Relaxed) + seen.odd.load(Ordering::Relaxed)),
        "",
        0.0,
    );
    tasks.stop();
    tasks.ended().await;
    territory.stop().await?;
    Ok(table)
}

fn both(seen: &Seen) -> u64 {
    seen.up.load(Ordering::Relaxed) + seen.down.load(Ordering::Relaxed)
}

/// Memory and processor with more and more schools, at the usual keep-alive.
async fn room(tiers: &[u32], window: Duration) -> Result<Table> {
    let dir = tempdir()?;
    let territory = Territory::start(program(), dir.path(), KEEP_ALIVE_S).await?;
    let (tasks, seen) = (Tasks::default(), Arc::new(Seen::default()));
    let mut table = Table::new(format!(
        "A coordinator of idle schools, keep-alive {KEEP_ALIVE_S} s, each tier watched for {} s; TLS, broker and store included",
        window.as_secs()
    ));
    let none = territory.resident()?;
    table.shown("resident memory without a school", mib(none), "MiB");
    // The first school has the code of claims, TLS and replication read in and the threads started: that is the
    // coordinator's, however many follow.
    for claimed in &territory.boxes(0..1).await? {
        idle::start(claimed, territory.mqtt, seen.clone(), &tasks)?;
    }
    seen.all_in_step(1, Duration::from_secs(60)).await?;
    sleep(REST).await;
    let one = territory.resident()?;
    table.shown("resident memory with one", mib(one), "MiB");
    let mut last = (1, one);
    for schools in tiers.iter().filter(|many| **many > 1) {
        let clock = tokio::time::Instant::now();
        let claimed = territory.boxes(last.0..*schools).await?;
        let claims = clock.elapsed();
        for claimed in &claimed {
            idle::start(claimed, territory.mqtt, seen.clone(), &tasks)?;
        }
        let connected = seen.all_in_step((*schools).into(), Duration::from_secs(600)).await?;
        sleep(REST).await;
        let (began, cpu) = (territory.resident()?, territory.cpu()?);
        sleep(window).await;
        let (resident, cpu) = (territory.resident()?, territory.cpu()?.saturating_sub(cpu));
        let many = format!("{schools} schools");
        let each = |than: (u32, u64)| count(resident.saturating_sub(than.1)) / f64::from(*schools - than.0) / 1_024.0;
        let (now, of_one) = (mib(resident), each((1, one)));
        eprintln!(
            "{many}: claimed in {claims:.1?}, in step after another {connected:.1?}: {now:.1} MiB, {of_one:.1} KiB each"
        );
        table.shown(format!("{many}: resident memory"), mib(resident), "MiB");
        table.shown(format!("{many}: all that they take ÷ schools"), each((0, none)), "KiB");
        table.size(format!("{many}: each school after the first"), of_one, "KiB", 64.0);
        table.size(format!("{many}: each school after those of the tier before"), each(last), "KiB", 64.0);
        table.size(
            format!("{many}: at the end of the window ÷ at its beginning"),
            count(resident) / count(began),
            "x",
            1.05,
        );
        let busy = cpu.as_secs_f64() / window.as_secs_f64();
        table.shown(format!("{many}: processor"), busy * 100.0, "% of one");
        table.shown(format!("{many}: processor per school"), busy * 3_600_000.0 / f64::from(*schools), "ms/h");
        last = (*schools, resident);
    }
    let gone = count(seen.losses.load(Ordering::Relaxed));
    table.shown("connections lost", gone, "");
    table.size("messages that an idle school has no reason for", count(seen.odd.load(Ordering::Relaxed)), "", 0.0);
    tasks.stop();
    tasks.ended().await;
    territory.stop().await?;
    Ok(table)
}

fn mib(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 20)
}
