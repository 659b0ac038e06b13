//! The running pilot's ear: a Unix socket in its folder, one JSON line asked, one JSON line answered.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use super::{folder, relay::Line, stage::Stage};
use crate::out::{self, Reader};

/// Name of the socket in the pilot's folder.
const SOCKET: &str = "pilot.sock";
/// A question is longer than any real one beyond this.
const MAX_LINE_BYTES: u64 = 4_096;
/// Question and answer take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may be asked of a running pilot.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub(super) enum Ask {
    Wan { school: String, line: Line },
    KillBox { school: String },
    PlugBox { school: String },
    KillCloud,
    Status,
}

/// Opens the socket; only the owner may speak.
pub(super) fn open(stage: &Arc<Stage>) -> anyhow::Result<()> {
    let (held, path) = folder::short(stage.folder.path(), SOCKET)?;
    let listener = UnixListener::bind(&path).context("cannot open the pilot's socket")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let stage = Arc::clone(stage);
    tokio::spawn(async move {
        let _held = held;
        while let Ok((stream, _)) = listener.accept().await {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move { drop(timeout(PATIENCE, answer(stream, &stage)).await) });
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, stage: &Stage) -> anyhow::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    BufReader::new(from).take(MAX_LINE_BYTES).read_line(&mut line).await?;
    let done = match serde_json::from_str::<Ask>(&line) {
        Ok(ask) => obey(ask, stage).await,
        Err(error) => Err(anyhow::anyhow!("not a question: {error}")),
    };
    let answer = done.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
    to.write_all(format!("{answer}\n").as_bytes()).await.map_err(Into::into)
}

async fn obey(ask: Ask, stage: &Stage) -> anyhow::Result<Value> {
    match ask {
        Ask::Wan { school, line } => {
            let school = stage.school(&school)?;
            school.wan.set(line);
            Ok(json!({ "uai": school.uai, "wan": line }))
        }
        Ask::KillBox { school } => {
            let school = stage.school(&school)?;
            stage.kills.fetch_add(1, Ordering::Relaxed);
            school.machine.tell(stage.clock.elapsed())?;
            school.process.kill().await?;
            Ok(json!({ "killed": "box", "uai": school.uai }))
        }
        Ask::PlugBox { school } => {
            let school = stage.school(&school)?;
            stage.kills.fetch_add(1, Ordering::Relaxed);
            school.machine.plug_in(stage.clock.elapsed())?;
            school.process.kill().await?;
            Ok(json!({ "plugged_in": "box", "uai": school.uai }))
        }
        Ask::KillCloud => {
            stage.kills.fetch_add(1, Ordering::Relaxed);
            stage.cloud.process.kill().await?;
            Ok(json!({ "killed": "cloud" }))
        }
        Ask::Status => Ok(status(stage)),
    }
}

fn status(stage: &Stage) -> Value {
    let schools = stage.schools.iter().map(|school| {
        let record = school.record();
        json!({
            "uai": school.uai,
            "name": school.name,
            "slug": school.slug,
            "wan": school.wan.line(),
            "box": school.process.state(),
            "tablets": record.tablets,
            "sign_ins": record.sign_ins,
            "exposure": record.state.as_ref().map(|s| s.exposure),
            "written": record.state.as_ref().map(|s| s.written),
            "acknowledged": record.state.as_ref().map(|s| s.acknowledged),
        })
    });
    json!({
        "dir": stage.folder.path(),
        "running_s": stage.clock.elapsed().0.as_secs(),
        "cloud": { "url": stage.cloud.url, "process": stage.cloud.process.state() },
        "schools": schools.collect::<Vec<_>>(),
    })
}

/// Asks the pilot that runs in `dir` and shows its answer.
pub(super) async fn ask(dir: &Path, ask: &Ask, reader: Reader) -> anyhow::Result<ExitCode> {
    let nobody = || format!("no pilot runs in {}: start one with `preau pilot`, or give its --dir", dir.display());
    let (_held, path): (_, PathBuf) = folder::short(dir, SOCKET).with_context(nobody)?;
    let exchange = async {
        let stream = UnixStream::connect(&path).await.with_context(nobody)?;
        let (from, mut to) = stream.into_split();
        to.write_all(format!("{}\n", serde_json::to_string(ask)?).as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(from).read_line(&mut line).await?;
        serde_json::from_str::<Value>(&line).context("the pilot's answer is not readable")
    };
    let answer = timeout(PATIENCE, exchange).await.context("the pilot does not answer")??;
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        bail!("{error}");
    }
    reader.report(&in_words(ask, &answer), &answer);
    Ok(ExitCode::SUCCESS)
}

fn in_words(ask: &Ask, answer: &Value) -> String {
    match ask {
        Ask::Wan { school, line } => match line {
            Line::Up => format!("{school}: the Internet is back."),
            Line::BlackHole => format!("{school}: the Internet is cut (a black hole)."),
            Line::Refused => format!("{school}: the Internet is cut (connections refused)."),
            Line::Delay(ms) => format!("{school}: each byte arrives {ms} ms later."),
            Line::Stall => format!("{school}: the line stalls and breaks."),
        },
        Ask::KillBox { school } => format!("{school}: the box was killed; it starts again."),
        Ask::PlugBox { school } => format!("{school}: the box's plug was pulled and put in again; it starts."),
        Ask::KillCloud => "The coordinator was killed; it starts again.".to_owned(),
        Ask::Status => {
            let cell = |school: &Value, path: &str| {
                let value = school.pointer(path).cloned().unwrap_or_default();
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            };
            let columns = [
                "/uai",
                "/slug",
                "/wan/line",
                "/box/pid",
                "/tablets",
                "/sign_ins/total",
                "/sign_ins/failed",
                "/exposure/entries",
            ];
            let schools = answer.get("schools").and_then(Value::as_array).cloned().unwrap_or_default();
            let rows: Vec<Vec<String>> = schools.iter().map(|s| columns.map(|c| cell(s, c)).to_vec()).collect();
            let head = ["UAI", "slug", "WAN", "box pid", "tablets", "sign-ins", "failed", "only on the box"];
            format!("{}\n\n{}", cell(answer, "/dir"), out::table(&head, &rows))
        }
    }
}
