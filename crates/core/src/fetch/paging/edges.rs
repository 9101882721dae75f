//! What a page begins and ends with, by which it is held against its neighbours.

use serde_json::Value;

use crate::fetch::Digest;
use activity_tracker_json::JsonPath;

use super::text::text_of;

/// What stands at the edge of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fetch) enum Edge {
    /// The page has no records.
    #[default]
    Nothing,
    /// A record that cannot be told from others, for it is too long.
    Unknown,
    /// A record, by its id.
    Record(Digest),
}

impl Edge {
    /// Of a page that has records, if this one was kept.
    pub(in crate::fetch) fn of(record: Option<&Value>, id: Option<&JsonPath>) -> Self {
        let Some(record) = record else {
            return Self::Unknown;
        };
        let id = id.and_then(|path| text_of(path.find(record)?));
        // Without an id, a record is what it says.
        let id = id.unwrap_or_else(|| record.to_string());
        Self::Record(crate::fetch::digest(id.as_bytes()))
    }
}

/// The first and the last record of a page, and how many there are with the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fetch) struct Edges {
    pub(in crate::fetch) first: Edge,
    pub(in crate::fetch) last: Edge,
    pub(in crate::fetch) records: u64,
}
