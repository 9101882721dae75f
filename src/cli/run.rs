//! The command `run`: one run, from what a person typed to what is printed.

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

use crate::cli::args::EXIT_CODES;
use crate::cli::printing::Shown;
use crate::cli::progress::Progress;
use crate::cli::run_options::RunOptions;
use crate::cli::{logger, printing, signals};

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArgs {
    /// Resume an interrupted run from the pages it already fetched; without one, start a new run
    #[arg(long)]
    resume: bool,

    /// Process the raw responses that another run saved in DIR, offline; the source is the one that
    /// they came from, unless another one is given
    #[arg(long, value_name = "DIR", conflicts_with_all = ["resume", "keep_raw", "fresh", "resources"])]
    replay: Option<PathBuf>,

    /// Print the summary as JSON to stdout
    #[arg(long)]
    pub(crate) json: bool,

    /// Last, for the headings in it hold for what follows.
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// A single run, whose end is reported as an error in its span.
pub(crate) struct EndOfRun(pub(crate) Span);

impl signals::Ending for EndOfRun {
    fn late(&self, reason: StopReason) {
        let error = Error::Stopped(reason);
        self.0.in_scope(|| logger::note(&error));
        printing::print_error(&error);
        process::exit(error.exit_code().into());
    }
}

/// Takes a run and prints what it gave.
///
/// # Errors
/// Whatever ends the run; after all is stored and printed, when too many records did not map.
pub(crate) fn run(args: &RunArgs) -> Result<(), Error> {
    let options = &args.options;
    logger::start(&options.log, options.readers())?;
    let stop = Stop::new();
    let span = logger::run_span(options.async_flow);
    signals::watch(&stop, EndOfRun(span.clone()))?;
    let take = || {
        let (source, _sample_server) = args.source()?;
        let settings = options.settings(source, args.start())?;
        let done = options.take_run(&settings, &stop, Progress::start(options.quiet))?;
        let shown = Shown {
            json: args.json,
            quiet: options.quiet,
            log: &options.log.file,
        };
        printing::print_run(&done, shown)?;
        options.verdict(&done)
    };
    span.in_scope(|| take().inspect_err(logger::note))
}

impl RunArgs {
    fn start(&self) -> Start {
        match &self.replay {
            Some(folder) => Start::Replay(folder.clone()),
            None if self.resume => Start::Resume,
            None => Start::Afresh,
        }
    }

    /// The source, and the sample API where that is it; it serves until dropped.
    fn source(&self) -> Result<(Source, Option<Server>), Error> {
        let source = &self.options.source;
        let Some(folder) = &self.replay else {
            return source.load();
        };
        let kept = Journaled::read(folder)?.ok_or_else(|| {
            let folder = folder.display();
            Error::Usage(format!(
                "cannot replay {folder}: expected a folder of pages that `--keep-raw` made"
            ))
        })?;
        if !kept.complete {
            let run = &kept.header.run;
            return Err(Error::Usage(format!(
                "cannot replay the run {run}: it did not finish; `run --resume` goes on with it"
            )));
        }
        let async_flow = self.options.async_flow;
        if (kept.header.flow == Flow::Async) != async_flow {
            let says = if async_flow { "leave out" } else { "add" };
            return Err(Error::Usage(format!(
                "cannot replay {}: it is of the other flow: {says} --async",
                folder.display()
            )));
        }
        if source.is_given() {
            return source.load();
        }
        Ok((kept.header.definition.source()?, None))
    }
}
