//! What records of an API have in common: the bytes around their values.
//!
//! Most APIs send each record with the same keys in the same order, and with the
//! same white space. So of a record that was read its **shape** is kept: all
//! bytes that stand before, between and behind its strings, numbers and words. A
//! record with the same bytes in these places is as sound as the first one if only
//! its values are, and has its fields in the same places. Keys, brackets and
//! white space need not be looked at one by one then, only compared.

use std::ops::Range;

use crate::record::Field;
use crate::record::mapping::Values;
use activity_tracker_json::Sound;
use activity_tracker_json::reader::scalar;
use activity_tracker_json::stops::Stops;

/// The most values that a record may have to be worth a shape.
const MOST_VALUES: usize = 256;

/// What stands before a value of a record.
#[derive(Clone, Debug)]
struct Step {
    /// Which part of [`RecordShape::between`].
    bytes: Range<usize>,
    /// The first of these bytes, and which bits of a number they are: most keys are so
    /// short that this is all of it, and numbers are compared at once.
    first: u128,
    mask: u128,
    /// The fields that the value is.
    field: Option<Field>,
}

/// The shape of a record; an empty one is the shape of none.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordShape {
    /// All bytes before, between and behind the values.
    between: Vec<u8>,
    steps: Vec<Step>,
    /// Where in `between` the end begins, behind the last value.
    tail: usize,
    /// Fields that are more than one value.
    wide: Vec<Wide>,
    /// How many bytes of values there were before each step, in the record read last.
    shifts: Vec<usize>,
}

/// A field that is an object or an array.
#[derive(Clone, Debug)]
struct Wide {
    field: Field,
    start: Edge,
    end: Edge,
}

/// A place between values.
#[derive(Clone, Copy, Debug)]
struct Edge {
    /// How many values stand before it.
    step: usize,
    /// How many bytes of [`RecordShape::between`] do.
    at: usize,
}

impl RecordShape {
    /// Takes the record at `start` if it is of this shape; gives where it ends.
    ///
    /// `values` are those of the last record of this shape, and become those of
    /// this one. `stops` are those of `text`.
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

    /// Becomes the shape of no record.
    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    /// Takes on the shape of `record`, which is sound, and whose fields are `values`.
    ///
    /// Where that has too many values, or none, the shape is that of no record.
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

    /// Notes where a field is.
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
    /// For bytes that stand at a place in [`RecordShape::between`].
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

    /// Passes by the bytes, which are to stand `at` a place; gives where they end.
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

/// Where the strings, numbers and words of a sound record are, keys left out.
///
/// None where there are more than a shape may have.
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
