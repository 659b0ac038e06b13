//! A server's process: held on its core, ended with us, its processor time to the nanosecond.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::message::{self, A, NXDOMAIN};
use crate::bench::{table::count, territory::last_words};

/// A server that does not answer so long after its start is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// … as is one that takes so many megabytes.
const MOST_MEMORY: f64 = 8_192.0;
/// A start is watched closely for so long.
const CLOSELY: Duration = Duration::from_millis(500);

/// A process on its core.
#[derive(Debug)]
pub struct Server {
    process: Child,
    began: Instant,
    log: PathBuf,
}

/// Resident memory in megabytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Its own.
    pub anonymous: f64,
    /// Pages of files, which the kernel may take back.
    pub file: f64,
}

impl Server {
    /// Starts a command on this core. What it says goes to a file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(core: usize, words: &[OsString], log: &Path) -> Result<Self> {
        let said = fs::File::create(log.with_extension("log"))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset", "-c", &core.to_string()]).args(words);
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        let began = Instant::now();
        let process = command.spawn().context("setpriv and taskset (util-linux)")?;
        Ok(Self { process, began, log: log.with_extension("log") })
    }

    /// Waits for its first right answer: this name is refused. How long it took since the start.
    ///
    /// # Errors
    /// When it ends, or takes too long or too much.
    pub fn refuses(&mut self, at: SocketAddr, name: &str) -> Result<Duration> {
        let socket = message::socket(at)?;
        loop {
            if message::ask(&socket, 7, (name, A), Duration::from_millis(1)) == Some(NXDOMAIN) {
                return Ok(self.began.elapsed());
            }
            let since = self.began.elapsed();
            std::thread::sleep(Duration::from_micros(if since < CLOSELY { 200 } else { 20_000 }));
            if let Some(status) = self.process.try_wait()? {
                anyhow::bail!("ended with {status}: {}", self.last_words());
            }
            ensure!(since < PATIENCE, "no right answer within {PATIENCE:?}: {}", self.last_words());
            if since > CLOSELY {
                let memory = self.memory()?;
                ensure!(memory.anonymous + memory.file < MOST_MEMORY, "takes more than {MOST_MEMORY} MB");
            }
        }
    }

    /// What it said last.
    pub fn last_words(&self) -> String {
        last_words(&self.log)
    }

    /// Microseconds of processor time of all its threads.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<f64> {
        let mut nanoseconds = 0_u64;
        for task in fs::read_dir(self.proc("task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += text.split_whitespace().next().context("a figure")?.parse::<u64>()?;
        }
        Ok(count(nanoseconds) / 1e3)
    }

    /// Its resident memory.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(self.proc("status"))?;
        Ok(Memory { anonymous: megabytes(&status, "RssAnon:"), file: megabytes(&status, "RssFile:") })
    }

    /// Resident pages of the files that it has mapped whose names end so.
    ///
    /// # Errors
    /// When it has ended.
    pub fn mapped(&self, end: &str) -> Result<f64> {
        let (mut ours, mut total) = (false, 0.0);
        for line in fs::read_to_string(self.proc("smaps"))?.lines() {
            // A mapping's first line begins with its addresses, the others with a word and a colon.
            if line.split_whitespace().next().is_some_and(|word| !word.ends_with(':')) {
                ours = line.ends_with(end);
            } else if ours {
                total += megabytes(line, "Rss:");
            }
        }
        Ok(total)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.process.id().to_string()).join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A figure that the kernel gives in kilobytes; nothing where there is none.
fn megabytes(text: &str, field: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<f64>().ok());
    value.unwrap_or_default() / 1024.0
}
