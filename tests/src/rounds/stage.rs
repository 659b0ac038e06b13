//! The stage: a coordinator, two schools with their boxes, and the people who write there.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau::{
    admin,
    coordinator::{Address, BadgeLine, Coordinator, Staff},
    invent,
};
use preau_shared::{
    dice::{Dice, Seeded},
    ids::Uai,
    rig::{clock::SystemClock, dice::SystemDice},
    time::{Clock as _, Elapsed},
};
use tokio::{
    sync::{Mutex, OwnedRwLockWriteGuard},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    Kept, Wish,
    ledger::{Card, Ledger},
    outside::{self, Postgres},
    people::{self, Desk, Head},
    plan::Victim,
    program::Program,
};
use crate::{
    durable::{Disk, Layer},
    tablet::Tablet,
};

/// A program is there so long after its start, on a busy machine.
const LIFE_PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Pupils for each tablet; the others' badges are for the DSI to make void.
const PUPILS_A_TABLET: usize = 6;
/// Seconds; the least the coordinator takes.
const KEEP_ALIVE_S: u32 = 2;
/// Nobody writes for so long: the kill comes all the same.
const AIM_PATIENCE: Duration = Duration::from_millis(300);
/// An aimed kill of a box comes within this time of a request, in microseconds.
const AIM_BOX_US: u64 = 12_000;
/// … of another program within this time.
const AIM_OTHERS_US: u64 = 80_000;
/// Ports from here on: below those that the system gives to clients, so that a killed program finds its own again.
const LOWEST_PORT: u16 = 20_000;
const PORTS: u64 = 11_000;

type Void = Option<(usize, Card)>;

/// A school, its box and its people.
pub(super) struct School {
    pub(super) uai: Uai,
    pub(super) home: PathBuf,
    pub(super) admin: SocketAddr,
    pub(super) ledger: Arc<Ledger>,
    pub(super) witness: Desk,
    /// Under which name the box writes; no kill changes it.
    pub(super) origin: String,
    program: Program,
    spare: Vec<Card>,
    closed: Option<OwnedRwLockWriteGuard<()>>,
    people: Vec<JoinHandle<()>>,
}

/// Everything that runs.
pub(super) struct Stage {
    pub(super) api: Arc<Coordinator>,
    pub(super) schools: Vec<School>,
    pub(super) cloud_home: PathBuf,
    cloud: Program,
    cloud_admin: SocketAddr,
    broker: Option<(Program, SocketAddr)>,
    database: Option<Postgres>,
    layer: Option<Layer>,
    /// Planted: the disks of boxes that were started again lie.
    lies: bool,
    clock: SystemClock,
    dir: tempfile::TempDir,
}

/// What raising a school needs.
struct Site<'a> {
    dir: &'a Path,
    wish: &'a Wish,
    api: &'a Coordinator,
    layer: Option<&'a Layer>,
    cloud_url: &'a str,
    ca_file: &'a Path,
    mqtt: SocketAddr,
}

impl Stage {
    /// Brings everything to life and opens the schools; nobody writes yet.
    pub(super) async fn raise(wish: &Wish) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("preau-rounds-").tempdir()?;
        let layer = (wish.disk != Kept::Written).then(Layer::build).transpose()?;
        let clock = SystemClock::start();
        fs::create_dir(dir.path().join("logs"))?;
        let cloud_home = dir.path().join("cloud");
        fs::create_dir(&cloud_home)?;
        let (listen, mqtt, cloud_admin) = (free()?, free()?, free()?);
        let mut config = format!(
            "territory = \"belfort\"\nlisten = \"{listen}\"\nadmin = \"{cloud_admin}\"\n\
             keep_alive_s = {KEEP_ALIVE_S}\nconnect_timeout_s = 1\nretry_cap_s = 1\n"
        );
        config += &match wish.mosquitto {
            true => format!("broker = \"mqtts://{mqtt}\"\nmqtt_public = \"{mqtt}\"\n"),
            false => format!("mqtt = \"{mqtt}\"\n"),
        };
        let database = match wish.postgres {
            true => Some(raise_database(dir.path(), layer.as_ref()).await?),
            false => None,
        };
        if let Some(database) = &database {
            config += &format!("store = \"{}\"\n", database.url());
        }
        fs::write(cloud_home.join("preau-cloud.toml"), config)?;
        let arguments = ["cloud", "serve", "--dir", text(&cloud_home)?, "--with-parent"];
        let mut cloud = Program::new("coordinator", &wish.program, &arguments, log(dir.path(), "coordinator"));
        cloud.start(&on_disk(layer.as_ref(), &cloud_home, Disk::default()))?;
        await_life(&mut cloud, cloud_admin).await?;
        let mut broker = None;
        if wish.mosquitto {
            let log = log(dir.path(), "mosquitto");
            let mut program = outside::mosquitto(&wish.program, &cloud_home, mqtt, log).await?;
            program.start(&[])?;
            await_port(&mut program, mqtt).await?;
            broker = Some((program, mqtt));
        }
        let address = Address {
            url: format!("https://{listen}"),
            ca_file: cloud_home.join("ca.pem"),
            token_file: cloud_home.join("admin/token"),
        };
        let api = Arc::new(Coordinator::open(&address)?);
        let site = Site {
            dir: dir.path(),
            wish,
            api: &api,
            layer: layer.as_ref(),
            cloud_url: &address.url,
            ca_file: &address.ca_file,
            mqtt,
        };
        let mut schools = Vec::new();
        for invented in invent::schools(&SystemDice, clock.stamp()) {
            let uai = invented.uai.clone();
            schools.push(site.school(invented, &clock).await.with_context(|| format!("raising {uai}"))?);
        }
        let lies = wish.disk == Kept::Lies;
        Ok(Self { api, schools, cloud_home, cloud, cloud_admin, broker, database, layer, lies, clock, dir })
    }

    /// Time since the stage was begun.
    pub(super) fn now(&self) -> Elapsed {
        self.clock.elapsed()
    }

    /// Everything that can be killed here.
    pub(super) fn victims(&self) -> Vec<Victim> {
        let boxes = (0..self.schools.len()).map(Victim::Box);
        let broker = self.broker.as_ref().map(|_| Victim::Broker);
        let database = self.database.as_ref().map(|_| Victim::Database);
        boxes.chain([Victim::Coordinator]).chain(broker).chain(database).collect()
    }

    /// Where the coordinator keeps its data, when not in its own SQLite file.
    pub(super) fn postgres(&self) -> Option<&Postgres> {
        self.database.as_ref()
    }

    /// The folders that stand on a forgetful disk.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let database = self.database.as_ref().map(|d| d.data.clone());
        let homes = self.schools.iter().map(|s| s.home.clone()).chain([self.cloud_home.clone()]).chain(database);
        if self.layer.is_some() { homes.collect() } else { Vec::new() }
    }

    /// Requests that this box's people wait for; none for what is no box.
    pub(super) fn on_the_way(&self, victim: Victim) -> Option<u64> {
        match victim {
            Victim::Box(place) => self.schools.get(place).map(|s| s.ledger.on_the_way()),
            Victim::Coordinator | Victim::Broker | Victim::Database => None,
        }
    }

    fn program(&mut self, victim: Victim) -> Result<(&mut Program, PathBuf)> {
        Ok(match victim {
            Victim::Box(place) => {
                let school = self.schools.get_mut(place).context("no such school")?;
                (&mut school.program, school.home.clone())
            }
            Victim::Coordinator => (&mut self.cloud, self.cloud_home.clone()),
            Victim::Broker => (&mut self.broker.as_mut().context("no broker of its own")?.0, self.cloud_home.clone()),
            Victim::Database => {
                let database = self.database.as_mut().context("no database of its own")?;
                (&mut database.program, database.data.clone())
            }
        })
    }

    /// Waits until a client waits for an answer of this box (of any, for what is no box), then a moment more: so a
    /// kill meets a commit, or its way to the coordinator, and not the rest between two pupils.
    pub(super) async fn aim(&self, victim: Victim, dice: &dyn Dice) {
        let busy = || match self.on_the_way(victim) {
            Some(requests) => requests > 0,
            None => self.schools.iter().any(|s| s.ledger.on_the_way() > 0),
        };
        let clock = SystemClock::start();
        while !busy() && clock.elapsed().0 < AIM_PATIENCE {
            sleep(Duration::from_millis(1)).await;
        }
        let moment = if matches!(victim, Victim::Box(_)) { AIM_BOX_US } else { AIM_OTHERS_US };
        sleep(Duration::from_micros(dice.below(moment))).await;
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, victim: Victim) -> Result<()> {
        self.program(victim)?.0.kill().await
    }

    /// Starts it again; on a forgetful disk all is lost that was not synced, or, by the dice, a part of it.
    pub(super) fn start(&mut self, victim: Victim, dice: &dyn Dice) -> Result<()> {
        let keep = (dice.below(2) == 0).then(|| dice.u64());
        let disk = Disk { keep, lies: self.lies && matches!(victim, Victim::Box(_)) };
        // Mosquitto keeps nothing on disk.
        let layer = if victim == Victim::Broker { None } else { self.layer.take() };
        let started = self.program(victim).and_then(|(program, home)| {
            let environment = on_disk(layer.as_ref(), &home, disk);
            program.start(&environment)
        });
        self.layer = self.layer.take().or(layer);
        started
    }

    /// Waits until every program answers.
    pub(super) async fn alive(&mut self) -> Result<()> {
        if let Some(database) = &mut self.database {
            await_database(database).await?;
        }
        if let Some((program, address)) = &mut self.broker {
            await_port(program, *address).await?;
        }
        await_life(&mut self.cloud, self.cloud_admin).await?;
        for school in &mut self.schools {
            await_life(&mut school.program, school.admin).await?;
        }
        Ok(())
    }

    /// Every program runs since it was started last.
    pub(super) fn check_programs(&mut self) -> Result<()> {
        self.cloud.check()?;
        if let Some((program, _)) = &mut self.broker {
            program.check()?;
        }
        if let Some(database) = &mut self.database {
            database.program.check()?;
        }
        self.schools.iter_mut().try_for_each(|s| s.program.check())
    }

    /// Lets the schools' people write, or waits for their last answers and lets them write no more.
    pub(super) async fn writing(&mut self, may: bool) {
        for school in &mut self.schools {
            school.closed = if may { None } else { Some(school.ledger.close().await) };
        }
    }

    /// In every other round the DSI makes a badge void, at some moment of it, and asks until she has an answer.
    pub(super) fn dsi_voids(&mut self, dice: &Seeded) -> Option<JoinHandle<Void>> {
        let place = usize::try_from(dice.below(4)).unwrap_or(0);
        let after = Duration::from_millis(dice.below(1_200));
        let card = self.schools.get_mut(place)?.spare.pop()?;
        let api = Arc::clone(&self.api);
        Some(tokio::spawn(async move {
            sleep(after).await;
            while api.void_badge(&card.badge_id).await.is_err() {
                sleep(Duration::from_millis(100)).await;
            }
            Some((place, card))
        }))
    }

    /// Waits for the DSI's answer and enters it.
    pub(super) async fn voided(&mut self, dsi: Option<JoinHandle<Void>>) -> Result<()> {
        let Some(dsi) = dsi else { return Ok(()) };
        let void = timeout(LIFE_PATIENCE, dsi).await.context("the DSI got no answer")??;
        if let Some((place, card)) = void {
            self.schools[place].ledger.told().void.push(card);
        }
        Ok(())
    }

    /// Ends everything in peace.
    pub(super) async fn end(mut self) {
        self.end_programs().await;
    }

    /// Ends everything and keeps the folder.
    pub(super) async fn keep(mut self) -> PathBuf {
        self.end_programs().await;
        self.dir.keep()
    }

    async fn end_programs(&mut self) {
        for school in &mut self.schools {
            school.people.iter().for_each(JoinHandle::abort);
            school.program.end().await;
        }
        self.cloud.end().await;
        if let Some((program, _)) = &mut self.broker {
            program.end().await;
        }
        if let Some(database) = &mut self.database {
            database.program.end().await;
        }
    }
}

impl Site<'_> {
    async fn school(&self, invented: invent::Invented, clock: &SystemClock) -> Result<School> {
        let uai = invented.uai;
        self.api.add_school(&uai, invented.name, None).await?;
        let year = invent::school_year_label(clock.stamp());
        let plan = self.api.plan_roster(&uai, &year, invented.onde).await?;
        let badges = self.api.apply_roster(&plan, false).await?;
        let (given_name, family_name, pin) = ("Maryse".to_owned(), "Bastié".to_owned(), "270236".to_owned());
        let head = Staff { given_name, family_name, class_name: None, role: "head", pin: pin.clone() };
        let head = self.api.add_staff(&uai, &[head]).await?.pop().context("the head has no badge")?;

        let home = self.dir.join(uai.as_str());
        fs::create_dir(&home)?;
        let code = self.api.issue_box(&uai, true).await?;
        let (at, ca) = (text(&home)?, text(self.ca_file)?);
        let arguments = ["edge", "claim", &code, "--dir", at, "--cloud", self.cloud_url, "--ca-file", ca];
        let claim = Program::new("claim", &self.wish.program, &arguments, log(self.dir, &format!("claim-{uai}")));
        claim.finish(&on_disk(self.layer, &home, Disk::default())).await?;

        let (listen, dns, admin, lan) = (free()?, free()?, free()?, free()?);
        let tablets = self.wish.tablets.saturating_add(1);
        let open = format!("enrolment_open_min = 60\nenrolment_tablets = {tablets}\n");
        let config = format!(
            "listen = \"{listen}\"\ndns = \"{dns}\"\nadmin = \"{admin}\"\nlan = \"{lan}\"\n\
             upstream = [\"127.0.0.1:9\"]\nmqtt = \"{}\"\nconnect_timeout_s = 1\nretry_cap_s = 1\n",
            self.mqtt
        );
        fs::write(home.join("preau-edge.toml"), format!("{config}{open}"))?;
        let arguments = ["edge", "serve", "--dir", at, "--with-parent"];
        let mut program = Program::new(uai.as_str(), &self.wish.program, &arguments, log(self.dir, uai.as_str()));
        program.start(&on_disk(self.layer, &home, Disk::default()))?;
        await_life(&mut program, admin).await?;
        let everybody = u64::try_from(badges.len())?.saturating_add(1);
        let known = async {
            while admin::box_state(admin).await.is_ok_and(|s| s.people < everybody) {
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(LIFE_PATIENCE, known).await.context("the box does not learn its school")?;
        let code = fs::read_to_string(home.join("enrolment_code"))?;
        // From now on a start opens no enrolment.
        fs::write(home.join("preau-edge.toml"), config)?;
        let place = Place { url: format!("https://{listen}"), ca_file: self.ca_file, code: code.trim() };
        let ledger = Arc::new(Ledger::default());
        let closed = Some(ledger.close().await);
        let (people, spare) = place.people(badges, &head, &ledger, self.wish.tablets, &pin).await?;
        let tablet = Tablet::enrol(&place.url, place.ca_file, place.code, "Témoin").await?;
        let witness = Desk::new(tablet, Arc::clone(&ledger), Vec::new());
        let state = admin::get(admin, "/admin/v1/status").await?;
        let state: serde_json::Value = serde_json::from_slice(&state)?;
        let origin = state["origin"].as_str().unwrap_or_default().to_owned();
        ensure!(!origin.is_empty(), "the box does not say under which name it writes");
        Ok(School { uai, home, admin, ledger, witness, origin, program, spare, closed, people })
    }
}

/// A box, for tablets.
struct Place<'a> {
    url: String,
    ca_file: &'a Path,
    code: &'a str,
}

impl Place<'_> {
    /// Enrols the tablets and sets people before them, who wait for the gate; gives the badges that nobody uses.
    async fn people(
        &self,
        badges: Vec<BadgeLine>,
        head: &BadgeLine,
        ledger: &Arc<Ledger>,
        tablets: u32,
        pin: &str,
    ) -> Result<(Vec<JoinHandle<()>>, Vec<Card>)> {
        let pupils: Vec<BadgeLine> = badges.into_iter().filter(|b| b.second_factor.is_empty()).collect();
        let card = |b: &BadgeLine| Card { badge_id: b.badge_id.clone(), payload: b.payload.clone() };
        let mut of_tablets = pupils.chunks(PUPILS_A_TABLET);
        let mut people = Vec::new();
        for number in 0..tablets {
            let cards: Vec<Card> = of_tablets.next().context("more tablets than pupils")?.iter().map(card).collect();
            let tablet = Tablet::enrol(&self.url, self.ca_file, self.code, &format!("Tablette {number}")).await?;
            let desk = Arc::new(Mutex::new(Desk::new(tablet, Arc::clone(ledger), cards)));
            people.push(tokio::spawn(people::pupils(desk, SystemDice.u64())));
        }
        let spare: Vec<BadgeLine> = of_tablets.flatten().cloned().collect();
        let head = Head {
            url: self.url.clone(),
            ca_file: self.ca_file.to_owned(),
            payload: head.payload.clone(),
            pin: pin.to_owned(),
            people: spare.iter().map(|b| b.person_id.clone()).collect(),
            ledger: Arc::clone(ledger),
        };
        people.push(tokio::spawn(people::head(head, SystemDice.u64())));
        Ok((people, spare.iter().map(card).collect()))
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not valid UTF-8", path.display()))
}

fn log(dir: &Path, name: &str) -> PathBuf {
    dir.join("logs").join(format!("{name}.log"))
}

fn on_disk(layer: Option<&Layer>, home: &Path, disk: Disk) -> Vec<(&'static str, String)> {
    layer.map(|l| l.environment(home, disk)).unwrap_or_default()
}

fn free() -> Result<SocketAddr> {
    for _ in 0..1_000 {
        let port = LOWEST_PORT.saturating_add(u16::try_from(SystemDice.below(PORTS))?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port from {LOWEST_PORT} on")
}

async fn raise_database(dir: &Path, layer: Option<&Layer>) -> Result<Postgres> {
    let mut database = Postgres::new(free()?, log(dir, "postgres")).await?;
    database.program.start(&on_disk(layer, &database.data, Disk::default()))?;
    await_database(&mut database).await?;
    database.create().await?;
    Ok(database)
}

async fn await_database(database: &mut Postgres) -> Result<()> {
    let began = SystemClock::start();
    while !database.is_ready().await {
        database.program.check()?;
        ensure!(began.elapsed().0 < LIFE_PATIENCE, "PostgreSQL is not ready: {}", database.program.last_lines());
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn await_port(program: &mut Program, address: SocketAddr) -> Result<()> {
    let began = SystemClock::start();
    while !outside::listens(address).await {
        program.check()?;
        ensure!(began.elapsed().0 < LIFE_PATIENCE, "{} does not listen: {}", program.name, program.last_lines());
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn await_life(program: &mut Program, admin: SocketAddr) -> Result<()> {
    let began = SystemClock::start();
    while admin::get(admin, "/healthz").await.is_err() {
        program.check()?;
        ensure!(began.elapsed().0 < LIFE_PATIENCE, "{} does not answer: {}", program.name, program.last_lines());
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
