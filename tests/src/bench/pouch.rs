//! PouchDB beside a server of CouchDB's protocol: two Node programs with LevelDB on disk, and our relay between them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::relay::{Counts, Relay};

/// The peer answers within so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one order cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Documents written.
    pub docs: u64,
    /// Bytes of HTTP, both ways.
    pub counts: Counts,
    /// As the client saw it.
    pub seconds: f64,
}

/// A Node program that speaks in lines of JSON. It ends with us.
#[derive(Debug)]
struct Program {
    _child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// Client and server.
#[derive(Debug)]
pub struct Pouch {
    client: Program,
    _server: Program,
    relay: Relay,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pouch")
}

/// Installs what `package-lock.json` names, unless it is there.
///
/// # Errors
/// With what to do, when npm cannot.
pub async fn install() -> Result<()> {
    if folder().join("node_modules/.package-lock.json").exists() {
        return Ok(());
    }
    let wanted = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    let npm = Command::new("npm").args(wanted).current_dir(folder()).stdin(Stdio::null()).output().await;
    let npm = npm.context("npm does not run: install nodejs and npm (Debian: apt-get install nodejs npm)")?;
    ensure!(
        npm.status.success(),
        "npm could not install PouchDB: run `npm ci` in tests/pouch where a registry is reached: {}",
        String::from_utf8_lossy(&npm.stderr).trim()
    );
    Ok(())
}

impl Program {
    fn start(words: &[&str]) -> Result<Self> {
        let mut child = Command::new("node")
            .arg("peer.mjs")
            .args(words)
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node does not run: install nodejs (Debian: apt-get install nodejs)")?;
        let orders = child.stdin.take().context("its input")?;
        let answers = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok(Self { _child: child, orders, answers })
    }

    async fn answer(&mut self) -> Result<Value> {
        let line = timeout(PATIENCE, self.answers.next_line()).await.context("the peer is too slow")??;
        let Some(line) = line else { bail!("the peer ended; its words are above") };
        Ok(serde_json::from_str(&line)?)
    }
}

impl Pouch {
    /// Starts both in `dir`.
    ///
    /// # Errors
    /// When Node is not there, or the programs do not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        install().await?;
        let text = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let mut server = Program::start(&["server", &text("server")])?;
        let port = server.answer().await?["port"].as_u64().context("the server's port")?;
        let relay = Relay::open(([127, 0, 0, 1], u16::try_from(port)?).into()).await?;
        let url = format!("http://{}/school", relay.address);
        let mut client = Program::start(&["client", &text("client"), &url])?;
        ensure!(client.answer().await?["ready"] == true, "the client is not ready");
        Ok(Self { client, _server: server, relay })
    }

    /// Writes documents into the client's own database.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn put(&mut self, docs: &[Value]) -> Result<Cost> {
        self.order(&json!({ "do": "put", "docs": docs })).await
    }

    /// Replicates once, upwards.
    ///
    /// # Errors
    /// When it fails.
    pub async fn push(&mut self) -> Result<Cost> {
        self.order(&json!({ "do": "push" })).await
    }

    async fn order(&mut self, order: &Value) -> Result<Cost> {
        let before = self.relay.look();
        self.client.orders.write_all(format!("{order}\n").as_bytes()).await?;
        let answer = self.client.answer().await?;
        let counts = self.relay.look().since(before);
        let docs = answer["docs"].as_u64().context("how many documents")?;
        Ok(Cost { docs, counts, seconds: answer["seconds"].as_f64().context("how long")? })
    }
}
