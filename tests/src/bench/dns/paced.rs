//! A client that asks at a given pace and times each answer. It never sleeps, so that its own waking is in no figure; it is
//! this program again, held on the load's core.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    load::questions,
    message::{self, A, AAAA, HTTPS},
};
use crate::bench::table::{count, percentile};

/// The word that makes a bench's program this client.
pub const WORD: &str = "paced";
/// Questions a second.
const PACE: u64 = 5_000;
/// The most questions of a run: each has its number.
const MOST: u64 = 60_000;
/// The last answers come within so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// Microseconds from question to answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waits {
    /// Half of them are shorter.
    pub p50: f64,
    /// One of a hundred is longer.
    pub p99: f64,
    /// Of a hundred questions those without an answer.
    pub lost: f64,
}

/// Runs the client in a process of its own.
///
/// # Errors
/// When it cannot be run.
pub fn apart(core: usize, at: SocketAddr, (file, seconds): (&Path, f64)) -> Result<Waits> {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(std::env::current_exe()?).args([WORD, &at.to_string()]);
    let out = command.arg(file).arg(seconds.to_string()).stdin(Stdio::null()).output()?;
    ensure!(out.status.success(), "the paced client: {}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8(out.stdout)?;
    let figures: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [p50, p99, lost] = figures[..] else { anyhow::bail!("three figures, not {said}") };
    Ok(Waits { p50, p99, lost })
}

/// What the process does; `words` are those after [`WORD`].
///
/// # Errors
/// When it cannot ask.
pub fn ask(words: &[String]) -> Result<Waits> {
    let [at, file, seconds] = words else { anyhow::bail!("{WORD} ADDRESS FILE SECONDS") };
    let asked = MOST.min(Duration::from_secs_f64(seconds.parse()?).as_secs().max(1) * PACE);
    let questions = questions(Path::new(file))?;
    ensure!(!questions.is_empty(), "no questions");
    let queries: Vec<Vec<u8>> = (0..u16::try_from(asked)?)
        .zip(questions.iter().cycle())
        .map(|(id, (name, kind))| {
            message::query(
                id,
                name,
                match kind.as_str() {
                    "AAAA" => AAAA,
                    "HTTPS" => HTTPS,
                    _ => A,
                },
            )
        })
        .collect();
    let socket = message::socket(at.parse()?)?;
    socket.set_nonblocking(true)?;
    let (began, between) = (Instant::now(), Duration::from_secs(1) / u32::try_from(PACE)?);
    let (mut sent, mut waits, mut bytes) = (Vec::with_capacity(queries.len()), Vec::new(), [0; 2_048]);
    let mut due = Duration::ZERO;
    let mut waiting = vec![true; queries.len()];
    while waits.len() < queries.len() && (sent.len() < queries.len() || began.elapsed() < due + PATIENCE) {
        if let Some(query) = queries.get(sent.len())
            && began.elapsed() >= due
        {
            sent.push(began.elapsed());
            due += between;
            socket.send(query).context("the server listens")?;
        }
        let Ok(length) = socket.recv(&mut bytes) else { continue };
        let now = began.elapsed();
        let Some(id) = bytes[..length].first_chunk().map(|id| usize::from(u16::from_be_bytes(*id))) else { continue };
        if let (Some(then), Some(waiting)) = (sent.get(id), waiting.get_mut(id))
            && std::mem::replace(waiting, false)
        {
            waits.push((now - *then).as_secs_f64() * 1e6);
        }
    }
    let lost = 100.0 - count(waits.len()) / count(queries.len()) * 100.0;
    Ok(Waits { p50: percentile(waits.clone(), 50), p99: percentile(waits, 99), lost })
}
