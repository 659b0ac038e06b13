//! Many schedules, and the smallest that fails.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};

use super::{Fault, Plan, Plant, Report, Trim, run};

/// What many schedules showed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Steps of each.
    pub steps: Vec<u64>,
    /// Kinds of faults that happened in each.
    pub kinds: Vec<usize>,
    /// How often each fault happened, and in how many schedules.
    pub happened: BTreeMap<Fault, (u64, u64)>,
    /// Alerts that were raised.
    pub alerts: BTreeMap<String, u64>,
    /// Acts that were answered.
    pub acts: u64,
    /// Messages given to the network.
    pub messages: u64,
    /// The longest time from a storm's end until all was settled.
    pub settled_after: Duration,
    /// Seeds that failed, lowest first, and how.
    pub failed: Vec<(u64, String)>,
}

/// When a course of many schedules ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// At the first that fails.
    Failure,
    /// When all were run, however many fail: to see how many there are.
    End,
}

impl Outcome {
    fn add(&mut self, report: &Report) {
        self.steps.push(report.steps);
        self.kinds.push(report.happened.len());
        for (fault, count) in &report.happened {
            let (times, schedules) = self.happened.entry(*fault).or_default();
            *times = times.saturating_add(*count);
            *schedules = schedules.saturating_add(1);
        }
        for (alert, count) in &report.alerts {
            let sum = self.alerts.entry(alert.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.acts = self.acts.saturating_add(report.acts);
        self.messages = self.messages.saturating_add(report.messages);
        self.settled_after = self.settled_after.max(report.settled_after);
    }

    fn with(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self.kinds.extend(other.kinds);
        for (fault, (times, schedules)) in other.happened {
            let sum = self.happened.entry(fault).or_default();
            *sum = (sum.0.saturating_add(times), sum.1.saturating_add(schedules));
        }
        for (alert, count) in other.alerts {
            let sum = self.alerts.entry(alert).or_default();
            *sum = sum.saturating_add(count);
        }
        self.acts = self.acts.saturating_add(other.acts);
        self.messages = self.messages.saturating_add(other.messages);
        self.settled_after = self.settled_after.max(other.settled_after);
        self.failed.extend(other.failed);
        self.failed.sort();
        self
    }

    /// Least, middle and most.
    #[must_use]
    pub fn spread(values: &[u64]) -> (u64, u64, u64) {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
        (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, middle, most) = Self::spread(&self.steps);
        writeln!(f, "steps per schedule: {least} least, {middle} median, {most} most")?;
        let kinds: Vec<u64> = self.kinds.iter().map(|n| u64::try_from(*n).unwrap_or(0)).collect();
        let (least, middle, most) = Self::spread(&kinds);
        writeln!(f, "kinds of faults per schedule: {least} least, {middle} median, {most} most")?;
        let highest = kinds.iter().copied().max().unwrap_or(0);
        for kind in 0..=highest {
            let count = kinds.iter().filter(|n| **n == kind).count();
            let share = count.saturating_mul(60) / kinds.len().max(1);
            writeln!(f, "  {kind:>2} kinds  {count:>6}  {}", "#".repeat(share))?;
        }
        writeln!(f, "how often each fault happened:")?;
        for (fault, (times, schedules)) in &self.happened {
            writeln!(f, "  {:<12} {times:>8} times in {schedules:>6} schedules", fault.name())?;
        }
        writeln!(f, "alerts:")?;
        for (alert, count) in &self.alerts {
            writeln!(f, "  {alert:<18} {count:>8}")?;
        }
        write!(
            f,
            "{} acts, {} messages, settled after {:.1} s at most",
            self.acts,
            self.messages,
            self.settled_after.as_secs_f64()
        )
    }
}

/// Runs `count` seeds from `first` on, on as many threads as there are processors. `tell` hears how many are done,
/// and how the last one failed.
///
/// # Errors
/// When a thread ends badly.
pub fn run_many(
    (first, count): (u64, u64),
    trim: &Trim,
    (plant, until): (Option<Plant>, Until),
    tell: &(dyn Fn(u64, Option<&str>) + Sync),
) -> Result<Outcome> {
    let (next, done) = (AtomicU64::new(first), AtomicU64::new(0));
    let (stop, total) = (AtomicBool::new(false), Mutex::new(Outcome::default()));
    let last = first.saturating_add(count);
    let work = || {
        let mut mine = Outcome::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last {
                break;
            }
            let played = run(&Plan::draw(seed, trim, plant), false);
            let why = played.as_ref().err().map(|error| format!("{error:#}"));
            tell(done.fetch_add(1, Ordering::Relaxed).saturating_add(1), why.as_deref());
            match played {
                Ok(report) => mine.add(&report),
                Err(_) => {
                    mine.failed.extend(why.map(|why| (seed, why)));
                    stop.store(until == Until::Failure, Ordering::Relaxed);
                }
            }
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        *total = std::mem::take(&mut *total).with(mine);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sound = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().all(|worker| worker.join().is_ok())
    });
    if !sound {
        bail!("a simulation panicked");
    }
    Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The first seed of `most` at which a mistake of ours is caught, and how.
///
/// # Errors
/// When it is caught by none, or a thread ends badly.
pub fn caught(plant: Plant, most: u64) -> Result<(u64, String)> {
    let outcome = run_many((0, most), &Trim::default(), (Some(plant), Until::Failure), &|_, _| {})?;
    match outcome.failed.into_iter().next() {
        Some(caught) => Ok(caught),
        None => bail!("{} was not caught in {most} seeds", plant.name()),
    }
}

/// Leaves out of a failing schedule what it does not need to fail. Gives what is left out, and how the rest fails.
pub fn minimise(seed: u64, plant: Option<Plant>, failure: String) -> (Trim, String) {
    let (mut trim, mut failure) = (Trim::default(), failure);
    let fails = |trim: &Trim| run(&Plan::draw(seed, trim, plant), false).err().map(|error| format!("{error:#}"));
    let attempt = |trim: &mut Trim, failure: &mut String, change: &dyn Fn(&mut Trim)| {
        let mut smaller = trim.clone();
        change(&mut smaller);
        if smaller != *trim
            && let Some(why) = fails(&smaller)
        {
            (*trim, *failure) = (smaller, why);
            return true;
        }
        false
    };
    attempt(&mut trim, &mut failure, &|trim| trim.storms = Some(1));
    for boxes in [1, 2] {
        if attempt(&mut trim, &mut failure, &|trim| trim.boxes = Some(boxes)) {
            break;
        }
    }
    for _ in 0..2 {
        for fault in Plan::draw(seed, &trim, plant).faults {
            attempt(&mut trim, &mut failure, &|trim| {
                trim.without.insert(fault);
            });
        }
    }
    let mut acts = 256;
    while acts > 0 && attempt(&mut trim, &mut failure, &|trim| trim.acts = Some(acts)) {
        acts /= 2;
    }
    (trim, failure)
}
