//! A disk that forgets what was not synced, under real programs: `durable/durable.c` says what it models.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use rusqlite::Connection;

/// The layer's source, compiled anew by each run that wants it: it takes a quarter of a second.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/durable/durable.c");
/// Numbers that [`write_then_wait`] writes.
pub const NUMBERS: u64 = 203;
/// [`Habit::File`] syncs so often; the last three numbers are never synced.
const SYNC_EVERY: u64 = 5;

/// The compiled layer.
#[derive(Debug)]
pub struct Layer {
    library: PathBuf,
    _dir: tempfile::TempDir,
}

/// The disk under a program, from its start on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disk {
    /// Seed of what survives a power cut though it was not synced; none: nothing does.
    pub keep: Option<u64>,
    /// It says that it synced and did not: a planted fault.
    pub lies: bool,
}

/// What the power cuts of a folder took, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Files put back, each time counted.
    pub files: u64,
    /// Writes and truncations that were not synced.
    pub writes: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Of those, bytes that the disk had kept all the same.
    pub kept: u64,
}

/// How [`write_then_wait`] cares for its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Appends to a file and syncs every fifth time.
    File,
    /// SQLite in WAL mode with `synchronous=OFF`: hands over and hopes.
    Off,
    /// SQLite in WAL mode with `synchronous=FULL`, as the product's writer.
    Full,
}

impl Layer {
    /// Compiles the layer.
    ///
    /// # Errors
    /// When there is no C compiler, or it says no.
    pub fn build() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let library = dir.path().join("durable.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
        let done = compiler.arg(&library).arg(SOURCE).output().context("no C compiler: install build-essential")?;
        ensure!(done.status.success(), "{SOURCE}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(Self { library, _dir: dir })
    }

    /// What a program's environment must hold to keep `folder` on such a disk.
    pub fn environment(&self, folder: &Path, disk: Disk) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut pairs = vec![("LD_PRELOAD", text(&self.library)), ("PREAU_DURABLE", text(folder))];
        pairs.extend(disk.keep.map(|seed| ("PREAU_DURABLE_KEEP", seed.to_string())));
        pairs.extend(disk.lies.then(|| ("PREAU_DURABLE_LIE", "1".to_owned())));
        pairs
    }

    /// The power comes back: what was not synced in the folder is gone, as at the start of any program there.
    ///
    /// # Errors
    /// When the layer says why it cannot.
    pub fn power_returns(&self, folder: &Path, disk: Disk) -> Result<Forgotten> {
        let before = forgotten(folder)?;
        let done = Command::new("/bin/true").envs(self.environment(folder, disk)).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let after = forgotten(folder)?;
        Ok(Forgotten {
            files: after.files.saturating_sub(before.files),
            writes: after.writes.saturating_sub(before.writes),
            bytes: after.bytes.saturating_sub(before.bytes),
            kept: after.kept.saturating_sub(before.kept),
        })
    }
}

/// Everything that the folder's power cuts took so far.
///
/// # Errors
/// When the layer's list cannot be read.
pub fn forgotten(folder: &Path) -> Result<Forgotten> {
    let mut list = fs::canonicalize(folder)?.into_os_string();
    list.push(".unsynced/forgotten");
    let mut sum = Forgotten::default();
    // No list: no power cut took anything.
    for line in fs::read_to_string(list).unwrap_or_default().lines() {
        let figure = |name: &str| {
            line.split(' ').find_map(|w| w.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap_or(0_u64)
        };
        sum.files += 1;
        sum.writes += figure("writes");
        sum.bytes += figure("bytes");
        sum.kept += figure("kept");
    }
    Ok(sum)
}

impl Habit {
    /// Reads its word.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_word(word: &str) -> Result<Self> {
        Ok(match word {
            "file" => Self::File,
            "off" => Self::Off,
            "full" => Self::Full,
            other => bail!("{other} is none of file, off and full"),
        })
    }
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Off => "off",
            Self::Full => "full",
        }
    }
}

/// The program under the layer's own test: writes 1 to [`NUMBERS`], says each on standard output once it is written (for
/// SQLite: committed), then waits to be killed. Ends by itself when standard input closes.
///
/// # Errors
/// When it cannot write.
pub fn write_then_wait(habit: Habit, path: &Path) -> Result<()> {
    let mut said = std::io::stdout().lock();
    let mut say = |n: u64| writeln!(said, "{n}").and_then(|()| said.flush());
    match habit {
        Habit::File => {
            let mut file = fs::File::create(path)?;
            for n in 1..=NUMBERS {
                file.write_all(&n.to_le_bytes())?;
                if n % SYNC_EVERY == 0 {
                    file.sync_data()?;
                }
                say(n)?;
            }
        }
        Habit::Off | Habit::Full => {
            let conn = Connection::open(path)?;
            conn.execute_batch(&format!(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA wal_autocheckpoint=20;
                 CREATE TABLE t(n INTEGER PRIMARY KEY, what BLOB) STRICT",
                habit.as_str()
            ))?;
            for n in 1..=NUMBERS {
                conn.execute("INSERT INTO t VALUES (?1, randomblob(300))", [i64::try_from(n)?])?;
                say(n)?;
            }
        }
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// How many of the numbers are there, in order and unharmed; an error for a database that cannot be read.
///
/// # Errors
/// When the file is damaged, or numbers are missing before the last.
pub fn read_back(habit: Habit, path: &Path) -> Result<u64> {
    let count = match habit {
        Habit::File => {
            let bytes = fs::read(path)?;
            let numbers: Vec<u64> =
                bytes.chunks_exact(8).filter_map(|c| c.try_into().ok()).map(u64::from_le_bytes).collect();
            ensure!(numbers.iter().copied().eq(1..=u64::try_from(numbers.len())?), "numbers are missing");
            u64::try_from(numbers.len())?
        }
        Habit::Off | Habit::Full => {
            let conn = Connection::open(path)?;
            let health: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            ensure!(health == "ok", "{health}");
            let (count, last): (i64, i64) =
                conn.query_row("SELECT count(*), coalesce(max(n), 0) FROM t", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            ensure!(count == last, "numbers are missing before {last}");
            u64::try_from(count)?
        }
    };
    Ok(count)
}
