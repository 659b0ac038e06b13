//! What the peer asks of the store: `rig::replicate` without a runtime, so that a schedule replays.

use anyhow::{Result, ensure};
use preau_shared::{
    replica::{Input, Knowledge, Mark, Output, Reason, Run, Shelf, Side},
    rig::{
        replicate::reason_of,
        shelves::{self, Following, ShelfError, compare, fold, lost, pages, quarantine},
    },
    time::Elapsed,
};

use super::{
    Place, Plant, checks,
    node::{Node, Step},
    wires::id,
};

impl Node {
    pub(super) fn perform(
        &mut self,
        now: Elapsed,
        link: u8,
        output: Output,
        out: &mut Vec<Step>,
    ) -> Result<Vec<Input>> {
        match output {
            Output::Send(message) => self.send(link, &message, out)?,
            Output::Fetch { shelf, origin, after, max_bytes } => {
                let (runs, pruned) = match shelves::runs_after(&*self.disk.base(), &shelf, &origin, after, max_bytes)? {
                    Following::Runs(runs) => (runs, None),
                    Following::Cut(head) => (Vec::new(), Some(head)),
                };
                return Ok(vec![Input::Loaded { shelf, origin, after, runs, pruned }]);
            }
            Output::Survey => return self.survey(now, link, out),
            Output::Skip(head) => {
                let (shelf, origin, first) = (head.shelf.clone(), head.origin, head.last());
                return match self.commit(now, out, |conn, with| lost::skip(conn, &head, with))? {
                    Some(Ok(())) => self.stored(link, out),
                    Some(Err(error)) => Ok(vec![Input::Refused { shelf, origin, first, reason: reason_of(&error) }]),
                    None => Ok(Vec::new()),
                };
            }
            Output::Serve(pull) => {
                let served = self.commit(now, out, |conn, with| {
                    shelves::close_runs(conn, with.author, with.now)?;
                    pages::serve(conn, pull)
                })?;
                if let Some(Ok(page)) = served {
                    let mut inputs = self.stored(link, out)?;
                    inputs.push(Input::Served(page));
                    return Ok(inputs);
                }
            }
            Output::Take { page, adopt } => {
                let pull = page.pull.clone();
                let taken = self.commit(now, out, |conn, with| pages::take(conn, &page, adopt.as_deref(), with))?;
                if let Some(Ok(mend)) = taken {
                    let mut inputs = self.stored(link, out)?;
                    inputs.push(Input::Taken { pull, mend });
                    return Ok(inputs);
                }
            }
            Output::Sum(shelf) => {
                let sums = shelves::sums(&*self.disk.base(), &shelf)?;
                return Ok(vec![Input::Summed(shelf, sums)]);
            }
            Output::Mend(shelf, lacking) => {
                let from = self.rights(link)?.box_id;
                let mended = self.commit(now, out, |conn, with| compare::mend(conn, &shelf, from, &lacking, with))?;
                if let Some(Ok(())) = mended {
                    return self.stored(link, out);
                }
            }
            Output::Quarantine { run, reason } => {
                self.quarantine(now, &run, reason, out)?;
            }
            Output::Acknowledged(marks) => self.acknowledge(now, link, marks, out)?,
            Output::NewIncarnation => self.begin_anew(out),
            Output::WakeAt(at) => self.wake_at(link, at, out),
            Output::Alert(alert) => out.push(Step::Alert(alert)),
            // The loop does it.
            Output::Commit(_) => {}
        }
        Ok(Vec::new())
    }

    fn stored(&mut self, link: u8, out: &mut Vec<Step>) -> Result<Vec<Input>> {
        self.close_soon(out);
        let shelves = self.shelves(link)?;
        let marks = self.disk.marks()?.iter().filter(|mark| shelves.contains(&mark.shelf)).cloned().collect();
        Ok(vec![Input::Stored(marks)])
    }

    fn survey(&mut self, now: Elapsed, link: u8, out: &mut Vec<Step>) -> Result<Vec<Input>> {
        let shelves = self.shelves(link)?;
        let surveyed = self.commit(now, out, |conn, with| {
            shelves::close_runs(conn, with.author, with.now)?;
            let marks = shelves::marks_of(conn, &shelves)?;
            let digests: Result<Vec<_>, ShelfError> =
                shelves.into_iter().map(|s| shelves::digest(conn, &s).map(|d| (s, d))).collect();
            Ok(Knowledge { marks, digests: digests? })
        })?;
        Ok(match surveyed {
            Some(Ok(knowledge)) => vec![Input::Surveyed(knowledge)],
            Some(Err(_)) | None => Vec::new(),
        })
    }

    pub(super) fn commit_runs(
        &mut self,
        now: Elapsed,
        link: u8,
        runs: Vec<Run>,
        out: &mut Vec<Step>,
    ) -> Result<Vec<Input>> {
        let names: Vec<_> = runs.iter().map(|r| (r.shelf.clone(), r.origin, r.first)).collect();
        if self.plant == Some(Plant::AcknowledgeEarly) {
            self.say_too_early(now, link, &runs, out)?;
        }
        let refused = match self
            .commit(now, out, |conn, with| shelves::commit_each(conn, runs, id(Place::Cloud), with))?
        {
            Some(Ok(refused)) => refused,
            Some(Err(_)) => {
                let not_now = |(shelf, origin, first)| Input::Refused { shelf, origin, first, reason: Reason::NotNow };
                return Ok(names.into_iter().map(not_now).collect());
            }
            None => return Ok(Vec::new()),
        };
        checks::no_doubles(&self.disk)?;
        let mut inputs = self.stored(link, out)?;
        for (run, error) in refused {
            let reason = reason_of(&error);
            let (shelf, origin, first) = (run.shelf.clone(), run.origin, run.first);
            inputs.push(Input::Refused { shelf, origin, first, reason });
            if reason != Reason::NotNow && self.is_alive() {
                self.quarantine(now, &run, reason, out)?;
                out.push(Step::Alert(preau_shared::replica::Alert::Quarantined {
                    shelf: run.shelf,
                    origin,
                    first,
                    reason,
                }));
            }
        }
        Ok(inputs)
    }

    fn say_too_early(&mut self, now: Elapsed, link: u8, runs: &[Run], out: &mut Vec<Step>) -> Result<()> {
        let mut marks = self.disk.marks()?.to_vec();
        for run in runs {
            let chain = run.hash();
            marks.retain(|m| (&m.shelf, m.origin) != (&run.shelf, run.origin));
            marks.push(Mark { shelf: run.shelf.clone(), origin: run.origin, number: run.last(), chain });
        }
        for output in self.handle(now, link, Input::Stored(marks)).unwrap_or_default() {
            if let Output::Send(message) = output {
                self.send(link, &message, out)?;
            }
        }
        Ok(())
    }

    fn quarantine(&mut self, now: Elapsed, run: &Run, reason: Reason, out: &mut Vec<Step>) -> Result<()> {
        let reason = reason.to_string();
        self.commit(now, out, |conn, with| quarantine::run(conn, run, &reason, with.now))?;
        Ok(())
    }

    fn acknowledge(&mut self, now: Elapsed, link: u8, marks: Vec<Mark>, out: &mut Vec<Step>) -> Result<()> {
        let noted = (marks.clone(), self.disk.marks()?);
        if self.acknowledged.get(&link) != Some(&noted) {
            let told = marks.clone();
            let holder = self.rights(link)?.box_id;
            let is_noted = match self.rights(link)?.side {
                Side::Sibling => true,
                Side::Coordinator => {
                    let noted = self.commit(now, out, |conn, with| fold::note_holder(conn, holder, &told, with.now))?;
                    matches!(noted, Some(Ok(())))
                }
                Side::Box => {
                    let told = self.commit(now, out, |conn, with| {
                        shelves::acknowledge(conn, &with.author.origin, &told, with.now)
                    })?;
                    if matches!(&told, Some(Ok(told)) if !told.unknown.is_empty()) {
                        self.begin_anew(out);
                    }
                    matches!(told, Some(Ok(_)))
                }
            };
            if is_noted {
                self.acknowledged.insert(link, noted);
            }
        }
        out.push(Step::Acknowledged { link, marks });
        Ok(())
    }

    /// The next start is another life.
    fn begin_anew(&mut self, out: &mut Vec<Step>) {
        if self.is_alive() && !std::mem::replace(&mut self.anew, true) {
            out.push(Step::Anew);
        }
    }

    /// What a program does at night.
    pub(super) fn house(
        &mut self,
        now: Elapsed,
        boxes: &[(Shelf, Vec<preau_shared::ids::BoxId>)],
        out: &mut Vec<Step>,
    ) -> Result<u64> {
        if !self.is_alive() {
            return Ok(0);
        }
        let gone = match self.place {
            Place::Cloud => self.commit(now, out, |conn, with| {
                let mut gone = 0_usize;
                for (shelf, boxes) in boxes {
                    gone = gone.saturating_add(fold::fold(conn, shelf, boxes, with.now)?);
                    gone = gone.saturating_add(fold::drop_past(conn, shelf, with.now)?);
                }
                Ok(gone)
            })?,
            Place::Box(_) | Place::Twin(_) => {
                let shelf = Shelf::School(self.uai.clone());
                self.commit(now, out, |conn, with| {
                    let past = fold::drop_past(conn, &shelf, with.now)?;
                    Ok(past.saturating_add(fold::prune(conn, with.now)?))
                })?
            }
        };
        ensure!(self.wires.iter().all(|wire| !wire.says.is_empty()), "a link without a name");
        Ok(u64::try_from(gone.and_then(Result::ok).unwrap_or(0))?)
    }
}
