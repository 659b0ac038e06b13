//! Two boxes and some strangers, over real TLS on loopback.

use std::collections::BTreeSet;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{dice::Seeded, rig::serve::bind};

const SCHOOL: &str = "tilleuls.box.belfort.example";
const OTHER: &[u8] = b"preau-other/1";
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than anything takes here, shorter than patience.
const SILENCE: Duration = Duration::from_secs(5);

fn id(n: u8) -> BoxId {
    BoxId::from_bytes([n; 16])
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, PEM.
struct Papers(String, String);

impl Papers {
    fn identity(&self) -> tls::Identity<'_> {
        tls::Identity { certificate: &self.0, key: &self.1 }
    }
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("authority") }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Papers {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), SCHOOL.to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("key");
        Papers(params.signed_by(&key, &self.issuer).expect("certificate").pem(), key.serialize_pem())
    }

    fn lan(&self, n: u8) -> Papers {
        self.issue(&id(n).to_string(), ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn mqtt(&self, n: u8) -> Papers {
        self.issue(&id(n).to_string(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn guest(&self, papers: &Papers) -> Visit {
        Visit {
            tls: Arc::new(tls::guest(papers.identity(), &self.pem(), PROTOCOL).expect("guest")),
            host: tls::host_name(&self.lan(9).0).expect("host"),
            connect_timeout: PATIENCE,
            retry_cap: Duration::from_millis(50),
            silence: SILENCE,
        }
    }
}

/// The box 2, which knows some others.
struct Door {
    at: SocketAddr,
    visitors: mpsc::Receiver<door::Visitor>,
    tasks: Tasks,
}

impl Door {
    fn open(authority: &Authority, known: &[u8]) -> Self {
        tls::install_provider();
        let listener = bind("other boxes", SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let at = listener.local_addr().expect("address");
        let known: BTreeSet<BoxId> = known.iter().copied().map(id).collect();
        let (say, visitors) = mpsc::channel(4);
        let config = tls::host(authority.lan(2).identity(), &authority.pem(), &[PROTOCOL, OTHER]).expect("host");
        let tasks = Tasks::default();
        let knows: door::Knows = Arc::new(move |id| known.contains(id));
        door::open(listener, Arc::new(config), knows, say, &tasks).expect("open");
        Self { at, visitors, tasks }
    }

    async fn next(&mut self) -> door::Visitor {
        timeout(PATIENCE, self.visitors.recv()).await.expect("in time").expect("a visitor")
    }

    /// Whether this guest is let in: what a guest reads tells it, for the door closes on the others.
    async fn lets_in(&mut self, visit: &Visit) -> bool {
        let Ok(mut stream) = reach(id(2), visit, self.at).await else { return false };
        tokio::select! {
            _ = stream.read_u8() => false,
            (_, contact) = self.next() => { drop(contact); true }
        }
    }
}

async fn heard(carried: &mut Carried) -> LinkEvent {
    timeout(PATIENCE, carried.inbound.recv()).await.expect("in time").expect("an event")
}

async fn connected(carried: &mut Carried) {
    // Failed tries are told too.
    while heard(carried).await != LinkEvent::Connected {}
}

#[tokio::test]
async fn two_boxes_of_a_school_talk_until_one_is_dropped() {
    let authority = Authority::new();
    let mut door = Door::open(&authority, &[1]);
    let (host, mut at_host) = host(SILENCE, &door.tasks);
    let (guest, mut at_guest) =
        visit(id(2), authority.guest(&authority.mqtt(1)), Arc::new(Seeded::new(1)), &door.tasks);
    guest.told(Some(door.at));
    let (who, contact) = door.next().await;
    assert_eq!(who, id(1));
    host.welcome(contact);
    connected(&mut at_guest).await;
    connected(&mut at_host).await;
    for length in [1, 70_000, crate::replica::batch::MAX_BATCH_BYTES] {
        at_guest.outbound.send(vec![7; length]).await.expect("room");
        assert_eq!(heard(&mut at_host).await, LinkEvent::Message(vec![7; length]));
        at_host.outbound.send(vec![8; length]).await.expect("room");
        assert_eq!(heard(&mut at_guest).await, LinkEvent::Message(vec![8; length]));
    }
    drop(host);
    assert_eq!(timeout(PATIENCE, at_host.inbound.recv()).await.expect("in time"), None, "its driver ends");
    assert_eq!(heard(&mut at_guest).await, LinkEvent::Disconnected);
    drop(guest);
    while let Some(event) = timeout(PATIENCE, at_guest.inbound.recv()).await.expect("in time") {
        assert!(matches!(event, LinkEvent::Connected | LinkEvent::Disconnected), "{event:?}");
    }
    door.tasks.stop();
    door.tasks.ended().await;
}

#[tokio::test]
async fn strangers_and_boxes_of_other_schools_are_not_let_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut door = Door::open(&authority, &[1, 0xab]);
    assert!(door.lets_in(&authority.guest(&authority.mqtt(1))).await, "a sister");
    assert!(door.lets_in(&authority.guest(&authority.mqtt(0xab))).await, "another");
    let forged = Visit {
        tls: Arc::new(tls::guest(other.mqtt(1).identity(), &authority.pem(), PROTOCOL).expect("guest")),
        ..authority.guest(&authority.mqtt(1))
    };
    assert!(!door.lets_in(&forged).await, "her name under another authority");
    assert!(!door.lets_in(&authority.guest(&authority.mqtt(3))).await, "a box of another school");
    assert!(!door.lets_in(&authority.guest(&authority.lan(1))).await, "a certificate for another purpose");
    let shouted = authority.issue(&id(0xab).to_string().to_uppercase(), ExtendedKeyUsagePurpose::ClientAuth);
    assert!(!door.lets_in(&authority.guest(&shouted)).await, "a name that is not written as we write it");
    let spoken = Visit {
        tls: Arc::new(tls::guest(authority.mqtt(1).identity(), &authority.pem(), b"h2").expect("guest")),
        ..authority.guest(&authority.mqtt(1))
    };
    assert!(!door.lets_in(&spoken).await, "another protocol");
    let client = Visit {
        tls: Arc::new(tls::client(&authority.pem(), None).expect("client")),
        ..authority.guest(&authority.mqtt(1))
    };
    assert!(!door.lets_in(&client).await, "nobody");
}

#[tokio::test]
async fn a_guest_knows_whom_it_visits() {
    let authority = Authority::new();
    let door = Door::open(&authority, &[1]);
    let guest = authority.guest(&authority.mqtt(1));
    assert!(reach(id(2), &guest, door.at).await.is_ok());
    assert!(reach(id(4), &guest, door.at).await.is_err(), "another box of the school answers");
    let other = Authority::new();
    assert!(reach(id(2), &other.guest(&authority.mqtt(1)), door.at).await.is_err(), "a box of another territory");
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_the_one_that_stands() {
    let authority = Authority::new();
    let mut door = Door::open(&authority, &[1]);
    let (host, mut at_host) = host(SILENCE, &door.tasks);
    let guest = authority.guest(&authority.mqtt(1));
    let mut older = reach(id(2), &guest, door.at).await.expect("connected");
    host.welcome(door.next().await.1);
    assert_eq!(heard(&mut at_host).await, LinkEvent::Connected);
    let mut newer = reach(id(2), &guest, door.at).await.expect("connected");
    host.welcome(door.next().await.1);
    assert_eq!(heard(&mut at_host).await, LinkEvent::Disconnected);
    assert_eq!(heard(&mut at_host).await, LinkEvent::Connected);
    assert!(timeout(PATIENCE, older.read_u8()).await.expect("in time").is_err(), "the older one is closed");
    frame::write(&mut newer, b"here").await.expect("written");
    assert_eq!(heard(&mut at_host).await, LinkEvent::Message(b"here".to_vec()));
}

#[tokio::test]
async fn an_oversize_frame_and_silence_end_a_connection() {
    let authority = Authority::new();
    let mut door = Door::open(&authority, &[1]);
    let (host, mut at_host) = host(Duration::from_millis(300), &door.tasks);
    let guest = authority.guest(&authority.mqtt(1));
    let mut stream = reach(id(2), &guest, door.at).await.expect("connected");
    host.welcome(door.next().await.1);
    connected(&mut at_host).await;
    stream.write_u32(u32::MAX).await.expect("written");
    stream.flush().await.expect("flushed");
    assert_eq!(heard(&mut at_host).await, LinkEvent::Disconnected);
    let _silent = reach(id(2), &guest, door.at).await.expect("connected");
    host.welcome(door.next().await.1);
    assert_eq!(heard(&mut at_host).await, LinkEvent::Connected);
    assert_eq!(heard(&mut at_host).await, LinkEvent::Disconnected);
}

/// Somebody who only connects, from an address of this machine.
async fn idles(at: SocketAddr, from: u8) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("socket");
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).expect("an address");
    socket.connect(at).await.expect("connected")
}

#[tokio::test]
async fn no_more_connections_than_the_limits() {
    let authority = Authority::new();
    let mut door = Door::open(&authority, &[1]);
    let closed = async |mut stream: TcpStream| {
        let end = timeout(PATIENCE, stream.read_u8()).await;
        assert!(end.expect("at once, not after a handshake's time").is_err());
    };
    let mut idle = Vec::new();
    for _ in 0..door::MAX_OF_ONE_ADDRESS {
        idle.push(idles(door.at, 2).await);
    }
    closed(idles(door.at, 2).await).await;
    let guest = authority.guest(&authority.mqtt(1));
    assert!(door.lets_in(&guest).await, "others still come in");
    for from in (3..).flat_map(|from| [from; door::MAX_OF_ONE_ADDRESS]) {
        if idle.len() == door::MAX_CONNECTIONS {
            break;
        }
        idle.push(idles(door.at, from).await);
    }
    closed(idles(door.at, 1).await).await;
    drop(idle);
    // The places become free as soon as their ends are seen.
    timeout(PATIENCE, async { while !door.lets_in(&guest).await {} }).await.expect("room again");
}
