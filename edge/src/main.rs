//! `preau-edge`: the box's program.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A sign-in makes some hundred small allocations, on whichever thread is free.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

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
