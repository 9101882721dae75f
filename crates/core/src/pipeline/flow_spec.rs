//! The differences between the two flows.

use crate::record::Resource;
use crate::storage::{Flow, Output};

/// The resources and output files of a flow.
pub(super) struct FlowSpec {
    pub(super) flow: Flow,
    pub(super) resources: &'static [Resource],
    /// The record files, in the order of the manifest.
    pub(super) outputs: &'static [Output],
}
