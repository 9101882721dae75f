//! See who is active on any REST API, and what changed.
//!
//! Describe or choose a [`Source`], [`run`] it, read its [`Snapshot`] record by record, or let a
//! [`Report`] say who is active:
//!
//! ```no_run
//! use activity_tracker::{Report, Settings, Source, run};
//!
//! let settings = Settings::new(Source::jsonplaceholder()?, "data");
//! let outcome = run(&settings)?;
//! println!("{} users", outcome.summary.users);
//! let report = Report::of(&settings.data_dir, 10)?;
//! println!("{} inactive users", report.totals.inactive_users);
//! # Ok::<(), activity_tracker::Error>(())
//! ```
//!
//! To fetch one resource and keep nothing: [`fetch()`]. Both are the async flow of the program; each
//! has a form for programs that have a tokio runtime of their own ([`run_async`],
//! [`fetch_async`]). [`sample`] is an API to try all this with, offline.
//!
//! What is named here is kept stable from version to version.

mod snapshot;

use std::sync::Arc;

pub use activity_tracker_core::activity::{Comment, EmailDomain, Post, Summary, User};
pub use activity_tracker_core::error::{
    ApiError, DataProcessingError, Error, HistoryError, StorageError,
};
pub use activity_tracker_core::pipeline::RunOutcome;
pub use activity_tracker_core::record::{Id, Reject, Resource};
pub use activity_tracker_core::settings::Settings;
pub use activity_tracker_core::source::{
    EmptyEnvironment, Environment, InvalidSource, Source, SourceFile, Vars,
};
pub use activity_tracker_report::report::ActivityReport as Report;
pub use activity_tracker_sample as sample;
pub use snapshot::{Records, Snapshot};

use activity_tracker_concurrency::Stop;
use activity_tracker_core::pipeline::SharedObserver;

// The rooms of the house: for the program, its tests, and the pages that explain how it works.
// They change as the program needs.
#[doc(hidden)]
pub use activity_tracker_concurrency as concurrency;
#[doc(hidden)]
pub use activity_tracker_core::{
    activity, error, fetch, history, pipeline, record, regular_file, settings, source, storage,
};
#[doc(hidden)]
pub use activity_tracker_json as json;
#[doc(hidden)]
pub use activity_tracker_report::{report, serve};
#[doc(hidden)]
pub use activity_tracker_text as text;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use activity_tracker_core::fuzzing;

/// Fetches, validates and stores all resources of a source, and adds what changed to the history.
///
/// This blocks, and runs on a runtime of its own. The files are those of `activity-tracker run
/// --async`.
///
/// # Errors
/// Whatever ends the run before its commit: an API that cannot be reached, responds with an error
/// or not with everything, data that cannot be read, a directory that cannot be written to. The
/// data directory is as it was then.
pub fn run(settings: &Settings) -> Result<RunOutcome, Error> {
    let nobody: SharedObserver = Arc::new(());
    pipeline::run_async(settings, &Stop::new(), &nobody)
}

/// [`run`], in the tokio runtime of the caller, which needs its I/O and time drivers.
///
/// # Errors
/// As [`run`].
pub async fn run_async(settings: &Settings) -> Result<RunOutcome, Error> {
    let nobody: SharedObserver = Arc::new(());
    pipeline::run_in_runtime(settings, &Stop::new(), &nobody).await
}

/// Fetches all records of one resource, as strictly as a run does: all of them, or an error.
///
/// They pass through a temporary folder and are in memory then. For more of them than memory
/// holds, [`run`], and read [`Snapshot::chunks`].
///
/// # Errors
/// As [`run`], and for the first record that is rejected.
pub fn fetch(source: &Source, resource: Resource) -> Result<Records, Error> {
    let place = Place::new(source, resource)?;
    run(&place.settings)?;
    place.records(resource)
}

/// [`fetch()`], in the tokio runtime of the caller, which needs its I/O and time drivers.
///
/// # Errors
/// As [`fetch()`].
pub async fn fetch_async(source: &Source, resource: Resource) -> Result<Records, Error> {
    let place = Place::new(source, resource)?;
    run_async(&place.settings).await?;
    place.records(resource)
}

/// A temporary data directory.
struct Place {
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new(source: &Source, resource: Resource) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(StorageError::io(
            "create a folder in",
            &std::env::temp_dir(),
        ))?;
        let source = source.clone().only(&[resource])?;
        Ok(Self {
            settings: Settings {
                strict: true,
                history: false,
                ..Settings::new(source, folder.path())
            },
            _folder: folder,
        })
    }

    fn records(&self, resource: Resource) -> Result<Records, Error> {
        Snapshot::open(&self.settings.data_dir)?.records(resource)
    }
}

/// The examples of the library's page, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct Library;

/// The code of the page for learners, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/concepts.md")]
struct Concepts;
