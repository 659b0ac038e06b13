//! `cargo bench -p preau-tests --bench badge_frames`: how many badges are read out of drawn frames, ten classes of
//! trouble, bursts of four frames; the page's worker, the box's reader and another library see the same frames in one
//! run. `PREAU_FRAMES` is how many bursts of each class (20 unless told), `PREAU_FRAMES_SEED` which.
//! Ends with 1 when a text is wrong, or fewer bursts are read than must be; never for a time.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench speaks")]
#![expect(clippy::disallowed_methods, reason = "how many and which are options of a bench, and times are its figures")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;
use preau_shared::{badge::Badge, dice::Seeded};
use preau_tests::{
    bench::table::count,
    frames::{
        BURST, Class, Frame, burst,
        readers::{Page, Reading, read_as_box, read_by_rqrr},
    },
    pilot::Pilot,
};

/// Bursts that must be read, over all classes.
const READ: f64 = 0.95;

fn main() -> ExitCode {
    let told = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (bursts, seed) = (told("PREAU_FRAMES").unwrap_or(20), told("PREAU_FRAMES_SEED").unwrap_or(5));
    println!("seed {seed}, {bursts} bursts of {BURST} frames a class");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(bursts, seed))) {
        Ok(short) if short.is_empty() => ExitCode::SUCCESS,
        Ok(short) => {
            for figure in short {
                eprintln!("fell short: {figure}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the bench could not be run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a reader made of a class, or of all.
#[derive(Debug, Clone, Default)]
struct Score {
    frames: usize,
    read: usize,
    bursts: usize,
    bursts_read: usize,
    wrong: usize,
    times: Vec<Duration>,
}

impl Score {
    fn note(&mut self, payload: &str, readings: &[Reading]) {
        let read = readings.iter().filter(|reading| reading.texts.iter().any(|text| text == payload)).count();
        self.frames += readings.len();
        self.read += read;
        self.bursts += 1;
        self.bursts_read += usize::from(read > 0);
        self.wrong += readings.iter().flat_map(|reading| &reading.texts).filter(|text| *text != payload).count();
        self.times.extend(readings.iter().map(|reading| reading.took));
    }

    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.read += other.read;
        self.bursts += other.bursts;
        self.bursts_read += other.bursts_read;
        self.wrong += other.wrong;
        self.times.extend(&other.times);
    }

    fn share(&self) -> f64 {
        count(self.bursts_read) / count(self.bursts)
    }

    /// The time that so many percent of the frames took less than, in milliseconds.
    fn took_ms(&self, percent: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        let at = times.len().saturating_sub(1) * percent / 100;
        times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |part: usize, whole: usize| 100.0 * count(part) / count(whole);
        let (frames, bursts) = (percent(self.read, self.frames), percent(self.bursts_read, self.bursts));
        let (median, late) = (self.took_ms(50), self.took_ms(95));
        write!(f, "{frames:>5.0} % {bursts:>5.1} % {:>5} {median:>4.1} {late:>4.1}", self.wrong)
    }
}

/// Who reads; only the first two are held to the bounds.
const READERS: [&str; 3] = ["the page's worker", "the box's reader", "rqrr"];

async fn run(bursts: u64, seed: u64) -> Result<Vec<String>> {
    let pilot = Pilot::start(env!("CARGO_BIN_EXE_preau-under-test"), &["--tablets", "0"]).await?;
    let page = Page::open(pilot.text("/schools/0/box/url")).await?;
    println!("\n{:<9}{}", "", READERS.map(|name| format!("  {name:<31} |")).concat());
    let columns = format!("  {:>7} {:>7} {:>5} {:>4} {:>4} |", "frames", "bursts", "wrong", "ms", "95 %");
    println!("{:<9}{}", "class", columns.repeat(READERS.len()));
    let mut all: [Score; 3] = Default::default();
    for class in Class::ALL {
        let mut scores: [Score; 3] = Default::default();
        for number in 0..bursts {
            let payload = Badge::draw(&Seeded::new(seed ^ (number << 16))).payload();
            let frames = burst(class, &payload, seed ^ (number << 8))?;
            let [by_page, by_box, by_rqrr] = &mut scores;
            by_page.note(&payload, &page.read(&frames).await?);
            by_box.note(&payload, &timed(&frames, read_as_box));
            by_rqrr.note(&payload, &timed(&frames, read_by_rqrr));
        }
        println!("{:<9}{}", class.to_string(), line(&scores));
        for (sum, score) in all.iter_mut().zip(&scores) {
            sum.add(score);
        }
    }
    println!("{:<9}{}", "all", line(&all));
    page.close().await?;
    let mut short = Vec::new();
    for (name, score) in READERS.iter().zip(&all).take(2) {
        if score.wrong > 0 {
            short.push(format!("{name}: {} wrong texts, must be 0", score.wrong));
        }
        if score.share().total_cmp(&READ).is_lt() {
            let (read, must) = (100.0 * score.share(), 100.0 * READ);
            short.push(format!("{name}: {read:.1} % of bursts read, must be {must:.0} %"));
        }
    }
    Ok(short)
}

fn line(scores: &[Score]) -> String {
    scores.iter().map(|score| format!("  {score} |")).collect()
}

fn timed(frames: &[Frame], read: fn(&Frame) -> Option<String>) -> Vec<Reading> {
    let one = |frame| {
        let began = Instant::now();
        let texts = read(frame).into_iter().collect();
        Reading { texts, took: began.elapsed() }
    };
    frames.iter().map(one).collect()
}
