//! A PostgreSQL of our own: Debian's binaries, a folder that vanishes, a socket in it, no port.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

/// Where Debian keeps its versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// A server on a busy machine comes up within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody's number, where there is no user of PostgreSQL: the server does not run as root.
const NOBODY: u32 = 65_534;

/// A server that runs; it ends, and its folder goes, with this value.
pub struct Server {
    child: Child,
    dir: tempfile::TempDir,
    user: Option<(u32, u32)>,
    binaries: PathBuf,
    /// Settings beside the usual ones.
    settings: Vec<String>,
    port: u16,
}

impl Server {
    /// Makes an empty cluster and starts it.
    pub fn start() -> Result<Self> {
        let binaries = binaries()?;
        let dir = tempfile::tempdir()?;
        let user = other_user()?;
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let data = dir.path().join("data");
        let made = as_user(&binaries.join("initdb"), user, dir.path())
            .args(["--auth=trust", "--username=preau", "--encoding=UTF8", "--no-sync", "--no-instructions"])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .context("initdb")?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let child = spawn(&binaries, user, dir.path(), &[])?;
        let mut server = Self { child, dir, user, binaries, settings: Vec::new(), port: 5_432 };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.tool("pg_isready").arg("-q").status()?.success() {
            if Instant::now() > until {
                bail!("postgres does not start: {}", fs::read_to_string(self.dir.path().join("log"))?);
            }
            if self.child.try_wait()?.is_some() {
                // What it left behind when it was killed still ends.
                self.child = spawn(&self.binaries, self.user, self.dir.path(), &self.settings)?;
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// `kill -9` of the first process; those of the connections end when they find out.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again after [`Self::kill`]: it recovers from its log.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.binaries, self.user, self.dir.path(), &self.settings)?;
        self.wait()
    }

    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(self.binaries.join(name));
        tool.arg("-h").arg(self.dir.path()).arg("-p").arg(self.port.to_string()).arg("-U").arg("preau");
        tool
    }

    /// Makes a database; gives its URL.
    pub fn database(&self, name: &str) -> Result<String> {
        let made = self.tool("createdb").arg(name).output()?;
        ensure!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        Ok(format!("postgres:///{name}?user=preau&host={}", self.dir.path().display()))
    }

    /// Starts it again on a loopback port, with this certificate and key (PEM) for those who want TLS; gives the port.
    pub fn secure(&mut self, certificate: &str, key: &str) -> Result<u16> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.dir.path().join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if let Some((uid, gid)) = self.user {
                chown(&path, Some(uid), Some(gid))?;
            }
            let file = if name == "server.crt" { "ssl_cert_file" } else { "ssl_key_file" };
            self.settings.push(format!("{file}={}", path.display()));
        }
        self.settings.extend(["ssl=on".into(), "listen_addresses=127.0.0.1".into(), format!("port={port}")]);
        self.port = port;
        self.kill()?;
        self.restart()?;
        Ok(port)
    }

    /// Runs statements in a database with its own client; gives what they say, without headings.
    pub fn run(&self, database: &str, sql: &str) -> Result<String> {
        let ran =
            self.tool("psql").args(["-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]).output()?;
        ensure!(ran.status.success(), "psql: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(String::from_utf8(ran.stdout)?.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // In order: its children end with it, and release its memory.
        let stopped = as_user(&self.binaries.join("pg_ctl"), self.user, self.dir.path())
            .args(["stop", "-s", "-m", "immediate", "-D"])
            .arg(self.dir.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

fn spawn(binaries: &Path, user: Option<(u32, u32)>, dir: &Path, settings: &[String]) -> Result<Child> {
    let log = fs::File::options().create(true).append(true).open(dir.join("log"))?;
    as_user(&binaries.join("postgres"), user, dir)
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        // Nobody pulls this machine's plug: fsync would only slow the tests.
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .context("postgres")
}

fn binaries() -> Result<PathBuf> {
    let versions = fs::read_dir(VERSIONS).context("no PostgreSQL here: apt-get install postgresql")?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let newest = folders.filter(|bin| bin.join("initdb").exists()).max();
    newest.with_context(|| format!("no server in {VERSIONS}: apt-get install postgresql"))
}

/// Whom the server runs as, when we are root: the user of its package, or nobody.
fn other_user() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let fields = |line: &str| -> Option<(u32, u32)> {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Ok(Some(users.lines().find_map(fields).unwrap_or((NOBODY, NOBODY))))
}

fn as_user(program: &Path, user: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).stdin(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}
