//! Fetches, validates and stores the records of a REST API, and counts who is active.
//!
//! Records flow through these modules from top to bottom; a module uses those above it in this
//! table only where the table of `docs/architecture.md` says so.
//!
//! | module | what happens there |
//! | --- | --- |
//! | [`source`] | an API is described |
//! | [`fetch`] | its pages are fetched: one policy, thin drivers |
//! | [`storage`] | pages are spooled as they come, and the snapshot appears whole |
//! | [`record`] | records are read and validated |
//! | [`activity`] | users, posts and comments are filtered and counted |
//! | [`pipeline`] | the steps in order |
//! | [`history`] | what changed from run to run |
//!
//! This crate is a part of the program and of the library `activity_tracker`, which names what is
//! kept stable. Use that one.

pub mod activity;
pub mod error;
pub mod fetch;
pub mod history;
pub mod pipeline;
pub mod record;
pub mod regular_file;
pub mod settings;
pub mod source;
pub mod storage;
mod system_limits;

pub use error::Error;

/// Doors for the fuzz targets in `fuzz/`; no other build has them.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::fetch::fuzzing::{asked_pause, link_target, retry_after};
    pub use crate::history::fuzzing::{StepRow, StepValue, Taken, take_bytes, take_rows};
    pub use crate::source::fuzzing::{child_url, is_child_template};
}
