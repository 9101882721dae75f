//! Where answers go, and who is told about them. The drivers know no more of
//! storage and of terminals than this.

use std::time::Duration;

use crate::activity::Resource;
use crate::error::Error;

use super::Subject;

/// One answer to be received: a resource and the number of its page, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What is fetched, and from where.
    pub subject: Subject,
    /// Which page of the resource.
    pub number: u64,
}

/// Opens a sink for each answer.
pub trait Sinks: Sync {
    /// What it opens.
    type Sink: Sink;

    /// Begins to receive a page.
    ///
    /// # Errors
    /// When there is no place to put it.
    fn open(&self, page: Page) -> Result<Self::Sink, Error>;
}

/// Takes one answer, piece by piece. Dropped before its end, it forgets what it took.
pub trait Sink {
    /// Takes the next bytes of the answer, decoded.
    ///
    /// # Errors
    /// When they cannot be kept or cannot belong to an array of records.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// The answer is whole.
    ///
    /// # Errors
    /// When it cannot be kept, or is not a whole array of records.
    fn finish(self) -> Result<Received, Error>;
}

/// What a whole answer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length, decoded.
    pub bytes: u64,
    /// How many records it held.
    pub records: u64,
}

/// What happens during a run, for whoever watches it.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A part of an answer arrived.
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
    /// All of a resource is there.
    Fetched {
        /// Which one.
        resource: Resource,
        /// How many records, in all.
        records: u64,
    },
    /// Records of a resource were processed.
    Processed {
        /// Which one.
        resource: Resource,
        /// How many records.
        records: u64,
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
