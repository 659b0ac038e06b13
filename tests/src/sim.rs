//! The simulator: boxes and a coordinator on a network that loses, repeats, damages, delays and reorders, with programs
//! that die in the middle of a commit, disks that fill up, come back from yesterday or are copied, strangers with a real
//! key, and months that pass in a moment. Peers, batches, seals, documents and shelves are the real ones; disks are SQLite
//! in memory; time, dice and the network are ours, so that a seed replays exactly.
//!
//! A schedule is twice a storm (random acts, its faults) and a calm: nothing fails any more, everything must settle within
//! [`CALM_LIMIT`], and all disks are compared with each other and with a reference of plain maps. What can be seen at once
//! is looked at after each step.
//!
//! | file | its one idea |
//! |---|---|
//! | `plan` | what a schedule is made of |
//! | `net` | a queue of what will happen; the network |
//! | `wires` | who is tied to whom, under which names and keys |
//! | `node`, `perform` | one program: a disk that survives and a life that does not |
//! | `disk` | disks that fill up, break, and are copied |
//! | `rows` | the program's own rows, and what must never become one again |
//! | `acts`, `truth` | what people do; the reference of what they were promised |
//! | `blows` | what strikes from outside |
//! | `hostile` | what a stolen box tries |
//! | `checks` | what must be true |
//! | `told` | messages in short, for the eye |
//! | `course` | many schedules; the smallest one that fails |

mod acts;
mod blows;
mod checks;
mod course;
mod disk;
mod hostile;
mod net;
mod node;
mod perform;
mod plan;
mod rows;
mod told;
mod truth;
mod wires;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    dice::Seeded,
    replica::{Alert, Input, Mark, Origin, Shelf},
    rig::shelves::quarantine,
    time::Elapsed,
};

pub use course::{Outcome, Until, caught, minimise, run_many};
pub use plan::{Fault, Plan, Plant, Trim, faults};

use net::{Happening, Net};
use node::{Node, Revoked, Step};
use truth::Truth;

/// After a storm, everything settles within so long: the longest wait before sending again, and a little.
pub const CALM_LIMIT: Duration = Duration::from_secs(480);
/// How often the calm is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Steps between two looks at what is bounded.
const BOUNDS_EVERY: u64 = 64;

/// One of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The coordinator.
    Cloud,
    /// A box; also the number of its link.
    Box(u8),
    /// A second machine with a copy of that box's disk.
    Twin(u8),
}

/// What a schedule showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Happenings.
    pub steps: u64,
    /// Acts that were answered.
    pub acts: u64,
    /// Messages given to the network.
    pub messages: u64,
    /// How often each fault happened.
    pub happened: BTreeMap<Fault, u64>,
    /// Alerts, by the first word of their name.
    pub alerts: BTreeMap<String, u64>,
    /// From the end of a storm until all was settled, the longest.
    pub settled_after: Duration,
}

struct World {
    plan: Plan,
    now: Elapsed,
    acting: Seeded,
    nodes: Vec<Node>,
    net: Net,
    truth: Truth,
    revoked: Revoked,
    /// Which machine is plugged in, where there are two.
    plugged: BTreeMap<u8, Place>,
    /// Boxes in a stranger's hands.
    stolen: BTreeSet<u8>,
    /// Disks that were another since.
    rewound: BTreeSet<Place>,
    images: BTreeMap<Place, disk::Image>,
    /// School shelves.
    founded: BTreeSet<Shelf>,
    acts_left: u32,
    report: Report,
    traced: bool,
}

/// Runs one schedule; `traced`, it tells what happens on standard error.
///
/// # Errors
/// With the step and what was broken.
pub fn run(plan: &Plan, traced: bool) -> Result<Report> {
    let mut world = World::new(plan.clone(), traced)?;
    let played = world.play();
    world.trace_quarantines()?;
    match played {
        Ok(()) => Ok(world.report),
        Err(error) => Err(error.context(format!("seed {}, step {}", world.plan.seed, world.report.steps))),
    }
}

impl World {
    fn new(plan: Plan, traced: bool) -> Result<Self> {
        let revoked = Revoked::default();
        let mut nodes = vec![Node::new(&plan, Place::Cloud, &revoked)?];
        for n in 0..plan.boxes {
            nodes.push(Node::new(&plan, Place::Box(n), &revoked)?);
        }
        let mut founded = BTreeSet::new();
        for n in 0..plan.boxes {
            founded.insert(Shelf::School(wires::school(&plan, n)?));
        }
        let mut world = Self {
            now: Elapsed(Duration::from_secs(1)),
            acting: plan.dice("acts"),
            nodes,
            net: Net::new(&plan),
            truth: Truth::new(acts::FEW),
            revoked,
            plugged: BTreeMap::new(),
            stolen: BTreeSet::new(),
            rewound: BTreeSet::new(),
            images: BTreeMap::new(),
            founded,
            acts_left: plan.acts,
            report: Report::default(),
            traced,
            plan,
        };
        world.nodes.iter_mut().for_each(|node| node.traced = traced);
        for act in world.founding()? {
            world.truth.remember(&act);
            let now = world.now;
            world.step(Place::Cloud, |node, out| {
                node.act(now, &act, out)?;
                Ok(())
            })?;
        }
        Ok(world)
    }

    fn play(&mut self) -> Result<()> {
        for storm in 0..self.plan.storms {
            self.storm(storm)?;
            let ends = self.now.after(Duration::from_secs(6)).after(self.net.moment(8_000));
            self.until(ends, false).with_context(|| format!("in storm {storm}"))?;
            self.trace(|| "calm".into());
            self.calm()?;
            let since = self.now;
            self.until(since.after(CALM_LIMIT), true).with_context(|| format!("in calm {storm}"))?;
            self.report.settled_after = self.report.settled_after.max(self.now.since(since));
            self.check_all().with_context(|| format!("in calm {storm}"))?;
        }
        self.last_words()?;
        self.until(self.now.after(CALM_LIMIT), true).context("after the last words")?;
        self.check_all().context("after the last words")?;
        self.report.happened = std::mem::take(&mut self.net.happened);
        Ok(())
    }

    /// Lets things happen until `end`, or until all is settled.
    fn until(&mut self, end: Elapsed, settles: bool) -> Result<()> {
        // What a disk that was replaced since said before is heard too.
        let mut look = self.now.after(net::LONGEST_ON_ITS_WAY);
        while let Some((at, happening)) = self.net.next(end) {
            self.now = at;
            self.happen(happening)?;
            if settles && at >= look {
                if self.differences()?.is_empty() {
                    return Ok(());
                }
                look = at.after(LOOK_EVERY);
            }
        }
        self.now = end;
        let differences = if settles { self.differences()? } else { String::new() };
        ensure!(differences.is_empty(), "not settled: {differences}");
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<()> {
        let now = self.now;
        self.report.steps = self.report.steps.saturating_add(1);
        if self.report.steps.is_multiple_of(BOUNDS_EVERY) {
            self.check_bounds()?;
        }
        match happening {
            Happening::Arrive { to, link, bytes } => {
                if self.net.is_up(link) && self.is_plugged(to, link) {
                    let mut read = true;
                    self.step(to, |node, out| {
                        if node.is_alive() {
                            read = node.receive(now, link, &bytes, out)?;
                        }
                        Ok(())
                    })?;
                    let damaged = self.plan.has(Fault::Damage) || self.plan.has(Fault::Hostile);
                    ensure!(read || damaged, "{to:?} cannot read what it was sent");
                }
            }
            Happening::LinkUp(link) => self.link_up(link)?,
            Happening::LinkDown(link) => {
                self.net.count(Fault::Partition);
                self.net.cut(link, now);
                for place in self.ends(link) {
                    if self.net.is_noticed() {
                        self.step(place, |node, out| node.tell(now, link, Input::Disconnected, out))?;
                    }
                }
            }
            Happening::Wake(place, link) => self.step(place, |node, out| node.woken(now, link, out))?,
            Happening::Close(place) => self.step(place, |node, out| node.close(now, out))?,
            Happening::Start(place) => self.start(place)?,
            Happening::Act(place) => {
                if !self.node(place)?.gone {
                    self.random_act(place)?;
                    self.net.at(now.after(self.net.moment(2_500)), Happening::Act(place));
                }
            }
            Happening::Blow(blow) => self.strike(blow)?,
        }
        Ok(())
    }

    fn start(&mut self, place: Place) -> Result<()> {
        let now = self.now;
        let links: Vec<u8> = self.node(place)?.wires.iter().map(|wire| wire.link).collect();
        let up: Vec<u8> =
            links.into_iter().filter(|link| self.net.is_up(*link) && self.is_plugged(place, *link)).collect();
        self.step(place, |node, out| node.start(now, &up, out))
    }

    /// The link stands. Sometimes an end does not notice that it was ever gone.
    fn link_up(&mut self, link: u8) -> Result<()> {
        let now = self.now;
        self.net.raise(link, now);
        for place in self.ends(link) {
            if self.net.is_noticed() {
                self.step(place, |node, out| node.tell(now, link, Input::Connected, out))?;
            }
        }
        Ok(())
    }

    /// The two ends of a link.
    fn ends(&self, link: u8) -> [Place; 2] {
        match wires::pair(link) {
            Some((one, two)) => [Place::Box(one), Place::Box(two)],
            None => [Place::Cloud, self.plugged.get(&link).copied().unwrap_or(Place::Box(link))],
        }
    }

    fn is_plugged(&self, place: Place, link: u8) -> bool {
        self.ends(link).contains(&place)
    }

    /// Lets a node do something, and carries out what came of it.
    fn step(&mut self, place: Place, what: impl FnOnce(&mut Node, &mut Vec<Step>) -> Result<()>) -> Result<()> {
        let node = self.nodes.iter_mut().find(|n| n.place == place).context("no such place")?;
        let mut steps = Vec::new();
        what(node, &mut steps)?;
        for step in steps {
            self.follow(place, step)?;
        }
        Ok(())
    }

    fn follow(&mut self, place: Place, step: Step) -> Result<()> {
        let now = self.now;
        match step {
            Step::Said { link, what } => self.trace(|| format!("{place:?} says on {link}: {what}")),
            Step::Send { link, bytes } => {
                self.report.messages = self.report.messages.saturating_add(1);
                let ends = self.ends(link);
                if let (true, Some(to)) = (ends.contains(&place), ends.into_iter().find(|end| *end != place)) {
                    self.net.send(now, to, link, bytes);
                }
            }
            Step::Wake { link, at } => self.net.at(at, Happening::Wake(place, link)),
            Step::CloseSoon => {
                let wait = self.net.moment(2_000);
                self.net.at(now.after(wait), Happening::Close(place));
            }
            Step::Acknowledged { link, marks } => self.check_ever(place, link, &marks)?,
            Step::Alert(alert) => self.alerted(place, &alert)?,
            Step::Died(fault) => {
                self.trace(|| format!("{place:?} dies: {fault}"));
                self.net.count(fault);
                self.net.at(now.after(self.net.moment(4_000)), Happening::Start(place));
            }
            Step::FullDisk => self.net.count(Fault::FullDisk),
            Step::Anew => {
                self.trace(|| format!("{place:?} begins anew"));
                self.node_mut(place)?.die();
                self.net.at(now.after(self.net.moment(1_000)), Happening::Start(place));
            }
        }
        Ok(())
    }

    /// What one end was told to be held, the other has held on its disk (invariant 1).
    fn check_ever(&self, place: Place, link: u8, marks: &[Mark]) -> Result<()> {
        let other = self.ends(link).into_iter().find(|end| *end != place);
        let copies = |n: &&Node| {
            Some(n.place) == other
                || matches!((other, n.place), (Some(Place::Box(a) | Place::Twin(a)), Place::Box(b) | Place::Twin(b)) if a == b)
        };
        let stolen = matches!(other, Some(Place::Box(n) | Place::Twin(n)) if self.stolen.contains(&n));
        for mark in marks.iter().filter(|_| !stolen) {
            let key: (Shelf, Origin) = (mark.shelf.clone(), mark.origin);
            let most = self.nodes.iter().filter(copies).filter_map(|n| n.ever.get(&key)).max().copied().unwrap_or(0);
            if mark.number > most {
                bail!(
                    "{place:?} was told of {} by {other:?}, which never held more than {most} (invariant 1)",
                    mark.number
                );
            }
        }
        Ok(())
    }

    fn alerted(&mut self, place: Place, alert: &Alert) -> Result<()> {
        self.trace(|| format!("{place:?} alert: {alert}"));
        let text = format!("{alert:?}");
        let name = text.split([' ', '{']).next().unwrap_or_default().to_owned();
        let count = self.report.alerts.entry(name).or_default();
        *count = count.saturating_add(1);
        // An edit in an epoch that was let go of is found by comparing.
        let strange = [Fault::Rollback, Fault::Clone, Fault::Hostile, Fault::Revoked, Fault::Seasons];
        let strange = strange.iter().any(|fault| self.net.happened.contains_key(fault));
        ensure!(strange, "{place:?} raised an alert without a reason: {alert}");
        Ok(())
    }

    fn node(&self, place: Place) -> Result<&Node> {
        self.nodes.iter().find(|n| n.place == place).with_context(|| format!("no {place:?}"))
    }

    fn node_mut(&mut self, place: Place) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|n| n.place == place).with_context(|| format!("no {place:?}"))
    }

    /// Programs that must end up with everything.
    fn standing(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.gone)
    }

    fn standing_boxes(&self) -> Vec<Place> {
        self.standing().map(|node| node.place).filter(|place| *place != Place::Cloud).collect()
    }

    /// Whether both ends of a link stand.
    fn counts(&self, link: u8) -> bool {
        self.ends(link).iter().all(|end| self.standing().any(|node| node.place == *end))
    }

    fn schools(&self) -> Result<Vec<Shelf>> {
        Ok(self.founded.iter().cloned().collect())
    }

    fn trace_quarantines(&self) -> Result<()> {
        for node in self.nodes.iter().filter(|_| self.traced) {
            for aside in quarantine::list(&*node.disk.base())? {
                self.trace(|| {
                    format!("{:?} keeps aside {} bytes of {}: {}", node.place, aside.bytes, aside.origin, aside.reason)
                });
            }
        }
        Ok(())
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            let text = what();
            let short = text.get(..text.floor_char_boundary(600)).unwrap_or_default();
            drop(writeln!(std::io::stderr(), "{:>9.3} {:>5} {short}", self.now.0.as_secs_f64(), self.report.steps));
        }
    }
}
