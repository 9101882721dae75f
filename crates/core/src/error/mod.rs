//! Errors in three kinds: the API, the data, the storage.
//!
//! Each error names the operation and its subject and keeps its cause. It is logged once and
//! printed once, at the top of the program, with a hint about what to do.

mod data_processing;

use std::io;
use std::net::SocketAddr;

use crate::source::InvalidSource;
use crate::storage::{ReceiveError, StageError};
use crate::system_limits::start_hint;
use activity_tracker_concurrency::{Failed, Stopped};
use activity_tracker_text::count;

pub use crate::fetch::ApiError;
pub use crate::history::HistoryError;
pub use crate::storage::StorageError;
pub use activity_tracker_concurrency::StopReason;
pub use activity_tracker_text::chain;
pub use data_processing::DataProcessingError;

/// Anything that ends a run, or another command, with a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API could not be reached, or responded with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A response was received, but its data is unusable.
    #[error(transparent)]
    Data(#[from] DataProcessingError),
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The history could not be read or written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The sample API could not be served.
    #[error("cannot serve the sample API on port {port}: {cause}")]
    Sample {
        /// The port to listen on; 0 for any free port.
        port: u16,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The report could not be served.
    #[error("cannot serve the report on {address}: {cause}")]
    Serve {
        /// The address to listen on.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The result of a command could not be printed.
    #[error("cannot print to stdout: {0}")]
    Print(#[source] io::Error),
    /// The summary of a run could not be printed.
    #[error("cannot print the summary to stdout: {0}; the snapshot is stored")]
    PrintSummary(#[source] io::Error),
    /// A thread or process could not be started.
    #[error("cannot start {what}: {cause}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The source is invalid.
    #[error(transparent)]
    Source(#[from] InvalidSource),
    /// The command line or the request is invalid.
    #[error("{0}")]
    Usage(String),
    /// A run failed, and can be resumed from the pages it has fetched.
    #[error("{cause}")]
    Unfinished {
        /// Why it failed.
        #[source]
        cause: Box<Error>,
        /// How many pages it has fetched.
        pages: u64,
    },
    /// The program was asked to stop.
    #[error("{0}; nothing in the data directory was changed")]
    Stopped(StopReason),
}

impl From<Stopped> for Error {
    fn from(Stopped(reason): Stopped) -> Self {
        Self::Stopped(reason)
    }
}

impl From<ReceiveError> for Error {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Api(error) => error.into(),
            ReceiveError::NotRecords(error) => DataProcessingError::from(error).into(),
            ReceiveError::Storage(error) => error.into(),
            ReceiveError::Stopped(stopped) => stopped.into(),
        }
    }
}

impl From<StageError> for Error {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Storage(error) => error.into(),
            StageError::Stopped(stopped) => stopped.into(),
        }
    }
}

impl Error {
    /// Whether another part of the run failed, and this is only what its end looks like from here.
    #[must_use]
    pub fn is_echo(&self) -> bool {
        matches!(self, Self::Stopped(StopReason::Failure))
    }

    /// The error that ends a run for a task that no worker did.
    #[must_use]
    pub fn of_worker(failed: Failed, task: String) -> Self {
        match failed.into_cause() {
            Ok(cause) => Self::start("a worker process")(cause),
            Err(reason) => DataProcessingError::Worker { task, reason }.into(),
        }
    }

    /// For `map_err`: names what could not be started.
    pub fn start(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Start { what, cause }
    }

    /// The documented exit code of the program for this error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Sample { .. }
            | Self::Serve { .. }
            | Self::Print(_)
            | Self::PrintSummary(_)
            | Self::Start { .. }
            | Self::Stopped(StopReason::Failure) => 1,
            Self::Source(_) | Self::Usage(_) => 2,
            Self::Api(_) => 3,
            Self::Data(_) => 4,
            Self::Storage(_) | Self::History(_) => 5,
            Self::Unfinished { cause, .. } => cause.exit_code(),
            Self::Stopped(StopReason::HangUp) => 129,
            Self::Stopped(StopReason::Interrupt) => 130,
            Self::Stopped(StopReason::Terminate) => 143,
        }
    }

    /// What the user can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.hint(),
            Self::Data(error) => Some(error.hint().into_owned()),
            Self::Storage(error) => error.hint(),
            Self::History(error) => error.hint(),
            Self::Unfinished { cause, pages } => {
                let (are, them) = if *pages == 1 {
                    ("is", "it")
                } else {
                    ("are", "them")
                };
                let pages = count(*pages, "page");
                let kept = format!("{pages} {are} kept; --resume continues from {them}");
                Some(match cause.hint() {
                    Some(hint) => format!("{hint}; {kept}"),
                    None => kept,
                })
            }
            Self::Start { cause, .. } => start_hint(cause).map(str::to_owned),
            Self::Serve { cause, .. } | Self::Sample { cause, .. } => {
                let of_address = match (self, cause.kind()) {
                    (Self::Serve { .. }, io::ErrorKind::AddrNotAvailable) => {
                        "--listen needs an address of this machine"
                    }
                    _ => "choose another port with --port",
                };
                Some(start_hint(cause).unwrap_or(of_address).to_owned())
            }
            Self::Print(cause) | Self::PrintSummary(cause) => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free disk space where stdout goes, or redirect it elsewhere".to_owned())
                }
                _ => None,
            },
            Self::Source(_) | Self::Usage(_) | Self::Stopped(_) => None,
        }
    }
}
