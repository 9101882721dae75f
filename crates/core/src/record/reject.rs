//! Why a record is rejected.

use std::fmt;

use serde::{Deserialize, Serialize};

use activity_tracker_json::Mismatch;
use activity_tracker_text::Printable;

/// A record that was rejected, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Reject {
    /// Which record of the slice, counted from 0.
    pub index: u64,
    /// Where in the record: `address.geo.lat`, or `.` for the whole.
    pub path: String,
    /// The expected value.
    pub expected: String,
    /// The value found, truncated.
    pub found: String,
}

/// What a required field should have, and what it has where it is missing.
pub(super) const A_VALUE: &str = "a value";
pub(super) const NOTHING: &str = "nothing";

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, expected, found) = (Printable(&self.path), &self.expected, &self.found);
        write!(f, "record {}: ", self.index)?;
        if expected == A_VALUE && found == NOTHING {
            write!(f, "required field `{path}` is missing")
        } else {
            write!(f, "field `{path}`: expected {expected}, found {found}")
        }
    }
}

impl Reject {
    /// For an invalid value at `path`.
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
