//! A box as a process: claimed at a real coordinator, started, stopped, killed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use preau::admin;
use preau_shared::ids::Uai;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::territory::{Territory, cpu, free_port, last_words};

/// What a box does not do within so long it will not do.
const PATIENCE: Duration = Duration::from_secs(600);
/// A box stops within so long on a busy machine.
const STOPPED: Duration = Duration::from_secs(20);

/// A box as a process; it ends with us.
#[derive(Debug)]
pub struct Boxed {
    /// Its folder.
    pub home: PathBuf,
    /// Where tablets find it.
    pub listen: SocketAddr,
    /// Its admin plane.
    pub admin: SocketAddr,
    program: PathBuf,
    config: String,
    child: Option<Child>,
}

impl Boxed {
    /// Claims a box for this school, which will look for its coordinator at `mqtt`. Its folder is inside `dir`.
    ///
    /// # Errors
    /// With what the program says, when the claim fails.
    pub async fn claim(program: &Path, dir: &Path, at: (&Territory, SocketAddr), uai: &Uai) -> Result<Self> {
        let (territory, mqtt) = at;
        let home = dir.join(format!("box-{uai}"));
        fs::create_dir_all(&home)?;
        let code = territory.api.issue_box(uai, true).await?;
        let to = territory.address();
        let mut claim = Command::new(program);
        claim.args(["edge", "claim", &code, "--cloud", &to.url, "--dir"]).arg(&home).arg("--ca-file").arg(&to.ca_file);
        let claimed = claim.stdin(Stdio::null()).output().await?;
        ensure!(claimed.status.success(), "the claim failed: {}", String::from_utf8_lossy(&claimed.stderr));
        let (listen, dns, admin) = (free_port()?, free_port()?, free_port()?);
        let (lan, resolver) = (free_port()?, free_port()?);
        let config = format!(
            "listen = \"{listen}\"\ndns = \"{dns}\"\nadmin = \"{admin}\"\nlan = \"{lan}\"\nupstream = [\"{resolver}\"]\n\
             mqtt = \"{mqtt}\"\nlog = \"warn\"\n"
        );
        let boxed = Self { home, listen, admin, program: program.to_owned(), config, child: None };
        boxed.configure("")?;
        Ok(boxed)
    }

    /// Writes its configuration with these lines more; it counts from the next start on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, more: &str) -> Result<()> {
        Ok(fs::write(self.home.join("preau-edge.toml"), format!("{}{more}", self.config))?)
    }

    /// Starts its program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> Result<()> {
        let said = fs::File::options().create(true).append(true).open(self.home.join("log"))?;
        let mut command = Command::new(&self.program);
        command.args(["edge", "serve", "--with-parent", "--dir"]).arg(&self.home).stdin(Stdio::piped());
        self.child = Some(command.stdout(said.try_clone()?).stderr(said).kill_on_drop(true).spawn()?);
        Ok(())
    }

    /// Tells it to stop, and waits.
    ///
    /// # Errors
    /// When it does not.
    pub async fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        drop(child.stdin.take());
        timeout(STOPPED, child.wait()).await.context("the box does not stop")??;
        Ok(())
    }

    /// Ends it as a power cut does, but for the disk.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.take().context("it does not run")?.kill().await?)
    }

    /// Waits until everything it has is acknowledged, and it knows so many people.
    ///
    /// # Errors
    /// With its last words, when that does not come.
    pub async fn in_step(&self, people: u64) -> Result<()> {
        let began = Instant::now();
        loop {
            if let Ok(state) = admin::box_state(self.admin).await
                && state.exposure.entries == 0
                && state.wan.connected
                && state.people >= people
            {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the box is not in step: {}", last_words(&self.home.join("log")));
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Processor time that it has used.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.child.as_ref().and_then(Child::id))
    }

    /// A figure of its metrics page.
    ///
    /// # Errors
    /// When it does not answer, or knows no such figure.
    pub async fn metric(&self, name: &str) -> Result<u64> {
        let page = String::from_utf8(admin::get(self.admin, "/metrics").await?)?;
        let value = page.lines().find_map(|line| line.strip_prefix("preau_")?.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric {name}"))?.parse()?)
    }
}
