//! `preau-edge`: the box's program.

use std::process::ExitCode;

use clap::Parser;

/// Préau's box: one per school. Tablets sign in here, with or without the Internet.
#[derive(Parser)]
#[command(name = "preau-edge", version, about)]
struct Options {
    #[command(subcommand)]
    command: preau_edge::EdgeCommand,
}

fn main() -> ExitCode {
    preau_edge::run(Options::parse().command)
}
