//! See who is active on any REST API.

pub use activity_tracker_concurrency as concurrency;
pub use activity_tracker_core::*;
pub use activity_tracker_json as json;
pub use activity_tracker_report::{report, serve};
pub use activity_tracker_sample as sample;
pub use activity_tracker_text as text;

pub use activity_tracker_core::error::{
    ApiError, DataProcessingError, Error, HistoryError, StorageError,
};

/// The example of the library's page, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct Library;

/// The code of the page for learners, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/concepts.md")]
struct Concepts;
