//! Lays out the records of a slice for an output file. If the slice already has the layout of the
//! file, the slice itself is the segment.

use crate::storage::{Layout, SegmentWriter};

/// The records of a slice that go into the main output of its resource.
pub(super) struct Records<'a> {
    slice: &'a [u8],
    layout: Layout,
    state: State,
}

enum State {
    /// Up to `end`, the slice has the layout of the file, with this many records.
    Alike { end: usize, records: u64 },
    /// The layouts differ: the records are copied.
    Copied(SegmentWriter),
}

/// The result.
pub(super) enum Laid {
    /// There are no records.
    Nothing,
    /// All the bytes of the slice are the segment.
    AsTheyAre {
        /// The number of records.
        records: u64,
    },
    /// The records were copied, and must be written.
    Anew(SegmentWriter),
}

impl<'a> Records<'a> {
    pub(super) fn new(slice: &'a [u8], layout: Layout) -> Self {
        Self {
            slice,
            layout,
            state: State::Alike { end: 0, records: 0 },
        }
    }

    /// Adds the record at `at` in the slice; returns its offset in the segment.
    pub(super) fn take(&mut self, at: usize, record: &str) -> usize {
        match &mut self.state {
            State::Alike { end, records } => {
                let expected = if *records == 0 {
                    &b""[..]
                } else {
                    self.layout.separator()
                };
                if self.slice.get(*end..at) == Some(expected) {
                    *end = at + record.len();
                    *records += 1;
                    return at;
                }
                let mut copy = SegmentWriter::new(self.layout);
                copy.push_run(self.slice.get(..*end).unwrap_or_default(), *records);
                copy.push(record);
                let offset = copy.bytes().len() - record.len();
                self.state = State::Copied(copy);
                offset
            }
            State::Copied(copy) => {
                copy.push(record);
                copy.bytes().len() - record.len()
            }
        }
    }

    /// Returns the result.
    pub(super) fn finish(self) -> Laid {
        match self.state {
            State::Alike { records: 0, .. } => Laid::Nothing,
            State::Alike { end, records } if end == self.slice.len() => Laid::AsTheyAre { records },
            State::Alike { end, records } => {
                let mut copy = SegmentWriter::new(self.layout);
                copy.push_run(self.slice.get(..end).unwrap_or_default(), records);
                Laid::Anew(copy)
            }
            State::Copied(copy) => Laid::Anew(copy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out these records of a slice.
    fn lay(slice: &str, records: &[&str]) -> (u64, Option<String>) {
        let mut laid = Records::new(slice.as_bytes(), Layout::ARRAY);
        let mut offsets = Vec::new();
        for record in records {
            offsets.push(laid.take(slice.find(record).unwrap(), record));
        }
        let stand_there = |text: &str| {
            let mut records = records.iter().zip(&offsets);
            assert!(records.all(|(record, offset)| text[*offset..].starts_with(record)));
        };
        match laid.finish() {
            Laid::Nothing => (0, None),
            Laid::AsTheyAre { records } => {
                stand_there(slice);
                (records, None)
            }
            Laid::Anew(copy) => {
                let text = String::from_utf8(copy.bytes().to_vec()).unwrap();
                stand_there(&text);
                (copy.records(), Some(text))
            }
        }
    }

    #[test]
    fn records_that_stand_as_they_will_are_not_copied() {
        assert_eq!(lay("1,\n  2,\n  3", &["1", "2", "3"]), (3, None));
        assert_eq!(lay("1", &["1"]), (1, None));
        assert_eq!(lay("", &[]), (0, None));
        assert_eq!(lay("1", &[]), (0, None));
    }

    #[test]
    fn others_are_laid_out_anew_and_none_is_left_out() {
        let copied = |count, text: &str| (count, Some(text.to_owned()));
        let all = "1,\n  2,\n  3";
        assert_eq!(lay("1,2,3", &["1", "2", "3"]), copied(3, all));
        assert_eq!(lay("1,\n  2, 3", &["1", "2", "3"]), copied(3, all));
        // Some were rejected: the first, one between, the last.
        assert_eq!(lay(all, &["2", "3"]), copied(2, "2,\n  3"));
        assert_eq!(lay(all, &["1", "3"]), copied(2, "1,\n  3"));
        assert_eq!(lay(all, &["1", "2"]), copied(2, "1,\n  2"));
    }
}
