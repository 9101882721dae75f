//! The hidden command `worker`: the processes that `run` starts.

use std::process::ExitCode;

use activity_tracker::activity::EmailDomain;
use activity_tracker::pipeline::{self, SliceProcessor};
use activity_tracker::record::Mappings;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[arg(long)]
    pub(crate) email_domain: EmailDomain,

    /// JSON
    #[arg(long, value_parser = mappings)]
    pub(crate) mappings: Mappings,

    /// Collect the records' entries for the history
    #[arg(long)]
    pub(crate) history: bool,
}

fn mappings(text: &str) -> Result<Mappings, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs a worker process: it reads slices from stdin and writes results to stdout.
pub(crate) fn run(args: WorkerArgs) -> ExitCode {
    let bench = SliceProcessor {
        folder: ".".into(),
        email_domain: args.email_domain,
        mappings: args.mappings,
        history: args.history,
    };
    match pipeline::serve_worker(&bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
