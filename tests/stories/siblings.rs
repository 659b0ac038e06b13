//! A school with two boxes is whole while the coordinator is out of reach (ARCHITECTURE §2.2; invariants 4, 6, 7).

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use preau::{admin, coordinator::Staff};
use preau_shared::{
    ids::BoxId,
    rig::{
        dice::SystemDice,
        neighbour::{self, PROTOCOL, Visit},
        replicate::LinkEvent,
        task::Tasks,
        tls,
    },
    wire::{ClaimGrant, locker},
};
use preau_tests::{
    bench::relay::Relay,
    mosquitto::{Cloud, SchoolBox, free, until},
    tablet::{Tablet, Teacher, code},
};
use serde_json::{Value, json};
use tokio::time::timeout;

pub(crate) const PREAU: &str = env!("CARGO_BIN_EXE_preau-under-test");
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const PIN: &str = "270236";

/// A box of Les Tilleuls, behind its own line.
pub(crate) struct Boxed {
    pub(crate) school: SchoolBox,
    line: Relay,
    /// The cable on which its sisters come; only the first box visits.
    pub(crate) cable: Relay,
    pub(crate) id: BoxId,
}

/// A coordinator and the two boxes of one school, which have found each other. The first visits the second.
pub(crate) struct Territory {
    pub(crate) cloud: Cloud,
    pub(crate) boxes: [Boxed; 2],
    /// The head's badge.
    head: String,
    dir: tempfile::TempDir,
}

impl Territory {
    async fn new() -> Result<Self> {
        Self::with("").await
    }

    /// The same, with more lines in the boxes' configuration.
    pub(crate) async fn with(config: &str) -> Result<Self> {
        tls::install_provider();
        let (dir, mqtt) = (tempfile::tempdir()?, free()?);
        let cloud = Cloud::alone(PREAU, &dir.path().join("cloud"), mqtt).await?;
        // The school, and a first box that nobody unpacks.
        let unpacked = cloud.claim(0, &dir.path().join("unpacked")).await?;
        let (given_name, family_name) = ("Maryse".to_owned(), "Bastié".to_owned());
        let head = Staff { given_name, family_name, class_name: None, role: "head", pin: PIN.into() };
        let head = cloud.api.add_staff(&unpacked.uai, &[head]).await?.pop().context("the head has no badge")?;
        let mut boxes = Vec::new();
        for n in 0..2 {
            let (line, home) = (Relay::open(mqtt).await?, dir.path().join(format!("box{n}")));
            let more = format!("mqtt = \"{}\"\nlog = \"info,preau_shared=debug\"\n{config}", line.address);
            let mut school = cloud.claim_box((&unpacked.uai, unpacked.badges.clone()), &home, &more).await?;
            let cable = Relay::open(school.lan).await?;
            let mut file = std::fs::File::options().append(true).open(home.join("preau-edge.toml"))?;
            writeln!(file, "lan_announce = \"{}\"", cable.address)?;
            cloud.open(&mut school).await?;
            let id = grant(&home)?.box_id;
            boxes.push(Boxed { school, line, cable, id });
        }
        boxes.sort_by_key(|b| b.id);
        let boxes = boxes.try_into().ok().context("two boxes")?;
        let this = Self { cloud, boxes, head: head.payload, dir };
        for of in &this.boxes {
            until("the boxes have found each other", PATIENCE, async || Ok(of.hears_sister().await?)).await?;
            until("the head is known", PATIENCE, async || Ok(this.head_at(of).await.is_ok())).await?;
        }
        Ok(this)
    }

    fn ca(&self) -> std::path::PathBuf {
        self.cloud.home.join("ca.pem")
    }

    pub(crate) async fn tablet(&self, at: &Boxed) -> Result<Tablet> {
        Tablet::enrol(&at.school.url, &self.ca(), &at.school.enrolment_code()?, "Tablette").await
    }

    async fn head_at(&self, at: &Boxed) -> Result<Teacher> {
        Teacher::sign_in(&at.school.url, &self.ca(), &self.head, PIN).await
    }

    /// Waits until the coordinator holds all that a box holds, and nothing twice; gives how much. The other way round
    /// there is more: what was written before a box joined is not told to it.
    async fn has_all(&self, of: &Boxed) -> Result<usize> {
        let mut count = 0;
        until("the coordinator holds all of it", PATIENCE, async || {
            let (held, wanted) = (self.cloud.entries(&of.school.uai).await?, of.school.entries().await?);
            ensure!(held.windows(2).all(|pair| pair[0] != pair[1]), "an entry is there twice");
            count = held.len();
            Ok(wanted.iter().all(|line| held.binary_search(line).is_ok()))
        })
        .await?;
        Ok(count)
    }

    /// The coordinator becomes a black hole for both.
    async fn cut(&self) -> Result<()> {
        for of in &self.boxes {
            of.line.swallow();
        }
        for of in &self.boxes {
            let alone = async || Ok(!admin::box_state(of.school.admin).await?.wan.connected);
            until("the coordinator is out of reach", PATIENCE, alone).await?;
        }
        Ok(())
    }
}

impl Boxed {
    pub(crate) async fn status(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&admin::get(self.school.admin, "/admin/v1/status").await?)?)
    }

    async fn sisters(&self) -> Result<Vec<Value>> {
        Ok(self.status().await?["sisters"].as_array().context("sisters")?.clone())
    }

    /// Whether one of the others is in contact; the one that nobody unpacked never is.
    async fn hears_sister(&self) -> Result<bool> {
        Ok(self.sisters().await?.iter().any(|sister| sister["connected"] == true))
    }
}

fn grant(home: &Path) -> Result<ClaimGrant> {
    Ok(serde_json::from_slice(&std::fs::read(home.join("identity/grant.json"))?)?)
}

/// The box lacks nothing of what was written at the other one since.
async fn has_all(of: &Boxed, from: &Boxed, before: &[String]) -> Result<bool> {
    let held = of.school.entries().await?;
    Ok(from.school.entries().await?.iter().filter(|line| !before.contains(line)).all(|line| held.contains(line)))
}

/// Thursday, the digger has cut the street. A badge made void in one building is refused in the other, and what happens
/// in each is known in both; when one line is mended, the other building's morning goes up through it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_boxes_are_one_school_without_the_coordinator() -> Result<()> {
    let world = Territory::new().await?;
    let [a, b] = &world.boxes;
    let (mut at_a, mut at_b) = (world.tablet(a).await?, world.tablet(b).await?);
    let (lina, noe) = (&a.school.badges[0], &a.school.badges[1]);
    let head = world.head_at(a).await?;
    world.cut().await?;
    // The second box does not get the journal from before it joined.
    let before = [a.school.entries().await?, b.school.entries().await?].concat();

    let session = at_a.show(&lina.payload).await?.map_err(anyhow::Error::msg)?;
    at_a.leave(&session).await?;
    ensure!(a.school.entries().await?.iter().any(|line| !before.contains(line)), "a sign-in is an entry");
    let began = Instant::now();
    until("a sign-in at the one is at the other", PATIENCE, async || has_all(b, a, &before).await).await?;
    println!("a sign-in at one box is at the other {:.2} s after it ended", began.elapsed().as_secs_f64());

    let session = at_b.show(&noe.payload).await?.map_err(anyhow::Error::msg)?;
    at_b.leave(&session).await?;
    let void = format!("/api/v1/badges/{}/void", noe.badge_id);
    let answer = head.act("POST", &void, Some(json!({}))).await?;
    ensure!((200..300).contains(&answer.status), "{}", code(&answer));
    let began = Instant::now();
    until("the void is at the other box", PATIENCE, async || match at_b.show(&noe.payload).await? {
        Err(code) if code == "badge_void" => Ok(true),
        Err(code) => anyhow::bail!("refused by {code}"),
        Ok(session) => at_b.leave(&session).await.map(|()| false),
    })
    .await?;
    println!("a void at one box is refused at the other {:.2} s later", began.elapsed().as_secs_f64());
    until("both know the same", PATIENCE, async || Ok(has_all(b, a, &before).await? && has_all(a, b, &before).await?))
        .await?;

    let up = world.cloud.entries(&a.school.uai).await?;
    ensure!(a.school.entries().await?.iter().any(|line| !up.contains(line)), "nothing went up");
    b.line.mend();
    let entries = world.has_all(a).await?;
    ensure!(world.has_all(b).await? == entries, "all of both");
    let state = admin::box_state(a.school.admin).await?;
    ensure!(!state.wan.connected, "the first one's line is still cut");
    ensure!(state.exposure.entries > 0, "what the coordinator did not acknowledge to it stays exposed on its page");
    a.line.mend();
    until("and is acknowledged", PATIENCE, async || Ok(admin::box_state(a.school.admin).await?.exposure.entries == 0))
        .await?;
    ensure!(world.has_all(a).await? == entries, "once");
    Ok(())
}

/// What the door of a box says to whoever has another box's papers: whether anything was heard behind it.
async fn lets_in(of: &Boxed, papers: &Path) -> Result<bool> {
    let (known, works) = (speaks_to(of, papers, PROTOCOL).await?, speaks_to(of, papers, locker::PROTOCOL).await?);
    ensure!(known == works, "one door for both");
    Ok(known)
}

async fn speaks_to(of: &Boxed, papers: &Path, protocol: &[u8]) -> Result<bool> {
    let (grant, key) = (grant(papers)?, std::fs::read_to_string(papers.join("identity/mqtt.key"))?);
    let identity = tls::Identity { certificate: &grant.mqtt_certificate, key: &key };
    let visit = Visit {
        tls: Arc::new(tls::guest(identity, &grant.authority, protocol)?),
        host: tls::host_name(&grant.lan_certificate)?,
        connect_timeout: PATIENCE,
        retry_cap: PATIENCE,
        silence: PATIENCE,
    };
    let tasks = Tasks::default();
    let (guest, mut carried) = neighbour::visit(of.id, visit, Arc::new(SystemDice), &tasks);
    guest.told(Some(of.school.lan));
    let answer = async {
        while let Some(event) = carried.inbound.recv().await {
            match event {
                LinkEvent::Connected => {}
                LinkEvent::Message(_) => return Ok(true),
                LinkEvent::Disconnected => return Ok(false),
            }
        }
        anyhow::bail!("the carrier ended")
    };
    let answer = timeout(PATIENCE, answer).await.context("neither let in nor refused")?;
    tasks.stop();
    answer
}

/// One of the two boxes was stolen, and is revoked. The other one hangs up and does not let it in again, whether the
/// coordinator is there or not; with its real keys it is a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_box_is_refused_by_its_sister() -> Result<()> {
    let world = Territory::new().await?;
    let [stolen, b] = &world.boxes;
    ensure!(lets_in(b, &stolen.school.home).await?, "as long as it is one of the school's");
    ensure!(!lets_in(b, &b.school.home).await?, "its own papers open nothing");
    let other = world.cloud.claim(1, &world.dir.path().join("other")).await?;
    ensure!(!lets_in(b, &other.home).await?, "a box of another school is a stranger");
    until("they talk again", PATIENCE, async || stolen.hears_sister().await).await?;

    let revoke = format!("/api/v1/boxes/{}/revoke", stolen.id);
    world.cloud.api.call(Method::POST, &revoke, "application/json", None).await?;
    let name = stolen.id.to_string();
    let dropped = async || Ok(b.sisters().await?.iter().all(|sister| sister["box_id"] != name.as_str()));
    until("its sister has dropped it", PATIENCE, dropped).await?;
    until("and it hears that", PATIENCE, async || Ok(!stolen.hears_sister().await?)).await?;
    ensure!(!lets_in(b, &stolen.school.home).await?, "revoked");
    world.cut().await?;
    ensure!(!lets_in(b, &stolen.school.home).await?, "revoked, and the coordinator is out of reach");

    // What is written at the stolen one stays there.
    let before = b.school.entries().await?;
    let (mut there, mut here) = (world.tablet(stolen).await?, world.tablet(b).await?);
    for tablet in [&mut there, &mut here] {
        let session = tablet.show(&b.school.badges[0].payload).await?.map_err(anyhow::Error::msg)?;
        tablet.leave(&session).await?;
    }
    let own = b.id.to_string();
    ensure!(b.school.entries().await?.iter().filter(|line| !before.contains(line)).all(|line| line.contains(&own)));
    Ok(())
}
