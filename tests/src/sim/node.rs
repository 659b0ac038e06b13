//! One program: a disk that survives, and a life that does not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau_shared::{
    dice::{Dice, Seeded},
    documents::{Edit, School, Writer},
    ids::{BoxId, Uai},
    journal::Entry,
    keys::{PublicKey, SigningKey},
    replica::{
        Input, Keys, Mark, Message, Origin, Output, Peer, Reason, Rights, Run, Shelf, Side, Timings,
        batch::{self, BatchError},
        peer::Config,
    },
    rig::{
        replicate::reason_of,
        shelves::{self, Author, Project as _, ShelfError},
    },
    time::{Elapsed, Stamp},
};
use rusqlite::Connection;

use super::{
    Place,
    acts::Schools,
    rows::{self, Rows},
};

/// Of a thousand commits in a storm, so many are the last thing a program does.
const DEATHS_PER_THOUSAND: u64 = 8;

/// What came of letting a node do something.
pub(super) enum Step {
    Send {
        link: u8,
        bytes: Vec<u8>,
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
    Died,
}

pub(super) struct Node {
    pub(super) place: Place,
    pub(super) uai: Uai,
    pub(super) author: Author,
    pub(super) mortal: bool,
    disk: Arc<Mutex<Connection>>,
    links: BTreeMap<u8, Config>,
    /// A program's life; none while it is dead.
    life: Option<BTreeMap<u8, Peer>>,
    wakes: BTreeMap<u8, Elapsed>,
    closing: bool,
    dice: Arc<Seeded>,
    /// How wrong its wall clock is.
    skew: i64,
}

/// The name of a program.
pub(super) fn id(place: Place) -> BoxId {
    BoxId::from_bytes(
        [match place {
            Place::Cloud => 0xc0,
            Place::Box(n) => n.saturating_add(1),
        }; 16],
    )
}

fn key(place: Place) -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&[id(place).as_bytes()[0]; 32])?)
}

/// The public key of a program.
pub(super) fn public(place: Place) -> Result<PublicKey> {
    Ok(key(place)?.public())
}

impl Node {
    pub(super) fn new(place: Place, schools: &Schools, keep_alive: Duration, dice: Arc<Seeded>) -> Result<Self> {
        let conn = Connection::open_in_memory()?;
        conn.set_prepared_statement_cache_capacity(128);
        conn.execute_batch("PRAGMA journal_mode=OFF; PRAGMA temp_store=MEMORY; PRAGMA journal_mode=MEMORY;")?;
        conn.execute_batch(shelves::MIGRATION)?;
        conn.execute_batch(rows::TABLES)?;
        let origin = shelves::origin(&conn, id(place), &*dice)?;
        let disk = Arc::new(Mutex::new(conn));
        let (writer, uai, served): (_, _, Vec<u8>) = match place {
            Place::Cloud => (Writer::Coordinator, schools.of(0), vec![0, 1]),
            Place::Box(n) => (Writer::Box, schools.of(n), vec![n]),
        };
        let mut links = BTreeMap::new();
        for link in served {
            let rights = Rights {
                side: if place == Place::Cloud { Side::Coordinator } else { Side::Box },
                uai: schools.of(link),
                box_id: id(Place::Box(link)),
                coordinator: id(Place::Cloud),
                keys: keys(place, &schools.of(link), &disk)?,
            };
            links.insert(link, Config { own: origin, rights, timings: Timings::for_keep_alive(keep_alive) });
        }
        let skew = i64::try_from(dice.below(4_000_000_000_000))?;
        let author = Author { origin, key: key(place)?, dice: dice.clone(), writer };
        let (wakes, life) = (BTreeMap::new(), None);
        Ok(Self { place, uai, author, mortal: true, disk, links, life, wakes, closing: false, dice, skew })
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Connection> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn is_alive(&self) -> bool {
        self.life.is_some()
    }
    pub(super) fn calm(&mut self) {
        self.mortal = false;
    }
    pub(super) fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.life.iter().flat_map(|life| life.values())
    }
    fn stamp(&self, now: Elapsed) -> Stamp {
        Stamp(self.skew).after(now.0)
    }

    /// Starts the program, if it is dead.
    pub(super) fn start(&mut self, now: Elapsed, up: &[u8], out: &mut Vec<Step>) -> Result<()> {
        if self.life.is_some() {
            return Ok(());
        }
        let origin = shelves::origin(&self.disk(), id(self.place), &*self.dice)?;
        ensure!(origin == self.author.origin, "a restart changed the incarnation");
        let marks = shelves::marks(&self.disk())?;
        let peer =
            |(link, config): (&u8, &Config)| (*link, Peer::new(config.clone(), self.dice.clone(), marks.clone()));
        self.life = Some(self.links.iter().map(peer).collect());
        self.closing = false;
        self.close(now, out)?;
        for link in up {
            self.connected(now, *link, out)?;
        }
        Ok(())
    }

    pub(super) fn connected(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<()> {
        self.tell(now, link, Input::Connected, out)
    }
    pub(super) fn disconnected(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<()> {
        self.tell(now, link, Input::Disconnected, out)
    }
    pub(super) fn woken(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<()> {
        if self.wakes.get(&link).is_some_and(|at| *at <= now) { self.tell(now, link, Input::Tick, out) } else { Ok(()) }
    }

    pub(super) fn receive(&mut self, now: Elapsed, link: u8, bytes: &[u8], out: &mut Vec<Step>) -> Result<()> {
        match batch::decode(bytes) {
            Ok((message, _)) => self.tell(now, link, Input::Received(message), out),
            Err(BatchError::Damaged | BatchError::Version(_) | BatchError::Seal(_)) => Ok(()),
            Err(other) => bail!("damage passed the check of the envelope: {other}"),
        }
    }

    /// Writes an edit before the world begins.
    pub(super) fn write(&mut self, now: Elapsed, edit: &(Shelf, Edit)) -> Result<()> {
        let stamp = self.stamp(now);
        shelves::edit(&self.disk(), &self.author, &edit.0, stamp, &edit.1, &Rows)?;
        Ok(())
    }

    /// One act of a person, in one commit; whether it was answered.
    pub(super) fn act(&mut self, now: Elapsed, act: &Act, out: &mut Vec<Step>) -> Result<Option<Done>> {
        let stamp = self.stamp(now);
        let done = self.commit(out, |conn, author| match act {
            Act::Edit(shelf, edit) => {
                shelves::edit(conn, author, shelf, stamp, edit, &Rows)?;
                Ok(Done::Edit)
            }
            Act::Entry(shelf, entry) => {
                let number = shelves::journal(conn, author, shelf, stamp, entry)?;
                Rows.entry(conn, shelf, &author.origin, number, stamp, entry)?;
                Ok(Done::Entry(number))
            }
        })?;
        if done.is_some() && !std::mem::replace(&mut self.closing, true) {
            out.push(Step::CloseSoon);
        }
        done.transpose().with_context(|| format!("refused: {act:?}"))
    }

    /// Closes what is pending into runs and tells the peers.
    pub(super) fn close(&mut self, now: Elapsed, out: &mut Vec<Step>) -> Result<()> {
        if self.life.is_none() {
            return Ok(());
        }
        self.closing = false;
        let stamp = self.stamp(now);
        match self.commit(out, |conn, author| shelves::close_runs(conn, author, stamp))? {
            Some(closed) => {
                closed?;
                self.tell_stored(now, None, out)
            }
            None => Ok(()),
        }
    }

    fn tell_stored(&mut self, now: Elapsed, but: Option<u8>, out: &mut Vec<Step>) -> Result<()> {
        let marks = shelves::marks(&self.disk())?;
        let links: Vec<u8> = self.links.keys().copied().filter(|l| Some(*l) != but).collect();
        links.into_iter().try_for_each(|link| self.tell(now, link, Input::Stored(marks.clone()), out))
    }

    /// As the driver of the programs does it: outputs in order, the answers' outputs after them.
    fn tell(&mut self, now: Elapsed, link: u8, input: Input, out: &mut Vec<Step>) -> Result<()> {
        let Some(mut todo) = self.handle(now, link, input) else { return Ok(()) };
        let mut news = false;
        while let (true, Some(output)) = (self.life.is_some(), todo.pop_front()) {
            for answer in self.perform(now, link, output, out)? {
                news |= matches!(answer, Input::Stored(_) | Input::Surveyed { .. });
                todo.extend(self.handle(now, link, answer).unwrap_or_default());
            }
        }
        if news && self.life.is_some() { self.tell_stored(now, Some(link), out) } else { Ok(()) }
    }

    fn handle(&mut self, now: Elapsed, link: u8, input: Input) -> Option<VecDeque<Output>> {
        Some(self.life.as_mut()?.get_mut(&link)?.handle(now, input).into())
    }

    fn perform(&mut self, now: Elapsed, link: u8, output: Output, out: &mut Vec<Step>) -> Result<Vec<Input>> {
        match output {
            Output::Send(message) => {
                self.promises_only_what_is_durable(&message)?;
                out.push(Step::Send { link, bytes: batch::encode(&message, None)? });
            }
            Output::Fetch { shelf, origin, after, max_bytes } => {
                let runs = shelves::runs_after(&self.disk(), &shelf, &origin, after, max_bytes)?;
                return Ok(vec![Input::Loaded { shelf, origin, after, runs }]);
            }
            Output::Survey => return self.survey(now, link, out),
            Output::Commit(run) => return self.commit_run(now, &run, out),
            Output::Acknowledged(marks) => {
                let (told, stamp) = (marks.clone(), self.stamp(now));
                if self.place != Place::Cloud
                    && let Some(told) = self.commit(out, |conn, _| shelves::acknowledge(conn, &told, stamp))?
                {
                    ensure!(told?.unknown.is_empty(), "the coordinator holds what this box never wrote");
                }
                out.push(Step::Acknowledged { link, marks });
            }
            Output::WakeAt(at) => {
                self.wakes.insert(link, at);
                out.push(Step::Wake { link, at });
            }
            Output::Alert(alert) => bail!("{:?} raised an alert: {alert}", self.place),
            Output::NewIncarnation => bail!("{:?} believes to be a clone", self.place),
            Output::Quarantine { reason, .. } => bail!("{:?} quarantined a run: {reason}", self.place),
        }
        Ok(Vec::new())
    }

    fn survey(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<Vec<Input>> {
        let stamp = self.stamp(now);
        let school = self.links.get(&link).map(|c| c.rights.uai.clone()).context("no such link")?;
        let surveyed = self.commit(out, |conn, author| {
            shelves::close_runs(conn, author, stamp)?;
            let shelves = [Shelf::Territory, Shelf::School(school)];
            let digests: Result<Vec<_>, ShelfError> =
                shelves.into_iter().map(|s| shelves::digest(conn, &s).map(|d| (s, d))).collect();
            Ok((shelves::marks(conn)?, digests?))
        })?;
        let Some(surveyed) = surveyed else { return Ok(Vec::new()) };
        let (marks, digests) = surveyed?;
        Ok(vec![Input::Surveyed { marks, digests }])
    }

    fn commit_run(&mut self, now: Elapsed, run: &Run, out: &mut Vec<Step>) -> Result<Vec<Input>> {
        let stamp = self.stamp(now);
        let writer = if run.origin.box_id == id(Place::Cloud) { Writer::Coordinator } else { Writer::Box };
        let committed = self.commit(out, |conn, _| shelves::commit_run(conn, run, writer, stamp, &Rows))?;
        let Some(committed) = committed else { return Ok(Vec::new()) };
        if let Err(error) = committed {
            let reason = reason_of(&error);
            ensure!(reason == Reason::NotNow, "a run was not taken: {error}");
            let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
            return Ok(vec![Input::Refused { shelf, origin, first, reason }]);
        }
        Ok(vec![Input::Stored(shelves::marks(&self.disk())?)])
    }

    /// Commits, or dies right before or right after it. None when it died.
    fn commit<T>(
        &mut self,
        out: &mut Vec<Step>,
        act: impl FnOnce(&Connection, &Author) -> Result<T, ShelfError>,
    ) -> Result<Option<Result<T, ShelfError>>> {
        let dies = self.mortal && self.life.is_some() && self.dice.below(1_000) < DEATHS_PER_THOUSAND;
        let before = dies && self.dice.below(2) == 0;
        let done = {
            let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
            disk.prepare_cached("BEGIN")?.execute([])?;
            let done = act(&disk, &self.author);
            let end = if done.is_err() || before { "ROLLBACK" } else { "COMMIT" };
            disk.prepare_cached(end)?.execute([])?;
            done
        };
        if !dies {
            return Ok(Some(done));
        }
        self.life = None;
        self.wakes.clear();
        // What was about to leave in this step is gone with it.
        out.retain(|step| matches!(step, Step::Acknowledged { .. }));
        out.push(Step::Died);
        Ok(None)
    }

    /// Invariant 1: what a message says is held is on the disk already.
    fn promises_only_what_is_durable(&self, message: &Message) -> Result<()> {
        let promised = match message {
            Message::Hello { marks, .. } | Message::Have(marks) => marks,
            Message::Runs(_) | Message::Nack { .. } => return Ok(()),
        };
        self.holds(promised)
    }

    /// Whether all of this is on the disk.
    pub(super) fn holds(&self, promised: &[Mark]) -> Result<()> {
        let held = shelves::marks(&self.disk())?;
        for mark in promised {
            let here = held.iter().find(|m| m.shelf == mark.shelf && m.origin == mark.origin);
            let here = here.map_or(0, |m| m.number);
            ensure!(mark.number <= here, "{mark:?} was promised, {here} is durable");
        }
        Ok(())
    }
}

/// What a person does.
#[derive(Debug)]
pub(super) enum Act {
    Edit(Shelf, Edit),
    Entry(Shelf, Entry),
}

/// What came of it.
pub(super) enum Done {
    Edit,
    Entry(u64),
}

/// The coordinator knows its boxes from their certificates; a box knows the others from its school's document.
fn keys(place: Place, uai: &Uai, disk: &Arc<Mutex<Connection>>) -> Result<Keys> {
    let all: BTreeMap<BoxId, PublicKey> = [Place::Cloud, Place::Box(0), Place::Box(1)]
        .into_iter()
        .map(|p| public(p).map(|k| (id(p), k)))
        .collect::<Result<_>>()?;
    let (shelf, doc, disk) = (Shelf::School(uai.clone()), School::doc(uai), disk.clone());
    Ok(Arc::new(move |origin: &Origin| {
        if place == Place::Cloud || [id(Place::Cloud), id(place)].contains(&origin.box_id) {
            return all.get(&origin.box_id).copied();
        }
        let disk = disk.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = shelves::document(&disk, &shelf, &doc).ok()??;
        School::from_fields(&doc, &fields)?.box_keys.get(&origin.box_id).copied()
    }))
}
