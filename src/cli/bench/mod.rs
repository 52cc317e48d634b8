//! `priorityd bench`: what this machine does, measured on synthetic people, by the code that the daemon runs.

use std::io::Write;

use clap::{Args, Subcommand};

use super::failure::Failure;

mod city;
mod flow;
mod latency;
mod link;
mod load;
mod stages;
mod tokens;

/// Months that the city plays; a little more than two events come of each of its people in that time.
const MONTHS: u32 = 12;

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
    /// The report on a calibrated city, beside the published figures
    City(city::CityArgs),
    /// Linkage: fill a register, restore it, then link record by record
    Link(link::LinkBenchArgs),
    /// As many events as one likes through one engine: time and memory an event at checkpoints, a burst, a restart
    Load(load::LoadArgs),
    /// The pipeline stage by stage, and the whole, beside what parsing and hashing alone would take
    Stages(stages::StagesArgs),
    /// Write the tokens that a register would hold of a table, under a key of this command's own: what an attacker gets
    #[command(hide = true)]
    Tokens(tokens::TokensArgs),
}

/// Runs one.
///
/// # Errors
/// When its input cannot be used or its result cannot be written.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        BenchCommand::City(args) => city::run(args, out),
        BenchCommand::Flow(args) => flow::run(args, out),
        BenchCommand::Link(args) => link::run(args, out),
        BenchCommand::Load(args) => load::run(args, out),
        BenchCommand::Stages(args) => stages::run(args, out),
        BenchCommand::Tokens(args) => tokens::run(args, out),
    }
}
