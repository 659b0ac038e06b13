//! One program: a disk that survives, and a life that does not.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    dice::{Dice, Seeded},
    documents::{Edit, School, Writer},
    ids::{BoxId, Uai},
    journal::Entry,
    replica::{
        Alert, Input, Keys, Mark, Message, Origin, Output, Peer, Rights, Shelf, Timings, Tombstone, batch,
        peer::Config, rights::Gone,
    },
    rig::{
        apply::Bench,
        shelves::{self, Author, Project as _, ShelfError, Taking},
        sql::{Sql as _, values},
        writer::StoreError,
    },
    time::{Elapsed, Stamp},
};

use super::{
    Fault, Place, Plan, Plant, checks,
    disk::{Base, Disk, End, Image},
    rows::Rows,
    told::told,
    wires::{self, Wire, id},
};

/// An hour, in a schedule.
const HELLO_EVERY: Duration = Duration::from_secs(90);
/// A day, in a schedule.
const GIVE_UP: Duration = Duration::from_secs(40);
/// Acts of a disk that forgets that are lost in a crash.
const FORGOTTEN: usize = 3;

thread_local! {
    static BENCH: Arc<Bench> = Arc::new(Bench::unhurried());
}

/// What came of letting a node do something.
#[derive(Debug)]
pub(super) enum Step {
    Send {
        link: u8,
        bytes: Vec<u8>,
    },
    /// The same, for the eye.
    Said {
        link: u8,
        what: String,
    },
    Wake {
        link: u8,
        at: Elapsed,
    },
    /// Something is pending.
    CloseSoon,
    /// The other end said that it holds this.
    Acknowledged {
        link: u8,
        marks: Vec<Mark>,
    },
    Alert(Alert),
    Died(Fault),
    FullDisk,
    /// It starts again under another name.
    Anew,
}

/// How likely a commit is the last thing that a program does, in thousandths.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Perils {
    pub(super) crash: u64,
    pub(super) torn: u64,
}

/// Whom the coordinator no longer knows.
pub(super) type Revoked = Arc<Mutex<BTreeSet<BoxId>>>;

pub(super) struct Node {
    pub(super) place: Place,
    pub(super) uai: Uai,
    pub(super) author: Author,
    pub(super) disk: Disk,
    pub(super) rows: Rows,
    pub(super) perils: Perils,
    /// Until then the disk takes nothing.
    pub(super) full_until: Elapsed,
    /// How wrong its wall clock is.
    pub(super) skew: i64,
    /// It is a stranger's, or out of use.
    pub(super) gone: bool,
    pub(super) wires: Vec<Wire>,
    configs: BTreeMap<u8, Config>,
    /// A program's life; none while it is dead.
    life: Option<BTreeMap<u8, Peer>>,
    wakes: BTreeMap<u8, Elapsed>,
    closing: bool,
    pub(super) anew: bool,
    /// What each link's other end was last noted to hold, and what was held here then.
    pub(super) acknowledged: BTreeMap<u8, (Vec<Mark>, Arc<[Mark]>)>,
    dice: Arc<Seeded>,
    pub(super) bench: Arc<Bench>,
    pub(super) plant: Option<Plant>,
    pub(super) traced: bool,
    images: VecDeque<Image>,
    /// The most that was ever held.
    pub(super) ever: BTreeMap<(Shelf, Origin), u64>,
    starts: u64,
}

impl Node {
    pub(super) fn new(plan: &Plan, place: Place, revoked: &Revoked) -> Result<Self> {
        let disk = Disk::new()?;
        let dice = Arc::new(plan.dice(&format!("{place:?}")));
        let origin = disk.act(End::Commit, |conn| shelves::begin(conn, id(place), &*dice))??;
        let (writer, uai) = match place {
            Place::Cloud => (Writer::Coordinator, wires::school(plan, 0)?),
            Place::Box(n) | Place::Twin(n) => (Writer::Box, wires::school(plan, n)?),
        };
        let wires = wires::wires(plan, place)?;
        let mut configs = BTreeMap::new();
        for wire in &wires {
            let uai = match place {
                Place::Cloud => wires::school(plan, wire.link)?,
                Place::Box(_) | Place::Twin(_) => uai.clone(),
            };
            let keys = keys(plan, (place, wire.box_id), &uai, (&disk, revoked))?;
            let timings =
                Timings { give_up: GIVE_UP, hello_every: HELLO_EVERY, ..Timings::for_keep_alive(plan.keep_alive) };
            let left = revoked.clone();
            let gone: Gone = Arc::new(move |name| left.lock().unwrap_or_else(PoisonError::into_inner).contains(name));
            let (side, box_id, coordinator) = (wire.side, wire.box_id, id(Place::Cloud));
            let rights = Rights { side, uai, box_id, coordinator, keys, gone };
            configs.insert(wire.link, Config { own: origin, rights, timings });
        }
        let skew =
            if plan.has(Fault::Clocks) { i64::try_from(dice.below(4_000_000_000_000))? } else { 1_790_000_000_000 };
        let author = Author { origin, key: wires::key(place)?, dice: dice.clone(), writer };
        let rows = Rows::new(plan.plant);
        Ok(Self {
            place,
            uai,
            author,
            disk,
            rows,
            perils: Perils::default(),
            full_until: Elapsed::default(),
            skew,
            gone: false,
            wires,
            configs,
            life: None,
            wakes: BTreeMap::new(),
            closing: false,
            anew: false,
            acknowledged: BTreeMap::new(),
            dice,
            bench: BENCH.with(Arc::clone),
            plant: plan.plant,
            traced: false,
            images: VecDeque::new(),
            ever: BTreeMap::new(),
            starts: 0,
        })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.life.is_some()
    }
    pub(super) fn peers(&self) -> impl Iterator<Item = (&u8, &Peer)> {
        self.life.iter().flatten()
    }
    pub(super) fn die(&mut self) {
        self.life = None;
        self.wakes.clear();
    }
    pub(super) fn shelves(&self, link: u8) -> Result<[Shelf; 2]> {
        let config = self.configs.get(&link).context("no such link")?;
        Ok([Shelf::Territory, Shelf::School(config.rights.uai.clone())])
    }
    pub(super) fn rights(&self, link: u8) -> Result<&Rights> {
        Ok(&self.configs.get(&link).context("no such link")?.rights)
    }

    /// The disk is another now, or the same as long ago.
    pub(super) fn is_rewound(&mut self) -> Result<()> {
        self.die();
        self.images.clear();
        self.rows.learn(checks::known(&self.disk)?);
        self.note_ever()
    }

    /// Starts the program, if it is dead.
    pub(super) fn start(&mut self, now: Elapsed, up: &[u8], out: &mut Vec<Step>) -> Result<()> {
        if self.life.is_some() || self.gone {
            return Ok(());
        }
        self.starts = self.starts.saturating_add(1);
        if self.starts > 1 {
            self.forget()?;
        }
        let name = id(self.place);
        if self.plant != Some(Plant::ReuseNumbers) {
            self.author.origin = self.disk.act(End::Commit, |conn| shelves::begin(conn, name, &*self.dice))??;
        }
        let marks = self.disk.marks()?.to_vec();
        let mut life = BTreeMap::new();
        for (link, config) in &self.configs {
            let config = Config { own: self.author.origin, ..config.clone() };
            life.insert(*link, Peer::new(config, self.dice.clone(), marks.clone()));
        }
        (self.life, self.closing, self.anew) = (Some(life), false, false);
        self.acknowledged.clear();
        self.close(now, out)?;
        for link in up {
            self.tell(now, *link, Input::Connected, out)?;
        }
        Ok(())
    }

    /// What a program with a mistake of ours forgets at a restart.
    fn forget(&self) -> Result<()> {
        let base = self.disk.base();
        match self.plant {
            Some(Plant::ForgetTombstones) => {
                base.execute("DELETE FROM replica_documents WHERE state = 2", &[])?;
            }
            Some(Plant::ReuseNumbers) => {
                let me = self.author.origin;
                for row in base.query(
                    "SELECT r.line, r.first, r.prev FROM replica_runs r JOIN replica_lines l ON l.line = r.line
                     WHERE l.box = ?1 AND l.incarnation = ?2 AND r.last = l.held AND l.last = l.held
                         AND r.first > l.base + 1",
                    values![me.box_id.as_bytes(), me.incarnation.cast_signed()],
                )? {
                    let (line, first) = (row.int(0)?, row.int(1)?);
                    let values = &[line.into(), first.saturating_sub(1).into(), row.bytes(2)?.into()];
                    base.execute("DELETE FROM replica_runs WHERE line = ?1 AND last > ?2", &values[..2])?;
                    base.execute("UPDATE replica_lines SET last = ?2, held = ?2, chain = ?3 WHERE line = ?1", values)?;
                }
            }
            Some(Plant::AcknowledgeEarly | Plant::TrustClock | Plant::SkipSignature | Plant::SynchronousOff) | None => {
            }
        }
        Ok(())
    }

    pub(super) fn woken(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<()> {
        if self.wakes.get(&link).is_some_and(|at| *at <= now) { self.tell(now, link, Input::Tick, out) } else { Ok(()) }
    }

    /// Gives whether the batch could be read.
    pub(super) fn receive(&mut self, now: Elapsed, link: u8, bytes: &[u8], out: &mut Vec<Step>) -> Result<bool> {
        let wire = self.wires.iter().find(|wire| wire.link == link).context("no such link")?;
        let Ok((body, _)) = wire.ring.open(&wire.hears, bytes) else { return Ok(false) };
        let Ok((mut message, _)) = batch::decode(&body) else { return Ok(false) };
        if let (Some(Plant::SkipSignature), Message::Runs(runs)) = (self.plant, &mut message) {
            for run in runs {
                if let Some(key) = wires::key_of(run.origin.box_id) {
                    run.signature = key.sign(&run.hash());
                }
            }
        }
        self.tell(now, link, Input::Received(message), out)?;
        Ok(true)
    }

    /// One act of a person, in one commit. None when the program died of it.
    pub(super) fn act(
        &mut self,
        now: Elapsed,
        act: &Act,
        out: &mut Vec<Step>,
    ) -> Result<Option<Result<(), ShelfError>>> {
        let rows = self.rows.clone();
        let done = self.commit(now, out, |conn, with| act.perform(conn, with, &rows))?;
        if matches!(done, Some(Ok(()))) {
            self.close_soon(out);
        }
        Ok(done)
    }

    /// Closes what is pending into runs and tells the peers.
    pub(super) fn close(&mut self, now: Elapsed, out: &mut Vec<Step>) -> Result<()> {
        if self.life.is_none() {
            return Ok(());
        }
        self.closing = false;
        match self.commit(now, out, |conn, with| shelves::close_runs(conn, with.author, with.now))? {
            Some(Ok(_)) => self.tell_stored(now, None, out),
            Some(Err(_)) => {
                self.close_soon(out);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn tell_stored(&mut self, now: Elapsed, but: Option<u8>, out: &mut Vec<Step>) -> Result<()> {
        let marks = self.disk.marks()?.to_vec();
        let links: Vec<u8> = self.configs.keys().copied().filter(|l| Some(*l) != but).collect();
        links.into_iter().try_for_each(|link| self.tell(now, link, Input::Stored(marks.clone()), out))
    }

    /// As the driver of the programs does it: outputs in order, the answers' outputs after them.
    pub(super) fn tell(&mut self, now: Elapsed, link: u8, input: Input, out: &mut Vec<Step>) -> Result<()> {
        let Some(mut todo) = self.handle(now, link, input) else { return Ok(()) };
        let mut news = false;
        while let (true, Some(output)) = (self.life.is_some() && !self.anew, todo.pop_front()) {
            let answers = match output {
                Output::Commit(run) => {
                    let mut runs = vec![run];
                    while let Some(Output::Commit(_)) = todo.front() {
                        if let Some(Output::Commit(run)) = todo.pop_front() {
                            runs.push(run);
                        }
                    }
                    self.commit_runs(now, link, runs, out)?
                }
                Output::Send(_)
                | Output::Fetch { .. }
                | Output::Survey
                | Output::Skip(_)
                | Output::Serve(_)
                | Output::Take { .. }
                | Output::Sum(_)
                | Output::Mend(..)
                | Output::Quarantine { .. }
                | Output::Acknowledged(_)
                | Output::Alert(_)
                | Output::NewIncarnation
                | Output::WakeAt(_) => self.perform(now, link, output, out)?,
            };
            for answer in answers {
                news |= matches!(answer, Input::Stored(_) | Input::Surveyed { .. });
                todo.extend(self.handle(now, link, answer).unwrap_or_default());
            }
        }
        if news && self.life.is_some() && !self.anew { self.tell_stored(now, Some(link), out) } else { Ok(()) }
    }

    pub(super) fn handle(&mut self, now: Elapsed, link: u8, input: Input) -> Option<VecDeque<Output>> {
        Some(self.life.as_mut()?.get_mut(&link)?.handle(now, input).into())
    }

    pub(super) fn wake_at(&mut self, link: u8, at: Elapsed, out: &mut Vec<Step>) {
        self.wakes.insert(link, at);
        out.push(Step::Wake { link, at });
    }

    pub(super) fn send(&mut self, link: u8, message: &Message, out: &mut Vec<Step>) -> Result<()> {
        self.promises_only_what_is_durable(message)?;
        let wire = self.wires.iter().find(|wire| wire.link == link).context("no such link")?;
        let bytes = wire.ring.seal(&*self.dice, &wire.says, &batch::encode(message, None)?)?;
        if self.traced {
            out.push(Step::Said { link, what: told(message) });
        }
        out.push(Step::Send { link, bytes });
        Ok(())
    }

    /// Commits, or dies right before, in the middle of or right after it. None when it died.
    pub(super) fn commit<T>(
        &mut self,
        now: Elapsed,
        out: &mut Vec<Step>,
        act: impl FnOnce(&Base, &Taking<'_, Base>) -> Result<T, ShelfError>,
    ) -> Result<Option<Result<T, ShelfError>>> {
        let (mut end, mut dies) = (End::Commit, None);
        let throw = if self.life.is_some() { self.dice.below(1_000) } else { 1_000 };
        if throw < self.perils.crash {
            dies = Some(Fault::Crash);
            end = if throw % 2 == 0 { End::RollBack } else { End::Commit };
        } else if throw < self.perils.crash.saturating_add(self.perils.torn) {
            dies = Some(Fault::Torn);
            end = End::Fail(u32::try_from(self.dice.below(8))?);
        } else if now < self.full_until {
            end = End::Fail(u32::try_from(self.dice.below(6))?);
        }
        if self.plant == Some(Plant::SynchronousOff) && self.perils.crash > 0 {
            self.images.push_back(self.disk.image()?);
            if self.images.len() > FORGOTTEN {
                self.images.pop_front();
            }
        }
        let with = Taking {
            author: &self.author,
            project: &self.rows,
            bench: &self.bench,
            now: Stamp(self.skew).after(now.0),
        };
        self.rows.tick(with.now);
        let done = self.disk.act(end, |conn| act(conn, &with))?;
        let committed = done.is_ok() && end == End::Commit;
        if let Some(broken) = self.rows.end(committed) {
            bail!("at {:?}: {broken}", self.place);
        }
        if committed {
            self.note_ever()?;
        }
        if let Some(fault) = dies {
            self.die();
            if let Some(image) = self.images.pop_front() {
                self.disk.rewind(&image)?;
                self.images.clear();
            }
            // What was about to leave in this step is gone with it.
            out.retain(|step| matches!(step, Step::Acknowledged { .. } | Step::Alert(_) | Step::FullDisk));
            out.push(Step::Died(fault));
            return Ok(None);
        }
        if end != End::Commit {
            out.push(Step::FullDisk);
        }
        Ok(Some(done))
    }

    /// Remembers what was ever held.
    fn note_ever(&mut self) -> Result<()> {
        for mark in self.disk.marks()?.iter() {
            let most = self.ever.entry((mark.shelf.clone(), mark.origin)).or_default();
            *most = mark.number.max(*most);
        }
        Ok(())
    }

    /// Something may be pending: the programs look after each commit.
    pub(super) fn close_soon(&mut self, out: &mut Vec<Step>) {
        if !std::mem::replace(&mut self.closing, true) {
            out.push(Step::CloseSoon);
        }
    }

    /// Invariant 1: what a message says is held is on the disk already.
    fn promises_only_what_is_durable(&self, message: &Message) -> Result<()> {
        match message {
            Message::Hello(hello) => hello.knowledge.iter().try_for_each(|known| self.holds(&known.marks)),
            Message::Have(marks) => self.holds(marks),
            Message::Page(page) => self.holds(&page.marks),
            Message::Runs(_)
            | Message::Nack { .. }
            | Message::Skip(_)
            | Message::Pull(_)
            | Message::Buckets(..)
            | Message::Differ(..)
            | Message::Mend(..) => Ok(()),
        }
    }

    /// Whether all of this is on the disk.
    pub(super) fn holds(&self, promised: &[Mark]) -> Result<()> {
        let held = self.disk.marks()?;
        for mark in promised {
            let here = held.iter().find(|m| m.shelf == mark.shelf && m.origin == mark.origin);
            let here = here.map_or(0, |m| m.number);
            ensure!(
                mark.number <= here,
                "{:?} promised {} of {} on {}, {here} is durable (invariant 1)",
                self.place,
                mark.number,
                mark.origin,
                mark.shelf
            );
        }
        Ok(())
    }
}

/// What a person does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Edit(Shelf, Edit),
    Entry(Shelf, Entry),
    Erase(Shelf, Vec<Tombstone>),
    RollOver(Shelf),
}

impl Act {
    fn perform(&self, conn: &Base, with: &Taking<'_, Base>, rows: &Rows) -> Result<(), ShelfError> {
        match self {
            Self::Edit(shelf, edit) => {
                shelves::edit(conn, with.author, shelf, with.now, edit, rows)?;
            }
            Self::Entry(shelf, entry) => {
                let number = shelves::journal(conn, with.author, shelf, with.now, entry)?;
                rows.entry(conn, shelf, &with.author.origin, number, with.now, entry)?;
            }
            Self::Erase(shelf, tombstones) => {
                for tombstone in tombstones {
                    shelves::erase(conn, with.author, shelf, with.now, *tombstone, rows)?;
                }
            }
            Self::RollOver(shelf) => {
                shelves::roll_over(
                    conn,
                    with.author,
                    shelf,
                    (with.now, with.now.after(Duration::from_millis(1))),
                    rows,
                )?;
            }
        }
        Ok(())
    }
}

/// The coordinator knows its boxes from their certificates; a box knows the others from its school's document.
fn keys(plan: &Plan, (place, link): (Place, BoxId), uai: &Uai, (disk, revoked): (&Disk, &Revoked)) -> Result<Keys> {
    let mut all = BTreeMap::from([(id(Place::Cloud), wires::public(Place::Cloud)?)]);
    for n in 0..plan.boxes {
        if wires::school(plan, n)? == *uai {
            all.insert(id(Place::Box(n)), wires::public(Place::Box(n))?);
        }
    }
    let (shelf, doc, disk, revoked) = (Shelf::School(uai.clone()), School::doc(uai), disk.clone(), revoked.clone());
    let known: [BoxId; 2] = [id(Place::Cloud), id(place)];
    Ok(Arc::new(move |origin: &Origin| {
        if place == Place::Cloud {
            // What a revoked box wrote before comes from the others.
            let gone = revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(&link);
            return all.get(&origin.box_id).filter(|_| !gone).copied();
        }
        if known.contains(&origin.box_id) {
            return all.get(&origin.box_id).copied();
        }
        let fields = shelves::document(&*disk.base(), &shelf, &doc).ok()??;
        School::from_fields(&doc, &fields)?.box_keys.get(&origin.box_id).copied()
    }))
}

/// Whether an error is only that the disk is full.
pub(super) fn is_full(error: &ShelfError) -> bool {
    matches!(error, ShelfError::Store(StoreError::Commit(_)))
}
