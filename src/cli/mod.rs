//! Arguments to one command each. Owns what a person types and reads; decides nothing about people.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

mod agreement;
mod asyncapi;
mod audit;
mod batch;
mod bench;
mod check;
mod cohort;
mod consult;
mod daemon;
mod demo;
mod deployment;
mod duties;
mod erase;
mod explain;
mod failure;
mod figures;
mod format;
mod healthcheck;
mod house;
mod input;
mod keys;
mod link;
mod live;
mod manual;
mod measure;
mod migrate;
mod pack;
mod pages;
mod prove;
mod pseudonymise;
mod publish;
mod refuges;
mod reload;
mod report;
mod restart;
mod review;
mod rotation;
mod run;
mod shipped;
mod show;
mod silence;
mod simulate;
mod subject;
mod subscribe;
mod tables;
mod tokens;
mod topics;
mod train;
mod try_event;

pub use failure::Failure;

/// Recognises the same person across agencies without comparing names in the clear, and tells the specialist services
#[derive(Debug, Parser)]
#[command(name = "priorityd", version, about, max_term_width = 100, after_help = ENDS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How any command ends (sysexits.h), in its help.
const ENDS: &str = "Exit codes: 0 well, 1 a check failed, 2 usage, 65 bad data, 69 log unreachable, 70 a fault of ours, 77 denied, \
                    78 configuration. What went wrong is told on standard error, a line each: where, what, and what mends it.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole job on a synthetic city, on a temporary log
    Demo(demo::DemoArgs),
    /// Run the daemon
    Run(run::RunArgs),
    /// At an agency: turn events into tokens and sealed identity, for a hub that never holds the linkage key
    Pseudonymise(pseudonymise::PseudonymiseArgs),
    /// At an agency: tell what would come of an event, offline; nothing is published
    Try(try_event::TryArgs),
    /// Append events to a feed
    Publish(publish::PublishArgs),
    /// Read and open what was published to a recipient
    Subscribe(subscribe::SubscribeArgs),
    /// Rank a recipient's list by RFG(V), for a MATAC
    Cohort(cohort::CohortArgs),
    /// Check configuration, agreement, keys, event files and, with --live, the cluster
    Check(check::CheckArgs),
    /// Link the rows of tables: pseudonymise, then compare tokens only, then cluster
    Link(link::LinkArgs),
    /// Train a linkage model on a register, on tables or on a synthetic city
    Train(train::TrainArgs),
    /// Write a synthetic city's feeds as files, with the truth beside them
    Simulate(simulate::SimulateArgs),
    /// Check, sign, explain and compare data-sharing agreements
    Agreement(agreement::AgreementArgs),
    /// Turn postcodes and UPRNs of safe places into the tokens by which the daemon keeps them out of everything
    Refuges(refuges::RefugesArgs),
    /// Make and list keys
    Keys(keys::KeysArgs),
    /// Plan and make topics and access lists on Kafka
    Topics(topics::TopicsArgs),
    /// Move everything from the embedded log to Kafka, in one transaction
    Migrate(migrate::MigrateArgs),
    /// Verify and search the audit chain
    Audit(audit::AuditArgs),
    /// List what a person must decide, and decide it
    Review(review::ReviewArgs),
    /// Forget a person: show what is held, and erase it for good
    Erase(erase::EraseArgs),
    /// Show why somebody was told something, or why records are one person, from the audit alone
    Explain(explain::ExplainArgs),
    /// Print the performance framework, from the register alone
    Report(report::ReportArgs),
    /// Measure what this machine does, on synthetic people
    Bench(bench::BenchArgs),
    /// Ask a running daemon whether it is ready
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Print the AsyncAPI 3 description of every topic and message
    Asyncapi(asyncapi::AsyncapiArgs),
    /// Write man pages
    Manual(manual::ManualArgs),
    /// Print a shell's completions
    Completions(manual::CompletionsArgs),
}

/// Runs one command line and tells how it ended: 0 ok, 1 check failed, 2 usage, 65 bad data, 69 log unreachable, 70 bug,
/// 77 denied, 78 configuration (sysexits.h).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    quiet_panics();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => {
            let usage = without_values(usage);
            // Clap writes help to stdout and mistakes to stderr; if neither can be written, nobody is there to read it.
            usage.print().ok();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let mut out = std::io::stdout().lock();
    let done = match arguments.command {
        Command::Demo(args) => demo::run(&args, &mut out),
        Command::Run(args) => run::run(&args),
        Command::Pseudonymise(args) => pseudonymise::run(&args, &mut out),
        Command::Publish(args) => publish::run(&args, &mut out),
        Command::Subscribe(args) => subscribe::run(&args, &mut out),
        Command::Cohort(args) => cohort::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Refuges(args) => refuges::run(&args, &mut out),
        Command::Agreement(args) => agreement::run(&args, &mut out),
        Command::Keys(args) => keys::run(&args, &mut out).map_err(Failure::from),
        Command::Link(args) => link::run(args).map(drop).map_err(Failure::from),
        Command::Train(args) => train::run(&args, &mut out),
        Command::Simulate(args) => simulate::run(&args).map_err(Failure::from).and_then(|done| done.print(&mut out)),
        Command::Topics(args) => topics::run(&args, &mut out),
        Command::Audit(args) => audit::run(&args, &mut out),
        Command::Review(args) => review::run(&args, &mut out),
        Command::Erase(args) => erase::run(&args, &mut out),
        Command::Explain(args) => explain::run(&args, &mut out),
        Command::Report(args) => report::run(&args, &mut out),
        Command::Bench(args) => bench::run(&args, &mut out),
        Command::Healthcheck(args) => healthcheck::run(&args),
        Command::Migrate(args) => migrate::run(&args, &mut out),
        Command::Try(args) => try_event::run(&args, &mut out),
        Command::Asyncapi(args) => asyncapi::run(&args, &mut out),
        Command::Manual(args) => manual::write_pages(&Arguments::command(), &args, &mut out),
        Command::Completions(args) => manual::print_completions(Arguments::command(), &args, &mut out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if stderr is closed too; the exit code still says it.
            writeln!(std::io::stderr(), "{failure}").ok();
            failure.exit_code()
        }
    }
}

/// Somebody's name may stand where an option was meant to, so clap says which word is wrong and not what it was.
fn without_values(mut usage: clap::Error) -> clap::Error {
    const HIDDEN: &str = "…";
    let hidden = || ContextValue::String(HIDDEN.to_owned());
    if usage.get(ContextKind::InvalidValue).is_some() {
        usage.insert(ContextKind::InvalidValue, hidden());
    }
    // What begins with a dash is an option, up to its value; anything else was typed as a word.
    let is_word = |value: &ContextValue| matches!(value, ContextValue::String(word) if !word.starts_with('-'));
    let is_unknown = usage.kind() == ErrorKind::UnknownArgument;
    if is_unknown && usage.get(ContextKind::InvalidArg).is_some_and(is_word) {
        usage.insert(ContextKind::InvalidArg, hidden());
    }
    // The tips repeat it.
    usage.insert(ContextKind::Suggested, ContextValue::None);
    usage
}

/// A panic's message may hold whatever the code had in hand, so only its place is told (I4).
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of ours");
        writeln!(std::io::stderr(), "priorityd: a fault of ours at {place}; please report it").ok();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command under its whole name.
    fn all(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
        found.push((name.to_owned(), command.clone()));
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            all(below, &format!("{name} {}", below.get_name()), found);
        }
    }

    #[test]
    fn every_command_and_every_word_of_it_is_explained() {
        let mut command = Arguments::command();
        command.build();
        let mut found = Vec::new();
        all(&command, "priorityd", &mut found);
        assert!(found.len() > 40, "{} commands", found.len());
        let mut problems = Vec::new();
        for (name, mut command) in found {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            if about.is_empty() || about.ends_with('.') {
                problems.push(format!("{name}: one sentence without a full stop"));
            }
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                if argument.get_help().is_none_or(|help| help.to_string().trim().is_empty()) {
                    problems.push(format!("{name}: {} has no help", argument.get_id()));
                }
            }
            let help = command.render_long_help().to_string();
            let too_wide = |line: &&str| line.chars().count() > 100 && !line.starts_with("Usage: ");
            if let Some(line) = help.lines().find(too_wide) {
                problems.push(format!("{name}: {line} is wider than a page"));
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
