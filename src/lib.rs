//! Who does what on this platform? Activity Tracker fetches users, posts and
//! comments from a REST API, checks every record, works out who is active, and
//! keeps the result in files that can be trusted.
//!
//! The library is the program without its command line. A record's way leads
//! through these modules from top to bottom, and never back:
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
pub mod text;

pub use error::{ApiError, DataProcessingError, Error, StorageError};

/// Doors for the fuzz targets in `fuzz/`; no other build has them.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::fetch::fuzzing::{asked_pause, link_target, retry_after};
    pub use crate::history::fuzzing::{StepRow, StepValue, Taken, take_bytes, take_rows};
    pub use crate::source::fuzzing::{child_url, is_child_template};
}

/// The README's example, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code of the page for learners, compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/concepts.md")]
struct Concepts;
