//! The MQTT 3.1.1 client of both ends: mutual TLS, QoS 1, clean sessions, and a return with full jitter.
//!
//! It only carries. Nothing is kept over a break: a message that cannot leave is handed back to its sender, and the
//! replication core sends again what was not acknowledged *by the other core* (a PUBACK is durability in no broker).
//! Every queue here is bounded. The socket is polled by its own task, which never waits for those who apply messages
//! longer than [`LAG`]: a receiver slower than that ends the connection, and the cores settle again at the return.

use std::{sync::Arc, time::Duration};

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, Request, Subscribe,
    SubscribeFilter, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    task::{Stop, Tasks},
    tls::{self, TlsError},
};
use crate::{dice::Dice, wire::MAX_PACKET_BYTES};

/// Messages that wait for whoever applies them.
pub const MAX_WAITING_MESSAGES: usize = 64;
/// Messages that wait for the socket.
pub const MAX_LEAVING_MESSAGES: usize = 8;
/// Messages on their way without a PUBACK.
pub const MAX_INFLIGHT: u16 = 16;
/// Largest payload: a packet less its header and topic.
pub const MAX_PAYLOAD_BYTES: usize = MAX_PACKET_BYTES - 1024;
/// So long the socket's task waits for a receiver whose queue is full.
pub const LAG: Duration = Duration::from_secs(1);
/// Topics in one SUBSCRIBE.
const TOPICS_A_PACKET: usize = 500;
/// The first return comes within so long; each failed one doubles it, up to the cap.
pub const FIRST_RETRY: Duration = Duration::from_millis(500);

/// How to reach the broker and who we are.
#[derive(Clone)]
pub struct LinkConfig {
    /// Name or address; also what the broker's certificate must say.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Equal to the name in our certificate.
    pub client_id: String,
    /// PEM of the authority to trust, and of no other.
    pub ca: String,
    /// PEM chain and PKCS#8 PEM key of our certificate.
    pub identity: (String, String),
    /// A silent connection is given up before 1.5 times this has passed. Two seconds at least.
    pub keep_alive: Duration,
    /// TCP, TLS, CONNECT and SUBSCRIBE together may take so long.
    pub connect_timeout: Duration,
    /// Longest wait before a return.
    pub retry_cap: Duration,
    /// Topics to hear, without wildcards for a box.
    pub subscribe: Vec<String>,
}

impl std::fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkConfig({} at {}:{})", self.client_id, self.host, self.port)
    }
}

/// What the link tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// Connected and subscribed.
    Connected,
    /// Not, or no longer, connected; a return follows by itself.
    Disconnected {
        /// For the log and the status page.
        why: String,
    },
    /// A message.
    Message {
        /// Where it was published.
        topic: String,
        /// Its bytes, [`MAX_PACKET_BYTES`] at most.
        payload: Vec<u8>,
    },
}

/// Why a message did not leave. It is not kept: send again after [`LinkEvent::Connected`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// There is no connection now.
    #[error("not connected")]
    Down,
    /// Larger than [`MAX_PAYLOAD_BYTES`]; it will never leave.
    #[error("larger than a packet may be")]
    TooLarge,
}

/// Publishes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LinkSender {
    client: AsyncClient,
    up: watch::Receiver<bool>,
}

impl LinkSender {
    /// Hands a message to the socket, waiting for room while the connection stands. QoS 1, not retained.
    ///
    /// # Errors
    /// [`Unsent`]; the message is then nowhere.
    pub async fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), Unsent> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Unsent::TooLarge);
        }
        let mut up = self.up.clone();
        if !*up.borrow_and_update() {
            return Err(Unsent::Down);
        }
        tokio::select! {
            sent = self.client.publish(topic, QoS::AtLeastOnce, false, payload) => sent.map_err(|_| Unsent::Down),
            // Any change, even down and up again, means that the old connection is gone.
            _ = up.changed() => Err(Unsent::Down),
        }
    }

    /// Hears more topics while this connection stands; the next one hears [`LinkConfig::subscribe`] only. What is
    /// published after this has returned is said after the topics are heard.
    ///
    /// # Errors
    /// [`Unsent::Down`] when there is no connection.
    pub async fn hear(&self, topics: Vec<String>) -> Result<(), Unsent> {
        for some in topics.chunks(TOPICS_A_PACKET) {
            let filters = some.iter().map(|topic| SubscribeFilter::new(topic.clone(), QoS::AtLeastOnce));
            self.client.subscribe_many(filters).await.map_err(|_| Unsent::Down)?;
        }
        Ok(())
    }

    /// Hears these topics no more.
    ///
    /// # Errors
    /// [`Unsent::Down`] when there is no connection.
    pub async fn leave(&self, topics: Vec<String>) -> Result<(), Unsent> {
        for topic in topics {
            self.client.unsubscribe(topic).await.map_err(|_| Unsent::Down)?;
        }
        Ok(())
    }

    /// Whether the link stands now.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }
}

/// Starts links.
#[derive(Debug)]
pub struct Link;

impl Link {
    /// Starts the task that connects, and returns after each break until the program stops.
    ///
    /// # Errors
    /// [`TlsError`] when certificates or key cannot be used.
    pub fn start(
        config: LinkConfig,
        dice: Arc<dyn Dice>,
        tasks: &Tasks,
    ) -> Result<(LinkSender, mpsc::Receiver<LinkEvent>), TlsError> {
        let (certificate, key) = (config.identity.0.as_str(), config.identity.1.as_str());
        let tls = tls::client(&config.ca, Some(tls::Identity { certificate, key }))?;
        let (client, socket) = AsyncClient::new(options(&config, tls), MAX_LEAVING_MESSAGES);
        let (up_say, up) = watch::channel(false);
        let (events, receiver) = mpsc::channel(MAX_WAITING_MESSAGES);
        let runner = Runner { socket, events, up: up_say, config, dice };
        let stop = tasks.stopping();
        tasks.spawn("mqtt link", runner.run(stop));
        Ok((LinkSender { client, up }, receiver))
    }
}

fn options(config: &LinkConfig, tls: rustls::ClientConfig) -> MqttOptions {
    let mut options = MqttOptions::new(&config.client_id, &config.host, config.port);
    // The client pings at this interval and gives up at the second unanswered ping: half of the keep-alive, so that a
    // black hole is noticed after one keep-alive and well before 1.5.
    let ping = config.keep_alive.div_f64(2.0).max(Duration::from_secs(1));
    options
        .set_keep_alive(ping)
        .set_clean_session(true)
        .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
        .set_inflight(MAX_INFLIGHT)
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
    options
}

struct Runner {
    socket: EventLoop,
    events: mpsc::Sender<LinkEvent>,
    up: watch::Sender<bool>,
    config: LinkConfig,
    dice: Arc<dyn Dice>,
}

/// How a connection ended.
enum End {
    Broken(String),
    /// Nobody hears the events any more.
    Deaf,
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Runner {
    async fn run(mut self, mut stop: Stop) {
        self.socket.network_options.set_connection_timeout(self.config.connect_timeout.as_secs().max(1));
        self.socket.network_options.set_tcp_nodelay(true);
        let mut failures = 0_u32;
        loop {
            let end = tokio::select! {
                end = self.connection(&mut failures) => end,
                () = stop.wait() => break,
            };
            self.up.send_replace(false);
            // What was on its way belongs to the old connection; the cores will say again what matters.
            self.socket.clean();
            self.socket.pending.clear();
            let End::Broken(why) = end else { break };
            if self.events.send(LinkEvent::Disconnected { why }).await.is_err() {
                break;
            }
            tokio::select! {
                () = sleep(pause(&*self.dice, failures, self.config.retry_cap)) => failures = failures.saturating_add(1),
                () = stop.wait() => break,
            }
        }
        self.up.send_replace(false);
    }

    /// One life of the connection.
    async fn connection(&mut self, failures: &mut u32) -> End {
        match timeout(self.config.connect_timeout, self.establish()).await {
            Ok(Ok(())) => {}
            Ok(Err(end)) => return end,
            Err(_) => return End::Broken("no connection in time".into()),
        }
        *failures = 0;
        self.up.send_replace(true);
        if self.events.send(LinkEvent::Connected).await.is_err() {
            return End::Deaf;
        }
        loop {
            let event = match self.socket.poll().await {
                Ok(event) => event,
                Err(error) => return error.into(),
            };
            if let Err(end) = pass_on(&self.events, event).await {
                return end;
            }
        }
    }

    /// Until the subscription is confirmed, so that an answer to our first word cannot be missed.
    async fn establish(&mut self) -> Result<(), End> {
        loop {
            match self.socket.poll().await? {
                Event::Incoming(Packet::ConnAck(_)) => {
                    let wanted = self.config.subscribe.iter();
                    let filters: Vec<_> = wanted.map(|t| SubscribeFilter::new(t.clone(), QoS::AtLeastOnce)).collect();
                    if filters.is_empty() {
                        return Ok(());
                    }
                    self.socket.pending.push_back(Request::Subscribe(Subscribe::new_many(filters)));
                }
                Event::Incoming(Packet::SubAck(ack)) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Err(End::Broken("the broker refuses our topics".into()));
                    }
                    return Ok(());
                }
                other @ (Event::Incoming(_) | Event::Outgoing(_)) => pass_on(&self.events, other).await?,
            }
        }
    }
}

/// Full jitter: anywhere between nothing and the doubled time, so that boxes do not return together.
pub(super) fn pause(dice: &dyn Dice, failures: u32, cap: Duration) -> Duration {
    let longest = FIRST_RETRY.saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(1)).min(cap);
    let bound = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(dice.below(bound))
}

async fn pass_on(events: &mpsc::Sender<LinkEvent>, event: Event) -> Result<(), End> {
    let message = match event {
        Event::Incoming(Packet::Publish(message)) => message,
        Event::Outgoing(Outgoing::Disconnect) => return Err(End::Broken("we hung up".into())),
        Event::Incoming(_) | Event::Outgoing(_) => return Ok(()),
    };
    let message = LinkEvent::Message { topic: message.topic, payload: message.payload.to_vec() };
    match timeout(LAG, events.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Deaf),
        Err(_) => Err(End::Broken("messages came faster than they could be applied".into())),
    }
}
