//! A program under test: started, killed without a word, started again.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    process::{Child, ChildStdin, Command},
    time::{sleep, timeout},
};

/// A program that is asked to end ends within this time.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// What to run, and the process when it runs.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) log: PathBuf,
    account: Option<Account>,
    with_children: bool,
    running: Option<Running>,
}

/// Under whose name a program runs that refuses root's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Account {
    /// The account of that name; none when we are not root and everything runs as ourselves.
    pub(super) fn of(name: &str) -> Result<Option<Self>> {
        if fs::metadata("/proc/self")?.uid() != 0 {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let line = accounts.lines().find(|l| l.split(':').next() == Some(name));
        let cells: Vec<&str> = line.with_context(|| format!("no account {name} here"))?.split(':').collect();
        Ok(Some(Self { user: cells[2].parse()?, group: cells[3].parse()? }))
    }
}

/// The process, and the pipe whose end tells it that its parent is gone.
#[derive(Debug)]
struct Running {
    child: Child,
    _breath: Option<ChildStdin>,
}

impl Program {
    /// `program arguments…`, not yet started.
    pub(super) fn new(name: &str, program: &Path, arguments: &[&str], log: PathBuf) -> Self {
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments,
            log,
            account: None,
            with_children: false,
            running: None,
        }
    }

    /// Runs under that account.
    pub(super) fn under(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Its children die with it, as in a power cut.
    pub(super) fn with_children(mut self) -> Self {
        self.with_children = true;
        self
    }

    fn command(&self, environment: &[(&'static str, String)]) -> Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(environment.iter().map(|(k, v)| (*k, v)));
        command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        if let Some(account) = self.account {
            command.uid(account.user).gid(account.group);
        }
        Ok(command)
    }

    /// Starts it.
    pub(super) fn start(&mut self, environment: &[(&'static str, String)]) -> Result<()> {
        let mut child = self.command(environment)?.stdin(Stdio::piped()).spawn().context(self.name.clone())?;
        let breath = child.stdin.take();
        self.running = Some(Running { child, _breath: breath });
        Ok(())
    }

    /// Runs it once, to its end.
    pub(super) async fn finish(&self, environment: &[(&'static str, String)]) -> Result<()> {
        let status = self.command(environment)?.stdin(Stdio::null()).status().await.context(self.name.clone())?;
        if !status.success() {
            bail!("{} failed ({status}): {}", self.name, self.last_lines());
        }
        Ok(())
    }

    /// SIGKILL; returns when the process is no more. One that ended by itself is an error: nobody told it to.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.check()?;
        self.kill_at_once().await
    }

    async fn kill_at_once(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let family = match running.child.id() {
            Some(parent) if self.with_children => {
                // Stopped, it makes no more of them while we look.
                signal("-STOP", &[parent]).await?;
                children(parent)?
            }
            _ => Vec::new(),
        };
        signal("-KILL", &family).await?;
        running.child.kill().await.context(self.name.clone())?;
        for child in family {
            while Path::new(&format!("/proc/{child}")).exists() {
                sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(())
    }

    /// Whether it runs as it was told to.
    pub(super) fn check(&mut self) -> Result<()> {
        if let Some(running) = &mut self.running
            && let Some(status) = running.child.try_wait()?
        {
            bail!("{} ended by itself ({status}): {}", self.name, self.last_lines());
        }
        Ok(())
    }

    /// Ends it in peace.
    pub(super) async fn end(&mut self) {
        if self.with_children {
            drop(self.kill_at_once().await);
        }
        if let Some(Running { mut child, _breath }) = self.running.take() {
            drop(_breath);
            if timeout(END_PATIENCE, child.wait()).await.is_err() {
                drop(child.kill().await);
            }
        }
    }

    /// The last words of its log.
    pub(super) fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(4).collect();
        lines.reverse();
        format!("{} (log: {})", lines.join(" | "), self.log.display())
    }
}

async fn signal(what: &str, to: &[u32]) -> Result<()> {
    // One that has just ended is no failure.
    if !to.is_empty() {
        Command::new("kill").arg(what).args(to.iter().map(u32::to_string)).stderr(Stdio::null()).status().await?;
    }
    Ok(())
}

/// The children of a process (`/proc/<pid>/stat`, fourth word; the second may hold spaces and ends with the last bracket).
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let words = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        if words.split_whitespace().nth(1).and_then(|w| w.parse().ok()) == Some(parent) {
            found.push(pid);
        }
    }
    Ok(found)
}
