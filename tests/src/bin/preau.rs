//! The `preau` program, built with the features of the tests so that stories start what was built with them.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// As the programs that are shipped.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    preau::run()
}
