//! The one binary: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    priorityd::cli::run(std::env::args_os())
}
