//! A child process under supervision: started, restarted after a fall, stopped with its parent.
//!
//! A child holds one end of a pipe as standard input and ends when it closes, so that no child outlives a pilot that
//! was killed. Its words go to a log file.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

/// First pause before a fallen child is started again; doubled at each fall in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A child that ran for so long is healthy again.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// A child that was told to stop is killed after so long.
const STOP_PATIENCE: Duration = Duration::from_secs(6);

/// What to run.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) log: PathBuf,
}

/// A supervised child.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) name: String,
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
enum Order {
    Kill,
    Stop,
}

/// Where a child stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct State {
    /// The running process.
    pub(super) pid: Option<u32>,
    /// How often it was started.
    pub(super) starts: u32,
}

impl Recipe {
    fn command(&self) -> anyhow::Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        Ok(command)
    }

    /// Runs it once to its end; an error carries the last lines of its log.
    pub(super) async fn finish(&self) -> anyhow::Result<()> {
        let mut child =
            self.command()?.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {}", self.name))?;
        let status = child.wait().await?;
        if !status.success() {
            anyhow::bail!("{} failed ({status}): {}", self.name, last_lines(&self.log));
        }
        Ok(())
    }

    /// Starts it with its standard output for us to read; it is not restarted.
    pub(super) fn start_read(&self) -> anyhow::Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let mut child =
            self.command()?.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {}", self.name))?;
        let stdout = child.stdout.take().context("a child without standard output")?;
        Ok((child, BufReader::new(stdout).lines()))
    }
}

/// The last words of a log: what a person needs when a child does not come to life.
pub(super) fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("{} (log: {})", lines.join(" | "), log.display())
}

impl Supervised {
    /// Starts it and keeps it running.
    pub(super) fn start(recipe: Recipe) -> anyhow::Result<Self> {
        let first = recipe.command()?.spawn().with_context(|| format!("cannot start {}", recipe.name))?;
        let (orders, inbox) = mpsc::channel(4);
        let (tell, state) = watch::channel(State { pid: first.id(), starts: 1 });
        let name = recipe.name.clone();
        let task = tokio::spawn(supervise(recipe, first, inbox, tell));
        Ok(Self { name, orders, state, task })
    }

    pub(super) fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Kills the process (SIGKILL); it is started again.
    pub(super) async fn kill(&self) -> anyhow::Result<()> {
        self.orders.send(Order::Kill).await.with_context(|| format!("{} is not supervised any more", self.name))
    }

    /// Stops it for good: by the end of its standard input, by force when that does not help.
    pub(super) async fn stop(self) {
        drop(self.orders.send(Order::Stop).await);
        drop(self.task.await);
    }
}

async fn supervise(recipe: Recipe, first: Child, mut inbox: mpsc::Receiver<Order>, tell: watch::Sender<State>) {
    let mut child = Some(first);
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        if let Some(running) = child.as_mut() {
            tokio::select! {
                ended = running.wait() => tracing::warn!(name = recipe.name, ?ended, "a child ended"),
                order = inbox.recv() => match order {
                    Some(Order::Kill) => drop(running.kill().await),
                    Some(Order::Stop) | None => return stop(running).await,
                },
            }
        }
        tell.send_modify(|s| s.pid = None);
        pause = if began.elapsed() > HEALTHY_AFTER { FIRST_PAUSE } else { pause };
        tokio::select! {
            () = sleep(pause) => {}
            order = inbox.recv() => match order {
                Some(Order::Kill) => {}
                Some(Order::Stop) | None => return,
            },
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        let started = recipe.command().and_then(|mut c| c.spawn().map_err(Into::into));
        if let Err(error) = &started {
            tracing::warn!(name = recipe.name, %error, "a child cannot be started");
        }
        child = started.ok();
        let pid = child.as_ref().and_then(Child::id);
        tell.send_modify(|s| *s = State { pid, starts: s.starts.saturating_add(1) });
    }
}

/// Ends a child: its standard input closes, and it has a moment to put its house in order.
pub(super) async fn stop(child: &mut Child) {
    drop(child.stdin.take());
    if timeout(STOP_PATIENCE, child.wait()).await.is_err() {
        drop(child.kill().await);
    }
}
