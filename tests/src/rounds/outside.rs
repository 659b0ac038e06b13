//! What stands beside our own programs: Debian's Mosquitto as broker, Debian's PostgreSQL as the coordinator's store.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tokio::{net::TcpStream, process::Command};

use super::program::{Account, Program};

/// Where Debian puts it: only root's PATH looks there.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";
/// Where Debian puts its versions of PostgreSQL.
const POSTGRES: &str = "/usr/lib/postgresql";
/// Database and role.
const NAME: &str = "preau";

/// A Mosquitto with the configuration that `preau broker conf` prints for the coordinator in `home`. Not yet started.
pub(super) async fn mosquitto(preau: &Path, home: &Path, address: SocketAddr, log: PathBuf) -> Result<Program> {
    let mut ask = Command::new(preau);
    ask.args(["broker", "conf", "--account", "root", "--listen", &address.to_string(), "--home"]).arg(home);
    let said = ask.output().await?;
    anyhow::ensure!(said.status.success(), "preau broker conf: {}", String::from_utf8_lossy(&said.stderr));
    let conf = home.join("broker/mosquitto.conf");
    fs::write(&conf, &said.stdout)?;
    let conf = conf.to_str().context("a path in UTF-8")?;
    Ok(Program::new("mosquitto", Path::new(MOSQUITTO), &["-c", conf], log))
}

/// Whether something listens there.
pub(super) async fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}

/// A PostgreSQL of this stage's own.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) program: Program,
    pub(super) data: PathBuf,
    pub(super) address: SocketAddr,
    bin: PathBuf,
    /// Its own: PostgreSQL does not run as root, and the stage's folder is for its owner only.
    _dir: tempfile::TempDir,
}

impl Postgres {
    /// Makes an empty cluster. Not yet started.
    pub(super) async fn new(address: SocketAddr, log: PathBuf) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("preau-rounds-postgres-").tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let account = Account::of("postgres")?;
        if let Some(account) = account {
            chown(dir.path(), Some(account.user), Some(account.group))?;
        }
        let bin = newest(Path::new(POSTGRES))?.join("bin");
        let data = dir.path().join("data");
        let at = data.to_str().context("a path in UTF-8")?;
        let arguments = ["-D", at, "-U", NAME, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        let initdb = Program::new("initdb", &bin.join("initdb"), &arguments, log.clone()).under(account);
        initdb.finish(&[]).await?;
        let socket = format!("unix_socket_directories={}", dir.path().display());
        let port = address.port().to_string();
        let arguments = ["-D", at, "-h", "127.0.0.1", "-p", &port, "-c", &socket, "-c", "max_connections=40"];
        let program = Program::new("postgres", &bin.join("postgres"), &arguments, log).under(account).with_children();
        Ok(Self { program, data, address, bin, _dir: dir })
    }

    /// Whether it lets anybody in; it listens earlier.
    pub(super) async fn is_ready(&self) -> bool {
        let port = self.address.port().to_string();
        let asked = Command::new(self.bin.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", NAME, "-d", "postgres"])
            .status();
        asked.await.is_ok_and(|status| status.success())
    }

    /// Makes the database, once it is ready.
    pub(super) async fn create(&self) -> Result<()> {
        let port = self.address.port().to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", NAME, NAME];
        Program::new("createdb", &self.bin.join("createdb"), &arguments, self.program.log.clone()).finish(&[]).await
    }

    /// An answer, a line a row.
    pub(super) async fn ask(&self, sql: &str) -> Result<String> {
        let port = self.address.port().to_string();
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &port, "-U", NAME, "-d", NAME, "-tAqc", sql]);
        let said = psql.output().await?;
        anyhow::ensure!(said.status.success(), "psql: {}", String::from_utf8_lossy(&said.stderr));
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// What the coordinator is told.
    pub(super) fn url(&self) -> String {
        format!("postgres://{NAME}@{}/{NAME}", self.address)
    }
}

/// The folder of the newest version.
fn newest(of: &Path) -> Result<PathBuf> {
    let versions =
        fs::read_dir(of).with_context(|| format!("no PostgreSQL in {}: apt install postgresql", of.display()))?;
    let number = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok());
    let newest = versions.filter_map(|v| v.ok().map(|v| v.path())).filter(|p| number(p).is_some()).max_by_key(number);
    newest.with_context(|| format!("no PostgreSQL in {}", of.display()))
}
