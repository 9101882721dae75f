//! What the history is to know of the records of a slice.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::history::{Entry, EntryFile, EntryList, Span, digest};
use crate::record::{Field, Fields, FromFields, Id, Mapping, Reject, map};

/// Where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SliceEntries {
    /// Records, and those that did not map but have an id; none where there are neither.
    pub(super) listing: Option<EntryFile>,
    /// How many records did not map and have no id that could be read.
    pub(super) unnamed: u64,
}

/// Notes down the records of one slice.
pub(super) struct EntryRecorder<'m> {
    mapping: &'m Mapping,
    entries: EntryList,
    unnamed: u64,
}

/// The one field that is needed of a record that did not map.
struct JustId(Id);

impl<'a> FromFields<'a> for JustId {
    fn from_fields(fields: &Fields<'a, '_>) -> Result<Self, Box<Reject>> {
        fields.required(Field::Id).map(Self)
    }
}

impl<'m> EntryRecorder<'m> {
    pub(super) fn new(mapping: &'m Mapping) -> Self {
        Self {
            mapping,
            entries: EntryList::default(),
            unnamed: 0,
        }
    }

    /// A record that stands at `offset` of the slice's segment.
    pub(super) fn record(&mut self, id: &Id, raw: &str, offset: usize) {
        let span = Span {
            offset: offset as u64,
            length: raw.len() as u64,
        };
        self.entries.push(Entry {
            id: id.clone(),
            digest: digest(raw.as_bytes()),
            span: Some(span),
        });
    }

    /// A record that did not map: it is there all the same.
    pub(super) fn rejected(&mut self, raw: &[u8]) {
        match map::<JustId>(raw, self.mapping).next() {
            Some(Ok(record)) => self.entries.push(Entry {
                id: record.0.clone(),
                digest: 0,
                span: None,
            }),
            _ => self.unnamed += 1,
        }
    }

    /// A record whose id nobody read.
    pub(super) fn unnamed(&mut self) {
        self.unnamed += 1;
    }

    /// Writes it all to the file `name` of the staging folder in `folder`.
    pub(super) fn write(self, folder: &Path, name: &str) -> Result<SliceEntries, StorageError> {
        Ok(SliceEntries {
            listing: EntryFile::write(folder, name, self.entries)?,
            unnamed: self.unnamed,
        })
    }
}
