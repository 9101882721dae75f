//! From bytes to typed records, or to a reject that says what is wrong.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::record::slice_reader::{ReadRecord, SliceReader};
use crate::record::{Fields, FromFields, Mapping, Reject};
use activity_tracker_json::splitter::SplitError;

/// A record that was read, together with its own bytes.
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

    /// Where in the slice it begins: which bytes of the slice it is, and how far
    /// behind the record before it.
    ///
    /// Records that stand in a slice as they will stand in a file, with the same
    /// bytes between them, need not be copied one by one.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The record alone.
    #[must_use]
    pub fn into_record(self) -> T {
        self.record
    }

    fn new(record: T, raw: &'a str, slice: &'a [u8]) -> Self {
        // A record is a part of its slice, so this is how far it is into it.
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

/// A record that did not map, with its own bytes: nothing of it is lost.
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
    /// The record verbatim, as the API sent it, whatever it is.
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

/// Reads the records of a slice, lazily: the next one is looked at when it is asked for.
///
/// The slice is a row of JSON values with commas between them, as the splitter leaves it.
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

/// The records of a slice, read: see [`map`].
struct Mapper<'a, 'm, T> {
    slice: &'a [u8],
    mapping: &'m Mapping,
    rows: SliceReader<'a, 'm>,
    /// Which record comes next.
    index: u64,
    record: PhantomData<T>,
}

impl<'a, T: FromFields<'a>> Mapper<'a, '_, T> {
    /// Reads a record that may not be sound.
    #[cold]
    fn read(
        &self,
        index: u64,
        bytes: Result<&'a [u8], SplitError>,
    ) -> Result<Mapped<'a, T>, Rejected<'a>> {
        // Where even the borders cannot be found, no less than the whole slice is the record.
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

    // Records are large, and are moved less often where this is part of who calls it.
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

/// The text of a record, all of it, whichever fields are wanted.
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
