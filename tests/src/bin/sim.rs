//! `sim [--seeds N] [--first SEED]`: runs the simulator; prints the seed that broke something, and exits 1.

use std::{process::ExitCode, time::Duration};

use preau_shared::{rig::clock::SystemClock, time::Clock as _};
use preau_tests::sim;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]
fn main() -> ExitCode {
    let (mut seeds, mut first) = (1_000, 0);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|n| n.parse::<u64>().ok());
        match (word.as_str(), number) {
            ("--seeds", Some(n)) => seeds = n,
            ("--first", Some(n)) => first = n,
            _ => {
                eprintln!("usage: sim [--seeds N] [--first SEED]     (for example: sim --seeds 10000)");
                return ExitCode::from(2);
            }
        }
    }
    let clock = SystemClock::start();
    match sim::run_many(first, seeds) {
        Ok(report) => {
            let took: Duration = clock.elapsed().0;
            println!("{seeds} seeds in {:.1} s: {report}", took.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("broken: {error:#}\nagain: sim --seeds 1 --first SEED");
            ExitCode::FAILURE
        }
    }
}
