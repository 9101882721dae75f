//! Where responses go, and who observes them. This is all that the drivers know about storage and
//! terminals.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::record::Resource;
use crate::source::RecordMap;
use activity_tracker_concurrency::Stopped;
use activity_tracker_json::JsonPath;
use activity_tracker_json::splitter::{SplitError, Splitter};

use super::reason::speaks_of_error;
use super::{ApiError, Digest, PageInfo, RequestTarget};

/// A position in the API's order, as numbers from 0: the page, within it the slice, within that the
/// record; below a record the pages of its children, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(Vec<u64>);

impl Position {
    /// The position of part `number` of this one.
    #[must_use]
    pub fn then(&self, number: u64) -> Self {
        let mut numbers = self.0.clone();
        numbers.push(number);
        Self(numbers)
    }

    /// The position of the whole that this is a part of.
    #[must_use]
    pub fn whole(&self) -> Self {
        let mut numbers = self.0.clone();
        numbers.pop();
        Self(numbers)
    }

    /// The number of this part within its whole.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.0.last().copied().unwrap_or_default()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.0.iter().enumerate() {
            write!(f, "{}{number}", if index > 0 { "-" } else { "" })?;
        }
        Ok(())
    }
}

/// One page to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about the page"
)]
pub struct Page {
    /// What is fetched, and its URL.
    pub subject: RequestTarget,
    /// Its position among the pages of the resource.
    pub position: Position,
    /// Where in the response the records are.
    pub records_at: Arc<JsonPath>,
    /// Set if the records are the values of an object: sinks get them as an array.
    pub map: Option<RecordMap>,
    /// Whether the resource has several pages, which must differ.
    pub one_of_many: bool,
    /// Whether another resource is fetched by the ids of these records.
    pub has_children: bool,
    /// Whether its first and last records are needed: the next page is requested by a field of the
    /// last one, or begins with it.
    pub shows_ends: bool,
    /// Whether it begins with the last record of the previous page, which is left out.
    pub overlaps: bool,
    /// Whether a page without records is the end of the pages.
    pub may_end: bool,
    /// The pass that it belongs to, if all pages are fetched again when records move: pages of
    /// earlier passes do not count.
    pub look: Option<u32>,
}

impl Page {
    /// A page of records that are already stored, one after the other with nothing around them.
    #[must_use]
    pub fn of_records(resource: Resource, url: &Url, position: Position) -> Self {
        let url = url.clone();
        Self {
            subject: RequestTarget { resource, url },
            position,
            records_at: Arc::default(),
            one_of_many: false,
            has_children: false,
            shows_ends: false,
            overlaps: false,
            may_end: false,
            map: None,
            look: None,
        }
    }

    /// Its number among the pages of its resource, or of its parent.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.position.last()
    }

    /// A splitter for its records.
    #[must_use]
    pub fn splitter(&self) -> Splitter {
        let splitter = Splitter::of_array_at(&self.records_at);
        if self.may_end {
            splitter.or_an_object()
        } else {
            splitter
        }
    }

    /// The response without its records, once all of them arrived.
    ///
    /// # Errors
    /// When the body was truncated, or holds no records in the expected place.
    pub fn finish(&self, splitter: &Splitter) -> Result<Value, SplitError> {
        let without = splitter.without_array().filter(|body| self.may_be(body));
        without.map_or_else(|| splitter.finish(), Ok)
    }

    /// Whether a response without the array of records counts as an empty page: some APIs leave the
    /// array out after the last page.
    fn may_be(&self, body: &Value) -> bool {
        let is_empty = body.as_array().is_none_or(Vec::is_empty);
        self.may_end && is_empty && !speaks_of_error(body)
    }
}

/// The error type of sinks, and so of a fetch into sinks.
pub trait SinkError: From<ApiError> + From<Stopped> + Send {
    /// What is wrong with a body that is not an array of records; `None` for any other error.
    fn not_records(&self) -> Option<&SplitError>;

    /// Whether it only reports that another part of the run failed first.
    fn is_echo(&self) -> bool;
}

/// A page from the spool, for sinks of type `S`.
pub type RestoredPage<S> = Restored<<S as Sink>::CompletePage>;

/// Opens a sink for each response.
pub trait SinkFactory: Sync {
    /// The error type of the factory and its sinks.
    type Error: SinkError;

    /// The type of its sinks.
    type Sink: Sink<Error = Self::Error>;

    /// Begins to receive a page.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn open(&self, page: Page) -> Result<Self::Sink, Self::Error>;

    /// Restores a page of an earlier run from the spool; `None` if it is incomplete there.
    ///
    /// # Errors
    /// When the spool cannot be read.
    fn recall(&self, page: &Page) -> Result<Option<RestoredPage<Self::Sink>>, Self::Error>;

    /// Called when the server reports that a page has not changed since the last snapshot.
    ///
    /// Only for pages that were requested with [`Validators`](super::Validators).
    fn keep(&self, page: &Page);
}

/// Receives one response, chunk by chunk. If dropped before the end, it discards the response.
pub trait Sink {
    /// Its error type.
    type Error: SinkError;

    /// A complete response.
    type CompletePage: CompletePage<Error = Self::Error>;

    /// Takes the next bytes of the response, decoded.
    ///
    /// # Errors
    /// When they cannot be stored, or are not part of an array of records.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// The response is complete.
    ///
    /// # Errors
    /// When it cannot be stored, or is not a complete array of records.
    fn finish(self) -> Result<(Received, Self::CompletePage), Self::Error>;
}

/// A complete response, to be kept once the state machine agrees: it may be a duplicate page. If
/// dropped, it is discarded.
pub trait CompletePage {
    /// Its error type.
    type Error: SinkError;

    /// Keeps it, with its pagination metadata.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn keep(self, info: &PageInfo) -> Result<(), Self::Error>;
}

/// A page from the spool.
#[derive(Debug)]
pub struct Restored<W> {
    /// The content of the page.
    pub received: Received,
    /// Its pagination metadata.
    pub info: PageInfo,
    /// The page itself.
    pub whole: W,
}

/// The content of a complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length, decoded.
    pub bytes: u64,
    /// Number of records, without one that overlaps with the previous page.
    pub records: u64,
    /// Whether it began with the last record of the previous page.
    pub overlap: bool,
    /// A digest of its records, if there are other pages to compare it with.
    pub digest: Option<Digest>,
    /// The response without its records.
    pub body: serde_json::Value,
    /// The first record, if the page's `shows_ends` is set and it is valid.
    pub first: Option<serde_json::Value>,
    /// The last record, likewise.
    pub last: Option<serde_json::Value>,
}

/// An event of a run, for an [`Observer`].
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A part of a response arrived.
    Arrived {
        /// The resource.
        resource: Resource,
        /// The number of bytes.
        bytes: u64,
    },
    /// A request failed and will be retried.
    Waiting {
        /// The resource.
        resource: Resource,
        /// The delay before the retry.
        delay: Duration,
    },
    /// A page is complete.
    Fetched {
        /// The resource.
        resource: Resource,
        /// The number of records on the page.
        records: u64,
    },
    /// Records of a resource were processed.
    Processed {
        /// The resource.
        resource: Resource,
        /// The number of records.
        records: u64,
    },
    /// Waiting for another run that holds the lock of the data directory.
    Queueing,
    /// Found pages of an interrupted run.
    Unfinished {
        /// When that run started.
        started_at: Timestamp,
        /// Number of pages that it completed.
        pages: u64,
        /// Number of pages that it expected.
        planned: u64,
        /// Whether this run resumes from them.
        resumed: bool,
    },
    /// The snapshot is being committed.
    Committing,
}

/// Observes a run. Called from several threads; must be quick.
pub trait Observer: Sync {
    /// Handles an event.
    fn on(&self, event: Event);
}

impl<T: Observer + Send + ?Sized> Observer for std::sync::Arc<T> {
    fn on(&self, event: Event) {
        (**self).on(event);
    }
}

impl<T: Observer + ?Sized> Observer for &T {
    fn on(&self, event: Event) {
        (**self).on(event);
    }
}

/// Ignores all events.
impl Observer for () {
    fn on(&self, _: Event) {}
}
