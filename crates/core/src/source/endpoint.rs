//! How to request one resource of an API, page by page.

use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::record::{FieldMap, Resource};
use activity_tracker_json::JsonPath;

/// One resource: its path, pagination and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The path, appended to the base URL, percent-encoded; may contain the parent's placeholder.
    pub path: String,
    /// Query parameters of every page, besides those of pagination.
    pub query: Vec<(String, String)>,
    /// Path of the array of records in a response.
    pub records: JsonPath,
    /// Set if the records are the values of an object instead of an array.
    pub map: Option<RecordMap>,
    /// How to request the next page.
    pub pagination: Pagination,
    /// Where responses give the total number of records.
    pub total: Option<Locator>,
    /// Where responses give the total number of pages.
    pub pages: Option<Locator>,
    /// The flag for further pages, besides the name of the next one.
    pub more: Option<More>,
    /// Whether the first page may lack the key that names the next one.
    pub next_optional: bool,
    /// The field that says that records were left out.
    pub truncated: Option<JsonPath>,
    /// Whether the total includes records that the server does not send.
    pub total_counts_hidden: bool,
    /// Statuses of a page after the last one.
    pub past_end: Vec<u16>,
    /// The parent: requested once for each record of it. The path contains
    /// `{user_id}`, `{post_id}` or `{comment_id}`.
    pub parent: Option<Resource>,
    /// Fields whose changes the history ignores.
    pub ignore: Vec<JsonPath>,
    /// The mapping of fields.
    pub fields: FieldMap,
}

/// An object whose values are the records, in place of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMap {
    /// The field that gets the key of each record, if records do not repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// How an API divides a resource into pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pagination {
    /// All in one response.
    None,
    /// By page number.
    Page {
        /// The query parameter of the number.
        parameter: String,
        /// The number of the first page.
        first: u64,
        /// The query parameter of the page size, and the size to request.
        size: Option<(String, u64)>,
    },
    /// By the number of records to skip.
    Offset {
        /// The query parameter of the offset.
        parameter: String,
        /// The query parameter of the page size, and the size to request.
        limit: (String, u64),
        /// Whether each page may be requested from the last record of the previous one.
        overlap: bool,
    },
    /// By a cursor from the previous response.
    Cursor {
        /// The query parameter of the cursor.
        parameter: String,
        /// Where the cursor is; missing, `null`, empty or 0 on the last page.
        at: NextAt,
    },
    /// By a URL in the previous response.
    Next {
        /// Where the URL is; missing, `null` or empty on the last page.
        at: NextAt,
    },
    /// By the `Link` header (RFC 8288).
    Link,
}

impl Pagination {
    /// Whether pages are known by a number that the run counts.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Offset { .. })
    }

    /// Whether only an empty page marks the end, unless there is a total.
    #[must_use]
    pub fn ends_with_empty(&self) -> bool {
        self.is_counted() || self.is_by_last_record()
    }

    /// Whether only a response knows where the next page is.
    #[must_use]
    pub fn names_next(&self) -> bool {
        matches!(self, Self::Cursor { .. } | Self::Next { .. } | Self::Link)
    }

    /// Whether the next page is requested by a field of the last record.
    #[must_use]
    pub fn is_by_last_record(&self) -> bool {
        matches!(self, Self::Cursor { at, .. } if at.is_last_record())
    }
}

/// Where a response gives the cursor or URL of the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextAt {
    /// In the body.
    Body(JsonPath),
    /// In a header.
    Header(HeaderName),
    /// In a list of links, each with its relation: `[{"rel": "next", "href": "…"}]`.
    Links {
        /// Where in the body the list is.
        list: JsonPath,
        /// The relation of the link to the next page.
        relation: String,
    },
    /// In a field of the page's last record (keyset pagination): the pages end with an empty one.
    LastRecord(JsonPath),
}

impl NextAt {
    /// Whether it is in the last record of a page.
    #[must_use]
    pub fn is_last_record(&self) -> bool {
        matches!(self, Self::LastRecord(_))
    }
}

/// A flag for further pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct More {
    /// Where in a response it is.
    pub at: JsonPath,
    /// Its value on the last page: `false` for `has_more`, `true` for `is_last`.
    pub ends: bool,
}

/// Where a response gives a value besides its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In a header.
    Header(HeaderName),
    /// In the body.
    Body(JsonPath),
}

/// A field that marks a body as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorInBody {
    /// Where it is.
    pub at: JsonPath,
    /// The value that means an error, as text; none for any but null, false, 0 and an empty one.
    pub when: Option<String>,
    /// Path of the error message, if not where APIs usually have it.
    pub message: Option<JsonPath>,
}

/// Users that an API does not list: the authors embedded in its posts and comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authors {
    /// Path of the author in a record of each resource.
    pub within: BTreeMap<Resource, JsonPath>,
    /// The mapping of an author's fields.
    pub fields: FieldMap,
}
