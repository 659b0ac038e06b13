//! The `preau` program, built with the features of the tests so that stories start what was built with them.

use std::process::ExitCode;

fn main() -> ExitCode {
    preau::run()
}
