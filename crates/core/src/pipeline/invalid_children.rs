//! Children that are never requested, because the id of their parent would change the path.

use std::path::Path;

use crate::error::StorageError;
use crate::record::{Id, Reject, Resource};
use crate::source::child::EXPECTED;
use crate::storage::{Output, STAGING, Segment, SegmentWriter, Slice};
use activity_tracker_text::excerpt;

use super::rejects::{self, Refused};

/// How much of an id a message shows, in characters.
const SHOWN: usize = 60;

/// The index of a record on its page, and its id, which cannot be part of a path.
pub(super) type Stray = (u64, Id);

/// The children that are rejected because of one slice.
pub(super) struct InvalidChildren {
    /// The resource of the children.
    pub(super) children: Resource,
    pub(super) refused: Refused,
    /// Their lines in `rejected.ndjson`.
    pub(super) lines: Segment,
}

/// Rejects the children of these records; `None` if there are no such records.
pub(super) fn reject(
    children: Resource,
    slice: &Slice,
    strays: &[Stray],
    folder: &Path,
) -> Result<Option<InvalidChildren>, StorageError> {
    let mut lines = SegmentWriter::new(Output::Rejected.layout());
    let mut first = None;
    for (index, id) in strays {
        let reject = Reject {
            index: *index,
            path: "id".to_owned(),
            expected: EXPECTED.to_owned(),
            found: excerpt(&serde_json::to_string(id).unwrap_or_default(), SHOWN),
        };
        let line = rejects::child_line(children, slice, &reject)
            .map_err(|error| StorageError::io("write", "rejected".as_ref())(error.into()))?;
        lines.push(&line);
        first.get_or_insert(reject);
    }
    let Some(first) = first else { return Ok(None) };
    let count = lines.records();
    let name = format!("{STAGING}/{children}-strays.segments");
    Ok(Some(InvalidChildren {
        children,
        refused: Refused { count, first },
        lines: lines.write(folder, &name)?,
    }))
}
