//! `priorityd bench`: what this machine does a second, by the code that the daemon runs.

use std::io::Write;

use clap::{Args, Subcommand};

use super::failure::Failure;

mod link;
mod tokens;

/// What to measure.
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: Bench,
}

#[derive(Subcommand, Debug)]
enum Bench {
    /// Linkage: fill a register, restore it, then link record by record
    Link(link::LinkBenchArgs),
    /// Write the tokens that a register would hold of a table, under a key of this command's own: what an attacker gets
    #[command(hide = true)]
    Tokens(tokens::TokensArgs),
}

/// Runs the benchmark.
///
/// # Errors
/// When its input cannot be used or its result cannot be written.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.what {
        Bench::Link(args) => link::run(args, out),
        Bench::Tokens(args) => tokens::run(args, out),
    }
}
