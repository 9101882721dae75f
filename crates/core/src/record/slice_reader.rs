//! Reads the records of a slice with their fields, in one pass if they are valid.

use crate::record::mapping::Values;
use crate::record::shape::RecordShape;
use crate::record::{Field, Fields, Mapping};
use activity_tracker_json::reader::Reader;
use activity_tracker_json::splitter::{self, Records, SplitError};
use activity_tracker_json::stops::Stops;

/// One record of a slice.
pub(super) enum ReadRecord<'a> {
    /// A valid record, verbatim. [`SliceReader::fields`] has its fields.
    Found(&'a str),
    /// A record that must still be read and may be invalid, as the splitter found it.
    Unread(Result<&'a [u8], SplitError>),
}

/// Reads a slice record by record.
pub(super) struct SliceReader<'a, 'm> {
    slice: &'a [u8],
    mapping: &'m Mapping,
    records: Records<'a>,
    text: Option<&'a str>,
    stops: Stops<'a>,
    /// The fields of the last valid record.
    values: Values<'a>,
    shape: RecordShape,
    /// The number of consecutive records that had another shape.
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

    /// The fields of the last record found, number `index` of the slice.
    pub(super) fn fields(&self, index: u64) -> Fields<'a, '_> {
        Fields::new(self.mapping, index, &self.values)
    }

    /// Takes the record at `start`; returns where it ends.
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

    /// Takes a record whose shape is not the cached one.
    #[inline(never)]
    fn take_stranger(&mut self, text: &'a str, start: usize) -> Option<usize> {
        let mut reader = Reader::new(text, start);
        self.values = [None; Field::COUNT];
        let taken = self.mapping.take(&mut reader, &mut self.values);
        // If every record has a different shape, learning is wasted, so it is tried less and less
        // often.
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

/// The text of a slice up to the first byte that is not UTF-8. The record with that byte is left
/// unread, and so are all later ones.
fn sound_part(slice: &[u8]) -> &str {
    simdutf8::compat::from_utf8(slice).unwrap_or_else(|error| {
        let sound = slice.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(sound).unwrap_or_default()
    })
}
