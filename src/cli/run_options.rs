//! Options shared by `run` and `watch`.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use activity_tracker::activity::EmailDomain;
use activity_tracker::concurrency::Stop;
use activity_tracker::error::{ApiError, DataProcessingError, Error, StorageError};
use activity_tracker::fetch::{Policy, Quota};
use activity_tracker::pipeline::{self, RunOutcome, SharedObserver};
use activity_tracker::settings::{Settings, Start};
use activity_tracker::source::{CredentialRef, Source};
use activity_tracker::storage::Readers;
use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use http::StatusCode;
use tracing::warn;

use crate::cli::args::{DataDir, LogArgs, NetworkArgs};
use crate::cli::progress::Progress;
use crate::cli::run_summary;
use crate::cli::source_argument::SourceArgs;
use crate::cli::values::{
    at_least_one, duration, number, positive, positive_duration, size, workers,
};

#[derive(Debug, Args)]
#[command(mut_arg("data_dir", |arg| arg.help("The data directory to write to")))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Use the async flow: it also fetches comments, and writes `*_async.json` files
    #[arg(long = "async")]
    pub(crate) async_flow: bool,

    /// Keep users with an e-mail address in this domain: `biz`, `april.biz`
    #[arg(long, value_name = "DOMAIN", default_value_t)]
    email_domain: EmailDomain,

    #[command(flatten)]
    data_dir: DataDir,

    /// Save the raw responses in a folder `raw-RUN` of the data directory
    #[arg(long)]
    keep_raw: bool,

    /// How many earlier snapshots of this flow to keep, beside the current one, in the folder
    /// `.snapshots` of the data directory; older ones are removed
    #[arg(long, value_name = "N", default_value_t = Settings::KEEP_SNAPSHOTS)]
    keep_snapshots: usize,

    /// Who may read the files of a run, its log included
    #[arg(long, value_name = "WHO", default_value = "owner")]
    readable_by: ReadableBy,

    /// Wait if another run has locked the data directory, instead of failing
    #[arg(long)]
    wait: bool,

    /// Maximum number of concurrent requests
    #[arg(long, value_name = "N", default_value_t = Policy::default().concurrency, value_parser = at_least_one)]
    concurrency: NonZeroUsize,

    /// Maximum number of worker processes [default: CPU cores minus one, which is left for fetching]
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<NonZeroUsize>,

    #[command(flatten)]
    network: NetworkArgs,

    /// Longest delay before the first retry; it doubles with each retry, up to 30s, and the
    /// actual delay is random within it (full jitter)
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    backoff: Duration,

    /// Longest delay that a server may ask for: with Retry-After, a rate limit's reset, or `backoff`
    /// in a body
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = duration)]
    max_wait: Duration,

    /// Store a resource even if its records move between pages in each attempt: it is marked as
    /// incomplete, and none of its records counts as removed
    #[arg(long)]
    allow_moving: bool,

    /// Maximum record size; a longer record is rejected, and its beginning is kept
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = size)]
    max_record: ByteSize,

    #[command(flatten)]
    quota: QuotaArgs,

    /// How many rejected records and refused requests are allowed before the exit code is 4; the
    /// rest is stored in any case, and rejected records are kept in `rejected.ndjson`
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number)]
    max_rejects: u64,

    /// Fail on the first invalid record, and store nothing
    #[arg(long, conflicts_with = "max_rejects")]
    strict: bool,

    /// Fetch everything, without asking the server whether it changed since the last run
    #[arg(long)]
    fresh: bool,

    /// Do not record changes in `history.db`
    #[arg(long)]
    no_history: bool,

    /// Print nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Limits on an endless resource.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "the fields are named as the options are"
)]
struct QuotaArgs {
    /// Maximum number of pages of a resource; each parent whose children are fetched counts as one
    #[arg(long, value_name = "N", default_value_t = Quota::default().pages, value_parser = positive)]
    max_pages: u64,

    /// Maximum number of records of a run
    #[arg(long, value_name = "N", default_value_t = Quota::default().records, value_parser = positive)]
    max_records: u64,

    /// Maximum number of bytes of a run, decompressed: 500MB, 10GiB
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = size)]
    max_total: ByteSize,

    /// Maximum time that a run may fetch: 30min, 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = positive_duration)]
    max_time: Duration,
}

impl QuotaArgs {
    fn quota(&self) -> Quota {
        Quota {
            pages: self.max_pages,
            records: self.max_records,
            bytes: self.max_total.as_u64(),
            time: self.max_time,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReadableBy {
    Owner,
    Group,
    All,
}

impl RunOptions {
    /// Who may read the files of runs.
    pub(crate) fn readers(&self) -> Readers {
        match self.readable_by {
            ReadableBy::Owner => Readers::Owner,
            ReadableBy::Group => Readers::Group,
            ReadableBy::All => Readers::All,
        }
    }

    /// The settings of a run with this source.
    ///
    /// # Errors
    /// When the CA file cannot be used, or the path of this program cannot be determined.
    pub(crate) fn settings(&self, source: Source, start: Start) -> Result<Settings, Error> {
        Ok(Settings {
            data_dir: self.data_dir.path.clone(),
            email_domain: self.email_domain.clone(),
            workers: self.workers.unwrap_or_else(Settings::default_workers),
            start,
            keep_raw: self.keep_raw,
            keep_snapshots: self.keep_snapshots,
            readers: self.readers(),
            wait: self.wait,
            max_record: self.max_record.as_u64(),
            strict: self.strict,
            fresh: self.fresh,
            history: !self.no_history,
            policy: self.policy(),
            transport: self.network.transport(&source)?,
            source,
        })
    }

    fn policy(&self) -> Policy {
        let default = Policy::default();
        Policy {
            retries: self.network.retries,
            first_backoff: self.backoff,
            longest_backoff: default.longest_backoff.max(self.backoff),
            max_wait: self.max_wait,
            concurrency: self.concurrency,
            quota: self.quota.quota(),
            allow_moving: self.allow_moving,
            ..default
        }
    }

    /// Runs the selected flow. If what an interrupted run left has expired, starts over once; if a
    /// credential was refused and its file has a new one, continues with that.
    ///
    /// # Errors
    /// When the run fails.
    pub(crate) fn execute(
        &self,
        settings: &Settings,
        stop: &Stop,
        progress: Progress,
    ) -> Result<RunOutcome, Error> {
        let progress = Arc::new(progress);
        let mut settings = settings.clone();
        let (mut expired, mut renewed) = (false, false);
        loop {
            let outcome = self.run_once(&settings, stop, &progress);
            let cause = match &outcome {
                Err(Error::Unfinished { cause, .. }) => &**cause,
                Err(error) => error,
                Ok(_) => return outcome,
            };
            match cause {
                // Once is enough: a new run has nothing that could have expired.
                Error::Api(cause @ ApiError::Expired { subject, .. }) if !expired => {
                    expired = true;
                    let resource = subject.resource;
                    warn!(%resource, "{cause}: starting over from the first page");
                    progress.note(&format!(
                        "{cause}; the state of the interrupted run has expired: starting over from the first page"
                    ));
                    settings.start = Start::Afresh;
                }
                Error::Api(ApiError::Status { status, sent, .. })
                    if *status == StatusCode::UNAUTHORIZED
                        && matches!(sent, Some(CredentialRef::File(_)))
                        && !renewed =>
                {
                    renewed = true;
                    let before = settings.source.auth.clone();
                    self.source.renew(&mut settings.source);
                    if settings.source.auth == before {
                        return outcome;
                    }
                    warn!(
                        "the server refused the credential; its file has a new one: retrying with that"
                    );
                    settings.start = Start::Resume;
                }
                _ => return outcome,
            }
        }
    }

    fn run_once(
        &self,
        settings: &Settings,
        stop: &Stop,
        progress: &Arc<Progress>,
    ) -> Result<RunOutcome, Error> {
        // A failure of this attempt must not stop the next one.
        let (part, _registration) = stop.part();
        let outcome = if self.async_flow {
            let observer = Arc::clone(progress) as SharedObserver;
            pipeline::run_async(settings, &part, &observer)
        } else {
            let program = pipeline::own_program()
                .map_err(StorageError::io("find", "this program".as_ref()))?;
            pipeline::run(settings, &program, &part, &**progress)
        };
        if part.is_committing() {
            // A committed run can no longer be stopped.
            let _ = stop.begin_commit();
        }
        outcome
    }

    /// Checks the rejected records and refused requests of a run against `--max-rejects`.
    ///
    /// # Errors
    /// When there are more than allowed.
    pub(crate) fn check_limits(&self, report: &RunOutcome) -> Result<(), Error> {
        let rejects = &report.rejects;
        rejects.verdict(self.max_rejects, &run_summary::rejected_file(report))?;
        let lacking = report.missing.iter();
        let lacking = lacking.filter(|(_, missing)| missing.is_lacking());
        let requests = lacking.clone().map(|(_, missing)| missing.requests);
        let missing = requests.fold(rejects.total(), u64::saturating_add);
        match lacking.clone().next() {
            Some((resource, first)) if missing > self.max_rejects => {
                let (resource, first) = (*resource, first.to_string());
                Err(DataProcessingError::Missing { resource, first }.into())
            }
            _ => Ok(()),
        }
    }
}
