//! What the records of an API have in common: the bytes around their values.
//!
//! Most APIs send all records with the same keys in the same order, and with the same white space.
//! So the **shape** of a record is cached: all bytes before, between and after its strings, numbers
//! and literals. A record with the same bytes in these places is valid if its values are, and has
//! its fields in the same places. So its keys, brackets and white space are not parsed one by one,
//! only compared.

use std::ops::Range;

use crate::record::Field;
use crate::record::mapping::Values;
use activity_tracker_json::Sound;
use activity_tracker_json::reader::scalar;
use activity_tracker_json::stops::Stops;

/// The maximum number of values of a record for which a shape pays off.
const MOST_VALUES: usize = 256;

/// The bytes before a value of a record.
#[derive(Clone, Debug)]
struct Step {
    /// Their range in [`RecordShape::between`].
    bytes: Range<usize>,
    /// The first 16 of them as a number, and the mask of the bits that count. Most keys are short
    /// enough for this to be all of them, and numbers are compared at once.
    first: u128,
    mask: u128,
    /// The field that has this value.
    field: Option<Field>,
}

/// The shape of a record; an empty one matches no record.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordShape {
    /// All bytes before, between and after the values.
    between: Vec<u8>,
    steps: Vec<Step>,
    /// Where in `between` the bytes after the last value begin.
    tail: usize,
    /// Fields that are not a single value, or share it with another field.
    wide: Vec<Wide>,
    /// For each step, the offset in the text after its value, minus the corresponding offset in
    /// `between`, for the record read last.
    shifts: Vec<usize>,
}

/// A field that is an object or an array, or that shares its value with another field.
#[derive(Clone, Debug)]
struct Wide {
    field: Field,
    start: Edge,
    end: Edge,
}

/// A position between values.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// The number of values before it.
    step: usize,
    /// The number of bytes of [`RecordShape::between`] before it.
    at: usize,
}

impl RecordShape {
    /// Takes the record at `start` if it has this shape; returns where it ends.
    ///
    /// `values` must be those of the last record of this shape, and become those of this one.
    /// `stops` must be those of `text`.
    #[inline]
    pub(super) fn take<'a>(
        &mut self,
        text: &'a str,
        stops: &mut Stops<'_>,
        start: usize,
        values: &mut Values<'a>,
    ) -> Option<usize> {
        if self.steps.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        let mut at = start;
        for (step, shift) in self.steps.iter().zip(&mut self.shifts) {
            let value = step.pass(bytes, at, &self.between)?;
            let (end, seen) = scalar(stops, value)?;
            if let Some(field) = step.field {
                let raw = text.get(value..end)?;
                values[field as usize] = Some(Sound { raw, seen });
            }
            at = end;
            *shift = end - step.bytes.end;
        }
        let tail = &self.between[self.tail..];
        if !bytes.get(at..)?.starts_with(tail) {
            return None;
        }
        for wide in &self.wide {
            let place = |edge: Edge| match edge.step.checked_sub(1) {
                Some(before) => self.shifts[before] + edge.at,
                None => start + edge.at,
            };
            let raw = text.get(place(wide.start)..place(wide.end))?;
            values[wide.field as usize] = Some(Sound::new(raw));
        }
        Some(at + tail.len())
    }

    /// Makes the shape match no record.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Adopts the shape of `record`, which must be valid and have the fields `values`.
    ///
    /// If the record has too many values, or none, the shape matches no record.
    pub(super) fn learn(&mut self, record: &str, values: &Values<'_>) {
        self.between.clear();
        self.steps.clear();
        self.wide.clear();
        self.tail = 0;
        let found = scalars(record).unwrap_or_default();
        let mut end = 0;
        for value in &found {
            let bytes = &record.as_bytes()[end..value.start];
            self.steps.push(Step::new(bytes, self.tail));
            self.between.extend_from_slice(bytes);
            self.tail = self.between.len();
            end = value.end;
        }
        self.between.extend_from_slice(&record.as_bytes()[end..]);
        self.shifts.resize(self.steps.len(), 0);
        for (field, value) in Field::ALL.into_iter().zip(values) {
            let Some(Sound { raw, .. }) = value else {
                continue;
            };
            let start = raw.as_ptr().addr() - record.as_ptr().addr();
            self.place(field, start..start + raw.len(), &found);
        }
    }

    /// Records where a field is.
    fn place(&mut self, field: Field, place: Range<usize>, values: &[Range<usize>]) {
        if let Some(at) = values.iter().position(|value| *value == place)
            && self.steps[at].field.is_none()
        {
            self.steps[at].field = Some(field);
            return;
        }
        let edge = |at: usize| {
            let before = values.iter().take_while(|value| value.end <= at);
            let (step, bytes) = before.fold((0, 0), |(step, bytes), value| {
                (step + 1, bytes + value.len())
            });
            Edge {
                step,
                at: at - bytes,
            }
        };
        self.wide.push(Wide {
            field,
            start: edge(place.start),
            end: edge(place.end),
        });
    }
}

impl Step {
    /// For bytes at the offset `at` of [`RecordShape::between`].
    fn new(bytes: &[u8], at: usize) -> Self {
        let (mut first, mut mask) = ([0; 16], [0; 16]);
        let short = bytes.len().min(16);
        first[..short].copy_from_slice(&bytes[..short]);
        mask[..short].fill(0xff);
        Self {
            bytes: at..at + bytes.len(),
            first: u128::from_le_bytes(first),
            mask: u128::from_le_bytes(mask),
            field: None,
        }
    }

    /// Compares the bytes with those at `at`; returns where they end.
    #[inline]
    fn pass(&self, bytes: &[u8], at: usize, between: &[u8]) -> Option<usize> {
        let length = self.bytes.len();
        let rest = bytes.get(at..)?;
        let is_there = match rest.first_chunk() {
            Some(chunk) if length <= 16 => {
                (u128::from_le_bytes(*chunk) ^ self.first) & self.mask == 0
            }
            _ => rest.starts_with(&between[self.bytes.clone()]),
        };
        is_there.then_some(at + length)
    }
}

/// The ranges of the strings, numbers and literals of a valid record, without keys.
///
/// `None` if there are more than a shape may have.
fn scalars(record: &str) -> Option<Vec<Range<usize>>> {
    let bytes = record.as_bytes();
    let mut stops = Stops::new(bytes);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if matches!(
            byte,
            b' ' | b'\n' | b'\r' | b'\t' | b'{' | b'}' | b'[' | b']' | b',' | b':'
        ) {
            at += 1;
            continue;
        }
        let (end, _) = scalar(&mut stops, at)?;
        let is_key = bytes[end..].trim_ascii_start().first() == Some(&b':');
        if !is_key {
            found.push(at..end);
        }
        at = end;
    }
    (found.len() <= MOST_VALUES).then_some(found)
}
