//! Finds where the records of a JSON array begin and end, without reading them.
//!
//! The cutter follows brackets and strings only. It takes bytes as they come
//! from the wire, in pieces of any length, holds none of them, and tells the
//! place of each record. Whether a record is sound JSON is for the mapper to
//! say, so a broken record spoils itself and not its neighbours.

use std::ops::Range;

use memchr::memchr2;

/// Why bytes are not a JSON array of records, as far as the cutter looks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// The answer begins with something other than `[`.
    #[error("expected a JSON array, found {}", opening(*.0))]
    NotAnArray(u8),
    /// Something other than `,` or `]` stands behind a record, or a record is missing.
    #[error("expected {expected} at byte {at}, found {}", shown(*.found))]
    Unexpected {
        /// What could have stood there.
        expected: &'static str,
        /// Counted from the beginning of the answer.
        at: u64,
        /// What stands there.
        found: u8,
    },
    /// The bytes end before the array does.
    #[error("the JSON array is not closed: it ends after {0} bytes")]
    Unfinished(u64),
}

fn opening(byte: u8) -> String {
    match byte {
        b'{' => "an object (`{`)".to_owned(),
        b'<' => "`<`, which looks like HTML".to_owned(),
        0xef => "bytes that look like a byte order mark".to_owned(),
        other => shown(other),
    }
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("`{}`", char::from(byte))
    } else {
        format!("byte 0x{byte:02x}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BeforeArray,
    BeforeFirst,
    BeforeRecord,
    /// In a record that is an object, an array or a string; the number counts open brackets.
    Nested(u64),
    /// In a record that is a number or a word.
    Bare,
    BehindRecord,
    BehindArray,
}

/// The state of one answer being cut.
#[derive(Clone, Debug)]
pub struct Cutter {
    state: State,
    in_string: bool,
    escaped: bool,
    record_start: u64,
    offset: u64,
    /// A slice of an array begins and ends between records, without brackets.
    slice: bool,
}

impl Cutter {
    /// For a whole answer: one array, from `[` to `]`.
    #[must_use]
    pub fn of_array() -> Self {
        Self {
            state: State::BeforeArray,
            in_string: false,
            escaped: false,
            record_start: 0,
            offset: 0,
            slice: false,
        }
    }

    /// For a part of an array that was cut at record boundaries: records and commas, no brackets.
    #[must_use]
    pub fn of_slice() -> Self {
        Self {
            state: State::BeforeRecord,
            slice: true,
            ..Self::of_array()
        }
    }

    /// Looks at `bytes` until a record ends in them.
    ///
    /// Gives how many bytes were looked at and the place of the record that
    /// ended there, counted from the first byte ever given. Call it again with
    /// the rest; `None` means that all of `bytes` was looked at.
    ///
    /// # Errors
    /// When the bytes cannot belong to an array of records.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<(usize, Option<Range<u64>>), CutError> {
        let base = self.offset;
        let mut i = 0;
        while i < bytes.len() {
            if self.in_string {
                i += self.skip_string(&bytes[i..]);
                if !self.in_string && self.state == State::Nested(0) {
                    return Ok((i, Some(self.record_ends(base + i as u64, i))));
                }
                continue;
            }
            let at = base + i as u64;
            let byte = bytes[i];
            if let State::Nested(depth) = self.state {
                i += 1;
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.state = State::Nested(depth + 1),
                    b'}' | b']' if depth == 1 => {
                        return Ok((i, Some(self.record_ends(at + 1, i))));
                    }
                    b'}' | b']' => self.state = State::Nested(depth - 1),
                    _ => {}
                }
            } else if self.state == State::Bare && ends_bare(byte) {
                // The byte itself is looked at next time, behind the record.
                return Ok((i, Some(self.record_ends(at, i))));
            } else {
                self.between(byte, at)?;
                i += 1;
            }
        }
        self.offset += i as u64;
        Ok((i, None))
    }

    /// A byte outside of any record, or the first of one.
    fn between(&mut self, byte: u8, at: u64) -> Result<(), CutError> {
        if self.state == State::Bare || matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        let unexpected = |expected| {
            Err(CutError::Unexpected {
                expected,
                at,
                found: byte,
            })
        };
        self.state = match (self.state, byte) {
            (State::BeforeArray, b'[') => State::BeforeFirst,
            (State::BeforeArray, found) => return Err(CutError::NotAnArray(found)),
            (State::BeforeFirst, b']') => State::BehindArray,
            (State::BehindRecord, b']') if !self.slice => State::BehindArray,
            (State::BehindRecord, b',') => State::BeforeRecord,
            (State::BehindRecord, _) => return unexpected("`,` or the end of the array"),
            (State::BehindArray, _) => return unexpected("the end of the answer"),
            (_, b',' | b']' | b'}') => return unexpected("a record"),
            (_, first) => {
                self.record_start = at;
                self.in_string = first == b'"';
                match first {
                    b'"' => State::Nested(0),
                    b'{' | b'[' => State::Nested(1),
                    _ => State::Bare,
                }
            }
        };
        Ok(())
    }

    /// Goes on in a string up to its closing quote; gives how many bytes that took.
    fn skip_string(&mut self, bytes: &[u8]) -> usize {
        let mut i = usize::from(std::mem::take(&mut self.escaped));
        while let Some(found) = bytes.get(i..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            i += found;
            if bytes[i] == b'"' {
                self.in_string = false;
                return i + 1;
            }
            if i + 1 == bytes.len() {
                self.escaped = true;
                return i + 1;
            }
            i += 2;
        }
        bytes.len()
    }

    fn record_ends(&mut self, end: u64, looked_at: usize) -> Range<u64> {
        self.state = State::BehindRecord;
        self.offset += looked_at as u64;
        self.record_start..end
    }

    /// Says whether the bytes given so far are a whole.
    ///
    /// # Errors
    /// When the array was not closed, or a slice ends within a record.
    pub fn finish(&self) -> Result<(), CutError> {
        match self.state {
            State::BehindArray => Ok(()),
            State::BehindRecord if self.slice => Ok(()),
            _ => Err(CutError::Unfinished(self.offset)),
        }
    }
}

fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
}

/// The records of a slice, one at a time.
///
/// A slice that is not a row of records ends the iteration with an error.
pub fn records(slice: &[u8]) -> impl Iterator<Item = Result<&[u8], CutError>> {
    let mut cutter = Cutter::of_slice();
    let mut rest = slice;
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        match cutter.advance(rest) {
            Ok((consumed, Some(place))) => {
                // The record ended where the cutter stopped, so it lies within what
                // was given; a range of `slice` in any case.
                rest = &rest[consumed..];
                let bounds = usize::try_from(place.start)
                    .ok()
                    .zip(usize::try_from(place.end).ok());
                bounds
                    .and_then(|(start, end)| slice.get(start..end))
                    .map(Ok)
            }
            Ok((_, None)) => {
                ended = true;
                bare_tail(&cutter, slice)
            }
            Err(error) => {
                ended = true;
                Some(Err(error))
            }
        }
    })
}

/// The record that only the end of the slice ends, or the complaint that there is none.
fn bare_tail<'a>(cutter: &Cutter, slice: &'a [u8]) -> Option<Result<&'a [u8], CutError>> {
    if cutter.state == State::Bare {
        let start = usize::try_from(cutter.record_start).ok()?;
        return slice.get(start..).map(Ok);
    }
    cutter.finish().err().map(Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&[u8]]) -> Result<Vec<Range<u64>>, CutError> {
        let mut cutter = Cutter::of_array();
        let mut places = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let (consumed, Some(place)) = cutter.advance(rest)? {
                places.push(place);
                rest = &rest[consumed..];
            }
        }
        cutter.finish()?;
        Ok(places)
    }

    fn cut_text(text: &str) -> Result<Vec<&str>, CutError> {
        let index = |place: u64| usize::try_from(place).unwrap();
        let places = cut(&[text.as_bytes()])?;
        Ok(places
            .into_iter()
            .map(|r| &text[index(r.start)..index(r.end)])
            .collect())
    }

    #[test]
    fn records_are_found_whatever_they_are() {
        let cases: [(&str, &[&str]); 7] = [
            ("[]", &[]),
            (" [ \n ] \n", &[]),
            (r#"[{"a":1},{"b":[{}]}]"#, &[r#"{"a":1}"#, r#"{"b":[{}]}"#]),
            (
                "[\n  {\n    \"a\": 1\n  },\n  {}\n]",
                &["{\n    \"a\": 1\n  }", "{}"],
            ),
            (
                r#"[{"}\"]":"\\"},"x,]",1]"#,
                &[r#"{"}\"]":"\\"}"#, "\"x,]\"", "1"],
            ),
            ("[1 , true,null]", &["1", "true", "null"]),
            ("[[1,2],[]]", &["[1,2]", "[]"]),
        ];
        for (text, expected) in cases {
            assert_eq!(cut_text(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_array_is_refused_with_the_place() {
        let cases = [
            ("", "the JSON array is not closed: it ends after 0 bytes"),
            ("[{", "the JSON array is not closed: it ends after 2 bytes"),
            ("[{}", "the JSON array is not closed: it ends after 3 bytes"),
            ("{}", "expected a JSON array, found an object (`{`)"),
            (
                "<html>",
                "expected a JSON array, found `<`, which looks like HTML",
            ),
            (
                "\u{feff}[]",
                "expected a JSON array, found bytes that look like a byte order mark",
            ),
            ("[,]", "expected a record at byte 1, found `,`"),
            ("[{},]", "expected a record at byte 4, found `]`"),
            (
                "[{}{}]",
                "expected `,` or the end of the array at byte 3, found `{`",
            ),
            ("[]x", "expected the end of the answer at byte 2, found `x`"),
            (
                "[] []",
                "expected the end of the answer at byte 3, found `[`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(cut_text(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_slice_gives_back_its_records_and_says_where_it_breaks() {
        let of = |slice| records(slice).collect::<Vec<_>>();
        assert_eq!(of(b"{},\n  {\"a\":1}"), [Ok(&b"{}"[..]), Ok(b"{\"a\":1}")]);
        assert_eq!(of(b"1,2"), [Ok(&b"1"[..]), Ok(b"2")]);
        assert_eq!(of(b"{},{"), [Ok(&b"{}"[..]), Err(CutError::Unfinished(4))]);
        assert!(of(b"{}]")[1].is_err());
        assert!(of(b"")[0].is_err());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[\"\\\\\\[\\]{}, a-cé\n]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[\"\\\\{}\\[\\],a]{0,4}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_array_in_any_pieces_is_cut_as_a_full_parser_reads_it(
            values in prop::collection::vec(json(), 0..6),
            pretty in any::<bool>(),
            at in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let text = if pretty {
                serde_json::to_string_pretty(&values).unwrap()
            } else {
                serde_json::to_string(&values).unwrap()
            };
            let mut ends: Vec<_> = at.iter().map(|i| i.index(text.len() + 1)).collect();
            ends.push(text.len());
            ends.sort_unstable();
            let mut start = 0;
            let mut pieces = Vec::new();
            for end in ends {
                pieces.push(&text.as_bytes()[start..end]);
                start = end;
            }
            let places = cut(&pieces).unwrap();
            let read: Vec<serde_json::Value> = places
                .iter()
                .map(|r| usize::try_from(r.start).unwrap()..usize::try_from(r.end).unwrap())
                .map(|r| serde_json::from_str(&text[r]).unwrap())
                .collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn no_bytes_make_the_cutter_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = cut(&[&bytes]);
            records(&bytes).for_each(drop);
        }
    }
}
