//! The last record of an answer that is cut as it comes, for pages that are asked for by it.

use std::ops::Range;

use serde_json::Value;

/// How many bytes of a record are kept: it is one of a page, and only one of its fields is wanted.
const LONGEST: usize = 1024 * 1024;

/// Keeps the last record of an answer.
#[derive(Clone, Debug, Default)]
pub struct LastRecord {
    /// How many bytes came.
    seen: u64,
    /// The record that did not end yet.
    open: Vec<u8>,
    last: Vec<u8>,
}

impl LastRecord {
    /// Takes in the next bytes of the answer: `ended` is the place of the last record that ended in
    /// them, and `open` where the one begins that did not, as the [`Cutter`](super::Cutter) counts.
    pub fn take(&mut self, bytes: &[u8], ended: Option<Range<u64>>, open: Option<u64>) {
        let seen = self.seen;
        let within = |place: u64| {
            let place = usize::try_from(place.saturating_sub(seen)).unwrap_or(bytes.len());
            place.min(bytes.len())
        };
        if let Some(record) = ended {
            if record.start >= seen {
                self.open.clear();
            }
            push(
                &mut self.open,
                &bytes[within(record.start)..within(record.end)],
            );
            self.last = std::mem::take(&mut self.open);
        }
        if let Some(start) = open {
            push(&mut self.open, &bytes[within(start)..]);
        }
        self.seen = seen.saturating_add(bytes.len() as u64);
    }

    /// The record; nothing where there is none, or none that can be read.
    #[must_use]
    pub fn read(&self) -> Option<Value> {
        serde_json::from_slice(&self.last).ok()
    }
}

fn push(kept: &mut Vec<u8>, bytes: &[u8]) {
    // One byte more, so that a record that is too long is never taken for a whole one.
    let room = (LONGEST + 1).saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cutter::Cutter;
    use proptest::prelude::*;
    use serde_json::json;

    /// The last record of an answer that comes in pieces of this length.
    fn last_of(text: &str, at: &str, piece: usize) -> Option<Value> {
        let mut cutter = Cutter::of_array_at(&at.parse().unwrap());
        let mut last = LastRecord::default();
        for piece in text.as_bytes().chunks(piece) {
            let mut ended = None;
            cutter
                .advance_over(piece, |place| ended = Some(place))
                .unwrap();
            last.take(piece, ended, cutter.open_record());
        }
        cutter.finish().unwrap();
        last.read()
    }

    #[test]
    fn the_last_record_is_kept_whatever_the_pieces() {
        for (text, at, expected) in [
            (r#"[{"id":1},{"id":"2]"}]"#, "", Some(json!({"id": "2]"}))),
            (
                r#"{"d":[{"id":1} , {"id":22} ],"n":[{"id":3}]}"#,
                "d",
                Some(json!({"id": 22})),
            ),
            (r#"[{"id":1}]"#, "", Some(json!({"id": 1}))),
            ("[1,23]", "", Some(json!(23))),
            ("[]", "", None),
            (r#"{"d":null}"#, "d", None),
            (r#"[{"id":1},{"id":}]"#, "", None),
        ] {
            for piece in 1..=text.len() {
                assert_eq!(last_of(text, at, piece), expected, "{text} by {piece}");
            }
        }
        let long = format!("[{}\"x\"]", " ".repeat(LONGEST)).replace(' ', "1,");
        assert_eq!(last_of(&long, "", 1000), Some(json!("x")));
        let long = format!("[\"{}\"]", "x".repeat(LONGEST));
        assert_eq!(last_of(&long, "", 1000), None);
    }

    proptest! {
        #[test]
        fn it_is_the_last_of_any_records(
            values in prop::collection::vec("[a-z\\[\\],{}\\\\\" ]{0,6}", 0..6),
            piece in 1_usize..20,
        ) {
            let text = serde_json::to_string(&values).unwrap();
            let last = values.last().map(|last| Value::from(last.as_str()));
            prop_assert_eq!(last_of(&text, "", piece), last);
        }
    }
}
