//! A pilot as a story's stage: real processes on this machine, ended with the story.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::browser::BOXES;

/// A pilot has its schools, boxes and badges ready within this time on a busy machine.
const READY: Duration = Duration::from_secs(120);

/// A running pilot.
#[derive(Debug)]
pub struct Pilot {
    program: PathBuf,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
    /// Its first line (ARCHITECTURE §5.1).
    pub ready: Value,
}

/// Somebody of a school, as the badges' file tells.
#[derive(Debug, Clone)]
pub struct Somebody {
    /// Who.
    pub person_id: String,
    /// Given name.
    pub given_name: String,
    /// Class.
    pub class: String,
    /// *Niveau*, as `CP`; empty for an adult.
    pub level: String,
    /// Name of the badge.
    pub badge_id: String,
    /// What the badge's QR code holds.
    pub payload: String,
    /// PIN or password; empty for a pupil without.
    pub second_factor: String,
}

impl Pilot {
    /// Starts `program pilot --json …` in a folder of its own and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(program: &str, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .args(["pilot", "--json", "--dir"])
            .arg(folder.path().join("pilot"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let first = timeout(READY, lines.next_line()).await.context("the pilot is too slow")??;
        let ready: Value = serde_json::from_str(&first.context("the pilot said nothing")?)?;
        ensure!(ready["event"] == "ready", "the first line is {ready}");
        Ok(Self { program: program.into(), child, lines, folder, ready })
    }

    /// A text of the first line.
    pub fn text(&self, pointer: &str) -> &str {
        self.ready.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where tablets reach the first school's box: at its name, below which sessions have hosts of their own.
    pub fn page(&self) -> String {
        self.named(self.text("/schools/0/box/url"))
    }

    /// An address of that box, at its name.
    pub fn named(&self, url: &str) -> String {
        url.replace("127.0.0.1", &format!("{}.{BOXES}", self.text("/schools/0/slug")))
    }

    /// The story's folder; the pilot's own is inside.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Says something to the running pilot, such as `["wan", "down", "0900991N"]`.
    ///
    /// # Errors
    /// When it says no.
    pub async fn tell(&self, words: &[&str]) -> Result<()> {
        let said = Command::new(&self.program)
            .arg("pilot")
            .args(words)
            .arg("--dir")
            .arg(self.folder.path().join("pilot"))
            .output()
            .await?;
        ensure!(said.status.success(), "{words:?}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    }

    /// The next event of that name; the others are passed over.
    ///
    /// # Errors
    /// When the pilot ends before, or says nothing for so long.
    pub async fn event(&mut self, name: &str, patience: Duration) -> Result<Value> {
        let wait = async {
            while let Some(line) = self.lines.next_line().await? {
                let event: Value = serde_json::from_str(&line)?;
                if event["event"] == name {
                    return Ok(event);
                }
            }
            anyhow::bail!("the pilot ended without {name}")
        };
        timeout(patience, wait).await.with_context(|| format!("no {name} in time"))?
    }

    /// Waits for its end; whether it kept its promises.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn end(mut self) -> Result<bool> {
        Ok(timeout(Duration::from_secs(30), self.child.wait()).await??.success())
    }

    /// People of a role in the first school; of pupils those without a second factor.
    ///
    /// # Errors
    /// When the badges' file cannot be read.
    pub fn people(&self, role: &str) -> Result<Vec<Somebody>> {
        let csv = std::fs::read_to_string(self.text("/schools/0/badges_file"))?;
        let mut lines = csv.lines();
        let head: Vec<&str> = lines.next().context("the heading")?.split(',').collect();
        let mut found = Vec::new();
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |name: &str| {
                head.iter()
                    .position(|h| *h == name)
                    .and_then(|at| cells.get(at))
                    .copied()
                    .unwrap_or_default()
                    .to_owned()
            };
            if cell("role") == role && (role != "pupil" || cell("second_factor").is_empty()) {
                found.push(Somebody {
                    person_id: cell("person_id"),
                    given_name: cell("given_name"),
                    class: cell("class"),
                    level: cell("level"),
                    badge_id: cell("badge_id"),
                    payload: cell("payload"),
                    second_factor: cell("second_factor"),
                });
            }
        }
        ensure!(!found.is_empty(), "no {role} in the badges' file");
        Ok(found)
    }
}
