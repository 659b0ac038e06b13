//! The same territory over somebody else's broker: Mosquitto with the configuration that `preau` writes (invariants 1, 6, 7).

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use preau_shared::{ids::BoxId, rig::tls, wire::ClaimGrant};
use preau_tests::{
    mosquitto::{Cloud, Mosquitto, SchoolBox, free, until},
    tablet::Tablet,
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::time::timeout;

const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
const PATIENCE: Duration = Duration::from_secs(30);
const SIGN_INS: usize = 6;

/// A coordinator, its Mosquitto and the claimed boxes of two schools; nothing serves yet but the first two.
struct Territory {
    cloud: Cloud,
    broker: Mosquitto,
    schools: Vec<SchoolBox>,
    dir: tempfile::TempDir,
}

impl Territory {
    async fn new() -> Result<Self> {
        tls::install_provider();
        let dir = tempfile::tempdir()?;
        let (home, address) = (dir.path().join("cloud"), free()?);
        let cloud = Cloud::start(PREAU, &home, address).await?;
        let broker = Mosquitto::start(PREAU, &home, address).await?;
        let mut schools = Vec::new();
        for n in 0..2 {
            schools.push(cloud.claim(n, &dir.path().join(format!("box{n}"))).await?);
        }
        Ok(Self { cloud, broker, schools, dir })
    }
}

/// Pupils come and go.
async fn lessons(tablet: &mut Tablet, school: &SchoolBox, times: usize) -> Result<()> {
    for badge in school.badges.iter().take(times) {
        let session = tablet.show(&badge.payload).await?.map_err(anyhow::Error::msg)?;
        tablet.leave(&session).await?;
    }
    Ok(())
}

/// Tuesday morning at Jean Moulin: the broker is killed in the middle of the lessons, and the coordinator after it.
/// Nobody at the school notices; at the end everything is there, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_school_replicates_through_mosquitto_whatever_dies() -> Result<()> {
    let mut world = Territory::new().await?;
    let (cloud, school) = (&mut world.cloud, &mut world.schools[0]);
    cloud.open(school).await?;
    let ca = cloud.home.join("ca.pem");
    let mut tablet = Tablet::enrol(&school.url, &ca, &school.enrolment_code()?, "Tablette 1").await?;
    lessons(&mut tablet, school, SIGN_INS).await?;
    let before = cloud.agrees(school, PATIENCE).await?;

    world.broker.kill().await?;
    let held = cloud.entries(&school.uai).await?;
    lessons(&mut tablet, school, SIGN_INS).await?;
    ensure!(cloud.entries(&school.uai).await? == held, "nothing can have arrived");
    world.broker.restart().await?;
    lessons(&mut tablet, school, SIGN_INS).await?;
    cloud.kill().await?;
    lessons(&mut tablet, school, SIGN_INS).await?;
    cloud.restart().await?;
    let after = cloud.agrees(school, PATIENCE).await?;
    ensure!(after >= before + 9 * SIGN_INS, "{before} entries became {after}: each lesson writes three");
    Ok(())
}

/// The coordinator's sealing key was stolen: the DSI draws another in the middle of a lesson. The box learns it, draws
/// one of its own too, and the stolen one is withdrawn; not one entry is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealing_keys_are_changed_in_the_middle_of_a_lesson() -> Result<()> {
    let mut world = Territory::new().await?;
    let (cloud, school) = (&world.cloud, &mut world.schools[0]);
    cloud.open(school).await?;
    let ca = cloud.home.join("ca.pem");
    let mut tablet = Tablet::enrol(&school.url, &ca, &school.enrolment_code()?, "Tablette 1").await?;
    lessons(&mut tablet, school, 2).await?;
    // The second box was claimed and never came: nothing waits for it once it is revoked.
    let (absent, _) = stolen(&world.schools[1])?;
    let kind = "application/json";
    cloud.api.call(Method::POST, &format!("/api/v1/boxes/{absent}/revoke"), kind, None).await?;
    let asked = Some(br#"{"stolen": true}"#.to_vec());
    cloud.api.call(Method::POST, "/api/v1/seal-keys/rotate", kind, asked).await?;
    let school = &world.schools[0];
    until("the stolen key is withdrawn", PATIENCE, async || {
        lessons(&mut tablet, school, 1).await?;
        let body: serde_json::Value = cloud.api.call(Method::GET, "/api/v1/seal-keys", kind, None).await?.json()?;
        Ok(body["keys"].as_array().is_some_and(|keys| keys.len() == 1 && keys[0]["number"] == 2))
    })
    .await?;
    let file = || std::fs::read_to_string(school.home.join("identity/seal.json"));
    until("the box has a key of its own beside it", PATIENCE, async || Ok(file()?.contains(r#""number":1"#))).await?;
    lessons(&mut tablet, school, 2).await?;
    cloud.agrees(school, PATIENCE).await?;
    ensure!(!cloud.home.join("authority/seal-1.key").exists(), "the stolen key's file is gone");
    Ok(())
}

/// Somebody with an MQTT client and a certificate and key.
struct Client {
    name: String,
    sender: AsyncClient,
    socket: EventLoop,
}

/// What a certificate and its key are.
struct Papers {
    chain: String,
    key: String,
}

impl Client {
    async fn connect(broker: SocketAddr, ca: &Path, papers: Option<&Papers>, name: &str) -> Result<Self> {
        let identity = papers.map(|p| tls::Identity { certificate: &p.chain, key: &p.key });
        let config = tls::client(&std::fs::read_to_string(ca)?, identity)?;
        let mut options = MqttOptions::new(name, broker.ip().to_string(), broker.port());
        options
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
            .set_max_packet_size(4 << 20, 4 << 20);
        let (sender, mut socket) = AsyncClient::new(options, 100);
        loop {
            match timeout(PATIENCE, socket.poll()).await?? {
                Event::Incoming(Packet::ConnAck(_)) => break,
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
        Ok(Self { name: name.to_owned(), sender, socket })
    }

    /// Asks for filters and waits for the answers.
    async fn subscribe(&mut self, filters: &[&str]) -> Result<()> {
        for filter in filters {
            self.sender.subscribe(*filter, QoS::AtLeastOnce).await?;
            while !matches!(self.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
        }
        Ok(())
    }

    /// Publishes and waits for the PUBACK, which says nothing about rights.
    async fn publish(&mut self, topic: &str, payload: &str) -> Result<()> {
        self.sender.publish(topic, QoS::AtLeastOnce, false, payload).await?;
        while !matches!(self.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
        Ok(())
    }

    /// The next message: topic and payload.
    async fn hear(&mut self) -> Result<(String, String)> {
        loop {
            if let Event::Incoming(Packet::Publish(message)) = self.poll().await? {
                return Ok((message.topic, String::from_utf8_lossy(&message.payload).into_owned()));
            }
        }
    }

    async fn poll(&mut self) -> Result<Event> {
        Ok(timeout(PATIENCE, self.socket.poll()).await.with_context(|| format!("{} waits", self.name))??)
    }

    /// Whether the broker hangs up.
    async fn is_cut(&mut self) -> bool {
        let end = async { while self.socket.poll().await.is_ok() {} };
        timeout(PATIENCE, end).await.is_ok()
    }
}

/// What a thief finds on a box.
fn stolen(school: &SchoolBox) -> Result<(BoxId, Papers)> {
    let read = |name: &str| std::fs::read_to_string(school.home.join("identity").join(name));
    let grant: ClaimGrant = serde_json::from_str(&read("grant.json")?)?;
    Ok((grant.box_id, Papers { chain: grant.mqtt_certificate, key: read("mqtt.key")? }))
}

/// The story plays the coordinator, which was stopped before.
async fn play_coordinator(world: &Territory, ca: &Path) -> Result<Client> {
    let read = |name: &str| std::fs::read_to_string(world.cloud.home.join("authority").join(name));
    let papers = Papers { chain: read("mqtt.pem")?, key: read("mqtt.key")? };
    let id = std::fs::read(world.cloud.home.join("authority/coordinator.id"))?;
    let id = BoxId::from_bytes(id.as_slice().try_into()?);
    Client::connect(world.broker.address, ca, Some(&papers), &id.to_string()).await
}

/// A stolen box with its real key: it is heard on its own `up` and hears its own `down`, and that is all. Mosquitto
/// confirms whatever it asks for; what counts is what arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_box_reaches_its_own_topics_and_nothing_else() -> Result<()> {
    let mut world = Territory::new().await?;
    world.cloud.kill().await?;
    let (broker, ca) = (world.broker.address, world.cloud.home.join("ca.pem"));
    let ((thief, papers), (other, others)) = (stolen(&world.schools[0])?, stolen(&world.schools[1])?);
    let of = |uai: &str, id: BoxId, direction: &str| format!("preau/1/belfort/{uai}/{id}/{direction}");
    let (here, there) = (world.schools[0].uai.to_string(), world.schools[1].uai.to_string());

    ensure!(Client::connect(broker, &ca, None, &thief.to_string()).await.is_err(), "no certificate, no word");

    let mut cloud = play_coordinator(&world, &ca).await?;
    cloud.subscribe(&["preau/1/belfort/+/+/up"]).await?;
    let mut victim = Client::connect(broker, &ca, Some(&others), &other.to_string()).await?;
    victim.subscribe(&[&of(&there, other, "down")]).await?;

    // Under the other box's client id: the certificate's name stands for it, so that the other keeps its connection.
    let mut box_a = Client::connect(broker, &ca, Some(&papers), &other.to_string()).await?;
    box_a.subscribe(&["#", "+/+/+/+/+/+", "$SYS/#", &of(&there, other, "down"), &of(&there, other, "up")]).await?;
    for foreign in [
        of(&there, other, "up"),
        of(&here, other, "up"),
        of(&there, other, "down"),
        of(&here, thief, "down"),
        "preau/1/elsewhere/0900001A/0123456789abcdef0123456789abcdef/up".to_owned(),
        "preau/1/belfort".to_owned(),
    ] {
        box_a.publish(&foreign, "foreign").await?;
    }
    box_a.publish(&of(&here, thief, "up"), "own").await?;
    ensure!(cloud.hear().await? == (of(&here, thief, "up"), "own".into()), "the first thing heard of it");
    cloud.publish(&of(&there, other, "down"), "for the other").await?;
    cloud.publish(&of(&here, thief, "down"), "for the thief").await?;
    ensure!(victim.hear().await?.1 == "for the other", "the other heard nothing before, and stands");
    ensure!(box_a.hear().await? == (of(&here, thief, "down"), "for the thief".into()), "nothing else");

    // Retained, too large, and of a quality that is not served.
    for wrong in ["retained", "large", "twice"] {
        let mut box_a = Client::connect(broker, &ca, Some(&papers), &thief.to_string()).await?;
        let (qos, payload) = match wrong {
            "twice" => (QoS::ExactlyOnce, vec![1]),
            "large" => (QoS::AtLeastOnce, vec![1; 3 << 19]),
            _ => (QoS::AtLeastOnce, vec![1]),
        };
        box_a.sender.publish(of(&here, thief, "up"), qos, wrong == "retained", payload).await?;
        ensure!(box_a.is_cut().await, "{wrong}");
    }
    Ok(())
}

/// Thursday: a box is stolen and revoked. The coordinator hears it no more at once; after a reload its open connection
/// is deaf and mute, and it does not come in again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_box_is_out_within_seconds() -> Result<()> {
    let mut world = Territory::new().await?;
    let ca = world.cloud.home.join("ca.pem");
    let mut tablets = Vec::new();
    for school in &mut world.schools {
        world.cloud.open(school).await?;
        tablets.push(Tablet::enrol(&school.url, &ca, &school.enrolment_code()?, "Tablette 1").await?);
        lessons(tablets.last_mut().context("a tablet")?, school, 1).await?;
        world.cloud.agrees(school, PATIENCE).await?;
    }
    let (thief, papers) = stolen(&world.schools[0])?;
    let revoked = world.cloud.entries(&world.schools[0].uai).await?;
    world.cloud.api.call(Method::POST, &format!("/api/v1/boxes/{thief}/revoke"), "application/json", None).await?;

    // Without any reload the box is still connected, and nothing of it is taken any more.
    lessons(&mut tablets[0], &world.schools[0], 2).await?;
    lessons(&mut tablets[1], &world.schools[1], 3).await?;
    world.cloud.agrees(&world.schools[1], PATIENCE).await?;
    ensure!(world.cloud.entries(&world.schools[0].uai).await? == revoked, "the coordinator took from a revoked box");

    // The thief takes the box's place; the story takes the coordinator's.
    world.cloud.kill().await?;
    world.schools[0].program.take().context("it ran")?.kill().await?;
    let broker = world.broker.address;
    let mut open = Client::connect(broker, &ca, Some(&papers), &thief.to_string()).await?;
    let (up, down) = (own(&world, thief, "up"), own(&world, thief, "down"));
    open.subscribe(&[&down]).await?;
    let mut cloud = play_coordinator(&world, &ca).await?;
    cloud.subscribe(&["preau/1/belfort/+/+/up"]).await?;
    world.schools[1].program.take().context("it ran")?.kill().await?;
    open.publish(&up, "before the reload").await?;
    while cloud.hear().await?.1 != "before the reload" {}

    world.broker.reload().await?;
    let again = Client::connect(broker, &ca, Some(&papers), &thief.to_string()).await;
    ensure!(again.is_err(), "its certificate is on the list");
    open.publish(&up, "after the reload").await?;
    cloud.publish(&down, "after the reload").await?;
    let (other, others) = stolen(&world.schools[1])?;
    let mut sentinel = Client::connect(broker, &ca, Some(&others), &other.to_string()).await?;
    let uai = world.schools[1].uai.clone();
    sentinel.publish(&format!("preau/1/belfort/{uai}/{other}/up"), "sentinel").await?;
    ensure!(cloud.hear().await?.1 == "sentinel", "an open connection of a revoked box is mute");
    let deaf = timeout(Duration::from_millis(500), open.hear()).await;
    ensure!(!matches!(deaf, Ok(Ok(_))), "and deaf: {deaf:?}");
    drop(world.dir);
    Ok(())
}

fn own(world: &Territory, id: BoxId, direction: &str) -> String {
    format!("preau/1/belfort/{}/{id}/{direction}", world.schools[0].uai)
}

/// The coordinator keeps its own word when the broker's rights are too wide: a box that speaks under another school's
/// name is not heard (a pattern of Mosquitto cannot know the school).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_under_another_schools_name_is_dropped_by_the_coordinator() -> Result<()> {
    let world = Territory::new().await?;
    let ca = world.cloud.home.join("ca.pem");
    let (thief, papers) = stolen(&world.schools[0])?;
    let mut open = Client::connect(world.broker.address, &ca, Some(&papers), &thief.to_string()).await?;
    let (topic, log) = (format!("preau/1/belfort/{}/{thief}/up", world.schools[1].uai), world.cloud.home.join("log"));
    until("the coordinator refuses it by name", PATIENCE, async || {
        // What is said before the coordinator listens, a broker without a queue for it drops.
        open.publish(&topic, "x").await?;
        Ok(std::fs::read_to_string(&log)?.contains("may not speak for this school"))
    })
    .await
}
