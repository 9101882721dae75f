//! Why a record is rejected.

use serde::{Deserialize, Serialize};

use crate::json::Mismatch;
use crate::text::Printable;

/// A record that did not map, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("record {index}, field `{}`: expected {expected}, found {found}", Printable(.path))]
pub struct Reject {
    /// Which record of the slice, counted from 0.
    pub index: u64,
    /// Where in the record: `address.geo.lat`, or `.` for the whole.
    pub path: String,
    /// What should stand there.
    pub expected: String,
    /// What stands there, cut to what a line can hold.
    pub found: String,
}

impl Reject {
    /// For a value that stands at `path` and is not what it should be.
    pub(super) fn new(index: u64, path: String, why: Mismatch) -> Self {
        let path = match (path.as_str(), why.below.as_str()) {
            (_, "" | ".") => path,
            (".", _) => why.below,
            (above, below) => format!("{above}.{below}"),
        };
        Self {
            index,
            path,
            expected: why.expected,
            found: why.found,
        }
    }
}
