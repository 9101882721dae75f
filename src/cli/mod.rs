//! The command line: one file per command, and what the commands share.
//!
//! | module | contents |
//! | --- | --- |
//! | `run`, `watch`, `report`, `changes`, `serve`, `check`, `sources`, `sample_api`, `verify`, `worker` | a command: its options, and what it does |
//! | `args`, `values`, `help` | shared options, how values are parsed, and examples and exit codes in the help |
//! | `run_options`, `source_argument` | options that become settings, and the source |
//! | `consent` | which credentials a source file may send |
//! | `catch_up` | finishes what a killed command left, before the next one reads |
//! | `printing`, `run_summary`, `wrap`, `progress`, `diagnostics`, `logger` | output on the terminal and in the log |
//! | `signals` | Ctrl-C, SIGTERM, SIGHUP |
//! | `reference` | generates `docs/cli.md` |

mod args;
mod catch_up;
mod changes;
mod check;
mod consent;
mod diagnostics;
mod help;
mod logger;
mod printing;
mod progress;
#[cfg(test)]
mod reference;
mod report;
mod run;
mod run_options;
mod run_summary;
mod sample_api;
mod serve;
mod signals;
mod source_argument;
mod sources;
mod values;
mod verify;
mod watch;
mod worker;
mod wrap;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use changes::ChangesArgs;
use check::CheckArgs;
use help::EXIT_CODES;
use report::ReportArgs;
use run::RunArgs;
use sample_api::SampleApiArgs;
use serve::ServeArgs;
use sources::SourcesArgs;
use verify::VerifyArgs;
use watch::WatchArgs;
use worker::WorkerArgs;

const EXAMPLES: &str = "\
activity-tracker run sample
activity-tracker report
activity-tracker run --help";

/// See who is active on any REST API, and what changed since the last run. Fetches users, posts
/// and comments, validates every record, and saves the results to checksummed files.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = help::sections([("Examples", EXAMPLES), ("Exit codes", EXIT_CODES)]),
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch, process and store once
    Run(Box<RunArgs>),
    /// Run on a schedule and report changes
    Watch(Box<WatchArgs>),
    /// Print who is active, from the stored files (offline)
    Report(ReportArgs),
    /// Print what changed between runs, newest first (offline)
    Changes(ChangesArgs),
    /// Serve the report as a live page, with metrics and JSON, on this machine
    Serve(ServeArgs),
    /// Dry run: fetch the first pages of a source and report what is likely wrong
    Check(CheckArgs),
    /// List the built-in sources, show one, or print the schema of source files
    Sources(SourcesArgs),
    /// Serve the embedded sample API for trying things out
    SampleApi(SampleApiArgs),
    /// Verify file sizes and checksums
    Verify(VerifyArgs),
    /// Process slices from stdin (started by `run`)
    #[command(hide = true)]
    Worker(Box<WorkerArgs>),
}

/// Executes the command line and returns the exit code.
pub(crate) fn main() -> ExitCode {
    signals::survive_file_size_limit();
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Changes(args) => changes::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Sources(args) => sources::run(&args),
        Command::SampleApi(args) => sample_api::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Worker(args) => return worker::run(*args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printing::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_tracker::fetch::{Quota, Transport};
    use activity_tracker::settings::Settings;
    use clap::CommandFactory;

    use super::values::size;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_sizes_in_the_help_are_those_of_the_settings() {
        let bytes = |text: &str| size(text).unwrap().as_u64();
        assert_eq!(bytes("4MiB"), Settings::MAX_RECORD);
        assert_eq!(bytes("4GiB"), Transport::default().max_body);
        assert_eq!(bytes("1TiB"), Quota::default().bytes);
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string);
            let has_examples = help.is_some_and(|help| help.contains("Examples:"));
            assert!(has_examples, "{}", command.get_name());
            let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
            visible.for_each(check);
        }
        check(&Cli::command());
    }
}
