//! How many records a run added, changed and removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::Resource;

/// How many records of a resource are not what they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounts {
    /// Records that were not there before.
    pub added: u64,
    /// Records that differ from what they were.
    pub changed: u64,
    /// Records that are not there any more.
    pub removed: u64,
    /// Records whose ids are texts and were numbers, or the other way round: the same records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retyped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ChangeCounts {
    /// How many they are together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.added
            .saturating_add(self.changed)
            .saturating_add(self.removed)
    }
}

/// What a run changed, by resource. Of a resource that was not known before, nothing is told.
pub type Changes = BTreeMap<Resource, ChangeCounts>;
