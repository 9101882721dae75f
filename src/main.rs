//! The command line: parse, do what was asked, exit code.

mod catch_up;
mod changes;
mod check;
mod cli;
mod consent;
mod diagnostics;
mod logger;
mod printing;
mod progress;
mod report_command;
mod run_command;
mod run_options;
mod serve_command;
mod signals;
mod source_argument;
mod sources;
mod verify;
mod watch_command;

use std::process::ExitCode;

use activity_tracker::error::Error;
use activity_tracker::flow::{self, Workbench};
use activity_tracker::sample::Server;
use clap::Parser;

use cli::{Cli, Command, SampleApiArgs, WorkerArgs};

fn main() -> ExitCode {
    signals::outlive_long_files();
    let outcome = match Cli::parse().command {
        Command::Run(args) => run_command::run(&args),
        Command::Watch(args) => watch_command::run(&args),
        Command::Report(args) => report_command::run(&args),
        Command::Changes(args) => changes::run(&args),
        Command::Serve(args) => serve_command::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Sources(args) => sources::print(&args),
        Command::SampleApi(args) => sample_api(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Worker(args) => return worker(*args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printing::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn sample_api(args: &SampleApiArgs) -> Result<(), Error> {
    let port = args.port;
    let server =
        Server::start(&args.sample(), port).map_err(|cause| Error::Sample { port, cause })?;
    printing::print_sample_api(&server.base_url());
    server.wait();
    Ok(())
}

/// A worker process: it is told what to do, and told on, through pipes.
fn worker(args: WorkerArgs) -> ExitCode {
    let bench = Workbench {
        folder: ".".into(),
        email_domain: args.email_domain,
        mappings: args.mappings,
        history: args.history,
    };
    match flow::serve_worker(&bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
