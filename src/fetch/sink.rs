//! Where responses go, and who is told about them. The drivers know no more of
//! storage and of terminals than this.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::Error;
use crate::json::JsonPath;
use crate::json::splitter::{SplitError, Splitter};
use crate::record::Resource;
use crate::source::RecordMap;

use super::reason::speaks_of_error;
use super::{Digest, PageInfo, RequestTarget};

/// Where something stands in the order of the API, as numbers from 0: the page,
/// within it the slice, within that the record; below a record the pages of its
/// children, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(Vec<u64>);

impl Position {
    /// The position of the `number`th part of what stands here.
    #[must_use]
    pub fn then(&self, number: u64) -> Self {
        let mut numbers = self.0.clone();
        numbers.push(number);
        Self(numbers)
    }

    /// The position of what this is a part of.
    #[must_use]
    pub fn whole(&self) -> Self {
        let mut numbers = self.0.clone();
        numbers.pop();
        Self(numbers)
    }

    /// Which part of what it belongs to.
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

/// One response to be received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the page"
)]
pub struct Page {
    /// What is fetched, and from where.
    pub subject: RequestTarget,
    /// Which page of the resource.
    pub position: Position,
    /// Where in the response the records are.
    pub records_at: Arc<JsonPath>,
    /// Set where the records are the values of an object there: they come to a sink as an array.
    pub map: Option<RecordMap>,
    /// Whether the resource has further pages that this one must be told from.
    pub one_of_many: bool,
    /// Whether another resource is asked for by the ids of these records.
    pub has_children: bool,
    /// Whether its first and its last record are looked at: the next page is asked for by a field of
    /// the last one, or begins with it.
    pub shows_ends: bool,
    /// Whether it begins with the last record of the page before it, which is left out.
    pub overlaps: bool,
    /// Whether it is the end of the pages if it holds no records.
    pub may_end: bool,
    /// Which look at the pages of its resource it is of, where all of them are fetched again when
    /// their records move: those of earlier looks do not count then.
    pub look: Option<u32>,
}

impl Page {
    /// Records that are there already, one behind the other with nothing around them: no others
    /// are asked for by what they say.
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

    /// Which page of its resource, or of its parent, it is.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.position.last()
    }

    /// What finds its records.
    #[must_use]
    pub fn splitter(&self) -> Splitter {
        let splitter = Splitter::of_array_at(&self.records_at);
        if self.may_end {
            splitter.or_an_object()
        } else {
            splitter
        }
    }

    /// What stands around the records, once all of them came.
    ///
    /// # Errors
    /// When it did not come whole, or is no such page.
    pub fn finish(&self, splitter: &Splitter) -> Result<Value, SplitError> {
        let without = splitter.without_array().filter(|body| self.may_be(body));
        without.map_or_else(|| splitter.finish(), Ok)
    }

    /// Whether a response that lacks the place of its records is a page without any: behind the last
    /// page some leave it out, and say no more than that there is nothing.
    fn may_be(&self, body: &Value) -> bool {
        let is_empty = body.as_array().is_none_or(Vec::is_empty);
        self.may_end && is_empty && !speaks_of_error(body)
    }
}

/// Opens a sink for each response.
pub trait SinkFactory: Sync {
    /// What it opens.
    type Sink: Sink;

    /// Begins to receive a page.
    ///
    /// # Errors
    /// When there is no place to put it.
    fn open(&self, page: Page) -> Result<Self::Sink, Error>;

    /// Takes a page out of the spool, where an earlier run left it; nothing if it is not whole.
    ///
    /// # Errors
    /// When the spool cannot be read.
    fn recall(
        &self,
        page: &Page,
    ) -> Result<Option<Restored<<Self::Sink as Sink>::CompletePage>>, Error>;

    /// The server says that a page is as it was in the last snapshot.
    ///
    /// Only pages that were asked for with [`Validators`](super::Validators) can be.
    fn keep(&self, page: &Page);
}

/// Takes one response, piece by piece. Dropped before its end, it forgets what it took.
pub trait Sink {
    /// A complete response.
    type CompletePage: CompletePage;

    /// Takes the next bytes of the response, decoded.
    ///
    /// # Errors
    /// When they cannot be kept or cannot belong to an array of records.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// The response is whole.
    ///
    /// # Errors
    /// When it cannot be kept, or is not a whole array of records.
    fn finish(self) -> Result<(Received, Self::CompletePage), Error>;
}

/// A complete response, which is not to be kept before the state machine has agreed:
/// it may be a page that came twice. Dropped, it is forgotten.
pub trait CompletePage {
    /// Keeps it, and what it said.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn keep(self, info: &PageInfo) -> Result<(), Error>;
}

/// A response that is let go.
impl CompletePage for () {
    fn keep(self, _: &PageInfo) -> Result<(), Error> {
        Ok(())
    }
}

/// A page from the spool.
#[derive(Debug)]
pub struct Restored<W> {
    /// What it holds.
    pub received: Received,
    /// What it said when it came.
    pub info: PageInfo,
    /// The page itself.
    pub whole: W,
}

/// What a complete response held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length, decoded.
    pub bytes: u64,
    /// How many records it held, without the one that the page before it ends with.
    pub records: u64,
    /// Whether there was one that the page before it ends with.
    pub overlap: bool,
    /// Tells its records from those of other pages, where there are others.
    pub digest: Option<Digest>,
    /// The response without its records.
    pub body: serde_json::Value,
    /// The first record, where the page's `shows_ends` asks for it and it can be read.
    pub first: Option<serde_json::Value>,
    /// The last record, likewise.
    pub last: Option<serde_json::Value>,
}

/// What happens during a run, for whoever watches it.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A part of a response arrived.
    Arrived {
        /// Of which resource.
        resource: Resource,
        /// How many bytes.
        bytes: u64,
    },
    /// A request failed and will be sent again.
    Waiting {
        /// For which resource.
        resource: Resource,
        /// In how long.
        delay: Duration,
    },
    /// A page is there, whole.
    Fetched {
        /// Which one.
        resource: Resource,
        /// How many records it holds.
        records: u64,
    },
    /// Records of a resource were processed.
    Processed {
        /// Which one.
        resource: Resource,
        /// How many records.
        records: u64,
    },
    /// Another run has the data directory, and is waited for.
    Queueing,
    /// A run that was cut off left pages.
    Unfinished {
        /// When it began.
        started_at: Timestamp,
        /// How many pages it has.
        pages: u64,
        /// How many it knew of.
        planned: u64,
        /// Whether this run goes on with them.
        resumed: bool,
    },
    /// The files are being put in their places.
    Committing,
}

/// Watches a run. Called from several threads; must be quick.
pub trait Observer: Sync {
    /// Something happened.
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

/// Watching nothing.
impl Observer for () {
    fn on(&self, _: Event) {}
}
