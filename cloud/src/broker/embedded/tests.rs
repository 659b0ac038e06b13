use std::{sync::Arc, time::Duration};

use preau_shared::{
    dice::{Dice, Seeded},
    ids::Uai,
    keys::PublicKey,
    rig::{
        clock::SystemClock,
        link::{Link, LinkConfig, LinkEvent, LinkSender},
        tls,
    },
    time::Clock as _,
};
use rcgen::{CertificateParams, KeyPair};
use tokio::{sync::mpsc, time::timeout};

use super::*;
use crate::broker::rights::{Admitted, Member};

const SOON: Duration = Duration::from_secs(10);

fn id(n: u8) -> BoxId {
    BoxId::from_bytes([n; 16])
}

/// A broker with two schools of one box each.
struct World {
    authority: Authority,
    broker: Broker,
    admitted: Admitted,
    tasks: Tasks,
    dice: Arc<dyn Dice>,
    _dir: tempfile::TempDir,
}

type Ends = (LinkSender, mpsc::Receiver<LinkEvent>);

impl World {
    async fn new() -> Self {
        tls::install_provider();
        let dir = tempfile::tempdir().expect("dir");
        let dice: Arc<dyn Dice> = Arc::new(Seeded::new(3));
        let clock = SystemClock::start();
        let authority = Authority::open(dir.path(), "belfort", &[], &clock, &*dice).expect("authority");
        let admitted = Admitted::default();
        for (n, uai) in [(1, "0900001A"), (2, "0900002B")] {
            let uai: Uai = uai.parse().expect("uai");
            admitted.admit(id(n), Member { uai, signing_key: PublicKey([n; 32]) });
        }
        let known = admitted.clone();
        let rights = Rights {
            territory: "belfort".into(),
            coordinator: authority.coordinator_id,
            school_of: Arc::new(move |b| known.find(b).map(|m| m.uai)),
        };
        let tasks = Tasks::default();
        let broker = Broker::start(([127, 0, 0, 1], 0).into(), &authority, rights, &tasks).await.expect("broker");
        Self { authority, broker, admitted, tasks, dice, _dir: dir }
    }

    /// A box's certificate and key.
    fn identity(&self, n: u8) -> (String, String) {
        let key = KeyPair::generate().expect("key");
        let request = CertificateParams::default().serialize_request(&key).expect("request").pem().expect("pem");
        let issued = self.authority.issue_mqtt(&request, id(n), SystemClock::start().stamp(), &*self.dice);
        (issued.expect("issued").chain, key.serialize_pem())
    }

    fn connect(&self, identity: (String, String), client_id: BoxId, port: u16, topics: &[&str]) -> Ends {
        self.connect_with(identity, client_id, port, topics, Duration::from_secs(4))
    }

    fn connect_with(
        &self,
        identity: (String, String),
        client_id: BoxId,
        port: u16,
        topics: &[&str],
        keep_alive: Duration,
    ) -> Ends {
        let config = LinkConfig {
            host: "127.0.0.1".into(),
            port,
            client_id: client_id.to_string(),
            ca: self.authority.root.clone(),
            identity,
            keep_alive,
            connect_timeout: Duration::from_secs(5),
            retry_cap: Duration::from_secs(30),
            subscribe: topics.iter().map(|t| (*t).to_owned()).collect(),
        };
        Link::start(config, self.dice.clone(), &self.tasks).expect("link")
    }

    fn coordinator(&self) -> Ends {
        let client = &self.authority.client;
        let identity = (client.chain.clone(), client.key.clone());
        let port = self.broker.inner.port();
        self.connect(identity, self.authority.coordinator_id, port, &["preau/1/belfort/+/+/up"])
    }

    fn box_one(&self, topics: &[&str]) -> Ends {
        self.connect(self.identity(1), id(1), self.broker.address.port(), topics)
    }
}

async fn next(events: &mut mpsc::Receiver<LinkEvent>) -> LinkEvent {
    timeout(SOON, events.recv()).await.expect("in time").expect("event")
}

async fn why_not(mut ends: Ends) -> String {
    match next(&mut ends.1).await {
        LinkEvent::Disconnected { why } => why,
        other @ (LinkEvent::Connected | LinkEvent::Message { .. }) => panic!("{other:?}"),
    }
}

fn topic(uai: &str, n: u8, direction: &str) -> String {
    format!("preau/1/belfort/{uai}/{}/{direction}", id(n))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn box_and_coordinator_talk_on_the_boxs_own_topics() {
    let world = World::new().await;
    let (to_boxes, mut from_boxes) = world.coordinator();
    let down = topic("0900001A", 1, "down");
    let (up, mut heard) = world.box_one(&[&down]);
    assert_eq!(next(&mut from_boxes).await, LinkEvent::Connected);
    assert_eq!(next(&mut heard).await, LinkEvent::Connected);
    let large = vec![7; 512 * 1024];
    up.publish(&topic("0900001A", 1, "up"), large.clone()).await.expect("sent");
    assert_eq!(
        next(&mut from_boxes).await,
        LinkEvent::Message { topic: topic("0900001A", 1, "up"), payload: large.clone() }
    );
    to_boxes.publish(&down, large.clone()).await.expect("sent");
    assert_eq!(next(&mut heard).await, LinkEvent::Message { topic: down, payload: large });
    world.tasks.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_writes_to_another_school_is_cut_and_not_heard() {
    let world = World::new().await;
    let (_to_boxes, mut from_boxes) = world.coordinator();
    assert_eq!(next(&mut from_boxes).await, LinkEvent::Connected);
    for foreign in [topic("0900002B", 2, "up"), topic("0900002B", 1, "up"), topic("0900002B", 2, "down")] {
        let (up, mut heard) = world.box_one(&[&topic("0900001A", 1, "down")]);
        assert_eq!(next(&mut heard).await, LinkEvent::Connected);
        up.publish(&foreign, vec![1]).await.expect("handed over");
        assert!(matches!(next(&mut heard).await, LinkEvent::Disconnected { .. }), "{foreign}");
    }
    let nothing = timeout(Duration::from_millis(300), from_boxes.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    world.tasks.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wildcards_and_foreign_topics_are_not_to_be_heard() {
    let world = World::new().await;
    let foreign = topic("0900002B", 2, "down");
    for filter in ["#", "preau/1/belfort/#", "preau/1/+/+/+/down", "$SYS/#", &foreign] {
        assert!(why_not(world.box_one(&[filter])).await.contains("refuses our topics"), "{filter}");
    }
    world.tasks.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_certificate_of_ours_under_its_own_name_connects() {
    let world = World::new().await;
    let port = world.broker.address.port();
    let borrowed = why_not(world.connect(world.identity(1), id(2), port, &[])).await;
    assert!(borrowed.contains("NotAuthorized"), "{borrowed}");
    let unknown = why_not(world.connect(world.identity(3), id(3), port, &[])).await;
    assert!(unknown.contains("NotAuthorized"), "{unknown}");
    let other = tempfile::tempdir().expect("dir");
    let other = Authority::open(other.path(), "belfort", &[], &SystemClock::start(), &Seeded::new(9)).expect("other");
    let foreign = (other.client.chain.clone(), other.client.key.clone());
    let foreign = why_not(world.connect(foreign, other.coordinator_id, port, &[])).await;
    assert!(foreign.contains("alert"), "{foreign}");
    // A server's certificate is of our authority and no client's.
    let server = (world.authority.server.chain.clone(), world.authority.server.key.clone());
    let server = why_not(world.connect(server, id(1), port, &[])).await;
    assert!(server.contains("alert"), "{server}");
    world.tasks.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_box_is_cut_and_does_not_return() {
    let world = World::new().await;
    let (_up, mut heard) = world.box_one(&[&topic("0900001A", 1, "down")]);
    assert_eq!(next(&mut heard).await, LinkEvent::Connected);
    world.admitted.revoke(id(1));
    world.broker.cut(id(1)).await;
    assert!(matches!(next(&mut heard).await, LinkEvent::Disconnected { .. }));
    match next(&mut heard).await {
        LinkEvent::Disconnected { why } => assert!(why.contains("NotAuthorized"), "{why}"),
        other @ (LinkEvent::Connected | LinkEvent::Message { .. }) => panic!("{other:?}"),
    }
    world.tasks.stop();
}

/// Passes bytes between a box and the broker while `open`; then swallows them, and nothing is closed.
async fn wan(to: SocketAddr, open: tokio::sync::watch::Receiver<bool>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = tokio::net::TcpStream::connect(to).await.expect("broker");
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near_in, far_out, open.clone()));
            tokio::spawn(pass(far_in, near_out, open.clone()));
        }
    });
    port
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    open: tokio::sync::watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passes = *open.borrow();
        if passes && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_is_noticed_within_one_and_a_half_keep_alives() {
    let world = World::new().await;
    let (gate, open) = tokio::sync::watch::channel(true);
    let port = wan(world.broker.address, open).await;
    let keep_alive = Duration::from_secs(2);
    let down = topic("0900001A", 1, "down");
    let (up, mut heard) = world.connect_with(world.identity(1), id(1), port, &[&down], keep_alive);
    assert_eq!(next(&mut heard).await, LinkEvent::Connected);
    let idle = timeout(keep_alive * 2, heard.recv()).await;
    assert!(idle.is_err(), "an idle connection stands: {idle:?}");
    gate.send_replace(false);
    let noticed = timeout(keep_alive.mul_f64(1.5), heard.recv()).await.expect("in time").expect("event");
    assert!(matches!(noticed, LinkEvent::Disconnected { .. }), "{noticed:?}");
    assert!(!up.is_up());
    assert_eq!(up.publish(&down, vec![1]).await, Err(preau_shared::rig::link::Unsent::Down));
    gate.send_replace(true);
    while next(&mut heard).await != LinkEvent::Connected {}
    world.tasks.stop();
}
