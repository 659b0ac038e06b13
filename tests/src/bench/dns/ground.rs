//! The ground of one run: which cores, which folders, which addresses.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::server::Server;
use crate::bench::names;

/// Everything that servers share.
#[derive(Debug)]
pub struct Ground {
    /// Names of the list.
    pub names: u64,
    /// Where lists and configurations lie.
    pub dir: PathBuf,
    /// The core of every server, and that of load and upstream.
    pub cores: (usize, usize),
    /// The upstream's address.
    pub upstream: SocketAddr,
    /// The echo's address.
    pub echo: SocketAddr,
    running: Vec<Server>,
    _gone_afterwards: Option<TempDir>,
}

impl Ground {
    /// Draws the list, unless it lies there from before, and starts upstream and echo.
    ///
    /// # Errors
    /// When there is only one core, or a file cannot be written.
    pub fn prepare(names: u64) -> Result<Self> {
        let (kept, gone_afterwards) = match std::env::var("PREAU_DNS_BENCH_DIR") {
            Ok(dir) => (PathBuf::from(dir), None),
            Err(_) => tempfile::tempdir().map(|dir| (dir.path().to_owned(), Some(dir)))?,
        };
        let dir = kept.join(format!("names-{names}"));
        fs::create_dir_all(&dir)?;
        // Some servers change their user and folder.
        let dir = dir.canonicalize()?;
        once(&dir.join("lists"), |to| names::draw(to, 0..names).map(drop))?;
        let (upstream, echo) = (free_address()?, free_address()?);
        let mut ground = Self {
            names,
            dir,
            cores: cores()?,
            upstream,
            echo,
            running: Vec::new(),
            _gone_afterwards: gone_afterwards,
        };
        let this = std::env::current_exe()?;
        for (word, core, at) in
            [(super::beside::UPSTREAM, ground.cores.1, upstream), (super::beside::ECHO, ground.cores.0, echo)]
        {
            let words = [this.clone().into(), word.into(), at.to_string().into()];
            ground.running.push(Server::start(core, &words, &ground.dir.join(word))?);
        }
        Ok(ground)
    }

    /// The echo's process.
    ///
    /// # Errors
    /// When there is none.
    pub fn echo_process(&self) -> Result<&Server> {
        self.running.last().context("no echo")
    }
}

/// Makes a file or folder unless it is there; what is half made is never taken for it.
///
/// # Errors
/// When it cannot be made.
pub fn once(at: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if at.exists() {
        return Ok(());
    }
    let half = at.with_extension("half");
    if half.is_dir() {
        fs::remove_dir_all(&half)?;
    }
    make(&half)?;
    Ok(fs::rename(half, at)?)
}

/// An address of this machine that was free just now.
///
/// # Errors
/// When there is none.
pub fn free_address() -> io::Result<SocketAddr> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The first and the last core that this process may use.
fn cores() -> Result<(usize, usize)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).context("the kernel says")?;
    let mut numbers = list.trim().split([',', '-']).map(str::parse);
    let first = numbers.next().context("a core")??;
    let last = numbers.next_back().transpose()?.unwrap_or(first);
    ensure!(first != last, "one core for the servers and one for the load are wanted");
    Ok((first, last))
}
