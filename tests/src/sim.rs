//! Two boxes and a coordinator on a network that loses, repeats, damages, delays and reorders, with programs that die in
//! the middle of a commit. Peers, batches, documents and shelves are the real ones; disks are SQLite in memory; time,
//! dice and the network are ours, so that a seed replays exactly.
//!
//! A run is a storm (random acts, all faults), then a calm: nothing fails any more, everything must settle within
//! [`CALM_LIMIT`], and the three disks are compared with what was promised on the way.

mod acts;
mod checks;
mod net;
mod node;
mod rows;

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use preau_shared::{
    dice::{Dice, Seeded},
    time::Elapsed,
};

use acts::Truth;
pub use net::Faults;
use net::{Happening, Net};
use node::{Node, Step};

/// After the storm, everything settles within so long: the longest wait before sending again, and a little.
pub const CALM_LIMIT: Duration = Duration::from_secs(150);
/// How often the calm is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One of the three programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The coordinator.
    Cloud,
    /// A box; also the number of its link.
    Box(u8),
}

/// What a seed showed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Acts that were answered.
    pub acts: u64,
    /// Messages given to the network.
    pub messages: u64,
    /// Programs that died.
    pub deaths: u64,
    /// From the end of the storm until all was settled.
    pub settled_after: Duration,
}

impl Report {
    /// Counts together; the longest time.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            acts: self.acts.saturating_add(other.acts),
            messages: self.messages.saturating_add(other.messages),
            deaths: self.deaths.saturating_add(other.deaths),
            settled_after: self.settled_after.max(other.settled_after),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acts, messages, deaths, settled_after } = self;
        write!(
            f,
            "{acts} acts, {messages} messages, {deaths} deaths, settled after {:.1} s at most",
            settled_after.as_secs_f64()
        )
    }
}

struct World {
    now: Elapsed,
    dice: Arc<Seeded>,
    nodes: Vec<Node>,
    net: Net,
    truth: Truth,
    report: Report,
}

/// Runs one seed.
///
/// # Errors
/// With the seed and what was broken.
pub fn run(seed: u64) -> Result<Report> {
    World::new(seed).and_then(World::play).with_context(|| format!("seed {seed}"))
}

/// Runs `count` seeds from `first` on, on as many threads as there are processors; stops at the first failure.
///
/// # Errors
/// With the seed and what was broken.
pub fn run_many(first: u64, count: u64) -> Result<Report> {
    let threads = u64::try_from(std::thread::available_parallelism().map_or(1, usize::from))?;
    std::thread::scope(|scope| {
        let failed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let failed = failed.clone();
                scope.spawn(move || -> Result<Report> {
                    let mut total = Report::default();
                    for seed in (first..first.saturating_add(count)).filter(|s| s % threads == worker) {
                        if failed.load(std::sync::atomic::Ordering::Relaxed) {
                            break;
                        }
                        total = total
                            .with(run(seed).inspect_err(|_| failed.store(true, std::sync::atomic::Ordering::Relaxed))?);
                    }
                    Ok(total)
                })
            })
            .collect();
        workers.into_iter().try_fold(Report::default(), |sum, worker| match worker.join() {
            Ok(report) => Ok(sum.with(report?)),
            Err(_) => bail!("a simulation panicked"),
        })
    })
}

impl World {
    fn new(seed: u64) -> Result<Self> {
        let dice = Arc::new(Seeded::new(seed));
        let faults = Faults::draw(&*dice);
        let school = acts::Schools::draw(&*dice);
        let keep_alive = Duration::from_secs(if dice.below(2) == 0 { 4 } else { 30 });
        let places = [Place::Cloud, Place::Box(0), Place::Box(1)];
        let nodes: Result<Vec<_>> =
            places.into_iter().map(|p| Node::new(p, &school, keep_alive, dice.clone())).collect();
        let mut world = Self {
            now: Elapsed(Duration::from_secs(1)),
            nodes: nodes?,
            net: Net::new(faults, dice.clone()),
            truth: Truth::new(school),
            report: Report::default(),
            dice,
        };
        world.found()?;
        Ok(world)
    }

    /// The coordinator knows both schools and their boxes' keys; then all start.
    fn found(&mut self) -> Result<()> {
        let now = self.now;
        for edit in self.truth.founding(&self.nodes) {
            self.step(Place::Cloud, |node, _| node.write(now, &edit))?;
        }
        for place in [Place::Cloud, Place::Box(0), Place::Box(1)] {
            self.net.at(now, Happening::Start(place));
            self.net.at(now.after(self.net.moment(1_000)), Happening::Act(place));
        }
        for link in [0, 1] {
            self.net.at(now.after(self.net.moment(2_000)), Happening::LinkUp(link));
        }
        Ok(())
    }

    fn play(mut self) -> Result<Report> {
        let storm_ends = self.now.after(Duration::from_secs(8)).after(self.net.moment(25_000));
        self.until(storm_ends, |_| Ok(false)).context("in the storm")?;
        self.calm()?;
        self.until(storm_ends.after(CALM_LIMIT), |world| world.is_settled()).context("in the calm")?;
        self.report.settled_after = self.now.since(storm_ends);
        self.check_all().context("at the end")?;
        self.last_words()?;
        let limit = self.now.after(CALM_LIMIT);
        self.until(limit, |world| world.is_settled()).context("after the last words")?;
        self.check_all().context("after the last words")?;
        self.check_last_words()?;
        Ok(self.report)
    }

    /// Lets things happen until `end`, or until `enough` (asked now and then).
    fn until(&mut self, end: Elapsed, enough: impl Fn(&mut Self) -> Result<bool>) -> Result<()> {
        let mut look = self.now;
        while let Some((at, happening)) = self.net.next(end) {
            self.now = at;
            self.happen(happening)?;
            if at >= look {
                if enough(self)? {
                    return Ok(());
                }
                look = at.after(LOOK_EVERY);
            }
        }
        self.now = end;
        if self.net.is_stormy() || enough(self)? { Ok(()) } else { bail!("not settled: {}", self.differences()?) }
    }

    fn happen(&mut self, happening: Happening) -> Result<()> {
        let now = self.now;
        match happening {
            Happening::Arrive { to, link, bytes } => {
                if self.net.is_up(link) {
                    self.step(to, |node, out| node.receive(now, link, &bytes, out))?;
                }
            }
            Happening::LinkUp(link) => {
                for place in self.net.raise(link, now) {
                    self.step(place, |node, out| node.connected(now, link, out))?;
                }
            }
            Happening::LinkDown(link) => {
                for place in self.net.cut(link, now) {
                    self.step(place, |node, out| node.disconnected(now, link, out))?;
                }
            }
            Happening::Wake(place, link) => self.step(place, |node, out| node.woken(now, link, out))?,
            Happening::Close(place) => self.step(place, |node, out| node.close(now, out))?,
            Happening::Start(place) => {
                let up: Vec<u8> = [0, 1].into_iter().filter(|l| self.net.is_up(*l)).collect();
                self.step(place, |node, out| node.start(now, &up, out))?;
            }
            Happening::Act(place) => {
                self.random_act(place)?;
                if self.net.is_stormy() {
                    self.net.at(now.after(self.net.moment(3_000)), Happening::Act(place));
                }
            }
        }
        Ok(())
    }

    /// Lets a node do something, and carries out what came of it.
    fn step(&mut self, place: Place, what: impl FnOnce(&mut Node, &mut Vec<Step>) -> Result<()>) -> Result<()> {
        let node = self.nodes.iter_mut().find(|n| n.place == place).context("no such place")?;
        let mut steps = Vec::new();
        what(node, &mut steps)?;
        for step in steps {
            match step {
                Step::Send { link, bytes } => {
                    self.report.messages = self.report.messages.saturating_add(1);
                    let to = if place == Place::Cloud { Place::Box(link) } else { Place::Cloud };
                    self.net.send(self.now, to, link, bytes);
                }
                Step::Wake { link, at } => self.net.at(at, Happening::Wake(place, link)),
                Step::CloseSoon => {
                    let wait = self.net.moment(2_000);
                    self.net.at(self.now.after(wait), Happening::Close(place));
                }
                Step::Acknowledged { link, marks } => {
                    let other = if place == Place::Cloud { Place::Box(link) } else { Place::Cloud };
                    self.check_durable(other, &marks).with_context(|| format!("{place:?} was told by {other:?}"))?;
                }
                Step::Died => {
                    self.report.deaths = self.report.deaths.saturating_add(1);
                    self.net.at(self.now.after(self.net.moment(8_000)), Happening::Start(place));
                }
            }
        }
        Ok(())
    }

    /// From here on nothing fails any more.
    fn calm(&mut self) -> Result<()> {
        self.net.calm();
        let now = self.now;
        for node in &mut self.nodes {
            node.calm();
        }
        for link in [0, 1] {
            self.happen(Happening::LinkUp(link))?;
        }
        for place in [Place::Cloud, Place::Box(0), Place::Box(1)] {
            self.net.at(now.after(Duration::from_secs(8)), Happening::Start(place));
        }
        Ok(())
    }

    fn node(&self, place: Place) -> Result<&Node> {
        self.nodes.iter().find(|n| n.place == place).context("no such place")
    }
}
