//! The loop of one link.

use std::collections::VecDeque;

use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{
    CARRIER_PATIENCE, LinkEvent, LinkStatus, NEWS_EVERY, Replication, ShelfError, Side, reason_of, shelves, sleep,
    timeout,
};
use crate::{
    documents::Writer,
    ids::BoxId,
    replica::{
        Input, Mark, Message, Output, Peer, Reason, Run, Shelf,
        batch::{self, MAX_BATCH_BYTES},
        peer::Config,
    },
    rig::{shelves::Project, task::Stop},
    time::{Elapsed, Stamp},
};

pub(super) struct Driver {
    with: Replication,
    peer: Peer,
    marks: Vec<Mark>,
    acknowledged: Vec<Mark>,
    outbound: mpsc::Sender<Vec<u8>>,
    status: LinkStatus,
    say: watch::Sender<LinkStatus>,
    wake: Elapsed,
    cloned: bool,
}

/// What ended a wait.
enum Event {
    Carrier(LinkEvent),
    Durable,
    Time,
    End,
}

impl Driver {
    pub(super) fn new(
        with: Replication,
        outbound: mpsc::Sender<Vec<u8>>,
        say: watch::Sender<LinkStatus>,
    ) -> Result<Self, ShelfError> {
        let marks = with.reader.read(shelves::marks)?;
        let config = Config { own: with.author.origin, rights: with.rights.clone(), timings: with.timings };
        let peer = Peer::new(config, with.dice.clone(), marks.clone());
        let (status, wake) = (LinkStatus::default(), with.clock.elapsed());
        Ok(Self { with, peer, marks, acknowledged: Vec::new(), outbound, status, say, wake, cloned: false })
    }

    pub(super) async fn run(mut self, mut inbound: mpsc::Receiver<LinkEvent>, mut stop: Stop) {
        let mut committed = self.with.writer.committed();
        // When the next news of what became durable are told; several ticks are one piece of news.
        let mut news_at: Option<Elapsed> = None;
        loop {
            let now = self.with.clock.elapsed();
            let next = news_at.map_or(self.wake, |at| at.min(self.wake));
            let event = tokio::select! {
                event = inbound.recv() => event.map_or(Event::End, Event::Carrier),
                news = committed.changed() => if news.is_ok() { Event::Durable } else { Event::End },
                () = sleep(next.since(now)) => Event::Time,
                () = stop.wait() => Event::End,
            };
            match event {
                Event::Carrier(event) => self.carried(event).await,
                Event::Durable => {
                    news_at.get_or_insert(now.after(NEWS_EVERY));
                }
                Event::Time => {
                    let now = self.with.clock.elapsed();
                    if news_at.take_if(|at| *at <= now).is_some() {
                        self.tell_stored().await;
                    }
                    if self.wake <= now {
                        self.tell(Input::Tick).await;
                    }
                }
                Event::End => return,
            }
            self.publish();
        }
    }

    async fn carried(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                self.status.connected = true;
                self.tell(Input::Connected).await;
            }
            LinkEvent::Disconnected => {
                self.status.connected = false;
                self.tell(Input::Disconnected).await;
            }
            LinkEvent::Message(bytes) => match batch::decode(&bytes) {
                Ok((message, vitals)) => {
                    self.status.last_message = Some(self.with.clock.elapsed());
                    if let (Side::Coordinator, Some(vitals)) = (self.with.rights.side, vitals) {
                        self.status.vitals = Some(vitals);
                    }
                    self.tell(Input::Received(message)).await;
                }
                Err(error) => {
                    tracing::warn!(link = ?self.with.rights, %error, "a batch was dropped");
                    self.status.last_error = Some(error.to_string());
                }
            },
        }
    }

    /// Tells the peer what is durable, if that is news.
    async fn tell_stored(&mut self) {
        match self.with.reader.read(shelves::marks) {
            Ok(marks) if marks == self.marks => {}
            Ok(marks) => {
                self.marks.clone_from(&marks);
                self.tell(Input::Stored(marks)).await;
            }
            Err(error) => self.failed("marks could not be read", &error),
        }
    }

    async fn tell(&mut self, input: Input) {
        let mut todo: VecDeque<Output> = self.peer.handle(self.with.clock.elapsed(), input).into();
        while let Some(output) = todo.pop_front() {
            let answers = match output {
                Output::Send(message) => {
                    self.send(&message).await;
                    continue;
                }
                Output::Commit(run) => {
                    let mut runs = vec![run];
                    while let Some(Output::Commit(_)) = todo.front() {
                        if let Some(Output::Commit(run)) = todo.pop_front() {
                            runs.push(run);
                        }
                    }
                    self.commit(runs).await
                }
                Output::Fetch { shelf, origin, after, max_bytes } => {
                    let read =
                        self.with.reader.read(|conn| shelves::runs_after(conn, &shelf, &origin, after, max_bytes));
                    let runs = read.unwrap_or_else(|error| {
                        self.failed("runs could not be read", &error);
                        Vec::new()
                    });
                    vec![Input::Loaded { shelf, origin, after, runs }]
                }
                Output::Survey => self.survey().await.into_iter().collect(),
                Output::Quarantine { run, reason } => {
                    self.quarantine(run, reason).await;
                    continue;
                }
                Output::Acknowledged(marks) => {
                    self.acknowledge(marks).await;
                    continue;
                }
                Output::Alert(alert) => {
                    tracing::warn!(link = ?self.with.rights, %alert, "replication needs a look");
                    self.status.last_error = Some(alert.to_string());
                    continue;
                }
                Output::NewIncarnation => {
                    self.new_incarnation().await;
                    continue;
                }
                Output::WakeAt(at) => {
                    self.wake = at;
                    continue;
                }
            };
            let now = self.with.clock.elapsed();
            todo.extend(answers.into_iter().flat_map(|input| self.peer.handle(now, input)));
        }
    }

    async fn send(&mut self, message: &Message) {
        let vitals = self.with.vitals.as_ref().map(|tell| tell());
        match batch::encode(message, vitals) {
            Ok(bytes) => {
                if !matches!(timeout(CARRIER_PATIENCE, self.outbound.send(bytes)).await, Ok(Ok(()))) {
                    tracing::debug!(link = ?self.with.rights, "a batch found no room at the carrier");
                }
            }
            Err(error) => {
                tracing::error!(link = ?self.with.rights, %error, limit = MAX_BATCH_BYTES, "a batch could not be written");
            }
        }
    }

    /// Commits runs together. One that fails is undone alone, kept aside, and what follows it on its chain is not tried.
    async fn commit(&mut self, runs: Vec<Run>) -> Vec<Input> {
        let (project, stamp) = (self.with.project.clone(), self.with.clock.stamp());
        let coordinator = self.with.rights.coordinator;
        let names: Vec<_> = runs.iter().map(|r| (r.shelf.clone(), r.origin, r.first)).collect();
        let committed =
            self.with.writer.commit(move |conn| commit_each(conn, runs, coordinator, (stamp, &*project))).await;
        let refused = match committed {
            Ok(refused) => refused,
            Err(error) => {
                self.failed("runs could not be committed", &error);
                let not_now = |(shelf, origin, first)| Input::Refused { shelf, origin, first, reason: Reason::NotNow };
                return names.into_iter().map(not_now).collect();
            }
        };
        let mut inputs = Vec::new();
        if let Ok(marks) = self.with.reader.read(shelves::marks) {
            self.marks.clone_from(&marks);
            inputs.push(Input::Stored(marks));
        }
        for (run, error) in refused {
            self.failed("a run could not be applied", &error);
            inputs.push(Input::Refused {
                shelf: run.shelf.clone(),
                origin: run.origin,
                first: run.first,
                reason: reason_of(&error),
            });
            if reason_of(&error) != Reason::NotNow {
                self.quarantine(run, reason_of(&error)).await;
            }
        }
        inputs
    }

    /// Marks and digests of one state. What is pending is closed in the same act: it is in the documents already, so that
    /// marks without it and digests with it would look like a mismatch.
    async fn survey(&mut self) -> Option<Input> {
        let shelves = [Shelf::Territory, Shelf::School(self.with.rights.uai.clone())];
        let (author, stamp) = (self.with.author.clone(), self.with.clock.stamp());
        let surveyed = self.with.writer.commit(move |conn| {
            shelves::close_runs(conn, &author, stamp)?;
            let marks = shelves::marks(conn)?;
            let digests: Result<Vec<_>, ShelfError> =
                shelves.into_iter().map(|s| shelves::digest(conn, &s).map(|d| (s, d))).collect();
            Ok::<_, ShelfError>((marks, digests?))
        });
        match surveyed.await {
            Ok((marks, digests)) => {
                self.marks.clone_from(&marks);
                Some(Input::Surveyed { marks, digests })
            }
            Err(error) => {
                self.failed("marks and digests could not be read", &error);
                None
            }
        }
    }

    async fn quarantine(&mut self, run: Run, reason: Reason) {
        let stamp = self.with.clock.stamp();
        let reason = reason.to_string();
        let kept = self.with.writer.commit(move |conn| shelves::quarantine(conn, &run, &reason, stamp)).await;
        if let Err(error) = kept {
            self.failed("a run could not be kept aside", &error);
        }
    }

    /// The box's exposure ends with the coordinator's word. The coordinator counts none.
    async fn acknowledge(&mut self, marks: Vec<Mark>) {
        if self.with.rights.side == Side::Coordinator || marks == self.acknowledged {
            return;
        }
        let (told, stamp) = (marks.clone(), self.with.clock.stamp());
        match self.with.writer.commit(move |conn| shelves::acknowledge(conn, &told, stamp)).await {
            Ok(told) => {
                self.acknowledged = marks;
                if !told.unknown.is_empty() {
                    self.new_incarnation().await;
                }
            }
            Err(error) => self.failed("an acknowledgement could not be kept", &error),
        }
    }

    /// This disk was restored or cloned. What is pending is closed under the old name, a new one is kept for the next
    /// start, and the program is told to start again.
    async fn new_incarnation(&mut self) {
        if self.cloned {
            return;
        }
        let (author, dice, stamp) = (self.with.author.clone(), self.with.dice.clone(), self.with.clock.stamp());
        tracing::error!(origin = %author.origin, "this disk was restored or cloned: a new incarnation is drawn");
        let drawn = self.with.writer.commit(move |conn| {
            shelves::close_runs(conn, &author, stamp)?;
            shelves::new_incarnation(conn, author.origin.box_id, &*dice)
        });
        match drawn.await {
            Ok(origin) => {
                self.cloned = true;
                (self.with.on_clone)(origin);
            }
            Err(error) => self.failed("a new incarnation could not be kept", &error),
        }
    }

    fn failed(&mut self, what: &str, error: &ShelfError) {
        tracing::error!(link = ?self.with.rights, %error, "{what}");
        self.status.last_error = Some(format!("{what}: {error}"));
    }

    fn publish(&mut self) {
        self.status.in_contact = self.peer.is_open();
        self.status.settled = self.peer.is_settled(self.with.clock.elapsed());
        self.status.theirs = self.peer.theirs();
        self.status.alerts = self.peer.alerts().iter().cloned().collect();
        let status = &self.status;
        self.say.send_if_modified(|old| {
            let news = old != status;
            if news {
                old.clone_from(status);
            }
            news
        });
    }
}

/// Commits each run in a savepoint of its own; gives those that failed.
fn commit_each(
    conn: &Connection,
    runs: Vec<Run>,
    coordinator: BoxId,
    (stamp, project): (Stamp, &dyn Project),
) -> Result<Vec<(Run, ShelfError)>, ShelfError> {
    let mut refused: Vec<(Run, ShelfError)> = Vec::new();
    for run in runs {
        if refused.iter().any(|(r, _)| (&r.shelf, r.origin) == (&run.shelf, run.origin)) {
            continue;
        }
        let writer = if run.origin.box_id == coordinator { Writer::Coordinator } else { Writer::Box };
        conn.execute_batch("SAVEPOINT run")?;
        match shelves::commit_run(conn, &run, writer, stamp, project) {
            Ok(_) => conn.execute_batch("RELEASE run")?,
            Err(error) => {
                conn.execute_batch("ROLLBACK TO run; RELEASE run")?;
                refused.push((run, error));
            }
        }
    }
    Ok(refused)
}
