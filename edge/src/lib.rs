//! The box: one per school. It signs pupils in by badge, leads the tablets, filters names and replicates its state;
//! no request of a tablet, a teacher or a head waits for the coordinator.
//!
//! | room | its one idea |
//! |---|---|
//! | `web` | the door: every URL |
//! | `sign_in` | people come and go |
//! | `tablets` | the machines |
//! | `classroom` | who is where, live |
//! | `filter` | names, per pupil |
//! | `work` | what pupils keep |
//! | `training` | a training room goes back to its beginning |
//! | `replica` | the tie with the coordinator |
//! | `store` | memory on disk |

mod app;
mod claim;
mod classroom;
mod config;
mod filter;
mod identity;
mod replica;
mod serve;
mod sign_in;
mod store;
mod tablets;
mod training;
mod web;
mod work;

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

/// What the box's program can be asked.
#[derive(Debug, Subcommand)]
pub enum EdgeCommand {
    /// Serve the school.
    #[command(after_help = "Example: preau-edge serve --dir /var/lib/preau")]
    Serve(Serve),
    /// Join the territory with the code that the DSI gave.
    #[command(
        after_help = "Example: preau-edge claim ABCD-EFGH-JKLM-NPQR --cloud https://coordinator.example:8443 --ca-file ca.pem"
    )]
    Claim(Claim),
    /// The DNS filter alone, for measurements from outside.
    #[command(
        after_help = "Example: preau-edge serve-dns --listen 127.0.0.1:5300 --upstream 127.0.0.1:5301 --lists ./lists --state ./state"
    )]
    ServeDns(ServeDns),
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The box's folder: configuration, identity, database.
    #[arg(long, default_value = "/var/lib/preau")]
    pub dir: PathBuf,
    /// Another configuration file than the folder's `preau-edge.toml`.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Stop when standard input closes: the pilot's boxes end with it.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Options of `claim`.
#[derive(Debug, Args)]
pub struct Claim {
    /// The single-use code.
    pub code: String,
    /// The box's folder.
    #[arg(long, default_value = "/var/lib/preau")]
    pub dir: PathBuf,
    /// The coordinator.
    #[arg(long)]
    pub cloud: String,
    /// The territory's authority (PEM), handed over with the code.
    #[arg(long)]
    pub ca_file: PathBuf,
}

/// Options of `serve-dns`.
#[derive(Debug, Args)]
pub struct ServeDns {
    /// Where to answer.
    #[arg(long)]
    pub listen: SocketAddr,
    /// Whom to ask.
    #[arg(long)]
    pub upstream: SocketAddr,
    /// Folder of block lists, or one of them.
    #[arg(long)]
    pub lists: PathBuf,
    /// Folder for what is kept between runs.
    #[arg(long)]
    pub state: PathBuf,
    /// Threads that answer.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// As if so many pupils sat at tablets, the first of them at 127.0.0.1; without any, everybody is the same asker.
    #[arg(long, default_value_t = 0)]
    pub pupils: u16,
    /// … who are under so many policies: the first one blocks all, each other one spares another category.
    #[arg(long, default_value_t = 1, requires = "pupils", value_parser = clap::value_parser!(u16).range(1..))]
    pub policies: u16,
}

/// Runs a command to its end: 0 done, 1 failed (the reason is on standard error).
pub fn run(command: EdgeCommand) -> ExitCode {
    preau_shared::rig::tls::install_provider();
    match serve::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; then nobody reads it.
            drop(writeln!(std::io::stderr(), "preau-edge: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
