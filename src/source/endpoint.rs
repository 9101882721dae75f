//! How one resource of an API is asked for, page by page.

use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::json::JsonPath;
use crate::record::{FieldMap, Resource};

/// Where a resource is, and in which form it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The path behind the base URL, percent-encoded; may hold the parent's placeholder.
    pub path: String,
    /// Asked for with every page, besides what pagination adds.
    pub query: Vec<(String, String)>,
    /// Where in a response the array of records is.
    pub records: JsonPath,
    /// Set where there is an object whose values are the records, and no array.
    pub map: Option<RecordMap>,
    /// How to come to the next page.
    pub pagination: Pagination,
    /// Where the number of all records is told.
    pub total: Option<Locator>,
    /// Where the number of all pages is told.
    pub pages: Option<Locator>,
    /// Where a page tells whether there are further ones, besides what names the next.
    pub more: Option<More>,
    /// Whether the first page may lack the key that names the next one.
    pub next_optional: bool,
    /// Where a response tells that it left records out.
    pub truncated: Option<JsonPath>,
    /// Whether the total counts records that the server does not send.
    pub total_counts_hidden: bool,
    /// Statuses that say that a page lies behind the last one.
    pub past_end: Vec<u16>,
    /// Asked for once for each record of this resource: the path holds
    /// `{user_id}`, `{post_id}` or `{comment_id}`.
    pub parent: Option<Resource>,
    /// Fields of a record that change with each request: of another value there, the history says nothing.
    pub ignore: Vec<JsonPath>,
    /// Which fields of a record mean what.
    pub fields: FieldMap,
}

/// An object in the place of an array of records: its values are the records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMap {
    /// The field of a record that its key is put into, where the records do not repeat it.
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
        /// The query parameter of the page size, and the size to ask for.
        size: Option<(String, u64)>,
    },
    /// By the number of records to pass over.
    Offset {
        /// The query parameter of the offset.
        parameter: String,
        /// The query parameter of the page size, and the size to ask for.
        limit: (String, u64),
        /// Whether each page may be asked for from the last record of the one before it.
        overlap: bool,
    },
    /// By a cursor that a response holds for the next.
    Cursor {
        /// The query parameter of the cursor.
        parameter: String,
        /// Where the cursor is; missing, `null`, empty or 0 on the last page.
        at: NextAt,
    },
    /// By a URL that a response holds for the next.
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

    /// Whether nothing but a page without records tells the end, where no total does.
    #[must_use]
    pub fn ends_with_empty(&self) -> bool {
        self.is_counted() || self.is_by_last_record()
    }

    /// Whether only a page knows where the next one is.
    #[must_use]
    pub fn names_next(&self) -> bool {
        matches!(self, Self::Cursor { .. } | Self::Next { .. } | Self::Link)
    }

    /// Whether the next page is asked for by a field of the last record.
    #[must_use]
    pub fn is_by_last_record(&self) -> bool {
        matches!(self, Self::Cursor { at, .. } if at.is_last_record())
    }
}

/// Where a response has the cursor or the URL of the next page.
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
    /// Whether the last record of a page tells.
    #[must_use]
    pub fn is_last_record(&self) -> bool {
        matches!(self, Self::LastRecord(_))
    }
}

/// A flag that tells whether there are further pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct More {
    /// Where in a response it is.
    pub at: JsonPath,
    /// What it is on the last page: `false` for `has_more`, `true` for `is_last`.
    pub ends: bool,
}

/// Where a response tells something besides its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In a header.
    Header(HeaderName),
    /// In the body.
    Body(JsonPath),
}

/// A field of a body that says that the body is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorInBody {
    /// Where it is.
    pub at: JsonPath,
    /// The value that says so, as text; none for any that is not null, false, 0 or empty.
    pub when: Option<String>,
    /// Where the server's words are, if not where APIs have them usually.
    pub message: Option<JsonPath>,
}

/// Users that an API does not list, or refuses to: those whom its posts and comments have inside as their authors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authors {
    /// Where in a record of each resource its author is.
    pub within: BTreeMap<Resource, JsonPath>,
    /// Which fields of an author mean what.
    pub fields: FieldMap,
}
