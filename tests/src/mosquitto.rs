//! A real Mosquitto (Debian's) with exactly the configuration that `preau broker conf` prints, and a small territory that
//! replicates through it: real processes on loopback, ended with the story.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use preau::{
    admin,
    coordinator::{Address, BadgeLine, Coordinator},
    invent,
};
use preau_shared::{
    ids::{BoxId, Uai},
    rig::{clock::SystemClock, dice::SystemDice},
    time::Clock as _,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

/// A program is at work within this time on a busy machine.
const LIFE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A free loopback address. Another program could take it before it is used; on one machine's tests none does.
///
/// # Errors
/// When the system has none.
pub fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until `done`, or fails with what it was about.
///
/// # Errors
/// When it takes longer than `patience`, or a look fails.
pub async fn until(what: &str, patience: Duration, mut done: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let wait = async {
        while !done().await? {
            sleep(LOOK).await;
        }
        Ok(())
    };
    timeout(patience, wait).await.with_context(|| format!("not within {} s: {what}", patience.as_secs()))?
}

/// A running Mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    conf: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Mosquitto {
    /// Asks `preau` for the configuration of the coordinator in `home` (started once, with this broker's URL) and runs
    /// it. Whoever runs as root runs Mosquitto as root too: the story's folders are its own.
    ///
    /// # Errors
    /// When there is no Mosquitto, or it does not come to life.
    pub async fn start(preau: &str, home: &Path, address: SocketAddr) -> Result<Self> {
        let said = Command::new(preau)
            .args(["broker", "conf", "--account", "root", "--listen", &address.to_string(), "--home"])
            .arg(home)
            .output()
            .await?;
        ensure!(said.status.success(), "preau broker conf: {}", String::from_utf8_lossy(&said.stderr));
        let conf = home.join("broker/mosquitto.conf");
        std::fs::write(&conf, &said.stdout)?;
        let child = spawn(&conf)?;
        let broker = Self { conf, address, child };
        broker.lives().await?;
        Ok(broker)
    }

    async fn lives(&self) -> Result<()> {
        let log = self.log();
        let listens = async || Ok(TcpStream::connect(self.address).await.is_ok());
        until("Mosquitto listens", LIFE, listens).await.with_context(|| format!("Mosquitto said: {}", said(&log)))
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        log_of(&self.conf)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Runs it again under the same address.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        self.child = spawn(&self.conf)?;
        self.lives().await
    }

    /// Makes it read rights and revoked certificates again (SIGHUP), and waits until it has.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reload(&self) -> Result<()> {
        let log = self.log();
        let times = || std::fs::read_to_string(&log).unwrap_or_default().matches("Reloading config").count();
        let before = times();
        let pid = self.child.id().context("Mosquitto runs")?.to_string();
        ensure!(Command::new("kill").args(["-HUP", &pid]).status().await?.success(), "no signal");
        until("Mosquitto reloads", LIFE, async || Ok(times() > before)).await
    }
}

fn log_of(conf: &Path) -> PathBuf {
    conf.with_extension("log")
}

/// The end of a log.
fn said(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" | ")
}

fn spawn(conf: &Path) -> Result<Child> {
    // Debian puts it where only root's PATH looks.
    let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|p| Path::new(p).exists());
    let log = std::fs::File::options().create(true).append(true).open(log_of(conf))?;
    Command::new(program.unwrap_or("mosquitto"))
        .arg("-c")
        .arg(conf)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("mosquitto (Debian: apt install mosquitto; tests/run does it)")
}

/// One of our own programs.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts `preau` with these words; what it says goes to `log`. It ends with this value.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(preau: &str, words: &[&str], log: &Path) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let child = Command::new(preau)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child })
    }

    /// `kill -9`, and waits for its end.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A coordinator behind an outside broker.
#[derive(Debug)]
pub struct Cloud {
    preau: String,
    /// Its folder.
    pub home: PathBuf,
    /// Its API.
    pub api: Coordinator,
    url: String,
    admin: SocketAddr,
    program: Program,
}

/// A school's box.
#[derive(Debug)]
pub struct SchoolBox {
    /// Its school.
    pub uai: Uai,
    /// Its folder.
    pub home: PathBuf,
    /// Its HTTPS.
    pub url: String,
    /// Its admin plane.
    pub admin: SocketAddr,
    /// Its door for other boxes.
    pub lan: SocketAddr,
    /// Badges of its school's pupils.
    pub badges: Vec<BadgeLine>,
    /// It serves; none when it was only claimed.
    pub program: Option<Program>,
}

impl Cloud {
    /// Starts a coordinator in `home` that uses the broker at `broker`, which need not run yet.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn start(preau: &str, home: &Path, broker: SocketAddr) -> Result<Self> {
        Self::start_with(preau, home, broker, "").await
    }

    /// The same, with more lines in its configuration.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn start_with(preau: &str, home: &Path, broker: SocketAddr, more: &str) -> Result<Self> {
        let (listen, admin) = (free()?, free()?);
        let to = format!("broker = \"mqtts://{broker}\"\nmqtt_public = \"{broker}\"\n");
        Self::raise(preau, home, (listen, admin), &format!("{to}{more}")).await
    }

    /// Starts a coordinator with a broker of its own, which listens at `mqtt`.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn alone(preau: &str, home: &Path, mqtt: SocketAddr) -> Result<Self> {
        Self::raise(preau, home, (free()?, free()?), &format!("mqtt = \"{mqtt}\"\n")).await
    }

    async fn raise(preau: &str, home: &Path, (listen, admin): (SocketAddr, SocketAddr), more: &str) -> Result<Self> {
        std::fs::create_dir_all(home)?;
        let config = format!(
            "territory = \"belfort\"\nlisten = \"{listen}\"\nadmin = \"{admin}\"\n\
             keep_alive_s = 4\nconnect_timeout_s = 2\nretry_cap_s = 1\n{more}"
        );
        std::fs::write(home.join("preau-cloud.toml"), config)?;
        let program = serve_cloud(preau, home)?;
        let url = format!("https://{listen}");
        let (ca_file, token_file) = (home.join("ca.pem"), home.join("admin/token"));
        alive("the coordinator", admin, home).await?;
        let api = Coordinator::open(&Address { url: url.clone(), ca_file, token_file })?;
        Ok(Self { preau: preau.into(), home: home.into(), api, url, admin, program })
    }

    /// What tells `preau` where it is.
    pub fn reach(&self) -> [String; 6] {
        let file = |name: &str| self.home.join(name).to_string_lossy().into_owned();
        ["--cloud".into(), self.url.clone(), "--ca".into(), file("ca.pem"), "--token-file".into(), file("admin/token")]
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.program.kill().await
    }

    /// Sends it a signal by its short name: `STOP` makes it stand still, `CONT` go on.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.program.child.id().context("the coordinator runs")?.to_string();
        ensure!(Command::new("kill").args(["-s", name, &pid]).status().await?.success(), "no signal");
        Ok(())
    }

    /// Runs it again.
    ///
    /// # Errors
    /// When it does not come to life.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        self.program = serve_cloud(&self.preau, &self.home)?;
        alive("the coordinator", self.admin, &self.home).await
    }

    /// Makes a school with invented pupils and claims its box in `home`.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn claim(&self, school: usize, home: &Path) -> Result<SchoolBox> {
        let now = SystemClock::start().stamp();
        let invented = invent::schools(&SystemDice, now).into_iter().nth(school).context("two schools are invented")?;
        let uai = invented.uai.clone();
        self.api.add_school(&uai, invented.name, None).await?;
        let year = invent::school_year_label(now);
        let plan = self.api.plan_roster(&uai, &year, invented.onde).await?;
        let mut badges = self.api.apply_roster(&plan, false).await?;
        badges.retain(|b| b.role == "pupil" && b.second_factor.is_empty());
        self.claim_box((&uai, badges), home, "").await
    }

    /// Claims a box in `home` for a school that there is, with more lines in its configuration.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn claim_box(&self, (uai, badges): (&Uai, Vec<BadgeLine>), home: &Path, more: &str) -> Result<SchoolBox> {
        let code = self.api.issue_box(uai, true).await?;
        std::fs::create_dir_all(home)?;
        let claimed = Command::new(&self.preau)
            .args(["edge", "claim", &code, "--cloud", &self.url, "--dir"])
            .arg(home)
            .arg("--ca-file")
            .arg(self.home.join("ca.pem"))
            .output()
            .await?;
        ensure!(claimed.status.success(), "claim: {}", String::from_utf8_lossy(&claimed.stderr));
        let (listen, dns, admin, lan, upstream) = (free()?, free()?, free()?, free()?, free()?);
        let config = format!(
            "listen = \"{listen}\"\ndns = \"{dns}\"\nadmin = \"{admin}\"\nlan = \"{lan}\"\n\
             upstream = [\"{upstream}\"]\nconnect_timeout_s = 2\nretry_cap_s = 1\n\
             enrolment_open_min = 60\nenrolment_tablets = 10\n{more}"
        );
        std::fs::write(home.join("preau-edge.toml"), config)?;
        let (uai, home, url) = (uai.clone(), home.into(), format!("https://{listen}"));
        Ok(SchoolBox { uai, home, url, admin, lan, badges, program: None })
    }

    /// Journal entries that the coordinator holds of a school, one line each, sorted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn entries(&self, uai: &Uai) -> Result<Vec<String>> {
        Ok(lines(&self.api.entries(uai).await?))
    }

    /// Starts the box and waits until it knows its pupils.
    ///
    /// # Errors
    /// When it does not come to life, or learns nothing.
    pub async fn open(&self, school: &mut SchoolBox) -> Result<()> {
        school.serve(&self.preau)?;
        alive("the box", school.admin, &school.home).await?;
        let (admin, wanted) = (school.admin, u64::try_from(school.badges.len())?);
        let knows = async || Ok(admin::box_state(admin).await?.people >= wanted);
        until("the box knows its pupils", LIFE, knows).await.with_context(|| said(&school.home.join("log")))
    }

    /// Waits until the coordinator holds exactly what was written at the school, each entry once; gives how many. Its own
    /// entries from before the box joined need not be at the box, which began with a snapshot.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or an entry is there twice.
    pub async fn agrees(&self, school: &SchoolBox, patience: Duration) -> Result<usize> {
        let mut last = (Vec::new(), Vec::new());
        let id = std::fs::read(self.home.join("authority/coordinator.id"))?;
        let own = BoxId::from_bytes(id.as_slice().try_into()?).to_string();
        let same = until("box and coordinator hold the same entries", patience, async || {
            last = (school.entries().await?, self.entries(&school.uai).await?);
            for held in [&last.0, &last.1] {
                ensure!(held.windows(2).all(|pair| pair[0] != pair[1]), "an entry is there twice");
            }
            last.0.retain(|line| !line.contains(&own));
            last.1.retain(|line| !line.contains(&own));
            Ok(!last.0.is_empty() && last.0 == last.1)
        });
        let same = same.await;
        same.with_context(|| {
            let (here, there) = (&last.0, &last.1);
            let lacks =
                |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).take(3).cloned().collect();
            let (up, down): (Vec<String>, Vec<String>) = (lacks(here, there), lacks(there, here));
            format!("the box holds {}, the coordinator {}: up lack {up:?}, down lack {down:?}", here.len(), there.len())
        })?;
        Ok(last.0.len())
    }
}

impl SchoolBox {
    /// Starts the box's program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn serve(&mut self, preau: &str) -> Result<()> {
        let home = self.home.to_str().context("a path in UTF-8")?;
        let words = ["edge", "serve", "--with-parent", "--dir", home];
        self.program = Some(Program::start(preau, &words, &self.home.join("log"))?);
        Ok(())
    }

    /// Journal entries that the box holds, one line each, sorted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn entries(&self) -> Result<Vec<String>> {
        Ok(lines(&admin::get(self.admin, "/admin/v1/entries").await?))
    }

    /// The code by which tablets are enrolled.
    ///
    /// # Errors
    /// When the box has not written it.
    pub fn enrolment_code(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.home.join("enrolment_code"))?.trim().to_owned())
    }
}

fn serve_cloud(preau: &str, home: &Path) -> Result<Program> {
    let words = ["cloud", "serve", "--with-parent", "--dir", home.to_str().context("a path in UTF-8")?];
    Program::start(preau, &words, &home.join("log"))
}

async fn alive(what: &str, admin: SocketAddr, home: &Path) -> Result<()> {
    let answers = async || Ok(admin::get(admin, "/healthz").await.is_ok());
    if until(what, LIFE, answers).await.is_err() {
        bail!("{what} does not start: {}", said(&home.join("log")));
    }
    Ok(())
}

fn lines(body: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(body).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}
