//! The records of a slice with their fields, found in one pass where they are sound.

use crate::record::mapping::Values;
use crate::record::shape::RecordShape;
use crate::record::{Field, Fields, Mapping};
use activity_tracker_json::reader::Reader;
use activity_tracker_json::splitter::{self, Records, SplitError};
use activity_tracker_json::stops::Stops;

/// One record of a slice.
pub(super) enum ReadRecord<'a> {
    /// A sound one, verbatim. [`SliceReader::fields`] has what stands in its fields.
    Found(&'a str),
    /// One that has still to be read, and may not be sound, as the splitter found it.
    Unread(Result<&'a [u8], SplitError>),
}

/// A slice, gone through record by record.
pub(super) struct SliceReader<'a, 'm> {
    slice: &'a [u8],
    mapping: &'m Mapping,
    records: Records<'a>,
    text: Option<&'a str>,
    stops: Stops<'a>,
    /// The fields of the last sound record.
    values: Values<'a>,
    shape: RecordShape,
    /// How many records in a row were of another shape.
    strangers: u32,
}

impl<'a, 'm> SliceReader<'a, 'm> {
    pub(super) fn new(slice: &'a [u8], mapping: &'m Mapping) -> Self {
        Self {
            slice,
            mapping,
            records: splitter::records(slice),
            text: None,
            stops: Stops::new(slice),
            values: [None; Field::COUNT],
            shape: RecordShape::default(),
            strangers: 0,
        }
    }

    /// The next record.
    #[inline]
    pub(super) fn next(&mut self) -> Option<ReadRecord<'a>> {
        let text = match self.text {
            Some(text) => text,
            None => *self.text.insert(sound_part(self.slice)),
        };
        if let Some(start) = self.records.next_object()
            && let Some(end) = self.take(text, start)
            && let Some(raw) = text.get(start..end)
        {
            self.records.pass(end);
            return Some(ReadRecord::Found(raw));
        }
        self.records.next().map(ReadRecord::Unread)
    }

    /// The fields of the record found last, which is number `index`.
    pub(super) fn fields(&self, index: u64) -> Fields<'a, '_> {
        Fields::new(self.mapping, index, &self.values)
    }

    /// Takes the record that begins at `start`; gives where it ends.
    #[inline]
    fn take(&mut self, text: &'a str, start: usize) -> Option<usize> {
        if let Some(end) = self
            .shape
            .take(text, &mut self.stops, start, &mut self.values)
        {
            self.strangers = 0;
            return Some(end);
        }
        self.take_stranger(text, start)
    }

    /// Takes a record of a shape that is not known.
    #[inline(never)]
    fn take_stranger(&mut self, text: &'a str, start: usize) -> Option<usize> {
        let mut reader = Reader::new(text, start);
        self.values = [None; Field::COUNT];
        let taken = self.mapping.take(&mut reader, &mut self.values);
        // Where each record has a shape of its own, learning is work for nothing.
        self.strangers += 1;
        self.shape.clear();
        taken?;
        if !reader.peculiar && self.strangers.is_power_of_two() {
            let record = text.get(start..reader.at())?;
            self.shape.learn(record, &self.values);
        }
        Some(reader.at())
    }
}

/// The text of a slice up to the first byte that is no UTF-8. The record that has
/// that byte is unread then, and all behind it.
fn sound_part(slice: &[u8]) -> &str {
    simdutf8::compat::from_utf8(slice).unwrap_or_else(|error| {
        let sound = slice.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(sound).unwrap_or_default()
    })
}
