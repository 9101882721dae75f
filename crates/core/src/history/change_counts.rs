//! The number of records that a run added, changed and removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Resource;

/// The number of records of a resource that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    /// Records that are new.
    pub added: u64,
    /// Records whose fields differ.
    pub changed: u64,
    /// Records that no longer exist.
    pub removed: u64,
    /// Records whose ids changed from numbers to texts or back: not counted as added or removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retyped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "required by serde")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ChangeCounts {
    /// The number of added, changed and removed records.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.added
            .saturating_add(self.changed)
            .saturating_add(self.removed)
    }
}

/// The changes of a run, by resource. Resources that are new to the history are left out.
pub type Changes = BTreeMap<Resource, ChangeCounts>;
