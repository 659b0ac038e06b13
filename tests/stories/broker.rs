//! A stolen box tries the broker with its real key, and strangers try it without (invariant 7).

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use hyper::Method;
use preau::coordinator::{Address, Coordinator};
use preau_cloud::{Config, Running};
use preau_edge::EdgeCommand;
use preau_shared::{ids::Uai, rig::tls, wire::ClaimGrant};
use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// A coordinator with two schools; the box of the first is claimed.
struct World {
    running: Running,
    api: Coordinator,
    mqtt: SocketAddr,
    ca: String,
    stolen: Stolen,
    _dir: tempfile::TempDir,
}

/// What a thief finds on a box.
struct Stolen {
    grant: ClaimGrant,
    key: String,
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port")
}

impl World {
    async fn new() -> Self {
        tls::install_provider();
        let dir = tempfile::tempdir().expect("dir");
        let home = dir.path().join("cloud");
        let config = Config {
            territory: "belfort".into(),
            listen: free(),
            mqtt: free(),
            admin: free(),
            keep_alive_s: 4,
            ..Config::default()
        };
        let (listen, mqtt) = (config.listen, config.mqtt);
        let running = Running::start(config, &home).await.expect("coordinator");
        let ca_file = home.join("ca.pem");
        let address = Address {
            url: format!("https://{listen}"),
            ca_file: ca_file.clone(),
            token_file: home.join("admin/token"),
        };
        let api = Coordinator::open(&address).expect("api");
        for (uai, name) in [("0400740M", "Jean Moulin"), ("0310047H", "Louis Pergaud")] {
            api.add_school(&uai.parse::<Uai>().expect("uai"), name, None).await.expect("school");
        }
        let code = api.issue_box(&"0400740M".parse().expect("uai"), true).await.expect("code");
        let stolen = claim(dir.path().join("box"), code, address.url.clone(), ca_file.clone()).await;
        let ca = std::fs::read_to_string(ca_file).expect("ca");
        Self { running, api, mqtt, ca, stolen, _dir: dir }
    }

    /// Connects as `client_id`, with the stolen certificate or none.
    async fn connect(&self, client_id: &str, with_certificate: bool) -> Result<(AsyncClient, EventLoop), String> {
        self.connect_with(client_id, with_certificate, |_| {}).await
    }

    /// Connects in a manner of one's own.
    async fn connect_with(
        &self,
        client_id: &str,
        with_certificate: bool,
        manner: impl FnOnce(&mut MqttOptions),
    ) -> Result<(AsyncClient, EventLoop), String> {
        let identity = tls::Identity { certificate: &self.stolen.grant.mqtt_certificate, key: &self.stolen.key };
        let tls = tls::client(&self.ca, with_certificate.then_some(identity)).expect("tls");
        let mut options = MqttOptions::new(client_id, self.mqtt.ip().to_string(), self.mqtt.port());
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(tls))));
        options.set_max_packet_size(4 << 20, 4 << 20);
        manner(&mut options);
        let (client, mut socket) = AsyncClient::new(options, 10);
        match timeout(PATIENCE, socket.poll()).await.expect("in time") {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Ok((client, socket)),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn name(&self) -> String {
        self.stolen.grant.box_id.to_string()
    }

    fn topic(&self, uai: &str, direction: &str) -> String {
        format!("preau/1/belfort/{uai}/{}/{direction}", self.name())
    }
}

async fn claim(home: PathBuf, code: String, cloud: String, ca_file: PathBuf) -> Stolen {
    let dir = home.clone();
    let claimed = tokio::task::spawn_blocking(move || {
        preau_edge::run(EdgeCommand::Claim(preau_edge::Claim { code, dir, cloud, ca_file }))
    });
    assert_eq!(format!("{:?}", claimed.await.expect("claim")), format!("{:?}", ExitCode::SUCCESS));
    let read = |name: &str| std::fs::read_to_string(Path::new(&home).join("identity").join(name)).expect(name);
    Stolen { grant: serde_json::from_str(&read("grant.json")).expect("grant"), key: read("mqtt.key") }
}

/// Until the broker hangs up, or the subscription is answered.
async fn fate(socket: &mut EventLoop) -> Result<Vec<SubscribeReasonCode>, String> {
    loop {
        match timeout(PATIENCE, socket.poll()).await.expect("in time") {
            Ok(Event::Incoming(Packet::SubAck(ack))) => return Ok(ack.return_codes),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_box_reaches_its_own_topics_and_nothing_else() {
    let world = World::new().await;

    let anonymous = world.connect(&world.name(), false).await;
    assert!(anonymous.is_err_and(|why| why.contains("alert") || why.contains("closed")), "no certificate, no word");

    let renamed = world.connect("0123456789abcdef0123456789abcdef", true).await;
    assert!(renamed.is_err_and(|why| why.contains("NotAuthorized")), "another client id than its certificate's name");

    let (client, mut socket) = world.connect(&world.name(), true).await.expect("its own name");
    for filter in ["#", "preau/1/belfort/+/+/up", &world.topic("0310047H", "down"), &world.topic("0400740M", "up")] {
        client.subscribe(filter, QoS::AtLeastOnce).await.expect("asked");
        assert_eq!(fate(&mut socket).await, Ok(vec![SubscribeReasonCode::Failure]), "{filter}");
    }
    client.subscribe(world.topic("0400740M", "down"), QoS::AtLeastOnce).await.expect("asked");
    assert_eq!(fate(&mut socket).await, Ok(vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)]));

    client.publish(world.topic("0310047H", "up"), QoS::AtLeastOnce, false, "x").await.expect("handed over");
    assert!(fate(&mut socket).await.is_err(), "writing to another school ends the connection");

    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_kept_or_is_too_much_is_refused() {
    let world = World::new().await;
    let (name, up) = (world.name(), world.topic("0400740M", "up"));

    type Manner = fn(&mut MqttOptions);
    let manners: [(&str, Manner); 3] = [
        ("a session over a break", |options| _ = options.set_clean_session(false)),
        ("a message for its death", |options| {
            let will = LastWill::new("preau/1/belfort/x/y/up", "x", QoS::AtLeastOnce, false);
            options.set_last_will(will);
        }),
        ("no keep-alive", |options| _ = options.set_keep_alive(Duration::ZERO)),
    ];
    for (what, manner) in manners {
        assert!(world.connect_with(&name, true, manner).await.is_err(), "{what}");
    }

    for (what, qos, retain, bytes) in [
        ("kept for later subscribers", QoS::AtLeastOnce, true, 1),
        ("larger than a packet may be", QoS::AtLeastOnce, false, 3 << 19),
    ] {
        let (client, mut socket) = world.connect(&name, true).await.expect("its own name");
        client.publish(&up, qos, retain, vec![0; bytes]).await.expect("handed over");
        assert!(fate(&mut socket).await.is_err(), "{what}");
    }
    world.running.stop().await;
}

/// The DSI revokes a stolen box while it is connected: it is out within seconds and does not come in again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_box_is_cut_in_the_middle_of_its_connection() {
    let world = World::new().await;
    let (client, mut socket) = world.connect(&world.name(), true).await.expect("its own name");
    client.subscribe(world.topic("0400740M", "down"), QoS::AtLeastOnce).await.expect("asked");
    assert_eq!(fate(&mut socket).await, Ok(vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)]));
    let path = format!("/api/v1/boxes/{}/revoke", world.name());
    world.api.call(Method::POST, &path, "application/json", None).await.expect("revoked");
    assert!(fate(&mut socket).await.is_err(), "its open connection ends without a word of its own");
    let again = world.connect(&world.name(), true).await;
    assert!(again.is_err_and(|why| why.contains("NotAuthorized")), "and it does not come back");
    world.running.stop().await;
}
