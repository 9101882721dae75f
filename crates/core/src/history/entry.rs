//! What the history stores of a record to detect changes: its id, a digest of its bytes, and its
//! position in its file. An entry takes about 13 bytes.

use crate::record::Id;

/// What the history stores of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record's id.
    pub id: Id,
    /// A digest of its bytes.
    pub digest: u64,
    /// Its position in its file or segment. `None` if it is in no file: it was rejected this time,
    /// or was not in an incomplete run, which may have missed it.
    pub span: Option<Span>,
}

/// The position of a record in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
}

/// The digest of a record's bytes (XXH3, 64 bits).
///
/// Two versions of a record have the same digest by chance in one of 10¹⁹ cases. This is no
/// protection against an attacker who searches for such a pair.
#[must_use]
pub fn digest(record: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(record)
}

const NUMBER: u8 = 0;
const TEXT: u8 = 1;
const SOMEWHERE: u8 = 2;

/// Writes consecutive entries, each as its difference from the previous one.
#[derive(Debug, Default)]
pub struct EntryWriter {
    bytes: Vec<u8>,
    last_number: i64,
    last_end: u64,
    count: usize,
}

/// The maximum length of an entry without its text: kind, two or three numbers of up to ten bytes,
/// digest.
const ROOM: usize = 40;

/// Collects the bytes of an entry, so that the output grows only once for each.
struct Head {
    bytes: [u8; ROOM],
    length: usize,
}

impl Head {
    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    /// Seven bits per byte, lowest bits first; the highest bit is set if more bytes follow
    /// (LEB128).
    fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.push(number.to_le_bytes()[0]);
    }

    /// Small numbers of either sign take few bytes (zigzag encoding).
    fn signed(&mut self, number: i64) {
        self.unsigned(((number << 1) ^ (number >> 63)).cast_unsigned());
    }
}

impl EntryWriter {
    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry) {
        let kind = match (&entry.id, entry.span) {
            (Id::Number(_), None) => NUMBER,
            (Id::Text(_), None) => TEXT,
            (Id::Number(_), Some(_)) => NUMBER | SOMEWHERE,
            (Id::Text(_), Some(_)) => TEXT | SOMEWHERE,
        };
        let mut head = Head {
            bytes: [0; ROOM],
            length: 0,
        };
        head.push(kind);
        match &entry.id {
            Id::Number(number) => {
                head.signed(number.wrapping_sub(self.last_number));
                self.last_number = *number;
            }
            Id::Text(text) => head.unsigned(text.len() as u64),
        }
        let digest = head.length..head.length + 8;
        head.bytes[digest].copy_from_slice(&entry.digest.to_le_bytes());
        head.length += 8;
        if let Some(span) = entry.span {
            head.signed(span.offset.wrapping_sub(self.last_end).cast_signed());
            head.unsigned(span.length);
            self.last_end = span.offset.wrapping_add(span.length);
        }
        self.bytes.extend_from_slice(&head.bytes[..head.length]);
        if let Id::Text(text) = &entry.id {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.count += 1;
    }

    /// The number of entries.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes what was written. The next entry is written as if it were the first.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }
}

/// Reads what an [`EntryWriter`] wrote; ends with an error at the first damaged entry.
#[derive(Debug)]
pub struct Entries<B> {
    bytes: B,
    at: usize,
    last_number: i64,
    last_end: u64,
}

/// The bytes were not written by an [`EntryWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entries are not as they were written")]
pub struct Malformed;

impl<B: AsRef<[u8]>> Entries<B> {
    /// Reads the entries in these bytes.
    pub fn new(bytes: B) -> Self {
        Self {
            bytes,
            at: 0,
            last_number: 0,
            last_end: 0,
        }
    }

    fn entry(&mut self) -> Option<Entry> {
        let kind = self.byte()?;
        let mut text = 0;
        if kind & TEXT == 0 {
            self.last_number = self.last_number.wrapping_add(self.signed()?);
        } else {
            text = usize::try_from(self.unsigned()?).ok()?;
        }
        let digest = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
        let span = if kind & SOMEWHERE == 0 {
            None
        } else {
            let offset = self.last_end.wrapping_add(self.signed()?.cast_unsigned());
            let length = self.unsigned()?;
            self.last_end = offset.wrapping_add(length);
            Some(Span { offset, length })
        };
        let id = if kind & TEXT == 0 {
            Id::Number(self.last_number)
        } else {
            Id::Text(std::str::from_utf8(self.take(text)?).ok()?.into())
        };
        (kind <= TEXT | SOMEWHERE).then_some(Entry { id, digest, span })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.as_ref().get(self.at).copied();
        self.at = self.at.checked_add(1)?;
        byte
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let from = self.at;
        self.at = from.checked_add(length)?;
        self.bytes.as_ref().get(from..self.at)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                // More than 64 bits: no writer produces this.
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

impl<B: AsRef<[u8]>> Iterator for Entries<B> {
    type Item = Result<Entry, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.as_ref().len() {
            return None;
        }
        let entry = self.entry().ok_or(Malformed);
        if entry.is_err() {
            self.at = usize::MAX;
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> impl Strategy<Value = Id> {
        prop_oneof![
            any::<i64>().prop_map(Id::Number),
            (0i64..20).prop_map(Id::Number),
            ".{0,9}".prop_map(|text| Id::Text(text.into())),
        ]
    }

    proptest! {
        #[test]
        fn entries_come_out_as_they_went_in(
            entries in prop::collection::vec((ids(), any::<u64>(), any::<Option<(u64, u64)>>()), 0..40),
        ) {
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(id, digest, span)| Entry {
                    id,
                    digest,
                    span: span.map(|(offset, length)| Span { offset, length }),
                })
                .collect();
            let mut writer = EntryWriter::default();
            for entry in &entries {
                writer.push(entry);
            }
            let read: Result<Vec<_>, _> = Entries::new(writer.take()).collect();
            prop_assert_eq!(read.unwrap(), entries);
        }

        #[test]
        fn damaged_entries_end_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let read: Vec<_> = Entries::new(bytes).collect();
            let damaged = read.iter().position(Result::is_err);
            prop_assert!(damaged.is_none_or(|at| at + 1 == read.len()));
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_malformed() {
        let most = [[0xff; 9].as_slice(), &[0x01]].concat();
        let more = [[0xff; 9].as_slice(), &[0x02]].concat();
        let longer = [[0xff; 10].as_slice(), &[0x01]].concat();
        for (number, is_one) in [(most, true), (more, false), (longer, false)] {
            let bytes = [&[NUMBER], number.as_slice(), &[0; 8]].concat();
            let read: Vec<_> = Entries::new(bytes).collect();
            assert_eq!(
                read.first().is_some_and(Result::is_ok),
                is_one,
                "{number:?}"
            );
        }
    }

    #[test]
    fn ids_and_places_at_both_ends_of_the_numbers_come_out_as_they_went_in() {
        let ids = [
            i64::MIN,
            i64::MAX,
            i64::MIN + 1,
            -1,
            i64::MAX - 1,
            0,
            i64::MIN,
        ];
        let places = [u64::MAX, 0, 1, u64::MAX - 1];
        let mut writer = EntryWriter::default();
        let mut entries = Vec::new();
        for (id, (offset, length)) in ids.iter().zip(
            places
                .iter()
                .flat_map(|offset| places.iter().map(move |length| (*offset, *length))),
        ) {
            entries.push(Entry {
                id: Id::Number(*id),
                digest: u64::MAX,
                span: Some(Span { offset, length }),
            });
        }
        for entry in &entries {
            writer.push(entry);
        }
        let read: Result<Vec<_>, _> = Entries::new(writer.take()).collect();
        assert_eq!(read.unwrap(), entries);
    }

    #[test]
    fn an_entry_takes_little_room() {
        let mut writer = EntryWriter::default();
        for number in 0..1000u32 {
            writer.push(&Entry {
                id: Id::Number(number.into()),
                digest: digest(&number.to_le_bytes()),
                span: Some(Span {
                    offset: u64::from(number) * 310,
                    length: 305,
                }),
            });
        }
        assert!(writer.take().len() <= 13_010);
    }
}
