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
    process::{Child, ChildStdin, ChildStdout, Command},
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
const STOP_PATIENCE: Duration = Duration::from_secs(10);

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

    fn start(&self) -> anyhow::Result<Running> {
        Running::of(self.command()?, &self.name)
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
    pub(super) fn start_read(&self) -> anyhow::Result<(Running, Lines<BufReader<ChildStdout>>)> {
        let mut command = self.command()?;
        command.stdout(Stdio::piped());
        let mut running = Running::of(command, &self.name)?;
        let stdout = running.child.stdout.take().context("a child without standard output")?;
        Ok((running, BufReader::new(stdout).lines()))
    }
}

/// A process and the pipe that keeps it alive. Waiting for a [`Child`] that still has its pipe would close it.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    breath: Option<ChildStdin>,
}

impl Running {
    fn of(mut command: Command, name: &str) -> anyhow::Result<Self> {
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let breath = child.stdin.take();
        Ok(Self { child, breath })
    }

    /// Ends it: its standard input closes, and it has a moment to put its house in order.
    pub(super) async fn stop(&mut self) {
        drop(self.breath.take());
        if timeout(STOP_PATIENCE, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
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
        let first = recipe.start()?;
        let (orders, inbox) = mpsc::channel(4);
        let (tell, state) = watch::channel(State { pid: first.child.id(), starts: 1 });
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

async fn supervise(recipe: Recipe, first: Running, mut inbox: mpsc::Receiver<Order>, tell: watch::Sender<State>) {
    let mut child = Some(first);
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        if let Some(running) = child.as_mut() {
            tokio::select! {
                ended = running.child.wait() => tracing::warn!(name = recipe.name, ?ended, "a child ended"),
                order = inbox.recv() => match order {
                    Some(Order::Kill) => drop(running.child.kill().await),
                    Some(Order::Stop) | None => return running.stop().await,
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
        let started = recipe.start();
        if let Err(error) = &started {
            tracing::warn!(name = recipe.name, %error, "a child cannot be started");
        }
        child = started.ok();
        let pid = child.as_ref().and_then(|c| c.child.id());
        tell.send_modify(|s| *s = State { pid, starts: s.starts.saturating_add(1) });
    }
}
