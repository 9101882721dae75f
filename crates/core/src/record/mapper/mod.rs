//! Maps bytes to typed records, or to rejects that say what is wrong.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::record::slice_reader::{ReadRecord, SliceReader};
use crate::record::{Fields, FromFields, Mapping, Reject};
use activity_tracker_json::splitter::SplitError;

/// A mapped record, with its raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped<'a, T> {
    record: T,
    raw: &'a str,
    at: usize,
}

impl<'a, T> Mapped<'a, T> {
    /// The record verbatim, as the API sent it.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The offset of the record in the slice.
    ///
    /// Records that are separated by the same bytes in a slice as in an output file need not be
    /// copied one by one.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The record without its raw bytes.
    #[must_use]
    pub fn into_record(self) -> T {
        self.record
    }

    fn new(record: T, raw: &'a str, slice: &'a [u8]) -> Self {
        // A record is a part of its slice, so the difference of their addresses is its offset.
        let at = raw.as_ptr().addr() - slice.as_ptr().addr();
        Self { record, raw, at }
    }
}

impl<T> Deref for Mapped<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

/// A rejected record, with its raw bytes, so that nothing is lost.
///
/// ```
/// use activity_tracker_core::record::{Mapping, Resource, map};
/// use activity_tracker_core::activity::Post;
///
/// let mapping = Mapping::placeholder(Resource::Posts);
/// let rejected = map::<Post>(br#"{"id": 1.5}"#, &mapping).next().unwrap().unwrap_err();
/// assert_eq!(rejected.path, "id");
/// assert_eq!(rejected.raw(), br#"{"id": 1.5}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reject}")]
pub struct Rejected<'a> {
    reject: Reject,
    raw: &'a [u8],
}

impl<'a> Rejected<'a> {
    /// The record verbatim, as the API sent it, valid or not.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

impl From<Rejected<'_>> for Reject {
    fn from(rejected: Rejected<'_>) -> Self {
        rejected.reject
    }
}

impl Deref for Rejected<'_> {
    type Target = Reject;

    fn deref(&self) -> &Reject {
        &self.reject
    }
}

/// Maps the records of a slice lazily: each is read when it is requested.
///
/// The slice is a sequence of JSON values separated by commas, as the splitter produces it.
///
/// ```
/// use activity_tracker_core::record::{Mapping, Resource, map};
/// use activity_tracker_core::activity::Post;
///
/// let mapping = Mapping::placeholder(Resource::Posts);
/// let slice = br#"{"id":1,"userId":7,"title":"t","body":"b"}, {"id":2}"#;
/// let mut posts = map::<Post>(slice, &mapping);
/// assert_eq!(posts.next().unwrap().unwrap().title.as_ref().unwrap().as_str(), "t");
/// assert_eq!(posts.next().unwrap().unwrap_err().path, "userId");
/// ```
#[inline]
pub fn map<'a, T: FromFields<'a>>(
    slice: &'a [u8],
    mapping: &Mapping,
) -> impl Iterator<Item = Result<Mapped<'a, T>, Rejected<'a>>> {
    Mapper {
        slice,
        mapping,
        rows: SliceReader::new(slice, mapping),
        index: 0,
        record: PhantomData,
    }
}

/// Maps the records of a slice: see [`map`].
struct Mapper<'a, 'm, T> {
    slice: &'a [u8],
    mapping: &'m Mapping,
    rows: SliceReader<'a, 'm>,
    /// The index of the next record.
    index: u64,
    record: PhantomData<T>,
}

impl<'a, T: FromFields<'a>> Mapper<'a, '_, T> {
    /// Reads a record that may be invalid.
    #[cold]
    fn read(
        &self,
        index: u64,
        bytes: Result<&'a [u8], SplitError>,
    ) -> Result<Mapped<'a, T>, Rejected<'a>> {
        // If the record's boundaries cannot be found, the whole slice counts as the record.
        let all = bytes.as_ref().map_or(self.slice, |bytes| *bytes);
        let read = |raw| Ok((Fields::read(self.mapping, index, raw)?, raw));
        match text(index, bytes).map_err(Box::new).and_then(read) {
            Ok((record, raw)) => Ok(Mapped::new(record, raw, self.slice)),
            Err(reject) => Err(Rejected {
                reject: *reject,
                raw: all,
            }),
        }
    }
}

impl<'a, T: FromFields<'a>> Iterator for Mapper<'a, '_, T> {
    type Item = Result<Mapped<'a, T>, Rejected<'a>>;

    // Records are large, and are moved less often if this is inlined.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        let index = self.index;
        self.index += 1;
        Some(match row {
            ReadRecord::Found(raw) => match T::from_fields(&self.rows.fields(index)) {
                Ok(record) => Ok(Mapped::new(record, raw, self.slice)),
                Err(reject) => Err(Rejected {
                    reject: *reject,
                    raw: raw.as_bytes(),
                }),
            },
            ReadRecord::Unread(bytes) => self.read(index, bytes),
        })
    }
}

/// The text of a record, validated completely, whichever fields are read.
fn text(index: u64, bytes: Result<&[u8], SplitError>) -> Result<&str, Reject> {
    let reject = |expected: &str, found: String| Reject {
        index,
        path: ".".to_owned(),
        expected: expected.to_owned(),
        found,
    };
    let bytes =
        bytes.map_err(|error| reject("records with commas between them", error.to_string()))?;
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = bytes.get(error.valid_up_to()..).unwrap_or_default();
        let bad = bad.first().copied().unwrap_or_default();
        reject(
            "UTF-8",
            format!("byte 0x{bad:02x} at byte {}", error.valid_up_to()),
        )
    })
}

#[cfg(test)]
mod tests;
