//! All that only the program has: one file a command, and what they share.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `run`, `watch`, `report`, `changes`, `serve`, `check`, `sources`, `sample_api`, `verify`, `worker` | a command: its arguments, and what it does |
//! | `args`, `values` | arguments that several commands have, and how a value is read |
//! | `run_options`, `source_argument` | arguments that become settings, and a source |
//! | `consent` | which credentials a source may have |
//! | `catch_up` | what a killed command left is finished before the next one reads |
//! | `printing`, `progress`, `diagnostics`, `logger` | what a person reads, on the terminal and in the log |
//! | `signals` | Ctrl-C and its relatives |

mod args;
mod catch_up;
mod changes;
mod check;
mod consent;
mod diagnostics;
mod logger;
mod printing;
mod progress;
mod report;
mod run;
mod run_options;
mod sample_api;
mod serve;
mod signals;
mod source_argument;
mod sources;
mod values;
mod verify;
mod watch;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use args::EXIT_CODES;
use changes::ChangesArgs;
use check::CheckArgs;
use report::ReportArgs;
use run::RunArgs;
use sample_api::SampleApiArgs;
use serve::ServeArgs;
use sources::SourcesArgs;
use verify::VerifyArgs;
use watch::WatchArgs;
use worker::WorkerArgs;

/// See who is active on any REST API, and what changed since the last run. Fetches users, posts
/// and comments, validates every record, and saves the results to checksummed files.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
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
    /// Process slices given on standard input (what `run` starts its workers with)
    #[command(hide = true)]
    Worker(Box<WorkerArgs>),
}

/// Reads the command line, does what it says, and gives the exit code.
pub(crate) fn main() -> ExitCode {
    signals::outlive_long_files();
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
    fn the_sizes_that_the_help_names_are_the_defaults() {
        let bytes = |text: &str| size(text).unwrap().as_u64();
        assert_eq!(bytes("4MiB"), Settings::MAX_RECORD);
        assert_eq!(bytes("4GiB"), Transport::default().max_body);
        assert_eq!(bytes("1TiB"), Quota::default().bytes);
    }
}
