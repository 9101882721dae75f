//! Captures the first and the last record of a response while it is split: the next page may be
//! requested by the last one, and both show whether pages are duplicates.

use std::ops::Range;

use serde_json::Value;

/// The maximum length of a captured record in bytes; only one of its fields is needed.
const LONGEST: usize = 1024 * 1024;

/// Captures the first and the last record of a response.
#[derive(Clone, Debug, Default)]
pub struct EndRecords {
    /// How many bytes were received.
    seen: u64,
    /// The record that has not ended yet.
    open: Vec<u8>,
    first: Option<Vec<u8>>,
    last: Vec<u8>,
}

/// Of the records that ended in a chunk: the first and the last.
pub type Ended = Option<(Range<u64>, Range<u64>)>;

/// Adds a record that ended after the others.
pub fn ended(ended: &mut Ended, record: Range<u64>) {
    match ended {
        Some((_, last)) => *last = record,
        None => *ended = Some((record.clone(), record)),
    }
}

impl EndRecords {
    /// Adds the next bytes of the response. `ended` has the ranges of records that ended in them,
    /// and `open` is the start of the unfinished one, with the offsets of the
    /// [`Splitter`](super::Splitter).
    pub fn take(&mut self, bytes: &[u8], ended: Ended, open: Option<u64>) {
        let seen = self.seen;
        let within = |place: u64| {
            let place = usize::try_from(place.saturating_sub(seen)).unwrap_or(bytes.len());
            place.min(bytes.len())
        };
        let part = |record: &Range<u64>| &bytes[within(record.start)..within(record.end)];
        if let Some((first, last)) = ended {
            if self.first.is_none() {
                if first.start >= seen {
                    self.open.clear();
                }
                let mut kept = self.open.clone();
                push(&mut kept, part(&first));
                self.first = Some(kept);
            }
            if last.start >= seen {
                self.open.clear();
            }
            push(&mut self.open, part(&last));
            self.last = std::mem::take(&mut self.open);
        }
        if let Some(start) = open {
            push(&mut self.open, &bytes[within(start)..]);
        }
        self.seen = seen.saturating_add(bytes.len() as u64);
    }

    /// The first and the last record; `None` if there is none, or none that can be read.
    #[must_use]
    pub fn read(&self) -> (Option<Value>, Option<Value>) {
        let first = self.first.as_deref().unwrap_or_default();
        let read = |bytes| serde_json::from_slice(bytes).ok();
        (read(first), read(&self.last))
    }
}

fn push(kept: &mut Vec<u8>, bytes: &[u8]) {
    // One byte more, so that a truncated record is never valid.
    let room = (LONGEST + 1).saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitter::Splitter;
    use proptest::prelude::*;
    use serde_json::json;

    /// The first and the last record of a response received in chunks of this length.
    fn ends_of(text: &str, at: &str, piece: usize) -> (Option<Value>, Option<Value>) {
        let mut splitter = Splitter::of_array_at(&at.parse().unwrap());
        let mut ends = EndRecords::default();
        for piece in text.as_bytes().chunks(piece) {
            let mut places = None;
            splitter
                .advance_over(piece, |place| ended(&mut places, place))
                .unwrap();
            ends.take(piece, places, splitter.open_record());
        }
        splitter.finish().unwrap();
        ends.read()
    }

    #[test]
    fn the_first_and_the_last_record_are_kept_whatever_the_pieces() {
        let one = Some(json!({"id": 1}));
        for (text, at, first, last) in [
            (
                r#"[{"id":1},{"id":"2]"}]"#,
                "",
                one.clone(),
                Some(json!({"id": "2]"})),
            ),
            (
                r#"{"d":[{"id":1} , {"id":5}, {"id":22} ],"n":[{"id":3}]}"#,
                "d",
                one.clone(),
                Some(json!({"id": 22})),
            ),
            (r#"[{"id":1}]"#, "", one.clone(), one.clone()),
            ("[1,23]", "", Some(json!(1)), Some(json!(23))),
            ("[]", "", None, None),
            (r#"{"d":null}"#, "d", None, None),
            (r#"[{"id":1},{"id":}]"#, "", one, None),
        ] {
            for piece in 1..=text.len() {
                let expected = (first.clone(), last.clone());
                assert_eq!(ends_of(text, at, piece), expected, "{text} by {piece}");
            }
        }
        let long = format!("[{}\"x\"]", " ".repeat(LONGEST)).replace(' ', "1,");
        assert_eq!(ends_of(&long, "", 1000), (Some(json!(1)), Some(json!("x"))));
        let long = format!("[\"{}\"]", "x".repeat(LONGEST));
        assert_eq!(ends_of(&long, "", 1000), (None, None));
    }

    proptest! {
        #[test]
        fn they_are_the_first_and_the_last_of_any_records(
            values in prop::collection::vec("[a-z\\[\\],{}\\\\\" ]{0,6}", 0..6),
            piece in 1_usize..20,
        ) {
            let text = serde_json::to_string(&values).unwrap();
            let value = |text: Option<&String>| text.map(|text| Value::from(text.as_str()));
            let ends = (value(values.first()), value(values.last()));
            prop_assert_eq!(ends_of(&text, "", piece), ends);
        }
    }
}
