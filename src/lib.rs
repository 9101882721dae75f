//! See who is active on any REST API. Activity Tracker fetches users, posts and comments, validates
//! every record, and saves the results to checksummed files.
//!
//! The library is the program without its command line. Records flow through these modules from top
//! to bottom:
//!
//! | module | what happens there |
//! | --- | --- |
//! | [`source`] | an API is described |
//! | [`fetch`] | its pages are fetched: one policy, thin drivers |
//! | [`storage`] | pages are spooled as they come |
//! | [`json`], [`record`] | records are found in bytes, read and checked |
//! | [`activity`] | users, posts and comments are filtered and counted |
//! | [`concurrency`] | all that at the same time, on threads and in processes |
//! | [`storage`] | the snapshot appears whole |
//! | [`pipeline`] | the steps in order |

pub mod activity;
pub mod concurrency;
pub mod error;
pub mod fetch;
pub mod history;
mod http_server;
pub mod json;
pub mod pipeline;
pub mod record;
pub mod regular_file;
pub mod report;
pub mod sample;
pub mod serve;
pub mod settings;
pub mod source;
pub mod storage;
mod system_limits;
pub mod text;

pub use error::{ApiError, DataProcessingError, Error, HistoryError, StorageError};

/// Doors for the fuzz targets in `fuzz/`; no other build has them.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::fetch::fuzzing::{asked_pause, link_target, retry_after};
    pub use crate::history::fuzzing::{StepRow, StepValue, Taken, take_bytes, take_rows};
    pub use crate::source::fuzzing::{child_url, is_child_template};
}

/// The example of the library's page, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct Library;

/// The code of the page for learners, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/concepts.md")]
struct Concepts;
