//! The command line: parse, start the log, run, exit code.

mod check;
mod cli;
mod diagnostics;
mod logger;
mod printing;
mod progress;
mod report_command;
mod serve_command;
mod signals;
mod source_argument;
mod sources;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::Error;
use activity_tracker::flow::{self, Report, SharedObserver, Workbench};
use activity_tracker::sample::Server;
use clap::Parser;

use cli::{Cli, Command, RunArgs, SampleApiArgs, WorkerArgs};
use progress::Progress;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Report(args) => report_command::run(&args),
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

fn run(args: &RunArgs) -> Result<(), Error> {
    logger::start(&args.log)?;
    let stop = Stop::new();
    signals::watch(&stop);
    let outcome = args.settings().and_then(|(settings, _sample_server)| {
        let progress = Arc::new(Progress::start(args.quiet));
        if args.async_flow {
            let observer: SharedObserver = progress;
            flow::run_async(&settings, &stop, &observer)
        } else {
            flow::run(&settings, &stop, &progress)
        }
    });
    let outcome = match outcome {
        Ok(done) => printing::print(args, &done).and_then(|()| verdict(args, &done)),
        Err(error) => Err(error),
    };
    outcome.inspect_err(logger::note)
}

/// Whether so many records did not map that the exit code is to tell.
fn verdict(args: &RunArgs, done: &Report) -> Result<(), Error> {
    Ok(done
        .rejects
        .verdict(args.max_rejects, &printing::rejected(done))?)
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
