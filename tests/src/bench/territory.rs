//! A real coordinator process, embedded broker and all, with schools made through its API and boxes that claimed.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::HEXLOWER;
use hyper::Method;
use preau::{
    admin,
    coordinator::{Address, Coordinator},
};
use preau_shared::{
    dice::Dice as _,
    ids::Uai,
    keys::SigningKey,
    replica::{SealPublic, SealSecret, Sealing, Side, sealing::Held},
    rig::{
        dice::SystemDice,
        fetch::Client,
        link::{Link, LinkConfig, LinkEvent, LinkSender},
        task::Tasks,
        tls,
    },
    wire::{Claim, ClaimAnswer, ClaimGrant, Direction, Topic},
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep},
};

/// A coordinator is up, and answers, within so long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The kernel's unit of processor time (USER_HZ), the same on every Linux that we run on.
const TICKS_A_SECOND: u64 = 100;
/// Claims made at the same time.
const HANDS: usize = 4;

/// A coordinator that runs; it ends with us.
#[derive(Debug)]
pub struct Territory {
    process: Child,
    address: Address,
    admin: SocketAddr,
    /// Its broker.
    pub mqtt: SocketAddr,
    /// Its API.
    pub api: Coordinator,
}

/// A box that claimed: its grant and its keys.
pub struct Claimed {
    /// What the coordinator granted.
    pub grant: ClaimGrant,
    /// Seed of the key that signs its runs.
    pub signing: [u8; 32],
    mqtt_key: String,
    seal: SealSecret,
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claimed({:?})", self.grant)
    }
}

/// A free port of loopback.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

impl Territory {
    /// Starts `program cloud serve` in `dir` with this keep-alive, and waits until it answers.
    ///
    /// # Errors
    /// With the last words of its log, when it does not.
    pub async fn start(program: &Path, dir: &Path, keep_alive_s: u16) -> Result<Self> {
        let home = dir.join("cloud");
        fs::create_dir_all(&home)?;
        let (listen, mqtt, admin) = (free_port()?, free_port()?, free_port()?);
        let config = format!(
            "territory = \"belfort\"\nlisten = \"{listen}\"\nmqtt = \"{mqtt}\"\nadmin = \"{admin}\"\n\
             keep_alive_s = {keep_alive_s}\nlog = \"warn\"\n"
        );
        fs::write(home.join("preau-cloud.toml"), config)?;
        let log = dir.join("cloud.log");
        let said = fs::File::create(&log)?;
        let mut command = Command::new(program);
        command.args(["cloud", "serve", "--with-parent", "--dir"]).arg(&home).stdin(Stdio::piped());
        command.stdout(said.try_clone()?).stderr(said).kill_on_drop(true);
        let process = command.spawn().with_context(|| format!("{} does not start", program.display()))?;
        let token_file = home.join("admin/token");
        let began = Instant::now();
        while !token_file.exists() || admin::get(admin, "/healthz").await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "the coordinator does not answer: {}", last_words(&log));
            sleep(Duration::from_millis(50)).await;
        }
        let address = Address { url: format!("https://{listen}"), ca_file: home.join("ca.pem"), token_file };
        let api = Coordinator::open(&address)?;
        Ok(Self { process, address, admin, mqtt, api })
    }

    /// Where its API is, and who to trust there.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Makes the schools of these numbers, each with one box that has claimed.
    ///
    /// # Errors
    /// When the coordinator refuses one.
    pub async fn boxes(&self, numbers: std::ops::Range<u32>) -> Result<Vec<Claimed>> {
        let mut hands = Vec::new();
        for hand in 0..HANDS {
            let (address, numbers) = (self.address.clone(), numbers.clone());
            hands.push(tokio::spawn(async move {
                let api = Coordinator::open(&address)?;
                let authority = fs::read_to_string(&address.ca_file)?;
                let door = Client::new(&address.url, tls::client(&authority, None)?, PATIENCE)?;
                let mut claimed = Vec::new();
                for number in numbers.skip(hand).step_by(HANDS) {
                    let uai = uai(number)?;
                    api.add_school(&uai, &format!("École n° {number}"), None).await?;
                    let code = api.issue_box(&uai, true).await?;
                    claimed.push(claim(&door, code).await?);
                }
                Ok::<_, anyhow::Error>(claimed)
            }));
        }
        let mut claimed = Vec::new();
        for hand in hands {
            claimed.extend(hand.await??);
        }
        Ok(claimed)
    }

    /// Memory of the process that is in the machine's, in bytes.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Processor time that it has used.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.process.id())
    }

    fn proc(&self, name: &str) -> Result<PathBuf> {
        let id = self.process.id().context("the coordinator has ended")?;
        Ok(Path::new("/proc").join(id.to_string()).join(name))
    }

    /// What its admin plane answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn admin(&self, path: &str) -> Result<Vec<u8>> {
        admin::get(self.admin, path).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        tokio::time::timeout(PATIENCE, self.process.wait()).await.context("the coordinator does not stop")??;
        Ok(())
    }
}

/// Processor time that a process has used.
///
/// # Errors
/// When it is gone.
pub fn cpu(process: Option<u32>) -> Result<Duration> {
    let id = process.context("the process has ended")?;
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"))?;
    // Fields 14 and 15 (proc(5)); the name in parentheses may hold spaces.
    let after_name = stat.rsplit_once(')').context("a name")?.1;
    let ticks = |at: usize| -> Result<u64> { Ok(after_name.split_whitespace().nth(at).context("a field")?.parse()?) };
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / TICKS_A_SECOND))
}

/// The last lines of a log.
pub fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// The sound number of a school that does not exist.
///
/// # Errors
/// When the number has more than six digits.
pub fn uai(number: u32) -> Result<Uai> {
    let digits = 9_000_000 + number;
    Ok(format!("{digits:07}{}", Uai::letter_for(digits)).parse()?)
}

async fn claim(door: &Client, code: String) -> Result<Claimed> {
    let mut signing = [0; 32];
    SystemDice.fill(&mut signing);
    let seal = SealSecret::draw(&SystemDice);
    let mqtt = KeyPair::generate()?;
    let request = |key: &KeyPair| -> Result<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(key)?.pem()?)
    };
    let claim = Claim {
        code,
        signing_key: HEXLOWER.encode(&SigningKey::from_seed(&signing)?.public().0),
        seal_key: HEXLOWER.encode(&seal.public()?.0),
        mqtt_request: request(&mqtt)?,
        lan_request: request(&KeyPair::generate()?)?,
    };
    let headers = [("accept-language", "en")];
    let answer = door.send(Method::POST, "/api/v1/claims", &headers, Some(serde_json::to_vec(&claim)?)).await?;
    if answer.status != 200 {
        bail!("the claim got {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let grant = answer.json::<ClaimAnswer>()?.grant.context("a grant")?;
    Ok(Claimed { grant, signing, mqtt_key: mqtt.serialize_pem(), seal })
}

impl Claimed {
    /// Its topic of that direction.
    pub fn topic(&self, direction: Direction) -> Topic {
        let (territory, uai) = (self.grant.territory.clone(), self.grant.uai.clone());
        Topic { territory, uai, box_id: self.grant.box_id, direction }
    }

    /// Seals for the coordinator.
    ///
    /// # Errors
    /// When a key is none.
    pub fn sealing(&self) -> Result<Sealing> {
        let theirs = HEXLOWER.decode(self.grant.seal_key.as_bytes())?;
        let theirs = SealPublic(theirs.try_into().ok().context("32 bytes")?);
        let (own, theirs) = ([(0, self.seal.clone())], [(self.grant.seal_number, theirs)]);
        let held = Held { own: own.into_iter().collect(), theirs: theirs.into_iter().collect() };
        Ok(Sealing::new(Side::Box, Arc::new(move || Some(held.clone())), Arc::new(|_| {}))?)
    }

    /// Connects as a box does, to the broker or to what stands before it; returns by itself after each break.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub fn link(&self, to: SocketAddr, tasks: &Tasks) -> Result<(LinkSender, mpsc::Receiver<LinkEvent>)> {
        let config = LinkConfig {
            host: to.ip().to_string(),
            port: to.port(),
            client_id: self.grant.box_id.to_string(),
            ca: self.grant.authority.clone(),
            identity: (self.grant.mqtt_certificate.clone(), self.mqtt_key.clone()),
            keep_alive: self.keep_alive(),
            connect_timeout: Duration::from_secs(30),
            retry_cap: Duration::from_secs(2),
            subscribe: vec![self.topic(Direction::Down).to_string()],
        };
        Ok(Link::start(config, Arc::new(SystemDice), tasks)?)
    }

    /// As told at the claim.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.grant.keep_alive_s.into())
    }
}
