//! Why data cannot be processed.

use std::borrow::Cow;

use crate::record::{Reject, Resource};
use crate::storage::NotRecords;
use activity_tracker_text::count;

/// A response was received, but its data is unusable.
#[derive(Debug, thiserror::Error)]
pub enum DataProcessingError {
    /// A response is not an array of records.
    #[error(transparent)]
    NotRecords(#[from] NotRecords),
    /// A record was rejected, and the run is strict.
    #[error("{resource}: {reject}")]
    Rejected {
        /// The resource it belongs to.
        resource: Resource,
        /// What is wrong with the record, numbered within its page.
        reject: Box<Reject>,
    },
    /// More records were rejected than allowed; the others are stored.
    #[error(
        "{} rejected, more than the {limit} allowed; first: {resource}: {first}",
        count(*.rejects, "record")
    )]
    TooManyRejects {
        /// The number of rejected records.
        rejects: u64,
        /// The number allowed.
        limit: u64,
        /// The resource of the first one.
        resource: Resource,
        /// The first one, numbered within its page.
        first: Box<Reject>,
        /// The file with all of them.
        file: String,
    },
    /// The server refused some requests; the rest is stored, unless the run is strict.
    #[error("{resource} are missing: {first}")]
    Missing {
        /// The resource.
        resource: Resource,
        /// What is missing.
        first: String,
    },
    /// All records of a resource were rejected.
    #[error("{resource}: {}: {first}", all_rejected(*.records))]
    NoneMapped {
        /// Which resource.
        resource: Resource,
        /// How many records were received.
        records: u64,
        /// The first one, numbered within its page.
        first: Box<Reject>,
    },
    /// A worker process failed twice with the same task.
    #[error("cannot process {task}: the worker {reason}, twice")]
    Worker {
        /// The task.
        task: String,
        /// How the last worker ended.
        reason: String,
    },
    /// A page has another number of records after processing.
    #[error("cannot process {task}: {found} of {expected} records were processed")]
    Miscounted {
        /// The task.
        task: String,
        /// How many records the response has.
        expected: u64,
        /// How many records were processed.
        found: u64,
    },
}

fn all_rejected(records: u64) -> String {
    match records {
        1 => "the only record was rejected".to_owned(),
        records => format!("all {} were rejected", count(records, "record")),
    }
}

impl DataProcessingError {
    pub(crate) fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::NotRecords(_) => "check the base URL, and `records` in the source",
            Self::TooManyRejects { file, .. } => {
                let hint = format!(
                    "they are saved in {file}, and all others are stored; allow some with --max-rejects"
                );
                return hint.into();
            }
            Self::Missing { .. } => {
                "the rest is stored, unless --strict is given; exclude the refused resource with --resources, or allow refusals with --max-rejects"
            }
            Self::NoneMapped { .. } => "nothing was stored; check the fields of the source",
            Self::Rejected { .. } => {
                "nothing was stored; check the fields of the source, or mark the missing one as optional"
            }
            Self::Worker { .. } | Self::Miscounted { .. } => {
                "internal error, please report it with the log"
            }
        };
        hint.into()
    }
}
