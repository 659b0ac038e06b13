//! The coordinator: one per territory. It holds a replica of every school, shows the DSI where each box stands, takes
//! rosters in and lets boxes join.
//!
//! | room | its one idea |
//! |---|---|
//! | `broker` | MQTT, inside or outside |
//! | `coordinator` | `shared::replica` for every school |
//! | `enrolment` | a box joins and leaves |
//! | `filter` | names for tablets away from school |
//! | `fleet` | where each box stands |
//! | `roster` | files become people |
//! | `store` | memory on disk |
//! | `web` | the door |

mod app;
mod broker;
mod config;
mod coordinator;
mod enrolment;
mod filter;
mod fleet;
mod roster;
mod store;
mod web;

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

pub use app::{Running, StartError};
pub use broker::mosquitto;
pub use config::{Config, ConfigError};

/// Words of `preau-cloud`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum CloudCommand {
    /// Runs the coordinator until it is told to stop (SIGTERM, Ctrl-C).
    #[command(after_help = "Example: preau-cloud serve --dir /var/lib/preau-cloud")]
    Serve {
        /// Configuration file; its folder is the coordinator's folder unless --dir says another.
        #[arg(long, value_name = "FILE", required_unless_present = "dir")]
        config: Option<PathBuf>,
        /// The coordinator's folder: database, authority, and preau-cloud.toml unless --config says another.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// PostgreSQL to use instead of a file in the folder: postgres://user:password@host:port/database
        #[arg(long, value_name = "URL")]
        store: Option<String>,
        /// Stop when standard input closes: the pilot's coordinator ends with it.
        #[arg(long, hide = true)]
        with_parent: bool,
    },
}

/// Runs a word; 0 when it ended well, 1 when not (the reason is on standard error).
pub fn run(command: CloudCommand) -> ExitCode {
    preau_shared::rig::tls::install_provider();
    let CloudCommand::Serve { config, dir, store, with_parent } = command;
    match serve(config, dir, store, with_parent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; then nobody reads it.
            drop(writeln!(std::io::stderr(), "preau-cloud: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Threads for what blocks (passwords, the way to PostgreSQL): the allocator keeps memory for each that ever ran.
const BLOCKING: usize = 4;
/// A database that is out of reach at the start is looked for so often.
const DATABASE_AGAIN: Duration = Duration::from_secs(1);

fn serve(
    config: Option<PathBuf>,
    dir: Option<PathBuf>,
    store: Option<String>,
    with_parent: bool,
) -> anyhow::Result<()> {
    let (file, dir) = match (config, dir) {
        (Some(file), Some(dir)) => (file, dir),
        (Some(file), None) => {
            let dir =
                file.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Into::into);
            (file, dir)
        }
        (None, Some(dir)) => (dir.join(config::FILE), dir),
        (None, None) => anyhow::bail!("give --config or --dir"),
    };
    let mut config = Config::read(&file)?;
    config.store = store.or(config.store);
    preau_shared::rig::log::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING).enable_all().build()?;
    runtime.block_on(async {
        let told = app::told_to_stop(with_parent)?;
        tokio::pin!(told);
        // Each turn is one life of the program.
        loop {
            let running = match Running::start(config.clone(), &dir).await {
                Ok(running) => running,
                Err(error) if error.passes() => {
                    tracing::warn!(%error, "waiting for the database");
                    tokio::select! {
                        () = &mut told => return Ok(()),
                        () = tokio::time::sleep(DATABASE_AGAIN) => continue,
                    }
                }
                Err(error) => return Err(error.into()),
            };
            let again = tokio::select! {
                () = &mut told => false,
                () = running.restart_wanted() => true,
            };
            tracing::info!(again, "stopping");
            running.stop().await;
            if !again {
                return Ok(());
            }
        }
    })
}
