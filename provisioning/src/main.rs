//! The `preau` command.

use mimalloc::MiMalloc;

/// As in the box's own program: `preau edge` is the same box.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    preau::run()
}
