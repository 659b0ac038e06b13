//! Between the coordinator's one MQTT connection and the replication of each box.
//!
//! A message is passed on only if its topic names an admitted box under its own school (the broker holds the same rule;
//! an outside broker may hold another). A box's replication starts when the box is first heard, or when the connection
//! comes up; it ends when the box is revoked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use preau_shared::{
    dice::Dice,
    ids::{BoxId, Uai},
    replica::{Keys, Origin, Rights, Shelf, Side, Timings, rights::Gone},
    rig::{
        apply::Bench,
        link::{self, LinkSender, Unsent},
        replicate::{Carrier, Envelope, LinkEvent, News, Replication},
        shelves::{self, Author, ShelfError},
        task::Tasks,
        writer::StoreError,
    },
    time::{Clock, Elapsed, Stamp},
    wire::{Direction, Topic},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    ear::{self, Ear},
    links::Links,
    project::Projection,
};
use crate::{
    broker::rights::{Admitted, Member},
    enrolment::Seals,
    store::{Database, boxes},
};

/// Messages of one box that wait to be applied; one more is dropped, and the box sends it again.
pub(crate) const MAX_WAITING: usize = 32;
/// Contacts are written down at most so often.
const NOTE_CONTACTS_EVERY: Duration = Duration::from_secs(30);
/// Revoked boxes are looked for so often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What every box's replication works with.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) store: Database,
    pub(crate) author: Arc<Author>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    pub(crate) admitted: Admitted,
    pub(crate) links: Links,
    pub(crate) territory: String,
    pub(crate) keep_alive: Duration,
    /// Applies what boxes send, for no longer than its limit.
    pub(crate) bench: Arc<Bench>,
    /// Who hears what became durable.
    pub(crate) news: News,
    /// The keys of the hops.
    pub(crate) seals: Seals,
    /// Another machine speaks under the name of this life.
    pub(crate) on_clone: Arc<dyn Fn(Origin) + Send + Sync>,
}

impl Common {
    /// Keys of those that write to a school's shelf: the coordinator itself, in all its lives, and the school's boxes. A
    /// revoked one has no link any more; what it wrote before may still come from the others.
    fn keys_of(&self, uai: &Uai) -> Keys {
        let (admitted, uai) = (self.admitted.clone(), uai.clone());
        let (me, my_key) = (self.author.origin.box_id, self.author.key.public());
        Arc::new(move |origin: &Origin| {
            if origin.box_id == me {
                return Some(my_key);
            }
            let member = admitted.find(&origin.box_id).or_else(|| admitted.find_revoked(&origin.box_id));
            member.filter(|member| member.uai == uai).map(|member| member.signing_key)
        })
    }

    fn gone(&self) -> Gone {
        let admitted = self.admitted.clone();
        Arc::new(move |box_id| admitted.find_revoked(box_id).is_some())
    }
}

/// The switchboard.
pub(crate) struct Switchboard {
    common: Common,
    link: LinkSender,
    tasks: Tasks,
    connected: bool,
    boxes: BTreeMap<BoxId, mpsc::Sender<LinkEvent>>,
    noted: BTreeMap<BoxId, Elapsed>,
    /// Where several coordinators share one database: whom this one hears.
    ear: Option<Ear>,
}

/// The filter that hears every box of a territory.
pub(crate) fn everything_upwards(territory: &str) -> String {
    format!("preau/1/{territory}/+/+/up")
}

impl Switchboard {
    /// Starts the task that passes messages on until the program stops.
    pub(crate) fn start(common: Common, link: LinkSender, mut events: mpsc::Receiver<link::LinkEvent>, tasks: &Tasks) {
        let mut stop = tasks.stopping();
        let (boxes, noted) = (BTreeMap::new(), BTreeMap::new());
        let ear = common.store.held().map(|held| Ear::new(held, common.territory.clone()));
        let mut board = Self { common, link, tasks: tasks.clone(), connected: false, boxes, noted, ear };
        tasks.spawn("switchboard", async move {
            let mut sweep = interval(SWEEP_EVERY);
            sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut noted_at = board.common.clock.elapsed();
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Some(event) => board.carried(event).await,
                        None => return,
                    },
                    () = ear::moved(&mut board.ear) => board.listen().await,
                    _ = sweep.tick() => {
                        board.meet().await;
                        board.sweep();
                        let now = board.common.clock.elapsed();
                        if now.since(noted_at) >= NOTE_CONTACTS_EVERY {
                            noted_at = now;
                            board.note_contacts().await;
                        }
                    }
                    () = stop.wait() => {
                        board.note_contacts().await;
                        return;
                    }
                }
            }
        });
    }

    async fn carried(&mut self, event: link::LinkEvent) {
        match event {
            link::LinkEvent::Connected => {
                tracing::info!("connected to the broker");
                self.connected = true;
                if let Some(ear) = &self.ear {
                    self.hear(ear.all()).await;
                }
                self.ensure_all();
                self.tell_all(&LinkEvent::Connected);
            }
            link::LinkEvent::Disconnected { why } => {
                tracing::warn!(%why, "not connected to the broker");
                self.connected = false;
                self.tell_all(&LinkEvent::Disconnected);
            }
            link::LinkEvent::Message { topic, payload } => self.received(&topic, payload),
        }
    }

    fn ensure_all(&mut self) {
        for (box_id, member) in self.common.admitted.all() {
            if self.hears(&member.uai) {
                self.ensure(box_id, &member);
            }
        }
    }

    fn hears(&self, uai: &Uai) -> bool {
        self.ear.as_ref().is_none_or(|ear| ear.hears(uai))
    }

    async fn hear(&self, topics: Vec<String>) {
        if let Err(error) = self.link.hear(topics).await {
            // The next connection hears them all.
            tracing::debug!(%error, "schools are not heard yet");
        }
    }

    /// Schools came or went: those that went, or came back after another held them, begin anew.
    async fn listen(&mut self) {
        self.meet().await;
        let Some(ear) = &mut self.ear else { return };
        let turned = ear.turn();
        tracing::info!(
            holds = ear.count(),
            came = turned.came.len(),
            went = turned.went.len(),
            "schools changed hands"
        );
        let (admitted, links) = (&self.common.admitted, &self.common.links);
        self.boxes.retain(|box_id, _| {
            let stays = admitted.find(box_id).is_some_and(|member| !turned.touched.contains(member.uai.as_str()));
            if !stays {
                links.remove(box_id);
            }
            stays
        });
        if self.connected {
            if let Err(error) = self.link.leave(turned.went).await {
                tracing::debug!(%error, "schools are left with the connection");
            }
            self.hear(turned.came).await;
            self.ensure_all();
        }
    }

    /// Learns which boxes another coordinator admitted or revoked, and whether it wrote to the territory's shelf.
    async fn meet(&mut self) {
        let Some(ear) = &mut self.ear else { return };
        let known = ear.known();
        let read = self.common.store.read::<_, ShelfError>(move |conn| {
            let newest = boxes::newest(conn)?;
            let rows = if newest == known { Vec::new() } else { boxes::all(conn)? };
            Ok((newest, rows, shelves::marks_of(conn, &[Shelf::Territory, Shelf::Territory])?))
        });
        match read.await {
            Ok((newest, rows, territory)) => {
                ear.met(newest);
                if ear.is_news(territory) {
                    self.common.news.tell(&Shelf::Territory);
                }
                for row in rows {
                    let member = Member { uai: row.uai, signing_key: row.signing_key };
                    match row.revoked_at {
                        None => self.common.admitted.admit(row.box_id, member),
                        Some(_) => self.common.admitted.keep_out(row.box_id, member),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the boxes could not be read"),
        }
    }

    fn received(&mut self, name: &str, payload: Vec<u8>) {
        let ours = |t: &Topic| t.territory == self.common.territory && t.direction == Direction::Up;
        let Some(topic) = Topic::parse(name).filter(ours) else {
            tracing::warn!("a message on an unknown topic was dropped");
            return;
        };
        let box_id = topic.box_id;
        let Some(member) = self.common.admitted.find(&box_id).filter(|member| member.uai == topic.uai) else {
            tracing::warn!(%box_id, uai = %topic.uai, "a message of a box that may not speak for this school was dropped");
            return;
        };
        if !self.hears(&member.uai) {
            // On its way while the school changed hands; its holder gets it again.
            return;
        }
        let Some(inbound) = self.ensure(box_id, &member) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = inbound.try_send(LinkEvent::Message(payload)) {
            tracing::warn!(%box_id, "a box speaks faster than it can be heard: a message was dropped, it will come again");
        }
    }

    /// The way to a box's replication, started if need be.
    fn ensure(&mut self, box_id: BoxId, member: &Member) -> Option<mpsc::Sender<LinkEvent>> {
        if let Some(inbound) = self.boxes.get(&box_id).filter(|inbound| !inbound.is_closed()) {
            return Some(inbound.clone());
        }
        let (inbound, receiver) = mpsc::channel(MAX_WAITING);
        let common = &self.common;
        let sealing = match common.seals.hop(box_id) {
            Ok(sealing) => sealing,
            Err(error) => {
                tracing::error!(%box_id, %error, "no key of the box is known to open its messages: claim it anew");
                return None;
            }
        };
        let topic = |direction| {
            Topic { territory: common.territory.clone(), uai: member.uai.clone(), box_id, direction }.to_string()
        };
        let (says, hears) = (topic(Direction::Down), topic(Direction::Up));
        let replication = Replication {
            store: common.store.clone(),
            author: common.author.clone(),
            project: Arc::new(Projection),
            clock: common.clock.clone(),
            dice: common.dice.clone(),
            bench: common.bench.clone(),
            news: common.news.clone(),
            envelope: Envelope::Sealed { sealing, says: says.clone(), hears },
            rights: Rights {
                side: Side::Coordinator,
                uai: member.uai.clone(),
                box_id,
                coordinator: common.author.origin.box_id,
                keys: common.keys_of(&member.uai),
                gone: common.gone(),
            },
            timings: Timings::for_keep_alive(common.keep_alive),
            vitals: None,
            on_clone: common.on_clone.clone(),
        };
        let down = Down { link: self.link.clone(), topic: says };
        common.links.put(box_id, replication.start(receiver, down, &self.tasks));
        if self.connected && inbound.try_send(LinkEvent::Connected).is_err() {
            // A new queue has room.
            return None;
        }
        self.boxes.insert(box_id, inbound.clone());
        Some(inbound)
    }

    fn tell_all(&mut self, event: &LinkEvent) {
        for (box_id, inbound) in &self.boxes {
            if let Err(mpsc::error::TrySendError::Full(_)) = inbound.try_send(event.clone()) {
                // The replication finds out by its own timers.
                tracing::warn!(%box_id, "a box's replication is behind and was not told of the connection");
            }
        }
    }

    /// Ends what belongs to boxes that may not speak any more.
    fn sweep(&mut self) {
        let (admitted, links) = (&self.common.admitted, &self.common.links);
        self.boxes.retain(|box_id, _| {
            let stays = admitted.find(box_id).is_some();
            if !stays {
                links.remove(box_id);
            }
            stays
        });
    }

    /// Writes down when boxes were last heard, so that a restart knows an age.
    async fn note_contacts(&mut self) {
        let (now, stamp) = (self.common.clock.elapsed(), self.common.clock.stamp());
        let mut news = Vec::new();
        for (box_id, status) in self.common.links.all() {
            let Some(heard) = status.last_message else { continue };
            if self.noted.insert(box_id, heard) != Some(heard) {
                let age = i64::try_from(now.since(heard).as_millis()).unwrap_or(i64::MAX);
                news.push((box_id, Stamp(stamp.0.saturating_sub(age))));
            }
        }
        if news.is_empty() {
            return;
        }
        let noted = self.common.store.commit::<_, StoreError>(move |connection| {
            news.iter().try_for_each(|(box_id, at)| boxes::contact(connection, *box_id, *at))
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "contacts could not be written down");
        }
    }
}

/// Publishes what a box's replication says.
struct Down {
    link: LinkSender,
    topic: String,
}

impl Carrier for Down {
    async fn carry(&self, batch: Vec<u8>) -> bool {
        match self.link.publish(&self.topic, batch).await {
            Ok(()) => true,
            Err(Unsent::Down) => false,
            Err(Unsent::TooLarge) => {
                tracing::error!("a batch larger than a packet was made and dropped");
                false
            }
        }
    }
}
