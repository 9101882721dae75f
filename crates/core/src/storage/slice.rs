//! Slices: neighbouring records of one page, and how a page is cut into them.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::fetch::{Page, Position, Received};
use crate::record::Resource;
use crate::storage::{NotRecords, ReceiveError};
use activity_tracker_json::splitter::{EndRecords, SplitError, Splitter, ended};

use super::segment::Place;

/// How many bytes of records make a slice: enough to be worth a task, little enough to hold.
const SLICE: u64 = 1024 * 1024;

/// How many records make one, however short: what is told of a reject is longer than `{}`.
const SLICE_RECORDS: u64 = 16 * 1024;

/// Some records of one page, in a row: what is processed at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Whose records.
    pub resource: Resource,
    /// Where it stands in the resource.
    pub position: Position,
    /// How many records of the page come before it.
    pub first: u64,
    /// How many records it holds.
    pub records: u64,
    /// Whether another resource is asked for by their ids.
    pub has_children: bool,
    /// Where the page was asked for.
    pub url: Url,
    /// The response that it is of, where that is still on its way: what comes of the
    /// slice counts only if the response turns out to be whole.
    #[serde(skip)]
    pub response: Option<u64>,
    /// Set where its one record is longer than this, which is as long as a record may be:
    /// it is to be rejected without being held in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u64>,
    /// Which of its records, counted from 0 and in order, came again on a later page: they are
    /// left out, for that one is stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeated: Vec<u64>,
    /// Where its bytes are: from the first byte of the first record to the last of the last.
    pub place: Place,
}

impl Slice {
    /// What its page is called: `posts-3`.
    #[must_use]
    pub fn page_name(&self) -> String {
        page_name(self.resource, &self.position.whole())
    }
}

/// What a page is called. Nothing of it comes from elsewhere: it names a file.
pub(super) fn page_name(resource: Resource, position: &Position) -> String {
    format!("{resource}-{position}")
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            position,
            first,
            records,
            ..
        } = self;
        write!(
            f,
            "{resource}, slice {position}, records {first} to {}",
            (first + records).saturating_sub(1)
        )
    }
}

/// Cuts the records of one page into slices.
pub(super) struct Slicer {
    pub(super) splitter: Splitter,
    /// Where the first and the last record are looked at.
    ends: Option<EndRecords>,
    pub(super) slices: Slices,
}

/// The slices of one page, as far as it came.
pub(super) struct Slices {
    pub(super) page: Page,
    /// The page's file, as slices name it.
    pub(super) file: String,
    /// The response that they are of, if that is still on its way.
    pub(super) response: Option<u64>,
    /// How long a record may be.
    longest: u64,
    records: u64,
    /// Whether the first record was left out, which the page before ends with.
    overlap: bool,
    /// How many slices there are.
    cut: u64,
    open: Option<Slice>,
    /// Those that nobody has taken yet.
    pub(super) whole: Vec<Slice>,
}

impl Slicer {
    /// For a page whose records may be so long.
    pub(super) fn new(page: Page, file: String, response: Option<u64>, longest: u64) -> Self {
        Self {
            splitter: page.splitter(),
            ends: page.shows_ends.then(EndRecords::default),
            slices: Slices {
                page,
                file,
                response,
                longest,
                records: 0,
                overlap: false,
                cut: 0,
                open: None,
                whole: Vec::new(),
            },
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        self.cut(bytes)
            .map_err(|cause| self.slices.not_records(cause))
    }

    fn cut(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        // Of what is wrapped around the records, only the bracket is stored. Where that
        // stands is known no sooner than behind the first record.
        let (looked_at, first) = self.splitter.advance(bytes)?;
        let shift = self.splitter.array_start().map_or(0, |start| start - 1);
        let mut places = None;
        let mut add = |place: Range<u64>| {
            self.slices.add(place.start - shift, place.end - shift);
            ended(&mut places, place);
        };
        if let Some(first) = first {
            add(first);
            self.splitter.advance_over(&bytes[looked_at..], add)?;
        }
        if let Some(ends) = &mut self.ends {
            ends.take(bytes, places, self.splitter.open_record());
        }
        Ok(())
    }

    /// The slices, and what is known of the page by them.
    pub(super) fn finish(self) -> Result<(Vec<Slice>, Received), ReceiveError> {
        let mut slices = self.slices;
        let body = slices.page.finish(&self.splitter);
        let body = body.map_err(|cause| slices.not_records(cause))?;
        slices.end();
        let (first, last) = self.ends.unwrap_or_default().read();
        let received = Received {
            bytes: 0,
            records: slices.records,
            overlap: slices.overlap,
            digest: slices.page.one_of_many.then_some(0),
            body,
            first,
            last,
        };
        Ok((slices.whole, received))
    }
}

impl Slices {
    fn add(&mut self, start: u64, end: u64) {
        if self.page.overlaps && !self.overlap {
            self.overlap = true;
            return;
        }
        let too_long = end - start > self.longest;
        if too_long {
            // It has a slice to itself, so that its neighbours can be read without it.
            self.end();
        }
        let (first, number) = (self.records + u64::from(self.overlap), self.cut);
        let slice = self.open.get_or_insert_with(|| Slice {
            resource: self.page.subject.resource,
            position: self.page.position.then(number),
            first,
            records: 0,
            has_children: self.page.has_children,
            url: self.page.subject.url.clone(),
            response: self.response,
            longest: too_long.then_some(self.longest),
            repeated: Vec::new(),
            place: Place {
                file: self.file.clone(),
                offset: start,
                length: 0,
            },
        });
        slice.records += 1;
        slice.place.length = end - slice.place.offset;
        self.records += 1;
        if too_long || slice.place.length >= SLICE || slice.records >= SLICE_RECORDS {
            self.end();
        }
    }

    fn end(&mut self) {
        self.cut += u64::from(self.open.is_some());
        self.whole.extend(self.open.take());
    }

    fn not_records(&self, cause: SplitError) -> ReceiveError {
        NotRecords {
            subject: Box::new(self.page.subject.clone()),
            cause,
        }
        .into()
    }
}
