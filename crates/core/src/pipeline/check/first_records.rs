//! Inspects the records of responses while they stream, without storing them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::fetch::{
    CompletePage, Page, PageInfo, Position, Received, Restored, SharedFetch, Sink, SinkFactory,
};
use crate::record::Resource;
use crate::storage::{NotRecords, PageHasher, ReceiveError};
use activity_tracker_json::splitter::{EndRecords, Splitter, ended};

use super::seen::{KEPT, PageSample, SampleReader};

/// The maximum length of a record, in bytes: the default of `run`.
const LONGEST: usize = 4 * 1024 * 1024;

/// The received pages by resource, in the order of the API.
pub(super) type Pages = BTreeMap<Resource, BTreeMap<Position, Beginning>>;

/// What was found on each page, and the fetch that the first parents are reported to.
pub(super) struct FirstRecords {
    reading: Arc<SampleReader>,
    fetch: Arc<SharedFetch>,
    pages: Arc<Mutex<Pages>>,
}

/// One page, as far as it is kept.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Its URL.
    pub(super) url: Url,
    /// What was found in its records.
    pub(super) gaze: PageSample,
}

/// An incomplete record, or the beginning of one that is longer than what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Open {
    bytes: Vec<u8>,
    /// Its length so far, including what is not kept.
    length: u64,
}

impl Open {
    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.length += bytes.len() as u64;
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
    }
}

impl FirstRecords {
    pub(super) fn new(reading: &Arc<SampleReader>, fetch: &Arc<SharedFetch>) -> Self {
        Self {
            reading: Arc::clone(reading),
            fetch: Arc::clone(fetch),
            pages: Arc::default(),
        }
    }

    /// Takes what was received, once everything is.
    pub(super) fn take(&self) -> Pages {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut pages)
    }
}

impl SinkFactory for FirstRecords {
    type Error = ReceiveError;
    type Sink = FirstRecordsSink;

    fn open(&self, page: Page) -> Result<FirstRecordsSink, ReceiveError> {
        Ok(FirstRecordsSink {
            splitter: page.splitter(),
            ends: page.shows_ends.then(EndRecords::default),
            overlap: false,
            hasher: page.one_of_many.then(|| PageHasher::new(true)),
            page,
            seen: 0,
            gaze: PageSample::default(),
            open: Open::default(),
            reading: Arc::clone(&self.reading),
            fetch: Arc::clone(&self.fetch),
            pages: Arc::clone(&self.pages),
        })
    }

    /// There is no spool.
    fn recall(&self, _: &Page) -> Result<Option<Restored<FirstRecordsPage>>, ReceiveError> {
        Ok(None)
    }

    /// No conditional requests are sent, so no page is reported as unchanged.
    fn keep(&self, _: &Page) {}
}

/// The sink of one page.
pub(super) struct FirstRecordsSink {
    page: Page,
    splitter: Splitter,
    /// Reads the first and the last record, if they are needed.
    ends: Option<EndRecords>,
    /// Whether the first record was left out, because the previous page ends with it.
    overlap: bool,
    /// Hashes the records, to distinguish them from those of other pages, as the spool does.
    hasher: Option<PageHasher>,
    /// How many bytes were written.
    seen: u64,
    gaze: PageSample,
    /// The record that is not complete yet.
    open: Open,
    reading: Arc<SampleReader>,
    fetch: Arc<SharedFetch>,
    pages: Arc<Mutex<Pages>>,
}

impl FirstRecordsSink {
    /// The range of a record in `piece`, which begins at the offset `seen`.
    fn within(&self, record: &Range<u64>, piece: &[u8]) -> Range<usize> {
        let within = |place: u64| {
            let place = usize::try_from(place.saturating_sub(self.seen)).unwrap_or(piece.len());
            place.min(piece.len())
        };
        within(record.start)..within(record.end)
    }

    /// Inspects a record that ended in `piece`.
    fn look(&mut self, record: &Range<u64>, piece: &[u8]) {
        if self.page.overlaps && !self.overlap {
            self.overlap = true;
            return self.open.clear();
        }
        let part = &piece[self.within(record, piece)];
        let resource = self.page.subject.resource;
        if record.start >= self.seen && part.len() <= LONGEST {
            return self.gaze.take(resource, part, &self.reading);
        }
        self.open.push(part);
        if self.open.bytes.len() as u64 == self.open.length {
            self.gaze.take(resource, &self.open.bytes, &self.reading);
        } else {
            self.gaze.records.too_long(self.open.length, LONGEST);
        }
        self.open.clear();
    }
}

impl Sink for FirstRecordsSink {
    type Error = ReceiveError;
    type CompletePage = FirstRecordsPage;

    fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        let (mut rest, mut places) = (bytes, None);
        loop {
            let advanced = self.splitter.advance(rest);
            let (consumed, found) = advanced.map_err(|cause| NotRecords::of(&self.page, cause))?;
            let Some(record) = found else { break };
            self.look(&record, rest);
            rest = &rest[consumed..];
            self.seen += consumed as u64;
            ended(&mut places, record);
        }
        if let Some(start) = self.splitter.open_record() {
            let part = self.within(&(start..u64::MAX), rest);
            self.open.push(&rest[part]);
        }
        self.seen += rest.len() as u64;
        if let Some(ends) = &mut self.ends {
            ends.take(bytes, places, self.splitter.open_record());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[self.splitter.array_part(bytes.len())]);
        }
        Ok(())
    }

    fn finish(self) -> Result<(Received, FirstRecordsPage), ReceiveError> {
        let body = self.page.finish(&self.splitter);
        let body = body.map_err(|cause| NotRecords::of(&self.page, cause))?;
        let (first, last) = self.ends.unwrap_or_default().read();
        let received = Received {
            bytes: self.seen,
            records: self.gaze.records.records,
            overlap: self.overlap,
            digest: self.hasher.map(|hasher| hasher.finish().digest),
            body,
            first,
            last,
        };
        let page = FirstRecordsPage {
            page: self.page,
            gaze: self.gaze,
            fetch: self.fetch,
            pages: self.pages,
        };
        Ok((received, page))
    }
}

/// A complete page that the state machine has not accepted yet.
pub(super) struct FirstRecordsPage {
    page: Page,
    gaze: PageSample,
    fetch: Arc<SharedFetch>,
    pages: Arc<Mutex<Pages>>,
}

impl CompletePage for FirstRecordsPage {
    type Error = ReceiveError;

    fn keep(self, _: &PageInfo) -> Result<(), ReceiveError> {
        let Page {
            subject, position, ..
        } = self.page;
        let (records, resource) = (self.gaze.records.records, subject.resource);
        let ids = first_parents(&position);
        let parents: Vec<_> = self
            .gaze
            .records
            .first_ids
            .iter()
            .take(ids)
            .cloned()
            .collect();
        let beginning = Beginning {
            url: subject.url,
            gaze: self.gaze,
        };
        {
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            let pages = pages.entry(resource).or_default();
            if position.last() == 0 {
                // All pages may be fetched again; those of the earlier attempt do not count then.
                pages.retain(|other, _| other.whole() != position.whole());
            }
            pages.insert(position.clone(), beginning);
        }
        if self.page.has_children {
            let slice = position.then(0);
            self.fetch.parents(resource, &slice, records, &parents);
        }
        Ok(())
    }
}

/// For how many records of a page children are requested: the first ones on the first page, or one
/// per parent if the records are children themselves.
fn first_parents(position: &Position) -> usize {
    let is_child = position.whole() != Position::default();
    match position.last() {
        0 if is_child => 1,
        0 => KEPT,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::{Fetch, Policy};
    use crate::record::Mappings;
    use crate::source::Source;
    use proptest::prelude::*;

    fn page(records_at: &str) -> Page {
        let url = Url::parse("http://api.test/posts").unwrap();
        Page {
            records_at: Arc::new(records_at.parse().unwrap()),
            one_of_many: true,
            ..Page::of_records(Resource::Posts, &url, Position::default().then(0))
        }
    }

    fn sinks() -> FirstRecords {
        let source = Source::of_shape("api", "http://api.test").unwrap();
        let fetch = Fetch::new(Policy::default(), &source, &[], 1);
        let records = Mappings::placeholder();
        let authors = records.of(Resource::Users).clone();
        let reading = SampleReader { records, authors };
        FirstRecords::new(&Arc::new(reading), &SharedFetch::new(fetch))
    }

    /// What is found in a response that arrives in chunks of this length.
    fn receive(text: &str, records_at: &str, piece: usize) -> (Received, Beginning) {
        let sinks = sinks();
        let mut sink = sinks.open(page(records_at)).unwrap();
        for piece in text.as_bytes().chunks(piece) {
            sink.write(piece).unwrap();
        }
        let (received, whole) = sink.finish().unwrap();
        whole.keep(&PageInfo::default()).unwrap();
        let mut pages = sinks.take().remove(&Resource::Posts).unwrap();
        (received, pages.pop_first().unwrap().1)
    }

    fn post(id: u64, title: &str) -> String {
        let title = serde_json::to_string(title).unwrap();
        format!(r#"{{"id":{id},"userId":7,"title":{title},"body":"]"}}"#)
    }

    #[test]
    fn all_records_are_looked_at_whatever_the_pieces() {
        let posts: Vec<_> = (1..=5).map(|id| post(id, "a\"]")).collect();
        let array = format!(r#"[{}, 17 ,"x\"",{{"id":[]}},5]"#, posts.join(" , "));
        let wrapped = format!(r#"{{"total":9,"data":{array},"next":null}}"#);
        for (text, records_at) in [(&array, ""), (&wrapped, "data")] {
            for piece in 1..=text.len() {
                let (received, beginning) = receive(text, records_at, piece);
                let seen = &beginning.gaze.records;
                assert_eq!((seen.records, seen.rejects, seen.objects), (9, 4, 6));
                assert_eq!(seen.first[2], "post 3 by user 7: a\"]");
                assert_eq!((seen.first.len(), seen.ids.len()), (3, 5));
                let rejects: Vec<_> = seen.first_rejects.iter().map(|it| it.index).collect();
                assert_eq!(rejects, [5, 6, 7]);
                assert_eq!(received.records, 9);
                assert_eq!(received.bytes, text.len() as u64);
                assert!(received.digest.is_some());
            }
        }
        let (received, _) = receive(&wrapped, "data", 7);
        assert_eq!(
            received.body,
            serde_json::json!({"total":9,"data":[],"next":null})
        );
    }

    #[test]
    fn the_digest_is_of_the_records_and_not_of_what_stands_around_them() {
        let digest = |text: &str| receive(text, "data", 3).0.digest.unwrap();
        let one = digest(r#"{"page":1,"data":[{"id":1}],"next":null}"#);
        assert_eq!(one, digest(r#"{"page":2,"data":[{"id":1}],"next":"x"}"#));
        assert_ne!(one, digest(r#"{"page":1,"data":[{"id":2}],"next":null}"#));
    }

    #[test]
    fn a_record_that_is_too_long_is_rejected_as_in_a_run_and_takes_no_room() {
        let long = post(1, &"x".repeat(2 * LONGEST));
        let fits = post(2, &"x".repeat(LONGEST - post(2, "").len()));
        let text = format!("[{long},{fits},{},{long},{}]", post(3, ""), post(4, ""));
        for piece in [100_000, LONGEST, text.len()] {
            let (received, beginning) = receive(&text, "", piece);
            let seen = &beginning.gaze.records;
            assert_eq!((received.records, seen.rejects, seen.objects), (5, 2, 3));
            let says = seen.first_rejects[1].to_string();
            let bytes = long.len();
            assert_eq!(
                says,
                format!(
                    "record 3: field `.`: expected at most 4194304 bytes (--max-record), found {bytes} bytes"
                )
            );
        }
    }

    #[test]
    fn an_answer_that_is_no_array_is_refused_by_name() {
        let sinks = sinks();
        let mut html = sinks.open(page("")).unwrap();
        let refused = html.write(b"<html>").unwrap_err().to_string();
        assert_eq!(
            refused,
            "cannot read posts from http://api.test/posts: expected a JSON array, found `<`, which looks like HTML"
        );
        let mut cut = sinks.open(page("")).unwrap();
        cut.write(b"[1,").unwrap();
        assert!(cut.finish().is_err());
        assert!(sinks.take().is_empty());
    }

    #[test]
    fn the_first_parents_are_those_of_the_first_page() {
        let top = Position::default();
        let below = top.then(0).then(0).then(2);
        let cases = [
            (top.then(0), 3),
            (top.then(1), 0),
            (top.then(7), 0),
            (below.then(0), 1),
            (below.then(1), 0),
        ];
        for (position, parents) in cases {
            assert_eq!(first_parents(&position), parents, "{position}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_pieces_the_same_is_seen(
            titles in prop::collection::vec("[a-z\\[\\],{}\\\\\" ]{0,6}", 0..6),
            piece in 1_usize..20,
        ) {
            let posts: Vec<_> = (0..).zip(&titles).map(|(id, title)| post(id, title)).collect();
            let text = format!("[{}]", posts.join(","));
            let (_, beginning) = receive(&text, "", piece);
            let (_, whole) = receive(&text, "", text.len());
            prop_assert_eq!(&beginning.gaze.records, &whole.gaze.records);
            prop_assert_eq!(beginning.gaze.records.first.len(), titles.len().min(KEPT));
        }
    }
}
