//! The command `run`: one run, from the command line to the printed outcome.

use std::path::PathBuf;
use std::process;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, StopReason};
use activity_tracker::sample::Server;
use activity_tracker::settings::Start;
use activity_tracker::source::Source;
use activity_tracker::storage::{Flow, Journaled};
use clap::Args;
use tracing::Span;

use crate::cli::help::{self, EXIT_CODES};
use crate::cli::printing::RunOutput;
use crate::cli::progress::Progress;
use crate::cli::run_options::RunOptions;
use crate::cli::{logger, printing, signals};

const EXAMPLES: &str = "\
activity-tracker run sample
activity-tracker run https://api.example.com/v1 --data-dir example
activity-tracker run github --var repo=rust-lang/cargo
activity-tracker run ./forum.toml --resume
activity-tracker run --async sample --quiet --json | jq '.posts_per_user[0]'";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES), ("Exit codes", EXIT_CODES)]))]
pub(crate) struct RunArgs {
    /// Resume an interrupted run from the pages it already fetched; without one, start a new run
    #[arg(long)]
    resume: bool,

    /// Process the raw responses that `--keep-raw` saved in DIR, offline; the source is theirs
    /// unless another one is given
    #[arg(long, value_name = "DIR", conflicts_with_all = ["resume", "keep_raw", "fresh", "resources"])]
    replay: Option<PathBuf>,

    /// Print the summary as JSON to stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// List the files and the most active users
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    // Last, because its help headings apply to everything after it.
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// Ends a single run that a signal stopped: the error goes to the log, in the span of the run.
pub(crate) struct StopRun(pub(crate) Span);

impl signals::StopHandler for StopRun {
    fn on_timeout(&self, reason: StopReason) {
        let error = Error::Stopped(reason);
        self.0.in_scope(|| logger::log_error(&error));
        printing::print_error(&error);
        process::exit(error.exit_code().into());
    }
}

/// Executes a run and prints its outcome.
///
/// # Errors
/// When the run fails; after its data is stored and printed, when too many records were rejected.
pub(crate) fn run(args: &RunArgs) -> Result<(), Error> {
    let options = &args.options;
    logger::start(&options.log, options.readers())?;
    let stop = Stop::new();
    let span = logger::run_span(options.async_flow);
    signals::watch(&stop, StopRun(span.clone()))?;
    let execute = || {
        let (source, _sample_server) = args.source()?;
        let settings = options.settings(source, args.start())?;
        let report = options.execute(&settings, &stop, Progress::start(options.quiet))?;
        let output = RunOutput {
            json: args.json,
            quiet: options.quiet,
            verbose: args.verbose,
            log: &options.log.file,
        };
        printing::print_run(&report, output)?;
        options.check_limits(&report)
    };
    span.in_scope(|| execute().inspect_err(logger::log_error))
}

impl RunArgs {
    fn start(&self) -> Start {
        match &self.replay {
            Some(folder) => Start::Replay(folder.clone()),
            None if self.resume => Start::Resume,
            None => Start::Afresh,
        }
    }

    /// The source, and the server of the sample API if that is the source; it runs until dropped.
    fn source(&self) -> Result<(Source, Option<Server>), Error> {
        let source = &self.options.source;
        let Some(folder) = &self.replay else {
            return source.load();
        };
        let saved = Journaled::read(folder)?.ok_or_else(|| {
            let folder = folder.display();
            Error::Usage(format!(
                "cannot replay {folder}: expected a folder that `--keep-raw` saved"
            ))
        })?;
        if !saved.complete {
            let run = &saved.header.run;
            return Err(Error::Usage(format!(
                "cannot replay the run {run}: it did not finish; `run --resume` continues it"
            )));
        }
        let async_flow = self.options.async_flow;
        if (saved.header.flow == Flow::Async) != async_flow {
            let fix = if async_flow { "remove" } else { "add" };
            return Err(Error::Usage(format!(
                "cannot replay {}: it belongs to the other flow: {fix} --async",
                folder.display()
            )));
        }
        if source.is_given() {
            return source.load();
        }
        Ok((saved.header.definition.source()?, None))
    }
}
