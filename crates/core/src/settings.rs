//! The one validated value that a run is made from. The library knows no
//! command line; it knows this.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use crate::activity::EmailDomain;
use crate::fetch::{Policy, Transport};
use crate::source::Source;
use crate::storage::Readers;

/// What a run begins from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Nothing: all pages are fetched.
    #[default]
    Afresh,
    /// The pages that a run which was cut off left whole, if there are any.
    Resume,
    /// The pages that a run kept in this folder, and no network.
    Replay(PathBuf),
}

/// All that a run needs to know.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a wish that stands on its own"
)]
pub struct Settings {
    /// The API.
    pub source: Source,
    /// Where the snapshot goes.
    pub data_dir: PathBuf,
    /// Which users the filter takes.
    pub email_domain: EmailDomain,
    /// How many worker processes, or slices at a time in the async flow, at most.
    pub workers: NonZeroUsize,
    /// How stubbornly to fetch.
    pub policy: Policy,
    /// How to talk to servers.
    pub transport: Transport,
    /// Whether to begin anew, or from pages that are there.
    pub start: Start,
    /// Whether the pages stay when the run is done.
    pub keep_raw: bool,
    /// How many earlier snapshots of the flow stay beside the new one.
    pub keep_snapshots: usize,
    /// Who may read what the run stores.
    pub readers: Readers,
    /// Whether to wait for another run that has the data directory.
    pub wait: bool,
    /// How long a record may be, in bytes; longer ones do not map.
    pub max_record: u64,
    /// Whether the first record that does not map ends the run.
    pub strict: bool,
    /// Whether what changed goes into the history of the data directory.
    pub history: bool,
    /// Whether to fetch everything, rather than ask what changed since the last run.
    pub fresh: bool,
}

impl Settings {
    /// How long a record may be unless something else is wanted, in bytes: what a process
    /// holds of one is some ten times as much at most, which is little enough for small machines.
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
            keep_snapshots: 1,
            readers: Readers::default(),
            wait: false,
            max_record: Self::MAX_RECORD,
            strict: false,
            history: true,
            fresh: false,
        }
    }

    /// As many workers as there are cores, but for one, which hashes, splits and writes what is
    /// fetched.
    #[must_use]
    pub fn default_workers() -> NonZeroUsize {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
    }

    /// Whether the run goes into the history. A replay says nothing of what the API has now.
    #[must_use]
    pub fn keeps_history(&self) -> bool {
        self.history && !matches!(self.start, Start::Replay(_))
    }
}
