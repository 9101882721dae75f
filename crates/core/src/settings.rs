//! The validated settings of a run. The library depends on these only, not on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use crate::activity::EmailDomain;
use crate::fetch::{Policy, Transport};
use crate::source::Source;
use crate::storage::Readers;

/// What a run starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// From scratch: all pages are fetched.
    #[default]
    Afresh,
    /// The complete pages of an interrupted run, if there are any.
    Resume,
    /// The raw pages that an earlier run kept in this folder; the network is not used.
    Replay(PathBuf),
}

/// The settings of a run.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent option"
)]
pub struct Settings {
    /// The API.
    pub source: Source,
    /// The data directory, where the snapshot is stored.
    pub data_dir: PathBuf,
    /// The e-mail domain that users are filtered by.
    pub email_domain: EmailDomain,
    /// The maximum number of worker processes, or of concurrent slices in the async flow.
    pub workers: NonZeroUsize,
    /// Retries, redirects, concurrency and limits.
    pub policy: Policy,
    /// Timeouts, size limits and connection options.
    pub transport: Transport,
    /// Whether to fetch all pages, or start from existing ones.
    pub start: Start,
    /// Whether to keep the raw pages after the run.
    pub keep_raw: bool,
    /// How many earlier snapshots of the flow to keep.
    pub keep_snapshots: usize,
    /// Who may read the stored files.
    pub readers: Readers,
    /// Whether to wait for the lock of the data directory while another run holds it.
    pub wait: bool,
    /// The maximum length of a record, in bytes; longer ones are rejected.
    pub max_record: u64,
    /// Whether the first rejected record fails the run.
    pub strict: bool,
    /// Whether to record changes in the history of the data directory.
    pub history: bool,
    /// Whether to fetch everything, without conditional requests.
    pub fresh: bool,
}

impl Settings {
    /// The default number of earlier snapshots that are kept.
    pub const KEEP_SNAPSHOTS: usize = 1;

    /// The default maximum length of a record, in bytes. A process needs at most about ten times as
    /// much memory for a record, which is little enough for small machines.
    pub const MAX_RECORD: u64 = 4 << 20;

    /// The defaults of `activity-tracker run`.
    #[must_use]
    pub fn new(source: Source, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            transport: Transport::of(&source),
            source,
            data_dir: data_dir.into(),
            email_domain: EmailDomain::default(),
            workers: Self::default_workers(),
            policy: Policy::default(),
            start: Start::Afresh,
            keep_raw: false,
            keep_snapshots: Self::KEEP_SNAPSHOTS,
            readers: Readers::default(),
            wait: false,
            max_record: Self::MAX_RECORD,
            strict: false,
            history: true,
            fresh: false,
        }
    }

    /// One worker per core, except for one core, which hashes, splits and writes the fetched data.
    #[must_use]
    pub fn default_workers() -> NonZeroUsize {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether the run is recorded in the history. A replay says nothing about the current data of
    /// the API.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.history && !matches!(self.start, Start::Replay(_))
    }
}
