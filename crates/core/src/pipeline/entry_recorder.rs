//! Collects what the history stores of the records of a slice.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::history::{Entry, EntryFile, EntryList, Span, digest};
use crate::record::{Field, Fields, FromFields, Id, Mapping, Reject, map};

/// The entries of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SliceEntries {
    /// Entries of mapped records, and of rejected ones that have an id; `None` if there are
    /// neither.
    pub(super) listing: Option<EntryFile>,
    /// How many rejected records have no readable id.
    pub(super) unnamed: u64,
}

/// Collects the entries of one slice.
pub(super) struct EntryRecorder<'m> {
    mapping: &'m Mapping,
    entries: EntryList,
    unnamed: u64,
}

/// The only field of a rejected record that is needed.
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

    /// Adds a mapped record at `offset` in the segment of the slice.
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

    /// Adds a rejected record, which nevertheless exists.
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

    /// Adds a record whose id was not read.
    pub(super) fn unnamed(&mut self) {
        self.unnamed += 1;
    }

    /// Writes the entries to the file `name` of the staging folder in `folder`.
    pub(super) fn write(self, folder: &Path, name: &str) -> Result<SliceEntries, StorageError> {
        Ok(SliceEntries {
            listing: EntryFile::write(folder, name, self.entries)?,
            unnamed: self.unnamed,
        })
    }
}
