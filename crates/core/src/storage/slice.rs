//! Slices: neighbouring records of one page, and how a page is split into them.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::fetch::{Page, Position, Received};
use crate::record::Resource;
use crate::storage::{NotRecords, ReceiveError};
use activity_tracker_json::splitter::{EndRecords, SplitError, Splitter, ended};

use super::segment::Place;

/// Target size of a slice in bytes: large enough to outweigh the overhead of a task, small enough
/// for memory.
const SLICE: u64 = 1024 * 1024;

/// Maximum number of records in a slice, however short: the entry of a rejected record is longer
/// than `{}`.
const SLICE_RECORDS: u64 = 16 * 1024;

/// Neighbouring records of one page: the unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The resource of the records.
    pub resource: Resource,
    /// The position of the slice in the resource.
    pub position: Position,
    /// How many records of the page come before it.
    pub first: u64,
    /// How many records it holds.
    pub records: u64,
    /// Whether another resource is requested with the ids of these records.
    pub has_children: bool,
    /// The URL that the page was requested from.
    pub url: Url,
    /// The response or fetch pass that it belongs to, if that is not complete yet: the results of
    /// the slice count only if it completes.
    #[serde(skip)]
    pub response: Option<u64>,
    /// The maximum length of a record, set if the single record of the slice exceeds it: the record
    /// is rejected without loading it into memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u64>,
    /// Its records that were received again on a later page, by ascending index. They are skipped,
    /// because the later copy is stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeated: Vec<u64>,
    /// Its byte range: from the first byte of the first record to the last byte of the last one.
    pub place: Place,
}

impl Slice {
    /// The name of its page: `posts-3`.
    #[must_use]
    pub fn page_name(&self) -> String {
        page_name(self.resource, &self.position.whole())
    }
}

/// The name of a page. It contains no external input, because it is used as a file name.
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

/// Splits the records of one page into slices.
pub(super) struct Slicer {
    pub(super) splitter: Splitter,
    /// Captures the first and the last record.
    ends: Option<EndRecords>,
    pub(super) slices: Slices,
}

/// The slices of one page, as far as it was received.
pub(super) struct Slices {
    pub(super) page: Page,
    /// The page's file, by the name used in slices.
    pub(super) file: String,
    /// The response or fetch pass that they belong to, if that is not complete yet.
    pub(super) response: Option<u64>,
    /// The maximum length of a record in bytes.
    longest: u64,
    records: u64,
    /// Whether the first record was skipped, which repeats the last one of the page before.
    overlap: bool,
    /// How many slices were completed.
    cut: u64,
    open: Option<Slice>,
    /// Completed slices that were not passed on yet.
    pub(super) whole: Vec<Slice>,
}

impl Slicer {
    /// For a page with this maximum record length in bytes.
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
            .map_err(|cause| NotRecords::of(&self.slices.page, cause).into())
    }

    fn cut(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        // Only the array itself is stored, not what wraps it. Its offset is unknown until the first
        // record has been found.
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

    /// The slices, and what they show about the page.
    pub(super) fn finish(self) -> Result<(Vec<Slice>, Received), ReceiveError> {
        let mut slices = self.slices;
        let body = slices.page.finish(&self.splitter);
        let body = body.map_err(|cause| NotRecords::of(&slices.page, cause))?;
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
            // It gets its own slice, so that its neighbours can be read without it.
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
}
