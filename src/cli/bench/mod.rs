//! `priorityd bench`: what this machine does, measured on synthetic people.

use std::io::Write;

use clap::{Args, Subcommand};

use super::failure::Failure;

mod flow;
mod latency;

/// Measures on synthetic people; every figure comes with what was measured.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// The whole daemon: events a second from feed to committed outputs, and how soon an alert can be read
    Flow(flow::FlowArgs),
}

/// Runs one.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        BenchCommand::Flow(args) => flow::run(args, out),
    }
}
