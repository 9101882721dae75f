//! The flows, and what they have in common.
//!
//! A flow reads as the way of a record: fetch, spool, map and process, reduce,
//! commit.

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
pub use slice_processor::mappings;
pub use slice_processor::{SliceProcessor, serve_worker};

/// What a run found, and what it stored where.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// What was found.
    pub summary: Summary,
    /// What was stored, and where.
    pub snapshot: Snapshot,
    /// The records that did not map.
    pub rejects: Rejects,
    /// What the server refused to give.
    pub missing: BTreeMap<Resource, Missing>,
    /// What was not fetched, and is as an earlier run left it.
    pub carried: BTreeMap<Resource, CarriedFrom>,
    /// What may lack records, which moved from page to page each time they were fetched.
    pub incomplete: BTreeSet<Resource>,
    /// How many records came again on a later page, and are stored once.
    pub repeated: BTreeMap<Resource, u64>,
    /// Of resources whose total counts hidden records: how many came, and the total.
    pub hidden: BTreeMap<Resource, (u64, u64)>,
    /// What is odd about the responses, so that nobody can tell whether all came.
    pub remarks: BTreeMap<Resource, Vec<Remark>>,
    /// What changed since the run before; none without a history.
    pub recorded: Option<Recorded>,
    /// Whether the server said that nothing changed since the snapshot was made.
    pub unchanged: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a run adds to the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The run's id in the history.
    pub run: String,
    /// What changed since the run before, by resource. Of one that was not known before, nothing.
    pub changes: Changes,
    /// Why the history has to be brought up by the next command, if it has to.
    pub behind: Option<String>,
    /// What of the history was damaged, and is kept under another name.
    pub set_aside: Vec<SetAside>,
    /// The last run before, where the history was to have it and does not.
    pub lacks: Option<String>,
}

/// The program that worker processes run: this one.
///
/// # Errors
/// When the system does not tell.
pub fn own_program() -> std::io::Result<PathBuf> {
    // This link leads to the running program even when its file was replaced by a newer version.
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        Ok(link)
    } else {
        std::env::current_exe()
    }
}
