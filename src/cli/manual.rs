//! `priorityd manual` and `priorityd completions`: man pages and shell completions, from the same words as `--help`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::{Failure, Kind};

#[derive(Debug, Args)]
#[command(after_help = "One page for each command, `priorityd.1`, `priorityd-run.1` …, for a folder of the man path.")]
pub(super) struct ManualArgs {
    /// The folder; made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "For the shell's folder of completions.")]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes the pages and says where.
pub(super) fn write_pages(command: &Command, args: &ManualArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let written = std::fs::create_dir_all(&args.out)
        .and_then(|()| clap_mangen::generate_to(command.clone().disable_help_subcommand(true), &args.out));
    written.map_err(|error| Failure::unwritable(Kind::BadData, &args.out, &error))?;
    writeln!(out, "wrote the pages to {}", args.out.display())?;
    Ok(())
}

/// Prints them.
pub(super) fn print_completions(
    mut command: Command,
    args: &CompletionsArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Into memory first: the generator takes a pipe that was closed for a fault.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "priorityd", &mut script);
    out.write_all(&script)?;
    Ok(())
}
