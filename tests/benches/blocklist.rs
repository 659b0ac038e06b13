//! `cargo bench -p preau-tests --bench blocklist [-- [--names N]]`: what a block list of five million names costs: to
//! compile (processor, memory), to keep (bytes a name), to ask (one name with all that it stands under), to change (bytes of
//! a day), and whether it ever blocks what it does not list.
//!
//! The list is drawn, in UT1 form: 51 categories of which one holds most names, names of some 18 letters, a few in two
//! categories. Each measurement is made in a process of its own, so that one does not pay for another's memory.
//!
//! Ends with 1, and names them, when figures fall short of what is promised.

#![expect(clippy::print_stdout, reason = "a bench speaks")]

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, ensure};
use preau_shared::{
    blocklist::{BlockList, Categories},
    rig::{clock::SystemClock, lists},
    time::Clock as _,
};
use preau_tests::bench::{
    names::{CATEGORIES, draw, name, unlisted},
    table::{Table, count, ended, median},
};
use tempfile::tempdir;

/// Names of a list, in all categories.
const NAMES: u64 = 5_200_000;
/// Names that are asked for again and again.
const ASKED: u64 = 100_000;
/// Names that no list has.
const UNLISTED: u64 = 1_000_000;
/// Passes over the names that are asked for.
const PASSES: usize = 7;
/// Names that come, and as many that go, in a day.
const DAY: u64 = 5_000;
/// Measurements of what compiling costs.
const COMPILED: usize = 3;
/// The seed of every list here.
const SEED: [u8; 16] = *b"a seed for tests";
/// The word by which this program is told to compile and to say what it cost.
const WORD: &str = "compile";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [WORD, dir, file] => compile(Path::new(dir), Path::new(file)).map(|()| Vec::new()),
        [] => bench(NAMES),
        ["--names", n] => n.parse().context("--names takes a number").and_then(bench),
        _ => Err(anyhow::anyhow!("--names N, or nothing")),
    };
    ended(done)
}

fn bench(names: u64) -> Result<Vec<String>> {
    let (dir, day) = (tempdir()?, DAY.min(names / 10));
    let (old, new, file) = (dir.path().join("old"), dir.path().join("new"), dir.path().join("list.preaubl"));
    draw(&old, 0..names)?;
    let changed = draw(&new, day..names.saturating_add(day))?;
    let mut table = Table::new(format!("A block list of {names} names in {CATEGORIES} categories"));
    let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
    for _ in 0..COMPILED {
        let (cpu, rss) = apart(&old, &file)?;
        seconds.push(cpu);
        megabytes.push(rss);
    }
    table.most(format!("compiling, processor, median of {COMPILED}"), median(seconds), "s", 8.0);
    table.most("… most memory", median(megabytes), "MB", 600.0);
    let clock = SystemClock::start();
    let list = lists::map(&file)?;
    table.shown("mapped and opened", clock.elapsed().0.as_secs_f64() * 1e3, "ms");
    let (listed, _) = list.counts();
    table.most("bytes a name", count(list.bytes()) / count(usize::try_from(listed)?), "B", 8.0);
    asked(&mut table, &list, names);
    let wrong = (0..UNLISTED).filter(|n| list.categories(&unlisted(*n)) != Categories::default()).count();
    table.size(format!("wrong blocks among {UNLISTED} unlisted names"), count(wrong), "", 0.0);
    let missed = (0..names).filter(|n| list.categories(&name(*n)) == Categories::default()).count();
    table.size("listed names that are not blocked", count(missed), "", 0.0);
    changes(&mut table, (&old, &new), (list, changed), (names, day))?;
    print!("{table}");
    Ok(table.short().into_iter().map(str::to_owned).collect())
}

/// What asking costs: names that are listed, and names that are not.
fn asked(table: &mut Table, list: &BlockList, names: u64) {
    let step = (names / ASKED).max(1);
    let hits: Vec<String> = (0..ASKED.min(names)).map(|n| format!("www.{}", name(n.saturating_mul(step)))).collect();
    let misses: Vec<String> = (0..ASKED).map(|n| format!("www.{}", unlisted(n))).collect();
    for (what, names) in [("listed", hits), ("unlisted", misses)] {
        let passes = (0..PASSES).map(|_| {
            let clock = SystemClock::start();
            let found = names.iter().filter(|name| list.categories(name) != Categories::default()).count();
            std::hint::black_box(found);
            clock.elapsed().0.as_secs_f64() * 1e9 / count(names.len())
        });
        let nanoseconds = median(passes.collect());
        table.most(format!("a name with all it stands under, {what}"), nanoseconds, "ns", 500.0);
    }
}

/// A day: some names come, as many go.
fn changes(
    table: &mut Table,
    (old, new): (&Path, &Path),
    (list, changed): (BlockList, usize),
    (names, day): (u64, u64),
) -> Result<()> {
    let delta = lists::read(new, SEED)?.changes_since(&lists::read(old, SEED)?)?;
    let bytes = delta.compile(None, |_| ())?;
    table.shown(format!("a day: {day} names come and {day} go; lines of text that change"), count(changed), "B");
    table.most("… bytes that are sent, for a byte that changes", count(bytes.len()) / count(changed), "x", 1.2);
    let list = list.with_changes(std::sync::Arc::new(bytes))?;
    let listed = |n: u64| list.categories(&name(n)) != Categories::default();
    let wrong = (0..names.saturating_add(day)).filter(|n| listed(*n) == (*n < day)).count();
    table.size("… names that the changed list has wrong", count(wrong), "", 0.0);
    Ok(())
}

/// Compiles in another process: its processor time in seconds, and its largest memory in megabytes.
fn apart(dir: &Path, file: &Path) -> Result<(f64, f64)> {
    let out = Command::new(std::env::current_exe()?).arg(WORD).args([dir, file]).output()?;
    ensure!(out.status.success(), "compiling failed: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let (cpu, rss) = text.trim().split_once(' ').context("two figures")?;
    Ok((cpu.parse()?, rss.parse()?))
}

fn compile(dir: &Path, file: &Path) -> Result<()> {
    fs::write(file, lists::compile(dir, SEED, None, |_, _| ())?)?;
    let usage = |field: &str| -> Result<f64> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find(|line| line.starts_with(field)).context("the kernel says")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
    };
    // User and system time, in ticks of ten milliseconds: proc(5), fields 14 and 15.
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("a process")?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    println!("{} {}", ticks / 100.0, usage("VmHWM")? / 1024.0);
    Ok(())
}
