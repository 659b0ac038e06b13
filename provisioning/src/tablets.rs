//! Virtual tablets: real HTTPS and DNS clients in a process of their own, each with its own key and its own source
//! address, living a school day at speed.
//!
//! They come in cases of fifteen. A case signs in all at once (a *storm*), stays a little, looks names up, signs out,
//! wipes and is handed to the next children. What happens is told to the pilot as JSON lines on standard output; they
//! stop when standard input ends.

mod case;
mod device;
mod lookup;
pub mod news;
mod teacher;
mod turn;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use preau_shared::{dice::Dice, ids::Uai, rig, time::Clock};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Tablets in a charging case.
pub const TABLETS_PER_CASE: u16 = 15;

/// Virtual tablets.
#[derive(Debug, Args)]
pub struct TabletsArgs {
    /// What to do: a file that the pilot wrote.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// End when standard input ends.
    #[arg(long, hide = true)]
    with_parent: bool,
}

/// What the pilot asks of the tablets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// One line a school.
    pub schools: Vec<SchoolPlan>,
}

/// The tablets of one school.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SchoolPlan {
    /// The school.
    pub uai: Uai,
    /// The box, `https://host:port`.
    pub url: String,
    /// PEM of the territory authority.
    pub ca_file: PathBuf,
    /// The box's DNS.
    pub dns: SocketAddr,
    /// File that holds the enrolment code.
    pub code_file: PathBuf,
    /// Everybody's badges.
    pub badges_file: PathBuf,
    /// Class whose pupils are left to visitors: no virtual tablet ever signs them in.
    pub spared_class: Option<String>,
    /// How many tablets.
    pub tablets: u16,
}

/// What every part of a virtual tablet needs.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dice: Arc<dyn Dice>,
    /// True when the day is over: turns under way end properly, none begins.
    pub(crate) over: watch::Receiver<bool>,
}

impl Rig {
    /// Whether the day is over.
    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }
}

/// Lives until standard input ends.
///
/// # Errors
/// When the plan cannot be read, or no tablet can be enrolled.
pub async fn run(args: TabletsArgs) -> anyhow::Result<ExitCode> {
    let plan: Plan = serde_json::from_slice(&read(&args.plan)?).context("the plan is not readable")?;
    let (end, over) = watch::channel(false);
    if args.with_parent {
        // A thread of its own: the runtime would wait for a blocked read when it ends.
        std::thread::spawn(move || {
            // Whatever ends standard input, the parent is done with us.
            drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
            end.send_replace(true);
        });
    } else {
        tokio::spawn(async move {
            drop(tokio::signal::ctrl_c().await);
            end.send_replace(true);
        });
    }
    let rig = Rig { clock: Arc::new(rig::clock::SystemClock::start()), dice: Arc::new(rig::dice::SystemDice), over };
    let mut cases = tokio::task::JoinSet::new();
    for (number, school) in (0_u8..).zip(plan.schools) {
        for case in case::Case::of_school(&rig, number, &school)? {
            cases.spawn(Box::pin(case.live()));
        }
    }
    while let Some(ended) = cases.join_next().await {
        ended??;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
