//! `preau-cloud`: the coordinator.

use std::process::ExitCode;

use clap::Parser;

/// The coordinator of a territory of schools.
#[derive(Parser)]
#[command(version, about)]
struct Words {
    #[command(subcommand)]
    command: preau_cloud::CloudCommand,
}

fn main() -> ExitCode {
    preau_cloud::run(Words::parse().command)
}
