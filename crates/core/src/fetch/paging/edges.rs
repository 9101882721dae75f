//! The first and last record of a page, to compare it with its neighbours.

use serde_json::Value;

use crate::fetch::Digest;
use activity_tracker_json::JsonPath;

use super::text::text_of;

/// The record at one end of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fetch) enum Edge {
    /// The page has no records.
    #[default]
    Nothing,
    /// A record that was too long to keep and cannot be compared.
    Unknown,
    /// A record, identified by a hash of its id.
    Record(Digest),
}

impl Edge {
    /// The edge of a page that has records; `record` is `None` if it was not kept.
    pub(in crate::fetch) fn of(record: Option<&Value>, id: Option<&JsonPath>) -> Self {
        let Some(record) = record else {
            return Self::Unknown;
        };
        let id = id.and_then(|path| text_of(path.find(record)?));
        // A record without an id is identified by its content.
        let id = id.unwrap_or_else(|| record.to_string());
        Self::Record(crate::fetch::digest(id.as_bytes()))
    }
}

/// The first and last records of a page, and the number of its records including an overlapping
/// first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fetch) struct Edges {
    pub(in crate::fetch) first: Edge,
    pub(in crate::fetch) last: Edge,
    pub(in crate::fetch) records: u64,
}
