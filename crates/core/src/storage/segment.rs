//! Parts of output files: where they are, and how they are written.

use std::io::SeekFrom;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::storage::StorageError;

use super::disk::DiskFile;

/// How records are laid out in an output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Before the first record.
    pub(super) open: &'static [u8],
    /// Between two records.
    pub(super) separator: &'static [u8],
    /// After the last record.
    pub(super) close: &'static [u8],
    /// The whole file if there are no records.
    pub(super) empty: &'static [u8],
}

impl Layout {
    /// A JSON array with each record on a new line, as `JSON.stringify(records, null, 2)` writes
    /// it.
    pub const ARRAY: Self = Self {
        open: b"[\n  ",
        separator: b",\n  ",
        close: b"\n]",
        empty: b"[]",
    };

    /// Self-delimiting records.
    pub const NOTHING_BETWEEN: Self = Self {
        open: b"",
        separator: b"",
        close: b"",
        empty: b"",
    };

    /// Where each of the segments begins in the file that they are joined to.
    pub fn offsets<'s>(
        self,
        segments: impl Iterator<Item = &'s Segment>,
    ) -> impl Iterator<Item = u64> {
        let mut next = self.open.len() as u64;
        segments.map(move |segment| {
            let here = next;
            if segment.records > 0 {
                next += segment.place.length + self.separator.len() as u64;
            }
            here
        })
    }

    /// The text between two records.
    #[must_use]
    pub fn separator(self) -> &'static [u8] {
        self.separator
    }

    /// One JSON text per line (NDJSON).
    pub const LINES: Self = Self {
        open: b"",
        separator: b"\n",
        close: b"\n",
        empty: b"",
    };
}

/// A range of bytes in a file of the staging folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl Place {
    /// Opens the file and seeks to the first byte.
    pub(super) fn open(&self, folder: &Path) -> Result<DiskFile, StorageError> {
        let mut file = DiskFile::open(&folder.join(&self.file))?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file)
    }

    /// The first `length` bytes at most.
    #[must_use]
    pub fn beginning(&self, length: u64) -> Self {
        Self {
            length: self.length.min(length),
            ..self.clone()
        }
    }

    /// Passes the bytes to `take`, one chunk at a time.
    ///
    /// # Errors
    /// If the file cannot be read or is too short, or if `take` fails.
    pub(super) fn for_each_piece(
        &self,
        folder: &Path,
        piece: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let mut file = self.open(folder)?;
        let mut left = self.length;
        while left > 0 {
            let most = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
            let length = file.read(&mut piece[..most])?;
            if length == 0 {
                let ended = std::io::ErrorKind::UnexpectedEof.into();
                return Err(StorageError::io("read", &folder.join(&self.file))(ended));
            }
            take(&piece[..length])?;
            left -= length as u64;
        }
        Ok(())
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// If the file cannot be read or is too short.
    pub fn read(&self, folder: &Path) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        self.read_into(folder, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the bytes into `bytes` and replaces its contents.
    ///
    /// # Errors
    /// If the file cannot be read or is too short.
    pub fn read_into(&self, folder: &Path, bytes: &mut Vec<u8>) -> Result<(), StorageError> {
        self.open(folder)?.read_length(self.length, bytes)?;
        if bytes.len() as u64 != self.length {
            let ended = std::io::ErrorKind::UnexpectedEof.into();
            return Err(StorageError::io("read", &folder.join(&self.file))(ended));
        }
        Ok(())
    }
}

/// Consecutive records with the separators of an output file between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where they are.
    pub place: Place,
    /// How many they are.
    pub records: u64,
}

/// Collects the records of one segment and appends it to a file.
#[derive(Debug)]
pub struct SegmentWriter {
    layout: Layout,
    bytes: Vec<u8>,
    records: u64,
    /// Where the bytes are that were written before these.
    written: Option<Place>,
}

impl SegmentWriter {
    /// For a segment of a file with this layout.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            bytes: Vec::new(),
            records: 0,
            written: None,
        }
    }

    /// Adds a record verbatim.
    pub fn push(&mut self, record: &str) {
        if self.records > 0 {
            self.bytes.extend_from_slice(self.layout.separator);
        }
        self.bytes.extend_from_slice(record.as_bytes());
        self.records += 1;
    }

    /// Adds records that already have the layout.
    pub fn push_run(&mut self, run: &[u8], records: u64) {
        if records > 0 && self.records > 0 {
            self.bytes.extend_from_slice(self.layout.separator);
        }
        self.bytes.extend_from_slice(run);
        self.records += records;
    }

    /// The bytes added since the last write.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How many records were added.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Appends the buffered bytes to the file `name` in `folder`, which is created if it is
    /// missing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(mut self, folder: &Path, name: &str) -> Result<Segment, StorageError> {
        let place = self.spill(folder, name)?;
        Ok(Segment {
            place,
            records: self.records,
        })
    }

    /// Appends the buffered bytes to free memory, and returns where the segment is so far. No other
    /// writer may append to the file until the segment is complete.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn spill(&mut self, folder: &Path, name: &str) -> Result<Place, StorageError> {
        let mut file = DiskFile::append(&folder.join(name))?;
        let offset = file.seek(SeekFrom::End(0))?;
        file.write(&self.bytes)?;
        let written = self.written.get_or_insert_with(|| Place {
            file: name.to_owned(),
            offset,
            length: 0,
        });
        written.length += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(written.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_was_spilled_is_one_run_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("segments"), "before").unwrap();
        let mut writer = SegmentWriter::new(Layout::LINES);
        for record in ["1", "2", "3"] {
            writer.push(record);
            writer.spill(folder.path(), "segments").unwrap();
            assert!(writer.bytes().is_empty());
        }
        writer.push("4");
        let segment = writer.write(folder.path(), "segments").unwrap();
        assert_eq!((segment.records, segment.place.offset), (4, 6));
        assert_eq!(segment.place.read(folder.path()).unwrap(), b"1\n2\n3\n4");
    }

    #[test]
    fn segments_of_one_file_are_read_back_each_from_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let write = |records: &[&str]| {
            let mut writer = SegmentWriter::new(Layout::ARRAY);
            for record in records {
                writer.push(record);
            }
            writer.write(folder.path(), "segments").unwrap()
        };
        let (first, second) = (write(&["1", "2"]), write(&["3"]));
        assert_eq!((first.records, second.records), (2, 1));
        assert_eq!(first.place.read(folder.path()).unwrap(), b"1,\n  2");
        assert_eq!(second.place.read(folder.path()).unwrap(), b"3");
        let beyond = Place {
            length: 2,
            ..second.place
        };
        assert!(
            beyond
                .read(folder.path())
                .unwrap_err()
                .to_string()
                .starts_with("cannot read ")
        );
    }
}
