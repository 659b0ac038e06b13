//! Carries batches between the MQTT link and the replica driver: topics on one side, bytes on the other.

use preau_shared::{
    rig::{
        link::{self, LinkSender},
        replicate::LinkEvent,
        task::Tasks,
    },
    wire::{Direction, Topic},
};
use tokio::sync::mpsc;

/// Batches that may wait in each direction; the driver sends again what finds no room.
const MAX_WAITING: usize = 16;

/// The two ends of the driver's channels.
pub(crate) struct Carried {
    /// What the driver hears.
    pub(crate) inbound: mpsc::Receiver<LinkEvent>,
    /// What the driver says.
    pub(crate) outbound: mpsc::Sender<Vec<u8>>,
}

/// Starts the two tasks that carry: `down` is the only topic heard, `up` the only one spoken to.
pub(crate) fn carry(up: &Topic, link: LinkSender, events: mpsc::Receiver<link::LinkEvent>, tasks: &Tasks) -> Carried {
    let (say, inbound) = mpsc::channel(MAX_WAITING);
    let (outbound, said) = mpsc::channel(MAX_WAITING);
    let down = Topic { direction: Direction::Down, ..up.clone() }.to_string();
    tasks.spawn("batches down", hear(down, events, say));
    tasks.spawn("batches up", speak(up.to_string(), link, said));
    Carried { inbound, outbound }
}

async fn hear(down: String, mut events: mpsc::Receiver<link::LinkEvent>, say: mpsc::Sender<LinkEvent>) {
    while let Some(event) = events.recv().await {
        let event = match event {
            link::LinkEvent::Connected => LinkEvent::Connected,
            link::LinkEvent::Disconnected { why } => {
                tracing::debug!(%why, "the coordinator is out of reach");
                LinkEvent::Disconnected
            }
            link::LinkEvent::Message { topic, payload } if topic == down => LinkEvent::Message(payload),
            link::LinkEvent::Message { .. } => continue,
        };
        if say.send(event).await.is_err() {
            return;
        }
    }
}

async fn speak(up: String, link: LinkSender, mut said: mpsc::Receiver<Vec<u8>>) {
    while let Some(batch) = said.recv().await {
        // What does not leave is sent again by the peer when contact is back.
        if let Err(why) = link.publish(&up, batch).await {
            tracing::debug!(%why, "a batch did not leave");
        }
    }
}
