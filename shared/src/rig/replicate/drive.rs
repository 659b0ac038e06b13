//! The loop of one link: waits, opens what comes, seals what leaves, keeps the peer's time.

use std::{collections::VecDeque, time::Duration};

use tokio::sync::{mpsc, watch};

use super::{
    CARRIER_PATIENCE, Carrier, LinkEvent, LinkStatus, NEWS_EVERY, Replication, ShelfError, Side, Store, sleep, timeout,
};
use crate::{
    replica::{Input, Mark, Message, Output, Peer, Shelf, Vitals, batch, peer::Config},
    rig::{shelves, task::Stop},
    time::Elapsed,
};

/// Wait before what is held is read again, when it could not be.
pub(super) const READ_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Driver<D: Store, C> {
    pub(super) with: Replication<D>,
    peer: Peer,
    pub(super) marks: Vec<Mark>,
    /// What the other end was last noted to hold, and what was held here then: what it says of a line that is not here says
    /// something once the line is.
    pub(super) acknowledged: (Vec<Mark>, Vec<Mark>),
    carrier: C,
    pub(super) status: LinkStatus,
    say: watch::Sender<LinkStatus>,
    wake: Elapsed,
    /// What the other end was last told of this one.
    told: Option<Vitals>,
    pub(super) anew: bool,
}

/// What ended a wait.
enum Event {
    Carrier(LinkEvent),
    Durable,
    Time,
    End,
}

/// One link, until the program stops or what comes ends.
///
/// Thousands of links wait: each is a pointer to its driver and what it waits for. What an event takes is many times
/// that, and lasts only as long.
pub(super) fn run<D: Store, C: Carrier>(
    with: Replication<D>,
    mut inbound: mpsc::Receiver<LinkEvent>,
    carrier: C,
    say: watch::Sender<LinkStatus>,
    mut stop: Stop,
) -> impl Future<Output = ()> + Send {
    let [mut territory, mut school] = with.shelves().map(|shelf| with.news.of(&shelf));
    let mut opening = stop.clone();
    let opened = Box::pin(async move {
        tokio::select! {
            driver = Driver::open(with, carrier, say) => Some(driver),
            () = opening.wait() => None,
        }
    });
    async move {
        let Some(mut driver) = opened.await else { return };
        // When the next news of what became durable are told; several ticks are one piece of news.
        let mut news_at: Option<Elapsed> = None;
        loop {
            let now = driver.with.clock.elapsed();
            let next = news_at.map_or(driver.wake, |at| at.min(driver.wake));
            let durable =
                |news: Result<(), watch::error::RecvError>| if news.is_ok() { Event::Durable } else { Event::End };
            let event = tokio::select! {
                event = inbound.recv() => event.map_or(Event::End, Event::Carrier),
                news = territory.changed() => durable(news),
                news = school.changed() => durable(news),
                () = sleep(next.since(now)) => Event::Time,
                () = stop.wait() => Event::End,
            };
            if matches!(event, Event::End) {
                return;
            }
            Box::pin(driver.happened(event, now, &mut news_at)).await;
            driver.publish();
        }
    }
}

impl<D: Store, C: Carrier> Driver<D, C> {
    /// Reads what is held, again and again until it can be read.
    async fn open(with: Replication<D>, carrier: C, say: watch::Sender<LinkStatus>) -> Box<Self> {
        let marks = loop {
            let of = with.shelves();
            match with.store.read(move |conn| shelves::marks_of(conn, &of)).await {
                Ok(marks) => break marks,
                Err(error) => tracing::error!(link = ?with.rights, %error, "what is held cannot be read; trying again"),
            }
            sleep(READ_AGAIN).await;
        };
        let config = Config { own: with.author.origin, rights: with.rights.clone(), timings: with.timings };
        let peer = Peer::new(config, with.dice.clone(), marks.clone());
        let (status, wake) = (LinkStatus::default(), with.clock.elapsed());
        let (acknowledged, told, anew) = (Default::default(), None, false);
        Box::new(Self { with, peer, marks, acknowledged, carrier, status, say, wake, told, anew })
    }

    async fn happened(&mut self, event: Event, now: Elapsed, news_at: &mut Option<Elapsed>) {
        match event {
            Event::Carrier(event) => self.carried(event).await,
            Event::Durable => {
                news_at.get_or_insert(now.after(NEWS_EVERY));
            }
            Event::Time => {
                let now = self.with.clock.elapsed();
                if news_at.take_if(|at| *at <= now).is_some() && !self.tell_stored().await {
                    *news_at = Some(now.after(READ_AGAIN));
                }
                if self.wake <= now {
                    self.tell(Input::Tick).await;
                }
            }
            Event::End => {}
        }
    }

    async fn carried(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected => {
                self.status.connected = true;
                self.told = None;
                self.tell(Input::Connected).await;
            }
            LinkEvent::Disconnected => {
                self.status.connected = false;
                self.tell(Input::Disconnected).await;
            }
            LinkEvent::Message(bytes) => self.received(bytes).await,
        }
    }

    async fn received(&mut self, bytes: Vec<u8>) {
        match self.with.envelope.open(bytes).and_then(|body| batch::decode(&body).map_err(|why| why.to_string())) {
            Ok((message, vitals)) => {
                self.status.last_message = Some(self.with.clock.elapsed());
                if let (Side::Coordinator, Some(vitals)) = (self.with.rights.side, vitals) {
                    self.status.vitals = Some(vitals);
                }
                self.tell(Input::Received(message)).await;
            }
            Err(error) => {
                tracing::warn!(link = ?self.with.rights, %error, "a batch was dropped");
                self.status.last_error = Some(error);
            }
        }
    }

    /// Tells the peer what is durable, if that is news; false when it could not be read.
    async fn tell_stored(&mut self) -> bool {
        match self.marks_now().await {
            Some(marks) if marks == self.marks => true,
            Some(marks) => {
                self.marks.clone_from(&marks);
                self.tell(Input::Stored(marks)).await;
                true
            }
            None => false,
        }
    }

    pub(super) async fn marks_now(&mut self) -> Option<Vec<Mark>> {
        let of = self.with.shelves();
        match self.with.store.read(move |conn| shelves::marks_of(conn, &of)).await {
            Ok(marks) => Some(marks),
            Err(error) => {
                self.failed("marks could not be read", &error);
                None
            }
        }
    }

    async fn tell(&mut self, input: Input) {
        let mut todo: VecDeque<Output> = self.peer.handle(self.with.clock.elapsed(), input).into();
        while let Some(output) = todo.pop_front() {
            // What this life still had to say is not true any more.
            if self.anew {
                return;
            }
            let answers = match output {
                Output::Send(message) => {
                    self.send(&message).await;
                    continue;
                }
                Output::Commit(run) => {
                    // What follows each other is committed together.
                    let mut runs = vec![run];
                    while let Some(Output::Commit(_)) = todo.front() {
                        if let Some(Output::Commit(run)) = todo.pop_front() {
                            runs.push(run);
                        }
                    }
                    self.commit(runs).await
                }
                Output::Alert(alert) => {
                    tracing::warn!(link = ?self.with.rights, %alert, "replication needs a look");
                    self.status.last_error = Some(alert.to_string());
                    continue;
                }
                Output::WakeAt(at) => {
                    self.wake = at;
                    continue;
                }
                Output::Fetch { .. }
                | Output::Survey
                | Output::Skip(_)
                | Output::Serve(_)
                | Output::Take { .. }
                | Output::Sum(_)
                | Output::Mend(..)
                | Output::Quarantine { .. }
                | Output::Acknowledged(_)
                | Output::NewIncarnation => self.perform(output).await,
            };
            let now = self.with.clock.elapsed();
            todo.extend(answers.into_iter().flat_map(|input| self.peer.handle(now, input)));
        }
    }

    async fn send(&mut self, message: &Message) {
        let vitals = self.with.vitals.as_ref().map(|tell| tell());
        // Told once; until they change, silence says that they are the same.
        let news = matches!(message, Message::Hello(_)) || vitals != self.told;
        let body = batch::encode(message, vitals.as_ref().filter(|_| news)).map_err(|why| why.to_string());
        match body.and_then(|body| self.with.envelope.wrap(&*self.with.dice, body)) {
            Ok(bytes) => {
                if timeout(CARRIER_PATIENCE, self.carrier.carry(bytes)).await == Ok(true) {
                    self.told = vitals;
                } else {
                    tracing::debug!(link = ?self.with.rights, "a batch found no room at the carrier");
                }
            }
            Err(error) => tracing::error!(link = ?self.with.rights, %error, "a batch could not be written"),
        }
    }

    pub(super) fn failed(&mut self, what: &str, error: &ShelfError) {
        tracing::error!(link = ?self.with.rights, %error, "{what}");
        self.status.last_error = Some(format!("{what}: {error}"));
    }

    fn publish(&mut self) {
        self.status.in_contact = self.peer.is_open();
        self.status.settled = self.peer.is_settled(self.with.clock.elapsed());
        self.status.pulling = self.peer.is_pulling();
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

impl<D: Store> Replication<D> {
    /// The two shelves of a link.
    pub(super) fn shelves(&self) -> [Shelf; 2] {
        [Shelf::Territory, Shelf::School(self.rights.uai.clone())]
    }
}
