//! The same questions for every server, asked by `dnsperf` from the other core.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{ground::Ground, packages::program};
use crate::bench::names::{name, unlisted};

/// Distinct names of the list that are asked.
const BLOCKED: u64 = 100_000;
/// Distinct names that are allowed.
const ALLOWED: u64 = 10_000;
/// … of which so many are asked for their other records.
const OTHER: u64 = 2_500;
/// Questions of the mix: of ten, five of listed names, four of allowed ones, one of these for another record.
const MIX: u64 = 2 * BLOCKED;
/// Steps by which names are taken, without common divisors with the counts above: neighbours of the list never follow
/// each other.
const STEP: u64 = 61_681;
/// Warming takes so many seconds at most, a pass.
const WARMING: u32 = 60;
/// Sockets of the load, and questions that wait at once.
const WIDTH: [&str; 4] = ["-c", "8", "-q", "64"];

/// Questions, and how many of a hundred are refused.
#[derive(Debug, Clone)]
pub struct Load {
    /// What it is called.
    pub name: &'static str,
    /// One question a line.
    pub file: PathBuf,
    refused: f64,
}

/// What is asked.
#[derive(Debug)]
pub struct Loads {
    /// What is measured.
    pub measured: [Load; 3],
    /// Each allowed question once.
    warming: Load,
    dnsperf: PathBuf,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Run {
    /// Questions that were answered.
    pub answered: f64,
    /// … each second.
    pub rate: f64,
    /// Of a hundred questions those without an answer.
    pub lost: f64,
    /// Of a hundred answers those that are not what they should be.
    pub wrong: f64,
}

impl Ground {
    /// Writes the questions.
    ///
    /// # Errors
    /// When a file cannot be written, or `dnsperf` cannot be installed.
    pub fn loads(&self) -> Result<Loads> {
        let asked = BLOCKED.min(self.names);
        let blocked = |n: u64| {
            let name = name(n.wrapping_mul(STEP) % asked * (self.names / asked));
            if n.is_multiple_of(3) { format!("www.{name} A") } else { format!("{name} A") }
        };
        let allowed = |n: u64| format!("{} A", unlisted(n.wrapping_mul(STEP) % ALLOWED));
        let other =
            |n: u64| format!("{} {}", unlisted(n / 2 % OTHER), if n.is_multiple_of(2) { "AAAA" } else { "HTTPS" });
        let mix = |n: u64| match n % 10 {
            0 | 2 | 4 | 6 | 8 => blocked(n / 2),
            1 | 3 | 5 | 7 => allowed(n / 2),
            _ => other(n / 10),
        };
        let warming = |n: u64| if n < ALLOWED { allowed(n) } else { other(n - ALLOWED) };
        let write = |name, questions, question: &dyn Fn(u64) -> String, refused| -> Result<Load> {
            let (file, mut text) = (self.dir.join(name), String::new());
            (0..questions).try_for_each(|n| writeln!(text, "{}", question(n)))?;
            fs::write(&file, text)?;
            Ok(Load { name, file, refused })
        };
        Ok(Loads {
            measured: [
                write("blocked", BLOCKED, &blocked, 100.0)?,
                write("allowed", ALLOWED, &allowed, 0.0)?,
                write("mix", MIX, &mix, 50.0)?,
            ],
            warming: write("warming", ALLOWED + 2 * OTHER, &warming, 0.0)?,
            dnsperf: program("dnsperf", "dnsperf")?,
        })
    }
}

impl Loads {
    /// Asks for everything that is allowed, twice, then for everything else.
    ///
    /// # Errors
    /// When `dnsperf` does not run.
    pub fn warm(&self, core: usize, at: SocketAddr) -> Result<()> {
        for load in [&self.warming, &self.warming, &self.measured[2]] {
            self.dnsperf(core, at, load, &["-n", "1", "-l", &WARMING.to_string(), "-t", "5"])?;
        }
        Ok(())
    }

    /// Asks for so many seconds.
    ///
    /// # Errors
    /// When `dnsperf` does not run.
    pub fn run(&self, core: usize, at: SocketAddr, (load, seconds): (&Load, f64)) -> Result<Run> {
        self.dnsperf(core, at, load, &["-l", &seconds.to_string(), "-t", "2"])
    }

    fn dnsperf(&self, core: usize, at: SocketAddr, load: &Load, more: &[&str]) -> Result<Run> {
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string(), "timeout", "--kill-after", "1", "120"]).arg(&self.dnsperf);
        command.args(["-s", &at.ip().to_string(), "-p", &at.port().to_string(), "-d"]).arg(&load.file);
        let out =
            command.args(WIDTH).args(["-O", "suppress=timeout,unexpected"]).args(more).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&out.stdout);
        ensure!(out.status.success(), "dnsperf: {said}{}", String::from_utf8_lossy(&out.stderr));
        read(&said, load.refused).with_context(|| format!("dnsperf says: {said}"))
    }
}

/// Reads what `dnsperf` prints at its end.
fn read(said: &str, refused: f64) -> Result<Run> {
    let after = |words: &str| said.lines().find_map(|line| line.trim().strip_prefix(words)).map(str::trim);
    let figure = |words: &str| -> Result<f64> {
        let figure = after(words).and_then(|rest| rest.split_whitespace().next()).context(words.to_owned())?;
        Ok(figure.parse()?)
    };
    let (sent, answered, seconds) = (figure("Queries sent:")?, figure("Queries completed:")?, figure("Run time (s):")?);
    let codes = after("Response codes:").unwrap_or_default();
    let code = |word: &str| -> f64 {
        let found = codes.split(", ").find_map(|code| code.strip_prefix(word)?.split_whitespace().next()?.parse().ok());
        found.unwrap_or_default()
    };
    let (is, is_not) = (code("NOERROR "), code("NXDOMAIN "));
    // A run ends anywhere in its file, and may lose some: to ten questions, its shares are those of the file.
    let expected = answered * refused / 100.0;
    let astray = ((is_not - expected).abs() - 10.0 - (sent - answered)).max(0.0);
    let hundredths = |part: f64, of: f64| if of == 0.0 { f64::NAN } else { part / of * 100.0 };
    Ok(Run {
        answered,
        rate: answered / seconds,
        lost: hundredths(sent - answered, sent),
        wrong: hundredths((answered - is - is_not).max(0.0) + astray, answered),
    })
}

/// The questions of a file as names and kinds.
///
/// # Errors
/// When it cannot be read.
pub fn questions(file: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(file)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "
  Queries sent:         2000
  Queries completed:    1999 (99.95%)
  Queries lost:         1 (0.05%)

  Response codes:       NOERROR 1000 (50.03%), NXDOMAIN 997 (49.87%), SERVFAIL 2 (0.10%)
  Run time (s):         0.500000
  Queries per second:   3998.0
";

    #[test]
    fn a_run_is_read_with_what_was_lost_and_wrong() {
        let run = read(SAID, 50.0).expect("read");
        assert!((run.rate - 3_998.0).abs() < 1e-9 && (run.lost - 0.05).abs() < 1e-9, "{run:?}");
        assert!((run.wrong - 2.0 / 19.99).abs() < 1e-9, "only the failures: {run:?}");
        assert!(read(SAID, 100.0).expect("read").wrong > 45.0, "a list that blocks half is no list");
        assert!(read("dnsperf is ill", 50.0).is_err());
    }
}
