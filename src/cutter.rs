//! Finds where the records of a JSON array begin and end, without reading them.
//!
//! The cutter follows brackets and strings only. It takes bytes as they come
//! from the wire, in pieces of any length, holds none of them, and tells the
//! place of each record. Whether a record is sound JSON is for the mapper to
//! say, so a broken record spoils itself and not its neighbours.

use std::ops::Range;

use memchr::memchr2;
use serde_json::Value;

use crate::activity::JsonPath;

mod seek;

use seek::Seeker;

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
    /// The answer has no array where the records should be.
    #[error("expected an array of records at `{0}`, found none")]
    NoArray(JsonPath),
    /// What is wrapped around the records is not JSON, or too much of it.
    #[error("what stands around the records is not to be read: {0}")]
    Wrapping(String),
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

/// How much may stand around the records of an answer: cursors and totals are short.
const LONGEST_WRAPPING: usize = 1024 * 1024;

/// What stands around the records, and the way to them.
#[derive(Clone, Debug)]
struct Wrapping {
    path: JsonPath,
    seeker: Seeker,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Seeking,
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
    wrapping: Option<Wrapping>,
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
            wrapping: None,
        }
    }

    /// For an answer whose records are in the array at `path`.
    #[must_use]
    pub fn of_array_at(path: &JsonPath) -> Self {
        if path.keys().is_empty() {
            return Self::of_array();
        }
        let seeker = Seeker::new(path.keys());
        let wrapping = Wrapping {
            path: path.clone(),
            seeker,
            bytes: Vec::new(),
        };
        Self {
            state: State::Seeking,
            wrapping: Some(wrapping),
            ..Self::of_array()
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
        let mut i = self.skip_wrapping(bytes)?;
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
                if self.state == State::BehindArray {
                    i += self.skip_wrapping(&bytes[i..])?;
                }
            }
        }
        self.offset += i as u64;
        Ok((i, None))
    }

    /// Goes through what stands around the records; gives how many bytes that took.
    fn skip_wrapping(&mut self, bytes: &[u8]) -> Result<usize, CutError> {
        let Some(wrapping) = &mut self.wrapping else {
            return Ok(0);
        };
        let length = match self.state {
            State::BehindArray => bytes.len(),
            State::Seeking => match wrapping.seeker.advance(bytes) {
                Ok(None) => bytes.len(),
                Ok(Some(length)) => {
                    self.state = State::BeforeFirst;
                    length
                }
                Err(seek::Missing) => return Err(CutError::NoArray(wrapping.path.clone())),
            },
            _ => return Ok(0),
        };
        wrapping.bytes.extend_from_slice(&bytes[..length]);
        if wrapping.bytes.len() > LONGEST_WRAPPING {
            return Err(CutError::Wrapping(format!(
                "more than {LONGEST_WRAPPING} bytes"
            )));
        }
        Ok(length)
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
            (State::BeforeFirst, b']') => self.array_ends(),
            (State::BehindRecord, b']') if !self.slice => self.array_ends(),
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

    fn array_ends(&mut self) -> State {
        if let Some(wrapping) = &mut self.wrapping {
            wrapping.bytes.push(b']');
        }
        State::BehindArray
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

    /// Says whether the bytes given so far are a whole, and gives what stands
    /// around the records, as JSON with an empty array in their place.
    ///
    /// # Errors
    /// When the array was not closed, a slice ends within a record, or what
    /// stands around the records is not JSON.
    pub fn finish(&self) -> Result<Value, CutError> {
        match (self.state, &self.wrapping) {
            (State::BehindArray, None) => Ok(Value::Array(Vec::new())),
            (State::BehindArray, Some(wrapping)) => serde_json::from_slice(&wrapping.bytes)
                .map_err(|error| CutError::Wrapping(error.to_string())),
            (State::BehindRecord, _) if self.slice => Ok(Value::Null),
            (State::Seeking, Some(wrapping)) if self.offset > 0 => {
                // A whole answer that lacks the array is no broken one.
                Err(match serde_json::from_slice::<Value>(&wrapping.bytes) {
                    Ok(_) => CutError::NoArray(wrapping.path.clone()),
                    Err(_) => CutError::Unfinished(self.offset),
                })
            }
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

    fn unwrap_text(path: &str, text: &str) -> Result<(Vec<String>, Value), CutError> {
        let mut cutter = Cutter::of_array_at(&path.parse().unwrap());
        let mut records = Vec::new();
        // Byte by byte: every state is met at the end of a piece.
        for (index, _) in text.bytes().enumerate() {
            let mut rest = &text.as_bytes()[index..=index];
            while let (consumed, Some(place)) = cutter.advance(rest)? {
                let range =
                    usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
                records.push(text[range].to_owned());
                rest = &rest[consumed..];
            }
        }
        let around = cutter.finish()?;
        // In one piece it must come out the same.
        let mut whole = Cutter::of_array_at(&path.parse().unwrap());
        let mut rest = text.as_bytes();
        while let (consumed, Some(_)) = whole.advance(rest)? {
            rest = &rest[consumed..];
        }
        assert_eq!(whole.finish().as_ref(), Ok(&around));
        Ok((records, around))
    }

    #[test]
    fn records_are_found_inside_what_is_wrapped_around_them() {
        let cases = [
            (
                "data",
                r#"{"data":[1,{"data":[2]}],"next":"a b"}"#,
                "1|{\"data\":[2]}",
                r#"{"data":[],"next":"a b"}"#,
            ),
            (
                "a.b",
                r#"{"x":{"a":[9]},"a":{"x":[8],"b":[{}]},"y":1}"#,
                "{}",
                r#"{"x":{"a":[9]},"a":{"x":[8],"b":[]},"y":1}"#,
            ),
            (
                "data",
                r#" { "s" : "data: [" , "data" : [ ] } "#,
                "",
                r#"{"s":"data: [","data":[]}"#,
            ),
            ("/d\"", r#"{"d\"":[1]}"#, "1", r#"{"d\"":[]}"#),
            ("dä", r#"{"d\u00e4":[1]}"#, "1", r#"{"dä":[]}"#),
        ];
        for (path, text, records, around) in cases {
            let (found, wrapping) = unwrap_text(path, text).unwrap();
            assert_eq!(found.join("|"), records, "{text}");
            assert_eq!(
                wrapping,
                serde_json::from_str::<Value>(around).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_answer_without_the_array_says_where_it_was_expected() {
        let none = "expected an array of records at `data`, found none";
        let cases = [
            ("{}", none),
            (r#"{"data":{}}"#, none),
            (r#"{"data":null}"#, none),
            (r#"{"data":"[1]"}"#, none),
            (r#"{"x":{"data":[1]}}"#, none),
            ("[1]", none),
            ("<html>", none),
            (
                r#"{"data":[1]"#,
                "what stands around the records is not to be read: EOF while parsing an object at line 1 column 10",
            ),
            (
                r#"{"data":[1]} x"#,
                "what stands around the records is not to be read: trailing characters at line 1 column 13",
            ),
            (
                r#"{"da"#,
                "the JSON array is not closed: it ends after 4 bytes",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                unwrap_text("data", text).unwrap_err().to_string(),
                expected,
                "{text}"
            );
        }
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
