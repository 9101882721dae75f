//! Answers that are counted and let go, but for their first records.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::activity::Resource;
use crate::api::{Page, Recalled, Received, Sink, Sinks};
use crate::cutter::{CutError, Cutter, LastRecord};
use crate::error::{DataProcessingError, Error};

/// How many records of an answer are kept.
const KEPT: usize = 3;

/// How many bytes of one record are kept: an answer may be a single record without an end.
const LONGEST: usize = 64 * 1024;

/// The beginnings of the answers that came, by resource.
#[derive(Debug, Default)]
pub(super) struct FirstRecords(Arc<Mutex<BTreeMap<Resource, Beginning>>>);

/// One answer, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Where it was asked for.
    pub(super) url: Url,
    /// How many records it held.
    pub(super) records: u64,
    /// The first of them.
    pub(super) first: Vec<Kept>,
}

/// A record, or the beginning of one that is longer than what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// Its whole length.
    length: u64,
}

impl Kept {
    /// The record.
    ///
    /// # Errors
    /// Gives its length where it is too long to be kept.
    pub(super) fn whole(&self) -> Result<&[u8], u64> {
        if self.bytes.len() as u64 == self.length {
            Ok(&self.bytes)
        } else {
            Err(self.length)
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.length += bytes.len() as u64;
    }
}

impl FirstRecords {
    /// What came, once all of it did.
    pub(super) fn take(&self) -> BTreeMap<Resource, Beginning> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut found)
    }
}

impl Sinks for FirstRecords {
    type Sink = FirstRecordsSink;

    fn open(&self, page: Page) -> Result<FirstRecordsSink, Error> {
        Ok(FirstRecordsSink {
            cutter: Cutter::of_array_at(&page.records_at),
            last: page.leads_on.then(LastRecord::default),
            page,
            seen: 0,
            records: 0,
            first: Vec::new(),
            open: Kept::default(),
            found: Arc::clone(&self.0),
        })
    }

    /// There is no spool.
    fn recall(&self, _: &Page) -> Result<Option<Recalled<()>>, Error> {
        Ok(None)
    }

    /// Nothing is asked for in a way that could be answered with this.
    fn keep(&self, _: &Page) {}
}

/// One answer on its way through.
pub(super) struct FirstRecordsSink {
    page: Page,
    cutter: Cutter,
    /// Where the next page is asked for by the last record.
    last: Option<LastRecord>,
    /// How many bytes went through.
    seen: u64,
    records: u64,
    first: Vec<Kept>,
    /// The record that did not end yet.
    open: Kept,
    found: Arc<Mutex<BTreeMap<Resource, Beginning>>>,
}

impl FirstRecordsSink {
    /// Keeps that part of a record that lies in `piece`, which begins where the bytes seen end.
    fn keep(&mut self, record: &Range<u64>, piece: &[u8]) {
        if self.first.len() == KEPT {
            return;
        }
        let within = |place: u64| {
            let place = usize::try_from(place.saturating_sub(self.seen)).unwrap_or(piece.len());
            place.min(piece.len())
        };
        let part = within(record.start)..within(record.end);
        self.open.push(&piece[part]);
    }

    fn not_records(&self, cause: CutError) -> Error {
        DataProcessingError::NotRecords {
            subject: Box::new(self.page.subject.clone()),
            cause,
        }
        .into()
    }
}

impl Sink for FirstRecordsSink {
    type Whole = ();

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let (mut rest, mut last) = (bytes, None);
        loop {
            let (consumed, ended) = match self.cutter.advance(rest) {
                Ok(found) => found,
                Err(cause) => return Err(self.not_records(cause)),
            };
            let Some(record) = ended else { break };
            self.keep(&record, rest);
            self.records += 1;
            if self.first.len() < KEPT {
                self.first.push(std::mem::take(&mut self.open));
            }
            rest = &rest[consumed..];
            self.seen += consumed as u64;
            last = Some(record);
        }
        if let Some(start) = self.cutter.open_record() {
            self.keep(&(start..u64::MAX), rest);
        }
        self.seen += rest.len() as u64;
        if let Some(kept) = &mut self.last {
            kept.take(bytes, last, self.cutter.open_record());
        }
        Ok(())
    }

    fn finish(self) -> Result<(Received, ()), Error> {
        let body = match self.cutter.finish() {
            Ok(body) => body,
            Err(cause) => return Err(self.not_records(cause)),
        };
        let subject = self.page.subject;
        let beginning = Beginning {
            url: subject.url,
            records: self.records,
            first: self.first,
        };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(subject.resource, beginning);
        let received = Received {
            bytes: self.seen,
            records: self.records,
            // There is no other page to tell it from.
            digest: None,
            body,
            last: self.last.and_then(|last| last.read()),
        };
        Ok((received, ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Position, Subject};
    use proptest::prelude::*;

    fn page(records_at: &str) -> Page {
        Page {
            subject: Subject {
                resource: Resource::Posts,
                url: Url::parse("http://api.test/posts").unwrap(),
            },
            position: Position::default().then(0),
            records_at: Arc::new(records_at.parse().unwrap()),
            one_of_many: true,
            has_children: false,
            leads_on: false,
            may_end: false,
            map: None,
            look: None,
        }
    }

    /// What is kept of an answer that comes in pieces of this length.
    fn receive(text: &str, records_at: &str, piece: usize) -> (Received, Beginning) {
        let found = FirstRecords::default();
        let mut sink = found.open(page(records_at)).unwrap();
        for piece in text.as_bytes().chunks(piece) {
            sink.write(piece).unwrap();
        }
        let (received, ()) = sink.finish().unwrap();
        (received, found.take().remove(&Resource::Posts).unwrap())
    }

    fn texts(beginning: &Beginning) -> Vec<&str> {
        let whole = |kept: &'_ Kept| kept.length == kept.bytes.len() as u64;
        assert!(beginning.first.iter().all(whole));
        let bytes = beginning.first.iter().map(|kept| &*kept.bytes);
        bytes.map(|it| std::str::from_utf8(it).unwrap()).collect()
    }

    #[test]
    fn the_first_records_are_kept_and_all_are_counted() {
        let array = r#"[{"a":"]"}, 17 ,"x\"",{"b":[]},5]"#;
        let wrapped = format!(r#"{{"total":9,"data":{array},"next":null}}"#);
        for (text, records_at) in [(array, "/"), (&wrapped, "data")] {
            let records_at = records_at.trim_start_matches('/');
            for piece in 1..=text.len() {
                let (received, beginning) = receive(text, records_at, piece);
                assert_eq!(texts(&beginning), [r#"{"a":"]"}"#, "17", r#""x\"""#]);
                assert_eq!((received.records, beginning.records), (5, 5));
                assert_eq!(received.bytes, text.len() as u64);
            }
        }
        let (received, _) = receive(&wrapped, "data", 7);
        assert_eq!(
            received.body,
            serde_json::json!({"total":9,"data":[],"next":null})
        );
    }

    #[test]
    fn no_more_of_a_record_is_kept_than_there_is_room_for() {
        let long = format!("\"{}\"", "x".repeat(3 * LONGEST));
        let fits = format!("\"{}\"", "x".repeat(LONGEST - 2));
        let text = format!("[{long},{fits},1,{long},2]");
        for piece in [1000, LONGEST, text.len()] {
            let (received, beginning) = receive(&text, "", piece);
            let lengths: Vec<_> = beginning
                .first
                .iter()
                .map(|kept| (kept.bytes.len(), kept.whole().map(<[u8]>::len)))
                .collect();
            let expected = [
                (LONGEST, Err(long.len() as u64)),
                (LONGEST, Ok(LONGEST)),
                (1, Ok(1)),
            ];
            assert_eq!(lengths, expected);
            assert_eq!(received.records, 5);
        }
    }

    #[test]
    fn an_answer_that_is_no_array_is_refused_by_name() {
        let sinks = FirstRecords::default();
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

    proptest! {
        #[test]
        fn whatever_the_pieces_the_same_is_kept(
            values in prop::collection::vec("[a-z\\[\\],{}\\\\\" ]{0,6}", 0..6),
            piece in 1_usize..20,
        ) {
            let text = serde_json::to_string(&values).unwrap();
            let (_, beginning) = receive(&text, "", piece);
            let kept: Vec<String> = texts(&beginning)
                .into_iter()
                .map(|text| serde_json::from_str(text).unwrap())
                .collect();
            prop_assert_eq!(&kept[..], &values[..values.len().min(KEPT)]);
        }
    }
}
