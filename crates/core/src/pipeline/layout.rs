//! The records of a slice on their way into an output file: where they stand
//! there as they stand in the slice, the slice itself is the segment.

use crate::storage::{Layout, SegmentWriter};

/// The records that go into the main output of a slice's resource.
pub(super) struct Records<'a> {
    slice: &'a [u8],
    layout: Layout,
    state: State,
}

enum State {
    /// So far each record stands where it would in the file: up to here, so many.
    Alike { end: usize, records: u64 },
    /// They are laid out anew.
    Copied(SegmentWriter),
}

/// What comes of them.
pub(super) enum Laid {
    /// Nothing.
    Nothing,
    /// The bytes of the slice, all of them, are the segment.
    AsTheyAre {
        /// How many records they are.
        records: u64,
    },
    /// They have to be written.
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

    /// Takes the record at `at` in the slice; gives where it stands in the segment.
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

    /// There are no more.
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

    /// What becomes of records that stand at these places of a slice.
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
