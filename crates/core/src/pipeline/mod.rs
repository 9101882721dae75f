//! The flows, and what they have in common.
//!
//! A flow is the path of a record: fetch, spool, map and process, reduce, commit.

mod async_flow;
mod authors;
mod authors_as_users;
mod carry;
mod check;
mod entry_recorder;
mod flow_spec;
mod invalid_children;
mod layout;
mod main_flow;
mod previous;
mod recording;
mod reducer;
mod rejects;
mod repeats;
mod run;
mod slice_processor;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::activity::Summary;
use crate::fetch::{Missing, Remark};
use crate::history::{Changes, SetAside};
use crate::record::Resource;
use crate::storage::{CarriedFrom, Snapshot};

pub use async_flow::{SharedObserver, run as run_in_runtime, run_async};
pub use check::{
    AbsentField, Check, Finding, PageSeen, Place, RejectSeen, SampledRecords, Warning, check,
};
pub use main_flow::run;
pub use rejects::Rejects;
pub use slice_processor::{SliceProcessor, mappings, serve_worker};

/// The result of a run, and what it stored where.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The summary.
    pub summary: Summary,
    /// What was stored, and where.
    pub snapshot: Snapshot,
    /// The rejected records.
    pub rejects: Rejects,
    /// What the server refused to give.
    pub missing: BTreeMap<Resource, Missing>,
    /// What was not fetched but carried over from an earlier run.
    pub carried: BTreeMap<Resource, CarriedFrom>,
    /// Resources that may lack records, because these moved between pages in every attempt.
    pub incomplete: BTreeSet<Resource>,
    /// How many records were received again on a later page; they are stored once.
    pub repeated: BTreeMap<Resource, u64>,
    /// For resources whose total counts hidden records: how many were received, and the total.
    pub hidden: BTreeMap<Resource, (u64, u64)>,
    /// Oddities of the responses, which make it unknown whether all records were received.
    pub remarks: BTreeMap<Resource, Vec<Remark>>,
    /// What changed since the previous run; `None` without a history.
    pub recorded: Option<Recorded>,
    /// Whether the server reported no changes since the snapshot was stored.
    pub unchanged: bool,
    /// The duration of the run.
    pub elapsed: Duration,
}

/// What a run adds to the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The run's id in the history.
    pub run: String,
    /// What changed since the previous run, by resource. Resources that are new to the history are
    /// left out.
    pub changes: Changes,
    /// Why the history is one run behind, until the next command updates it; `None` if it is not.
    pub behind: Option<String>,
    /// The damaged files of the history that were renamed.
    pub set_aside: Vec<SetAside>,
    /// The previous run, if it is missing from the history.
    pub lacks: Option<String>,
}

/// The program that worker processes run: this one.
///
/// # Errors
/// When the system does not report it.
pub fn own_program() -> std::io::Result<PathBuf> {
    // This link refers to the running program even if its file was replaced by a newer version.
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        Ok(link)
    } else {
        std::env::current_exe()
    }
}
