//! Finds where the records of a JSON array begin and end, without parsing them.
//!
//! The splitter tracks only brackets and strings. It takes bytes as they are received, in chunks of
//! any length, buffers none of the records, and reports the range of each record. Whether a record
//! is valid JSON is checked by the mapper, so a malformed record does not affect its neighbours.

use std::ops::{ControlFlow, Range};

use memchr::memchr2;
use serde_json::Value;

use crate::{JsonPath, MissingKey};

mod block;
mod ends;
mod records;
mod seek;
mod unmap;

use block::{Inside, Left};
use seek::{Found, Missing, Seeker};

pub use ends::{EndRecords, Ended, ended};
pub use records::{Records, records};
pub use unmap::Unmap;

/// Why bytes are not a JSON array of records, as far as the splitter checks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The response begins with something other than `[`.
    #[error("expected a JSON array, found {}", opening(*.0))]
    NotAnArray(u8),
    /// Something other than `,` or `]` follows a record, or a record is missing.
    #[error("expected {expected} at byte {at}, found {}", shown(*.found))]
    Unexpected {
        /// What was expected there.
        expected: &'static str,
        /// The offset from the beginning of the response.
        at: u64,
        /// What was found there.
        found: u8,
    },
    /// The response has no array where the records should be.
    #[error("expected an array of records at `{}`, found none{}", .0.at, beside(.0))]
    NoArray(MissingKey),
    /// Something else is where the array of records should be.
    #[error("expected an array of records at `{at}`, found {}", in_place(*.found, .at))]
    OtherThanArray {
        /// The path of the array.
        at: JsonPath,
        /// The first byte of what was found.
        found: u8,
    },
    /// What wraps the records is not valid JSON, or too long.
    #[error("cannot read what surrounds the records: {0}")]
    Wrapping(String),
    /// The bytes end before the array does.
    #[error("{}", unfinished(*.0))]
    Unfinished(u64),
}

fn in_place(found: u8, at: &JsonPath) -> String {
    match found {
        b'{' => format!("an object; `records = {{ map = \"{at}\" }}` takes its values as records"),
        other => opening(other),
    }
}

fn beside(missing: &MissingKey) -> String {
    if missing.found.is_empty() {
        return String::new();
    }
    format!("; {}", missing.there(""))
}

fn unfinished(bytes: u64) -> String {
    match bytes {
        0 => "expected a JSON array, found nothing".to_owned(),
        _ => format!("the JSON array is not closed: it ends after {bytes} bytes"),
    }
}

fn opening(byte: u8) -> String {
    match byte {
        b'{' => "an object (`{`)".to_owned(),
        b'<' => "`<`, which looks like HTML".to_owned(),
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

/// U+FEFF in UTF-8, with which editors on Windows begin a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The maximum length in bytes of what wraps the records: cursors and totals are short.
const LONGEST_WRAPPING: usize = 1024 * 1024;

/// What wraps the records, and the path to them.
#[derive(Clone, Debug)]
struct Wrapping {
    path: JsonPath,
    seeker: Seeker,
    bytes: Vec<u8>,
    /// Whether there is no array of records.
    is_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Seeking,
    BeforeArray,
    /// In `null`, in place of the array: the number of its bytes so far.
    Null(u8),
    BeforeFirst,
    BeforeRecord,
    /// In a record that is an object, an array or a string, with the number of open brackets.
    Nested(u64),
    /// In a record that is a number or a literal.
    Bare,
    BehindRecord,
    BehindArray,
}

/// The kind of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// A complete response.
    Array,
    /// Like `Array`, but if the response itself should be the array, it may be an object, which
    /// [`Splitter::without_array`] returns.
    ArrayOrObject,
    /// A part of an array: it begins and ends between records, without brackets.
    Slice,
}

/// The state of splitting one response.
#[derive(Clone, Debug)]
pub struct Splitter {
    state: State,
    in_string: bool,
    escaped: bool,
    record_start: u64,
    offset: u64,
    given: Given,
    wrapping: Option<Wrapping>,
    /// The rest of a byte order mark that may still follow; empty after any other byte.
    mark: &'static [u8],
    /// Where a wrapped array begins, after its bracket, and where it ends.
    array: (Option<u64>, Option<u64>),
}

impl Splitter {
    /// For a complete response: one array, from `[` to `]`.
    #[must_use]
    pub fn of_array() -> Self {
        Self {
            state: State::BeforeArray,
            in_string: false,
            escaped: false,
            record_start: 0,
            offset: 0,
            given: Given::Array,
            wrapping: None,
            mark: BYTE_ORDER_MARK,
            array: (None, None),
        }
    }

    /// For a response whose records are in the array at `path`.
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
            is_all: false,
        };
        Self {
            state: State::Seeking,
            wrapping: Some(wrapping),
            ..Self::of_array()
        }
    }

    /// If the response itself should be the array, an object is not a record, and not an error
    /// until the end.
    #[must_use]
    pub fn or_an_object(self) -> Self {
        Self {
            given: Given::ArrayOrObject,
            ..self
        }
    }

    /// For a part of an array that was split between records: records and commas, no brackets.
    #[must_use]
    pub fn of_slice() -> Self {
        Self {
            state: State::BeforeRecord,
            given: Given::Slice,
            mark: &[],
            ..Self::of_array()
        }
    }

    /// Scans `bytes` until a record ends in them.
    ///
    /// Returns how many bytes were scanned and the range of the record that ended there, with
    /// offsets from the first byte ever passed. Call it again with the rest; `None` means that all
    /// of `bytes` was scanned.
    ///
    /// # Errors
    /// If the bytes cannot belong to an array of records.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<(usize, Option<Range<u64>>), SplitError> {
        let mut first = None;
        let length = self.look(bytes, |place| {
            first = Some(place);
            ControlFlow::Break(())
        })?;
        Ok((length, first))
    }

    /// Scans all of `bytes`, and calls `found` with the range of each record that ends in them,
    /// with offsets from the first byte ever passed.
    ///
    /// # Errors
    /// If the bytes cannot belong to an array of records.
    pub fn advance_over(
        &mut self,
        bytes: &[u8],
        mut found: impl FnMut(Range<u64>),
    ) -> Result<(), SplitError> {
        self.look(bytes, |place| {
            found(place);
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Scans `bytes` until `found` breaks; returns how many bytes were scanned.
    fn look(
        &mut self,
        bytes: &[u8],
        mut found: impl FnMut(Range<u64>) -> ControlFlow<()>,
    ) -> Result<usize, SplitError> {
        let base = self.offset;
        let mut i = if self.mark.is_empty() {
            0
        } else {
            self.skip_mark(bytes)
        };
        i += self.skip_wrapping(&bytes[i..])?;
        let mut one_by_one = 0;
        let mut flow = ControlFlow::Continue(());
        while i < bytes.len() && flow.is_continue() {
            let at = base + i as u64;
            if i >= one_by_one && matches!(self.state, State::Nested(1..)) {
                i += self.skip_blocks(&bytes[i..], at, |place| {
                    flow = found(place);
                    flow
                });
                if self.state != State::BehindRecord {
                    // Not a complete block, or not valid JSON.
                    one_by_one = i + block::LENGTH;
                }
                continue;
            }
            if self.in_string {
                i += self.skip_string(&bytes[i..]);
                if !self.in_string && self.state == State::Nested(0) {
                    flow = found(self.record_ends(base + i as u64));
                }
                continue;
            }
            let byte = bytes[i];
            match self.state {
                State::Nested(depth) => {
                    i += 1;
                    match byte {
                        b'"' => self.in_string = true,
                        b'{' | b'[' => self.state = State::Nested(depth + 1),
                        b'}' | b']' if depth == 1 => flow = found(self.record_ends(at + 1)),
                        b'}' | b']' => self.state = State::Nested(depth - 1),
                        _ => {}
                    }
                }
                // The byte itself is processed in the next iteration, after the record.
                State::Bare if ends_bare(byte) => flow = found(self.record_ends(at)),
                _ => {
                    self.between(byte, at)?;
                    i += 1;
                    if self.state == State::BehindArray {
                        i += self.skip_wrapping(&bytes[i..])?;
                    }
                }
            }
        }
        self.offset = base + i as u64;
        Ok(i)
    }

    /// The start of the unfinished record at the end of the bytes so far, if there is one; offsets
    /// as in [`advance`](Self::advance).
    #[must_use]
    pub fn open_record(&self) -> Option<u64> {
        matches!(self.state, State::Nested(_) | State::Bare).then_some(self.record_start)
    }

    /// Which of the last `length` scanned bytes belong to the array, and not to what wraps it.
    #[must_use]
    pub fn array_part(&self, length: usize) -> Range<usize> {
        if self.wrapping.is_none() {
            return 0..length;
        }
        let begins = self.offset.saturating_sub(length as u64);
        let within = |at: u64| {
            usize::try_from(at.saturating_sub(begins)).map_or(length, |at| at.min(length))
        };
        match self.array {
            (None, _) => length..length,
            (Some(start), end) => within(start)..end.map_or(length, within),
        }
    }

    /// Where the array begins, after its bracket, if something wraps it.
    #[must_use]
    pub fn array_start(&self) -> Option<u64> {
        self.array.0
    }

    /// Whether the array has ended.
    #[must_use]
    pub fn is_behind_array(&self) -> bool {
        self.state == State::BehindArray
    }

    /// Skips a byte order mark, which RFC 8259 lets parsers ignore; returns its length so far.
    #[cold]
    fn skip_mark(&mut self, bytes: &[u8]) -> usize {
        let mut length = 0;
        while let (Some((wanted, rest)), Some(byte)) = (self.mark.split_first(), bytes.get(length))
        {
            if byte != wanted {
                self.mark = &[];
                break;
            }
            self.mark = rest;
            length += 1;
        }
        // Offsets in what wraps the records start after the mark.
        self.offset += length as u64;
        length
    }

    /// Processes what wraps the records; returns how many bytes that took.
    fn skip_wrapping(&mut self, bytes: &[u8]) -> Result<usize, SplitError> {
        let Some(wrapping) = &mut self.wrapping else {
            return Ok(0);
        };
        let length = match self.state {
            State::BehindArray => bytes.len(),
            State::Seeking => match wrapping.seeker.advance(bytes) {
                Ok(None) => bytes.len(),
                Ok(Some(Found::Array(length) | Found::Object(length))) => {
                    self.state = State::BeforeFirst;
                    self.array.0 = Some(self.offset + length as u64);
                    length
                }
                Ok(Some(Found::Null(begins))) => {
                    self.state = State::BehindArray;
                    let at = Some(self.offset + begins as u64);
                    self.array = (at, at);
                    // Whether it is really `null` is checked when what wraps the array is parsed.
                    bytes.len()
                }
                Err(Missing::Absent) => {
                    wrapping.is_all = true;
                    self.state = State::BehindArray;
                    // After everything received: none of it is a record.
                    let at = Some(self.offset + bytes.len() as u64);
                    self.array = (at, at);
                    bytes.len()
                }
                Err(Missing::Other(found)) => {
                    let at = wrapping.path.clone();
                    return Err(SplitError::OtherThanArray { at, found });
                }
            },
            _ => return Ok(0),
        };
        wrapping.bytes.extend_from_slice(&bytes[..length]);
        if wrapping.bytes.len() > LONGEST_WRAPPING {
            return Err(SplitError::Wrapping(format!(
                "more than {LONGEST_WRAPPING} bytes"
            )));
        }
        Ok(length)
    }

    /// Continues in a record that is an object or an array, and in the following ones, for as many
    /// complete blocks as there are; returns how many bytes that took.
    #[inline]
    fn skip_blocks(
        &mut self,
        bytes: &[u8],
        at: u64,
        mut found: impl FnMut(Range<u64>) -> ControlFlow<()>,
    ) -> usize {
        let State::Nested(depth @ 1..) = self.state else {
            return 0;
        };
        let inside = Inside {
            depth,
            in_string: self.in_string,
            escaped: self.escaped,
            start: self.record_start,
        };
        let (length, left) = inside.skip(bytes, at, &mut found);
        (self.in_string, self.escaped) = (false, false);
        self.state = match left {
            Left::Behind => State::BehindRecord,
            Left::Inside(inside) => {
                (self.in_string, self.escaped) = (inside.in_string, inside.escaped);
                self.record_start = inside.start;
                State::Nested(inside.depth)
            }
        };
        length
    }

    /// Processes a byte outside of any record, or the first one of a record.
    fn between(&mut self, byte: u8, at: u64) -> Result<(), SplitError> {
        if let State::Null(came) = self.state {
            if b"null".get(usize::from(came)) != Some(&byte) {
                return Err(SplitError::NotAnArray(b'n'));
            }
            self.state = match came {
                3 => State::BehindArray,
                came => State::Null(came + 1),
            };
            return Ok(());
        }
        if self.state == State::Bare || matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        let unexpected = |expected| {
            Err(SplitError::Unexpected {
                expected,
                at,
                found: byte,
            })
        };
        self.state = match (self.state, byte) {
            (State::BeforeArray, b'[') => State::BeforeFirst,
            (State::BeforeArray, b'n') => State::Null(1),
            (State::BeforeArray, b'{') if self.given == Given::ArrayOrObject => {
                self.object_begins(at)
            }
            (State::BeforeArray, found) => return Err(SplitError::NotAnArray(found)),
            (State::BeforeFirst, b']') => self.array_ends(at),
            (State::BehindRecord, b']') if self.given != Given::Slice => self.array_ends(at),
            (State::BehindRecord, b',') => State::BeforeRecord,
            (State::BehindRecord, _) => return unexpected("`,` or the end of the array"),
            (State::BehindArray, _) => return unexpected("the end of the response"),
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

    /// The response itself is an object.
    #[cold]
    fn object_begins(&mut self, at: u64) -> State {
        let path = JsonPath::default();
        self.wrapping = Some(Wrapping {
            seeker: Seeker::new(path.keys()),
            path,
            bytes: b"{".to_vec(),
            is_all: true,
        });
        self.array = (Some(at + 1), Some(at + 1));
        State::BehindArray
    }

    fn array_ends(&mut self, at: u64) -> State {
        self.array.1 = Some(at);
        if let Some(wrapping) = &mut self.wrapping {
            wrapping.bytes.push(b']');
        }
        State::BehindArray
    }

    /// Continues in a string up to its closing quote; returns how many bytes that took.
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

    fn record_ends(&mut self, end: u64) -> Range<u64> {
        self.state = State::BehindRecord;
        self.record_start..end
    }

    /// Checks that the input is complete. Returns what wraps the records, as JSON with an empty
    /// array in their place.
    ///
    /// # Errors
    /// If the array was not closed, a slice ends within a record, or what wraps the records is not
    /// valid JSON.
    pub fn finish(&self) -> Result<Value, SplitError> {
        match (self.state, &self.wrapping) {
            (State::BehindArray, None) => Ok(Value::Array(Vec::new())),
            (State::BehindArray, Some(wrapping)) if wrapping.is_all => {
                let body = self.read_all(wrapping)?;
                if wrapping.path.keys().is_empty() {
                    return Err(SplitError::NotAnArray(b'{'));
                }
                Err(SplitError::NoArray(MissingKey::new(&wrapping.path, &body)))
            }
            (State::BehindArray, Some(wrapping)) => serde_json::from_slice(&wrapping.bytes)
                .map_err(|error| SplitError::Wrapping(error.to_string())),
            (State::BehindRecord, _) if self.given == Given::Slice => Ok(Value::Null),
            _ => Err(SplitError::Unfinished(self.offset)),
        }
    }

    /// A complete response that lacks the path of the array; `None` if it is not such a response.
    #[must_use]
    pub fn without_array(&self) -> Option<Value> {
        let wrapping = self.wrapping.as_ref().filter(|wrapping| wrapping.is_all)?;
        self.read_all(wrapping).ok()
    }

    fn read_all(&self, wrapping: &Wrapping) -> Result<Value, SplitError> {
        serde_json::from_slice(&wrapping.bytes).map_err(|error| {
            if error.is_eof() {
                SplitError::Unfinished(self.offset)
            } else {
                SplitError::Wrapping(error.to_string())
            }
        })
    }
}

fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
