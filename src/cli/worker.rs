//! `activity-tracker worker`, which nobody types: what `run` starts its workers with.

use std::process::ExitCode;

use activity_tracker::activity::EmailDomain;
use activity_tracker::pipeline::{self, Workbench};
use activity_tracker::record::Mappings;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[arg(long)]
    pub(crate) email_domain: EmailDomain,

    /// As JSON
    #[arg(long, value_parser = mappings)]
    pub(crate) mappings: Mappings,

    /// Note down each record for the history
    #[arg(long)]
    pub(crate) history: bool,
}

fn mappings(text: &str) -> Result<Mappings, serde_json::Error> {
    serde_json::from_str(text)
}

/// Runs a worker process, which gets slices and returns results through pipes.
pub(crate) fn run(args: WorkerArgs) -> ExitCode {
    let bench = Workbench {
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
