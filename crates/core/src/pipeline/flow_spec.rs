//! What tells the two flows apart.

use crate::record::Resource;
use crate::storage::{Flow, Output};

/// What tells the flows apart once their records are processed.
pub(super) struct FlowSpec {
    pub(super) flow: Flow,
    pub(super) resources: &'static [Resource],
    /// The record files, in the order of the manifest.
    pub(super) outputs: &'static [Output],
}
