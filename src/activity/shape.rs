//! What records of an API have in common: the bytes around their values.
//!
//! Most APIs send each record with the same keys in the same order, and with the
//! same white space. So of a record that was read its **shape** is kept: all
//! bytes that stand before, between and behind its strings, numbers and words. A
//! record with the same bytes in these places is as sound as the first one if only
//! its values are, and has its fields in the same places. Keys, brackets and
//! white space need not be looked at one by one then, only compared.

use std::ops::Range;

use super::fields::Field;
use super::mapping::Values;
use super::reader::scalar;
use super::value::Sound;

/// The most values that a record may have to be worth a shape.
const MOST_VALUES: usize = 256;

/// What stands before a value of a record.
#[derive(Clone, Debug)]
struct Step {
    /// Which part of [`Shape::between`].
    bytes: Range<usize>,
    /// The fields that the value is.
    field: Option<Field>,
}

/// The shape of a record; an empty one is the shape of none.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
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
    /// How many bytes of [`Shape::between`] do.
    at: usize,
}

impl Shape {
    /// Takes the record at `start` if it is of this shape; gives where it ends.
    ///
    /// `values` are those of the last record of this shape, and become those of
    /// this one.
    #[inline]
    pub(super) fn take<'a>(
        &mut self,
        text: &'a str,
        start: usize,
        values: &mut Values<'a>,
    ) -> Option<usize> {
        if self.steps.is_empty() {
            return None;
        }
        let bytes = text.as_bytes();
        let mut at = start;
        for (step, shift) in self.steps.iter().zip(&mut self.shifts) {
            let between = &self.between[step.bytes.clone()];
            if !bytes.get(at..)?.starts_with(between) {
                return None;
            }
            let value = at + between.len();
            let (end, escapes) = scalar(bytes, value)?;
            if let Some(field) = step.field {
                let raw = text.get(value..end)?;
                values[field as usize] = Some(Sound { raw, escapes });
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
            self.steps.push(Step {
                bytes: self.tail..self.tail + value.start - end,
                field: None,
            });
            self.between
                .extend_from_slice(&record.as_bytes()[end..value.start]);
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

/// Where the strings, numbers and words of a sound record are, keys left out.
///
/// None where there are more than a shape may have.
fn scalars(record: &str) -> Option<Vec<Range<usize>>> {
    let bytes = record.as_bytes();
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
        let (end, _) = scalar(bytes, at)?;
        let is_key = bytes[end..].trim_ascii_start().first() == Some(&b':');
        if !is_key {
            found.push(at..end);
        }
        at = end;
    }
    (found.len() <= MOST_VALUES).then_some(found)
}
