//! The command line of priorityd; temporary wiring of `link` alone.

use std::process::ExitCode;

use clap::Parser;
use priorityd::cli::link;

#[derive(Parser)]
enum Command {
    /// Link tables.
    Link(link::LinkArgs),
}

fn main() -> ExitCode {
    let Command::Link(args) = Command::parse();
    match link::run(args) {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{error}");
            error.exit_code()
        }
    }
}
