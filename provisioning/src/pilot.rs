//! `preau pilot`: schools, boxes, tablets and a coordinator at work on this machine, as real processes over TLS, MQTT,
//! DNS and SQLite on loopback.
//!
//! The pilot starts copies of this very program: one coordinator, one box a school, and the virtual tablets. It sets
//! them up by the same commands and APIs that a DSI uses, puts a relay between each box and the coordinator ("the WAN")
//! and counts what happens. With `--for` it cuts the Internet in the middle and ends with a summary that holds the
//! system to its promises.

mod child;
mod control;
mod folder;
mod machine;
mod ports;
mod prepare;
mod record;
mod relay;
mod stage;
mod summary;
mod upstream;
mod view;
mod watch;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use preau_shared::rig;
use tokio::{signal::unix::SignalKind, task::JoinHandle};

use crate::{
    out::{self, Reader},
    roster::write_secret,
    tablets,
};
use child::Running;
use control::Ask;
use relay::Line;
use stage::Stage;
use view::{Steps, View};

/// Where a pilot lives when nothing else is said.
pub const DEFAULT_DIR: &str = ".pilot";
/// The DSI's name at the coordinator of a pilot.
pub(crate) const ADMIN_USER: &str = "dsi";
/// The outage of a timed run lasts at least so long.
const SHORTEST_OUTAGE: Duration = Duration::from_secs(20);
/// Longer by so much than what was asked, so that what is measured from switch to switch is never shorter.
const SWITCHING: Duration = Duration::from_millis(500);
/// … and at most so long.
const LONGEST_OUTAGE: Duration = Duration::from_secs(120);
/// Before and after the outage at least so much time must be left.
const MARGIN: Duration = Duration::from_secs(5);

/// Start schools, boxes, tablets and a coordinator on this machine, or act on those that run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  preau pilot                             two invented schools, until Ctrl-C
  preau pilot --for 60s --json            a minute with an outage, and its summary
  preau pilot --roster my-schools         your own ONDE files, named <UAI>.csv
  preau pilot wan down jean-moulin-belfort     cut the Internet of a school of the running pilot
  preau pilot kill box jean-moulin-belfort     kill -9 its box

--dir DIR is emptied first if an earlier pilot made it; any other folder must be new or empty.")]
pub struct PilotArgs {
    #[command(subcommand)]
    act: Option<Act>,
    /// The pilot's folder.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR, global = true)]
    dir: PathBuf,
    /// Folder of ONDE files named `UAI.csv`, with schools.csv (uai,name,latitude,longitude) if you like.
    #[arg(long, value_name = "DIR")]
    roster: Option<PathBuf>,
    /// Virtual tablets in each school; 0 leaves the schools to you.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=600))]
    tablets: u16,
    /// Run for so long (30s at least), with an outage of 20 s or more in the middle, then sum up.
    #[arg(long = "for", value_name = "TIME", value_parser = run_time)]
    length: Option<Duration>,
    /// One JSON object a line, for a program.
    #[arg(long, global = true)]
    json: bool,
    /// First of the ports to use, one after the other; free ones are found otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_000))]
    port_base: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// The line between a school and the coordinator.
    #[command(subcommand, after_help = "Example:\n  preau pilot wan down jean-moulin-belfort")]
    Wan(WanAct),
    /// What runs, and what was counted so far.
    #[command(after_help = "Example:\n  preau pilot status --json")]
    Status,
    /// Kill a process (SIGKILL); it starts again.
    #[command(subcommand, after_help = "Example:\n  preau pilot kill cloud")]
    Kill(KillAct),
    /// Pull the plug of a school's box and put it in again.
    #[command(after_help = "Example:\n  preau pilot plug jean-moulin-belfort")]
    Plug {
        /// UAI or slug.
        school: String,
    },
}

#[derive(Debug, Subcommand)]
enum WanAct {
    /// Cut it: a black hole, in which nothing moves and nobody is told.
    #[command(after_help = "Example:\n  preau pilot wan down jean-moulin-belfort --refuse")]
    Down {
        /// UAI or slug.
        school: String,
        /// Close and refuse connections instead.
        #[arg(long)]
        refuse: bool,
    },
    /// Give it back.
    #[command(after_help = "Example:\n  preau pilot wan up jean-moulin-belfort")]
    Up {
        /// UAI or slug.
        school: String,
    },
    /// Let each byte arrive later.
    #[command(after_help = "Example:\n  preau pilot wan delay 400 jean-moulin-belfort")]
    Delay {
        /// Milliseconds, each way.
        #[arg(value_parser = clap::value_parser!(u64).range(0..=60_000))]
        ms: u64,
        /// UAI or slug.
        school: String,
    },
    /// A bad line: stalls and resets.
    #[command(after_help = "Example:\n  preau pilot wan stall jean-moulin-belfort")]
    Stall {
        /// UAI or slug.
        school: String,
    },
}

#[derive(Debug, Subcommand)]
enum KillAct {
    /// The box of a school.
    #[command(after_help = "Example:\n  preau pilot kill box jean-moulin-belfort")]
    Box {
        /// UAI or slug.
        school: String,
    },
    /// The coordinator.
    #[command(after_help = "Example:\n  preau pilot kill cloud")]
    Cloud,
}

/// Reads `90s`, `5m` or `1h`.
fn run_time(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600)];
    let (number, unit_s) = units.iter().find_map(|(u, s)| Some((text.strip_suffix(u)?, *s))).unwrap_or((text, 1));
    let number: u64 = number.trim().parse().map_err(|_| format!("{text:?} is not a time: write 60s or 5m"))?;
    let time = Duration::from_secs(number.saturating_mul(unit_s));
    let least = SHORTEST_OUTAGE + 2 * MARGIN;
    if time < least {
        return Err(format!("at least {} s: there is an outage of 20 s in the middle", least.as_secs()));
    }
    Ok(time)
}

/// Runs the pilot, or speaks to the one that runs.
///
/// # Errors
/// When a part does not come to life, or the running pilot refuses.
pub async fn run(args: PilotArgs) -> anyhow::Result<ExitCode> {
    let reader = Reader::of(args.json);
    if let Some(act) = &args.act {
        return control::ask(&args.dir, &act.ask(), reader).await;
    }
    rig::log::start("preau=warn,error");
    let folder = folder::Folder::take(&args.dir)?;
    let steps = Steps::new(reader);
    let tools = prepare::Tools {
        reader,
        clock: Arc::new(rig::clock::SystemClock::start()),
        dice: Arc::new(rig::dice::SystemDice),
        step: Box::new(move |step| steps.say(step)),
    };
    let wish = prepare::Wish { rosters: args.roster.as_deref(), tablets: args.tablets, port_base: args.port_base };
    let raising = Box::pin(prepare::raise(folder, &wish, tools));
    let stage = tokio::select! {
        stage = raising => Arc::new(stage?),
        () = told_to_stop() => anyhow::bail!("stopped before it was ready"),
    };
    control::open(&stage)?;
    reader.report(&stage.welcome(), &stage.ready());
    Box::pin(play(stage, &args)).await
}

impl Act {
    fn ask(&self) -> Ask {
        match self {
            Self::Status => Ask::Status,
            Self::Kill(KillAct::Cloud) => Ask::KillCloud,
            Self::Plug { school } => Ask::PlugBox { school: school.clone() },
            Self::Kill(KillAct::Box { school }) => Ask::KillBox { school: school.clone() },
            Self::Wan(act) => {
                let (school, line) = match act {
                    WanAct::Down { school, refuse: true } => (school, Line::Refused),
                    WanAct::Down { school, refuse: false } => (school, Line::BlackHole),
                    WanAct::Up { school } => (school, Line::Up),
                    WanAct::Delay { ms, school } => (school, Line::Delay(*ms)),
                    WanAct::Stall { school } => (school, Line::Stall),
                };
                Ask::Wan { school: school.clone(), line }
            }
        }
    }
}

/// From `ready` to the summary.
async fn play(stage: Arc<Stage>, args: &PilotArgs) -> anyhow::Result<ExitCode> {
    let view = Arc::new(View::new(stage.reader, &stage.schools));
    let mut watchers = vec![tokio::spawn(watch::tick(Arc::clone(&stage), Arc::clone(&view)))];
    for at in 0..stage.schools.len() {
        watchers.push(tokio::spawn(watch::follow(Arc::clone(&stage), at, Arc::clone(&view))));
    }
    let tablets = if args.tablets > 0 { Some(start_tablets(&stage, args.tablets)?) } else { None };
    let outage = async {
        match args.length {
            Some(length) => timed(&stage, length).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = outage => {}
        () = told_to_stop() => {}
    }
    // A cut that a person left in place ends here: the summary is about what arrives.
    for school in stage.schools.iter().filter(|s| s.wan.line() != Line::Up) {
        school.wan.set(Line::Up);
    }
    if let Some((mut child, hearing)) = tablets {
        child.stop().await;
        drop(hearing.await);
    }
    let summary = summary::sum_up(&stage, args.length.is_some() && args.tablets > 0).await;
    for watcher in watchers {
        watcher.abort();
        drop(watcher.await);
    }
    view.clear();
    stage.reader.report(&summary.in_words(), &summary.as_event());
    let kept = summary.broken.is_empty();
    if let Some(stage) = Arc::into_inner(stage) {
        stop(stage).await;
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Boxes first, so that the coordinator hears their last words.
async fn stop(stage: Stage) {
    let mut boxes = tokio::task::JoinSet::new();
    for school in stage.schools {
        boxes.spawn(school.process.stop());
    }
    boxes.join_all().await;
    stage.cloud.process.stop().await;
}

/// Half of the rest, the outage, the other half.
async fn timed(stage: &Stage, length: Duration) {
    let outage = (length / 3).clamp(SHORTEST_OUTAGE, LONGEST_OUTAGE) + SWITCHING;
    let margin = length.saturating_sub(outage) / 2;
    tokio::time::sleep(margin).await;
    for school in &stage.schools {
        school.wan.set(Line::BlackHole);
    }
    tokio::time::sleep(outage).await;
    for school in &stage.schools {
        school.wan.set(Line::Up);
    }
    tokio::time::sleep(margin).await;
}

fn start_tablets(stage: &Arc<Stage>, count: u16) -> anyhow::Result<(Running, JoinHandle<()>)> {
    let dir = stage.folder.path();
    let schools = stage.schools.iter().map(|school| tablets::SchoolPlan {
        uai: school.uai.clone(),
        url: school.url.clone(),
        ca_file: school.ca_file.clone(),
        dns: school.dns,
        code_file: school.code_file.clone(),
        badges_file: school.badges_file.clone(),
        spared_class: school.spared_class.clone(),
        tablets: count,
    });
    let plan = dir.join("tablets.json");
    write_secret(&plan, &serde_json::to_vec_pretty(&tablets::Plan { schools: schools.collect() })?)?;
    let plan = plan.to_str().context("the folder's name is not valid UTF-8")?;
    let recipe = prepare::recipe(dir, "tablets", &["tablets", "--plan", plan, "--with-parent"])?;
    let (child, lines) = recipe.start_read()?;
    Ok((child, tokio::spawn(watch::hear(Arc::clone(stage), lines))))
}

/// Returns at Ctrl-C or SIGTERM.
async fn told_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                out::complain(&format!("preau: SIGTERM cannot be heard: {error}"));
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_long_enough_for_its_outage() {
        assert_eq!(run_time("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(run_time("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "s", "10s", "-5m", "5 weeks"] {
            assert!(run_time(wrong).is_err(), "{wrong}");
        }
    }
}
