//! `cargo bench -p preau-tests --bench replication [-- --seed N] [--no-peer]`: what replication costs in bytes and in
//! time, beside raw changes under zstd, `automerge::sync`, JSON and PouchDB, all on the same edits in the same run.
//! Ends with 1 when a size is above its target; never for a time.

#![expect(clippy::indexing_slicing, reason = "a bench of made-up lists: an index that is wrong ends it")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks")]

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use peak_alloc::PeakAlloc;
use preau_shared::{
    dice::{Dice as _, Seeded},
    documents::{DocId, Document, Edit, Kind, Writer, may_write},
    ids::BoxId,
    replica::{Run, Shelf},
    rig::{
        apply::{self, Bench},
        clock::SystemClock,
        shelves::{self, Author, Following, Taking},
    },
    time::{Clock as _, Stamp},
};
use preau_tests::bench::{
    baseline,
    pair::{BOX, COORDINATOR, NoRows, Pair, key_of},
    pouch::Pouch,
    school::{Invented, Mirror, Size, one_field},
    table::{Table, count, median, median_seconds},
    whole::school_days,
};
use rusqlite::Connection;
use tempfile::tempdir;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Times are medians of so many takings.
const TAKINGS: usize = 5;
/// One-field edits of each document in a school year.
const EDITS_A_YEAR: usize = 200;
/// … and in a term.
const EDITS_A_TERM: usize = 60;
/// Merges into documents of some age are timed over so many runs of a school's last edits.
const AGED_RUNS: usize = 6;
/// How this program is told to be only the school whose heap is counted.
const HEAP_ALONE: &str = "--heap-alone";
/// Forced disconnections.
const BREAKS: u64 = 10;
/// Edits and entries of a box that was away for thirty days, sent while it is disconnected again and again.
const MONTH: (usize, usize) = (1_000, 60_000);
/// … and for a week.
const WEEK: (usize, usize) = (250, 14_000);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let seed = words.iter().position(|w| w == "--seed").and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let with_peer = !words.iter().any(|w| w == "--no-peer");
    let alone = words.iter().any(|w| w == HEAP_ALONE);
    let run = async { if alone { heap_alone(seed).await.map(|()| true) } else { bench(seed, with_peer).await } };
    match runtime.map_err(Into::into).and_then(|r| r.block_on(run)) {
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

async fn bench(seed: u64, with_peer: bool) -> Result<bool> {
    println!(
        "seed {seed}; every commit synced (SQLite WAL, synchronous=FULL); carrier in memory, bytes are MQTT payload"
    );
    let mut sizes = Table::new("A school of 196 documents");
    let seeding = seeding(seed, &mut sizes).await?;
    batches(seed, &mut sizes).await?;
    let behind = one_behind(seed, &mut sizes).await?;
    broken_line(seed, &mut sizes).await?;
    print!("{sizes}");
    let mut work = Table::new("Merging, memory and what stays on disk");
    merging(seed, &mut work)?;
    year(seed, &mut work)?;
    heap(seed, &mut work).await?;
    print!("{work}");
    if with_peer {
        print!("{}", peer(seed, seeding, behind).await?);
    }
    Ok(sizes.holds() && work.holds())
}

/// A pair whose coordinator has the school, and the same school in the mirror.
async fn stage(dir: &Path, size: Size, seed: u64) -> Result<(Pair, Invented, Mirror, Arc<Seeded>)> {
    let dice = Arc::new(Seeded::new(seed));
    let school = Invented::draw(size, (BOX, key_of(BOX)?.public()), &*dice)?;
    let pair = Pair::start(dir, &school.uai, seed).await?;
    let mut mirror = Mirror::new(pair.cloud.author.origin.actor());
    for edit in &school.founding {
        mirror.edit(edit)?;
    }
    pair.write(&pair.cloud, school.founding.clone()).await?;
    Ok((pair, school, mirror, dice))
}

/// What something cost us.
#[derive(Debug, Clone, Copy)]
struct Ours {
    bytes: u64,
    seconds: f64,
}

/// A box that knows nothing meets a coordinator that knows the school; then it comes again, in step.
async fn seeding(seed: u64, table: &mut Table) -> Result<Ours> {
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..TAKINGS {
        let dir = tempdir()?;
        let (pair, _, mirror, _) = stage(dir.path(), Size::USUAL, seed).await?;
        pair.mend();
        times.push(pair.quiet().await?);
        bytes = pair.look().bytes();
        if times.len() == TAKINGS {
            let json = baseline::json_of(&mirror.json())?;
            table.shown("the school as JSON", count(json), "B");
            table.shown("first seeding, both ways", count(bytes), "B");
            table.size("first seeding ÷ JSON", count(bytes) / count(json), "x", 0.5);
            again(&pair, table).await?;
        }
        pair.stop().await;
    }
    let seconds = median_seconds(&times);
    table.time("first seeding", seconds, "s", 2.0);
    Ok(Ours { bytes, seconds })
}

async fn again(pair: &Pair, table: &mut Table) -> Result<()> {
    pair.cut();
    let before = pair.look();
    tokio::time::sleep(Duration::from_millis(50)).await;
    pair.mend();
    pair.quiet().await?;
    let passed = pair.look().since(before);
    table.size("reconnect in step, upwards", count(passed.up.bytes), "B", 300.0);
    table.size("reconnect in step, downwards", count(passed.down.bytes), "B", 300.0);
    Ok(())
}

/// Edits that the coordinator makes while the line stands: the batch that carries them, against what is in it.
async fn batches(seed: u64, table: &mut Table) -> Result<()> {
    let dir = tempdir()?;
    let (pair, school, mut mirror, dice) = stage(dir.path(), Size::USUAL, seed).await?;
    pair.mend();
    pair.quiet().await?;
    let docs: Vec<DocId> = school.docs().collect();
    for (edits, most) in [(200, Some(1.15)), (50, Some(1.3)), (10, None), (1, None)] {
        let mut figures = Vec::new();
        for _ in 0..TAKINGS {
            let any = |_| docs[usize::try_from(dice.below(196)).unwrap_or(0) % docs.len()];
            let news: Vec<(Edit, Vec<u8>)> = (0..edits).map(|n| mirror.news(any(n), &*dice)).collect::<Result<_>>()?;
            let (wrote, raw): (Vec<Edit>, Vec<Vec<u8>>) = news.into_iter().unzip();
            let before = pair.look();
            pair.write(&pair.cloud, wrote).await?;
            pair.quiet().await?;
            let passed = pair.look().since(before);
            figures.push((passed.down.bytes, passed.up.bytes, baseline::zstd_of(&raw)?, raw.concat().len()));
        }
        let of = |figure: fn(&(u64, u64, usize, usize)) -> f64| median(figures.iter().map(figure).collect());
        let (batch, zstd) = (of(|f| count(f.0)), of(|f| count(f.2)));
        let many = format!("{edits} one-field edits in one batch");
        table.shown(format!("{many}: raw changes"), of(|f| count(f.3)), "B");
        table.shown(format!("{many}: zstd-3 of them"), zstd, "B");
        table.shown(format!("{many}: the batch"), batch, "B");
        table.shown(format!("{many}: its acknowledgement"), of(|f| count(f.1)), "B");
        let worst = figures.iter().map(|f| count(f.0) / count(f.2)).fold(0.0, f64::max);
        match most {
            Some(most) => table.size(format!("{many} ÷ zstd-3, the worst of {TAKINGS}"), worst, "x", most),
            None => table.shown(format!("{many} ÷ zstd-3, the worst of {TAKINGS}"), worst, "x"),
        }
        if edits == 200 {
            table.size("bytes per one-field edit in a batch of 200", batch / count(edits), "B", 60.0);
        }
        if edits == 1 {
            table.time("a lone edit, acknowledged ÷ its raw change", of(|f| count(f.0 + f.1) / count(f.3)), "x", 3.5);
        }
    }
    pair.stop().await;
    Ok(())
}

/// Each of the 196 documents is one edit behind when the box comes back. They have a history of a term.
async fn one_behind(seed: u64, table: &mut Table) -> Result<Ours> {
    let dir = tempdir()?;
    let (pair, school, mut mirror, dice) = stage(dir.path(), Size::USUAL, seed).await?;
    for _ in 0..EDITS_A_TERM {
        let news: Vec<Edit> = school.docs().map(|d| Ok(mirror.news(d, &*dice)?.0)).collect::<Result<_>>()?;
        pair.write(&pair.cloud, news).await?;
    }
    pair.mend();
    pair.quiet().await?;
    let (mut times, mut bytes, mut talk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TAKINGS {
        pair.cut();
        let before = mirror.saved();
        let news: Vec<Edit> = school.docs().map(|d| Ok(mirror.news(d, &*dice)?.0)).collect::<Result<_>>()?;
        pair.write(&pair.cloud, news).await?;
        let passed = pair.look();
        pair.mend();
        times.push(pair.quiet().await?);
        bytes.push(count(pair.look().since(passed).bytes()));
        talk.push(count(baseline::automerge_sync(&before, &mirror.saved())?.bytes));
    }
    pair.stop().await;
    let (ours, theirs) = (median(bytes), median(talk));
    table.shown("196 documents one edit behind, hellos and all", ours, "B");
    table.shown("the same by automerge::sync, nothing kept", theirs, "B");
    table.size("196 documents one edit behind ÷ automerge::sync", ours / theirs, "x", 0.10);
    let seconds = median_seconds(&times);
    table.time("196 documents one edit behind", seconds, "s", 1.0);
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of bytes"
    )]
    Ok(Ours { bytes: ours as u64, seconds })
}

/// What a box has after some time away, sent in one go and with a line that breaks ten times in the middle of a message.
async fn broken_line(seed: u64, table: &mut Table) -> Result<()> {
    for (name, what, most) in [("a week", WEEK, None), ("thirty days", MONTH, Some(1.2))] {
        let (whole, _) = returning(seed, what, (0, 0)).await?;
        let (broken, breaks) = returning(seed, what, (BREAKS, whole / (BREAKS + 1))).await?;
        let ratio = count(broken) / count(whole);
        table.shown(format!("{name} of a box ({} edits, {} entries), both ways", what.0, what.1), count(whole), "B");
        table.shown(format!("{name}: disconnections while it was sent again"), count(breaks), "");
        match most {
            Some(most) => {
                table.size(format!("{name}: bytes after {BREAKS} disconnections ÷ without"), ratio, "x", most)
            }
            None => table.shown(format!("{name}: bytes after {BREAKS} disconnections ÷ without"), ratio, "x"),
        }
    }
    Ok(())
}

async fn returning(seed: u64, (edits, entries): (usize, usize), (breaks, every): (u64, u64)) -> Result<(u64, u64)> {
    let dir = tempdir()?;
    let (pair, school, _, dice) = stage(dir.path(), Size::USUAL, seed).await?;
    pair.mend();
    pair.quiet().await?;
    pair.cut();
    let own: Vec<DocId> = school.docs().filter(|doc| may_write(Writer::Box, doc.kind, "name")).collect();
    let edits: Vec<Edit> = (0..edits).map(|n| one_field(own[n % own.len()], &*dice)).collect();
    pair.act(&pair.edge, edits, Vec::new()).await?;
    for some in school_days(entries, &*dice).chunks(500) {
        pair.act(&pair.edge, Vec::new(), some.to_vec()).await?;
    }
    let before = pair.look();
    let mut broke = 0;
    for _ in 0..breaks {
        pair.break_after(every);
        pair.mend();
        if pair.broken().await? {
            broke += 1;
        }
    }
    pair.mend();
    pair.quiet().await?;
    let passed = pair.look().since(before).bytes();
    pair.stop().await;
    Ok((passed, broke))
}

/// What a merge costs the processor: checked, applied, projected into nothing, stored; without the disk's waiting.
fn merging(seed: u64, table: &mut Table) -> Result<()> {
    let dir = tempdir()?;
    let (cpu, wall, fresh) = {
        let source = connection(&dir.path().join("source.db"))?;
        let (shelf, _) = year_of_runs(&source, seed, 5)?;
        let runs = all_runs(&source, &shelf)?;
        let (clock, bench) = (SystemClock::start(), Bench::new(apply::LIMIT));
        let (mut cpu, mut wall, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        for taking in 0..TAKINGS {
            let target = connection(&dir.path().join(format!("target-{taking}.db")))?;
            let author = author(&target, BOX, Writer::Box, Arc::new(Seeded::new(seed)))?;
            let taking = Taking { author: &author, project: &NoRows, bench: &bench, now: Stamp(0) };
            for (n, run) in runs.iter().enumerate() {
                let (began, spent) = (clock.elapsed(), program_cpu()?);
                target.execute_batch("BEGIN IMMEDIATE")?;
                shelves::commit_run(&target, run, Writer::Coordinator, &taking)?;
                target.execute_batch("COMMIT")?;
                let changes = f64::from(run.count);
                let cost = program_cpu()?.saturating_sub(spent).as_secs_f64() * 1e3 / changes;
                if n == 0 {
                    fresh.push(cost)
                } else {
                    cpu.push(cost)
                }
                wall.push(clock.elapsed().since(began).as_secs_f64() * 1e3 / changes);
            }
            let digest = |conn: &Connection| shelves::digest(conn, &shelf);
            anyhow::ensure!(digest(&target)? == digest(&source)?, "the merge did not give the same documents");
        }
        (median(cpu), median(wall), median(fresh))
    };
    table.time("merge: processor per change of one field", cpu, "ms", 1.0);
    table.time("merge: processor per new document", fresh, "ms", 1.0);
    table.shown("merge: per change, with the commit's sync", wall, "ms");
    let aged = merging_aged(seed)?;
    table.time("merge: processor per change of a document that has a term's", aged, "ms", 1.0);
    Ok(())
}

/// The same where each document has [`EDITS_A_TERM`] changes already: of the last of them, each in a run of all documents.
fn merging_aged(seed: u64) -> Result<f64> {
    let dir = tempdir()?;
    let source = connection(&dir.path().join("source.db"))?;
    let (shelf, _) = year_of_runs(&source, seed, EDITS_A_TERM)?;
    let target = connection(&dir.path().join("target.db"))?;
    let author = author(&target, BOX, Writer::Box, Arc::new(Seeded::new(seed)))?;
    let bench = Bench::new(apply::LIMIT);
    let taking = Taking { author: &author, project: &NoRows, bench: &bench, now: Stamp(0) };
    let mut costs = Vec::new();
    for run in all_runs(&source, &shelf)? {
        let spent = program_cpu()?;
        target.execute_batch("BEGIN IMMEDIATE")?;
        shelves::commit_run(&target, &run, Writer::Coordinator, &taking)?;
        target.execute_batch("COMMIT")?;
        costs.push(program_cpu()?.saturating_sub(spent).as_secs_f64() * 1e3 / f64::from(run.count));
    }
    Ok(median(costs.split_off(costs.len() - AGED_RUNS)))
}

fn connection(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")?;
    conn.execute_batch(shelves::MIGRATION)?;
    Ok(conn)
}

fn author(conn: &Connection, id: BoxId, writer: Writer, dice: Arc<Seeded>) -> Result<Author> {
    Ok(Author { origin: shelves::begin(conn, id, &*dice)?, key: Arc::new(key_of(id)?), dice, writer })
}

/// Writes the school and some edits of each document into a store; gives its shelf, and its size as JSON.
fn year_of_runs(conn: &Connection, seed: u64, edits_each: usize) -> Result<(Shelf, usize)> {
    let dice = Arc::new(Seeded::new(seed));
    let school = Invented::draw(Size::USUAL, (BOX, key_of(BOX)?.public()), &*dice)?;
    let author = author(conn, COORDINATOR, Writer::Coordinator, dice.clone())?;
    let shelf = Shelf::School(school.uai.clone());
    let mut mirror = Mirror::new(author.origin.actor());
    let write = |edit: &Edit| shelves::edit(conn, &author, &shelf, Stamp(0), edit, &NoRows);
    conn.execute_batch("BEGIN")?;
    for edit in &school.founding {
        mirror.edit(edit)?;
        write(edit)?;
    }
    for _ in 0..edits_each {
        for doc in school.docs() {
            write(&mirror.news(doc, &*dice)?.0)?;
        }
        shelves::close_runs(conn, &author, Stamp(0))?;
        conn.execute_batch("COMMIT; BEGIN")?;
    }
    conn.execute_batch("COMMIT")?;
    Ok((shelf, baseline::json_of(&mirror.json())?))
}

/// Everything that one origin wrote to a shelf.
fn all_runs(conn: &Connection, shelf: &Shelf) -> Result<Vec<Run>> {
    let origin = shelves::marks(conn)?.first().context("somebody wrote")?.origin;
    let (mut runs, mut after) = (Vec::new(), 0);
    loop {
        let Following::Runs(more) = shelves::runs_after(conn, shelf, &origin, after, 1 << 20)? else {
            anyhow::bail!("the first runs are no longer kept")
        };
        let Some(last) = more.last() else { return Ok(runs) };
        after = last.last();
        runs.extend(more);
    }
}

/// Processor time of all threads: what comes from outside is applied on one of its own.
fn program_cpu() -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        sum += Duration::from_nanos(nanoseconds.context("a thread's schedstat says nothing")?);
    }
    Ok(sum)
}

/// What a school year leaves on the disk.
fn year(seed: u64, table: &mut Table) -> Result<()> {
    let dir = tempdir()?;
    let conn = connection(&dir.path().join("year.db"))?;
    let (shelf, json) = year_of_runs(&conn, seed, EDITS_A_YEAR)?;
    let Kept { saved, deflated, rows } = current(&conn)?;
    table.shown("the school as JSON after a year", count(json), "B");
    table.shown("its documents after a year (200 edits each), saved", count(saved), "B");
    table.shown("the same, were they deflated", count(deflated), "B");
    table.shown("its documents after a year as they stand: snapshots and changes since", count(rows), "B");
    // What was measured when the format was chosen, deflated as Automerge does it; plain it has a bound of its own.
    table.size("documents after a year, deflated ÷ JSON", count(deflated) / count(json), "x", 6.0);
    table.size("documents after a year, saved ÷ JSON", count(saved) / count(json), "x", 7.5);
    let author = author(&conn, COORDINATOR, Writer::Coordinator, Arc::new(Seeded::new(seed ^ 2)))?;
    conn.execute_batch("BEGIN")?;
    // First looked at, they begin to age; a year later each is due.
    let mut begun = shelves::roll_over(&conn, &author, &shelf, (Stamp(1), Stamp(0)), &NoRows)?;
    loop {
        let more = shelves::roll_over(&conn, &author, &shelf, (Stamp(20), Stamp(10)), &NoRows)?;
        begun += more;
        if more == 0 {
            break;
        }
    }
    shelves::close_runs(&conn, &author, Stamp(20))?;
    conn.execute_batch("COMMIT")?;
    let Kept { saved, rows, .. } = current(&conn)?;
    table.shown("documents begun anew by the rollover", count(begun), "");
    table.shown("its documents right after it, saved", count(saved), "B");
    table.shown("its documents right after it as they stand", count(rows), "B");
    table.size("documents right after a rollover, saved ÷ JSON", count(saved) / count(json), "x", 1.5);
    Ok(())
}

/// Bytes of all documents in their current epoch.
#[derive(Default)]
struct Kept {
    /// Saved now.
    saved: usize,
    /// Saved and deflated.
    deflated: usize,
    /// As they stand in rows.
    rows: usize,
}

fn current(conn: &Connection) -> Result<Kept> {
    let mut documents = conn.prepare("SELECT doc, kind, snapshot FROM replica_documents WHERE state = 0")?;
    let mut changes = conn.prepare("SELECT bytes FROM replica_changes WHERE doc = ?1 ORDER BY place")?;
    let mut found = documents.query([])?;
    let mut sum = Kept::default();
    while let Some(row) = found.next()? {
        let (doc, kind, snapshot): (i64, u8, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let kind = Kind::from_code(kind).context("a kind")?;
        let tail: Vec<Vec<u8>> = changes.query_map([doc], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let saved = Document::load(kind, snapshot.as_deref(), &tail)?.save();
        sum.saved += saved.len();
        sum.deflated += automerge::Automerge::load(&saved)?.save().len();
        sum.rows += snapshot.map_or(0, |s| s.len()) + tail.iter().map(Vec::len).sum::<usize>();
    }
    Ok(sum)
}

/// Both ends of a school of 500 pupils in a process of their own: an upper bound of what one of them takes. Rust's heap
/// is counted; the process's memory has SQLite's caches and the program itself as well.
async fn heap_alone(seed: u64) -> Result<()> {
    let dir = tempdir()?;
    let dice = Seeded::new(seed);
    let school = Invented::draw(Size::LARGE, (BOX, key_of(BOX)?.public()), &dice)?;
    let documents = school.founding.len();
    let resting = (HEAP.current_usage(), resident()?);
    let pair = Pair::start(dir.path(), &school.uai, seed).await?;
    for some in school.founding.chunks(100) {
        pair.write(&pair.cloud, some.to_vec()).await?;
    }
    HEAP.reset_peak_usage();
    pair.mend();
    pair.quiet().await?;
    let above = |bytes: usize| bytes.saturating_sub(resting.0);
    let (after, peak) = (above(HEAP.current_usage()), above(HEAP.peak_usage()));
    println!("{documents} {after} {peak} {} {}", resting.1, resident()?);
    pair.stop().await;
    Ok(())
}

/// Memory of this process.
fn resident() -> Result<usize> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}

async fn heap(seed: u64, table: &mut Table) -> Result<()> {
    let child = tokio::process::Command::new(std::env::current_exe()?)
        .args([HEAP_ALONE, "--seed", &seed.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .await?;
    let said = String::from_utf8(child.stdout)?;
    let numbers: Vec<usize> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>().context("its words")?;
    let [documents, after, peak, before, resident] = numbers[..] else { anyhow::bail!("the process said {said:?}") };
    let mib = |bytes: usize| count(bytes) / f64::from(1 << 20);
    table.shown("a school of 500 pupils: documents", count(documents), "");
    table.size("its heap, both ends, at the highest of the first seeding", mib(peak), "MiB", 16.0);
    table.shown("its heap, both ends, at rest after it", mib(after), "MiB");
    table.shown("memory of their process before and after, SQLite's caches included", mib(before), "MiB");
    table.shown("… after", mib(resident), "MiB");
    Ok(())
}

/// PouchDB and a server of CouchDB's protocol on the same documents and edits.
async fn peer(seed: u64, seeding: Ours, behind: Ours) -> Result<Table> {
    let dir = tempdir()?;
    let dice = Seeded::new(seed);
    let school = Invented::draw(Size::USUAL, (BOX, key_of(BOX)?.public()), &dice)?;
    let mut mirror = Mirror::new([1; 16]);
    for edit in &school.founding {
        mirror.edit(edit)?;
    }
    let mut pouch = Pouch::start(dir.path()).await?;
    let mut table =
        Table::new("Beside PouchDB 9 and express-pouchdb 4 (LevelDB, HTTP without TLS; ours with seal and signature)");
    let mut row = |what: &str, theirs: (f64, f64), ours: Option<Ours>| {
        table.shown(format!("{what}: PouchDB"), theirs.0, "B");
        table.shown(format!("{what}: PouchDB"), theirs.1, "s");
        if let Some(ours) = ours {
            table.shown(format!("{what}: ours"), count(ours.bytes), "B");
            table.shown(format!("{what}: ours"), ours.seconds, "s");
            table.shown(format!("{what}: ours ÷ PouchDB, bytes"), count(ours.bytes) / theirs.0, "x");
            table.shown(format!("{what}: ours ÷ PouchDB, seconds"), ours.seconds / theirs.1, "x");
        }
    };
    pouch.put(&mirror.json()).await?;
    let first = pouch.push().await?;
    anyhow::ensure!(first.docs == 196, "PouchDB moved {} documents", first.docs);
    row("first seeding of 196 documents", (count(first.counts.bytes()), first.seconds), Some(seeding));
    let (mut bytes, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..TAKINGS {
        for doc in school.docs() {
            mirror.news(doc, &dice)?;
        }
        pouch.put(&mirror.json()).await?;
        let cost = pouch.push().await?;
        bytes.push(count(cost.counts.bytes()));
        seconds.push(cost.seconds);
    }
    row("196 documents one edit behind", (median(bytes), median(seconds)), Some(behind));
    let again = pouch.push().await?;
    row("once more, in step", (count(again.counts.bytes()), again.seconds), None);
    Ok(table)
}
