//! A box without a store, as an idle school's: it believes what the coordinator says is held, and from then on speaks
//! hello and beats as every box does, by the same peer over the same link. Thousands of them fit in one process.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use preau_shared::{
    dice::Dice as _,
    replica::{
        Input, Message, Origin, Output, Peer, Rights, Sealing, Side, Timings,
        batch::{self, Hello, Knowledge, SPEAKS},
        peer::Config,
    },
    rig::{
        clock::SystemClock,
        dice::SystemDice,
        link::{LinkEvent, LinkSender},
        task::Tasks,
    },
    time::{Clock as _, Elapsed},
    wire::Direction,
};
use tokio::{sync::mpsc, time::sleep};

use super::{pair::vitals, territory::Claimed};

/// What all idle boxes together have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Boxes whose hello was answered, and that are heard.
    pub in_step: AtomicU64,
    /// Connections made.
    pub connections: AtomicU64,
    /// Connections lost.
    pub losses: AtomicU64,
    /// Bytes of payload upwards.
    pub up: AtomicU64,
    /// Bytes of payload downwards.
    pub down: AtomicU64,
    /// What an idle school has no reason for: batches that do not open, runs, alerts.
    pub odd: AtomicU64,
}

/// Starts an idle box.
///
/// # Errors
/// When its keys cannot be used.
pub fn start(claimed: &Claimed, to: SocketAddr, seen: Arc<Seen>, tasks: &Tasks) -> Result<()> {
    let (link, events) = claimed.link(to, tasks)?;
    let own = Origin { box_id: claimed.grant.box_id, incarnation: SystemDice.u64() };
    let rights = Rights {
        side: Side::Box,
        uai: claimed.grant.uai.clone(),
        box_id: own.box_id,
        coordinator: claimed.grant.coordinator_id,
        // It takes no runs: it is said to hold them.
        keys: Arc::new(|_| None),
        gone: Arc::new(|_| false),
    };
    let idle = Idle {
        config: Config { own, rights, timings: Timings::for_keep_alive(claimed.keep_alive()) },
        sealing: claimed.sealing()?,
        says: claimed.topic(Direction::Up).to_string(),
        hears: claimed.topic(Direction::Down).to_string(),
        link,
        seen,
        clock: SystemClock::start(),
        learnt: None,
        wake: Elapsed::default(),
        told: false,
        in_step: false,
    };
    tasks.spawn("idle box", idle.run(events));
    Ok(())
}

struct Idle {
    config: Config,
    sealing: Sealing,
    says: String,
    hears: String,
    link: LinkSender,
    seen: Arc<Seen>,
    clock: SystemClock,
    learnt: Option<(Peer, Knowledge)>,
    wake: Elapsed,
    /// The vitals were told on this connection.
    told: bool,
    in_step: bool,
}

impl Idle {
    async fn run(mut self, mut events: mpsc::Receiver<LinkEvent>) {
        loop {
            let wait = self.wake.since(self.clock.elapsed());
            let event = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return,
                },
                () = sleep(wait) => {
                    if self.learnt.is_some() { self.tell(Input::Tick).await } else { self.ask().await }
                    continue;
                }
            };
            match event {
                LinkEvent::Connected => {
                    self.seen.connections.fetch_add(1, Ordering::Relaxed);
                    self.told = false;
                    if self.learnt.is_some() { self.tell(Input::Connected).await } else { self.ask().await }
                }
                LinkEvent::Disconnected { .. } => {
                    self.seen.losses.fetch_add(1, Ordering::Relaxed);
                    self.tell(Input::Disconnected).await;
                }
                LinkEvent::Message { payload, .. } => self.heard(&payload).await,
            }
        }
    }

    /// Says that it holds nothing, so that everything is told; and says it again.
    async fn ask(&mut self) {
        let jitter = Duration::from_millis(SystemDice.below(5_000));
        self.wake = self.clock.elapsed().after(Duration::from_secs(5)).after(jitter);
        if !self.link.is_up() {
            return;
        }
        let summary = Knowledge::default().summary();
        let incarnation = self.config.own.incarnation;
        let hello = Hello { speaks: SPEAKS, incarnation, summary, knowledge: None, answer_wanted: true };
        self.say(&Message::Hello(hello)).await;
    }

    async fn heard(&mut self, payload: &[u8]) {
        self.seen.down.fetch_add(u64::try_from(payload.len()).unwrap_or(0), Ordering::Relaxed);
        let opened = self.sealing.open(&self.hears, payload).ok();
        let Some((message, _)) = opened.and_then(|body| batch::decode(&body).ok()) else { return self.odd() };
        if self.learnt.is_some() {
            return self.tell(Input::Received(message)).await;
        }
        if let Message::Hello(Hello { knowledge: Some(knowledge), .. }) = message {
            let peer = Peer::new(self.config.clone(), Arc::new(SystemDice), knowledge.marks.clone());
            self.learnt = Some((peer, knowledge));
            self.tell(Input::Connected).await;
        }
    }

    async fn tell(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some((peer, knowledge)) = &mut self.learnt else { return };
            let outputs = peer.handle(self.clock.elapsed(), input);
            let in_step = peer.is_open();
            if in_step != std::mem::replace(&mut self.in_step, in_step) {
                let by = if in_step { 1 } else { u64::MAX };
                self.seen.in_step.fetch_add(by, Ordering::Relaxed);
            }
            let knowledge = knowledge.clone();
            for output in outputs {
                match output {
                    Output::Send(message) => self.say(&message).await,
                    Output::Survey => inputs.push(Input::Surveyed(knowledge.clone())),
                    Output::WakeAt(at) => self.wake = at,
                    Output::Acknowledged(_) => {}
                    Output::Fetch { .. }
                    | Output::Commit(_)
                    | Output::Skip(_)
                    | Output::Serve(_)
                    | Output::Take { .. }
                    | Output::Sum(_)
                    | Output::Mend(..)
                    | Output::Quarantine { .. }
                    | Output::Alert(_)
                    | Output::NewIncarnation => self.odd(),
                }
            }
        }
    }

    async fn say(&mut self, message: &Message) {
        let vitals = vitals();
        let told = (!std::mem::replace(&mut self.told, true)).then_some(&vitals);
        let sealed =
            batch::encode(message, told).ok().and_then(|b| self.sealing.seal(&SystemDice, &self.says, &b).ok());
        let Some(sealed) = sealed else { return self.odd() };
        self.seen.up.fetch_add(u64::try_from(sealed.len()).unwrap_or(0), Ordering::Relaxed);
        // What does not leave is said again by the peer.
        let _ = self.link.publish(&self.says, sealed).await;
    }

    fn odd(&self) {
        self.seen.odd.fetch_add(1, Ordering::Relaxed);
    }
}

impl Seen {
    /// Waits until so many boxes are in step.
    ///
    /// # Errors
    /// When they are not within the time.
    pub async fn all_in_step(&self, many: u64, patience: Duration) -> Result<Duration> {
        let began = tokio::time::Instant::now();
        while self.in_step.load(Ordering::Relaxed) < many {
            anyhow::ensure!(
                began.elapsed() < patience,
                "only {} of {many} boxes are in step: {self:?}",
                self.in_step.load(Ordering::Relaxed)
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(began.elapsed())
    }
}
