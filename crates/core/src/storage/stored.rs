//! Reads stored records back: the bytes of a snapshot's file, split between records.

use std::path::{Path, PathBuf};

use crate::storage::StorageError;
use activity_tracker_json::splitter::Splitter;

use super::disk::DiskFile;
use super::stored_file::StoredFile;

/// Read size in bytes; a chunk is about as long, or as long as its single record.
const READ: usize = 1024 * 1024;

/// Neighbouring records of a stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    buffer: Vec<u8>,
    /// Where the first record begins in the buffer.
    start: usize,
    /// How many records of the file come before it.
    pub first: u64,
}

impl Chunk {
    /// The records with commas between them, as the mapper expects them.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// All records of a file of a snapshot, one chunk at a time.
///
/// It ends after an error: the file cannot be read, or does not match its manifest.
#[derive(Debug)]
pub struct Chunks {
    path: PathBuf,
    expected: Option<u64>,
    file: DiskFile,
    splitter: Splitter,
    read: Vec<u8>,
    /// The bytes that are not in a chunk yet.
    kept: Vec<u8>,
    /// The offset of `kept` in the file.
    base: u64,
    /// How many records were found, and how many of them are in chunks.
    records: (u64, u64),
    ended: bool,
}

impl Chunks {
    /// The records of a file in `folder`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(folder: &Path, stored: &StoredFile) -> Result<Self, StorageError> {
        let path = folder.join(&stored.name);
        Ok(Self {
            file: DiskFile::open(&path)?,
            path,
            expected: stored.records,
            splitter: Splitter::of_array(),
            read: vec![0; READ],
            kept: Vec::with_capacity(2 * READ),
            base: 0,
            records: (0, 0),
            ended: false,
        })
    }

    fn advance(&mut self) -> Result<Option<Chunk>, StorageError> {
        loop {
            let length = self.file.read(&mut self.read)?;
            if length == 0 {
                self.expect_all()?;
                return Ok(None);
            }
            let (mut found, mut borders) = (0, None);
            let split = self.splitter.advance_over(&self.read[..length], |record| {
                found += 1;
                let start = borders.map_or(record.start, |(start, _)| start);
                borders = Some((start, record.end));
            });
            split.map_err(|error| StorageError::unsound(&self.path, &error))?;
            self.kept.extend_from_slice(&self.read[..length]);
            self.records.0 += found;
            if let Some(borders) = borders {
                return Ok(Some(self.take(borders)));
            }
        }
    }

    /// Returns the records in this byte range of the file, and keeps what follows them.
    fn take(&mut self, (start, end): (u64, u64)) -> Chunk {
        let base = self.base;
        let within = |at: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
        let tail = self.kept.split_off(within(end).min(self.kept.len()));
        let mut next = Vec::with_capacity(2 * READ);
        next.extend_from_slice(&tail);
        let chunk = Chunk {
            buffer: std::mem::replace(&mut self.kept, next),
            start: within(start),
            first: self.records.1,
        };
        (self.base, self.records.1) = (end, self.records.0);
        chunk
    }

    fn expect_all(&self) -> Result<(), StorageError> {
        let ended = self.splitter.finish();
        ended.map_err(|error| StorageError::unsound(&self.path, &error))?;
        let found = self.records.0;
        match self.expected {
            Some(expected) if expected != found => Err(StorageError::unsound(
                &self.path,
                &format_args!("it has {found} records, its manifest says {expected}"),
            )),
            _ => Ok(()),
        }
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let chunk = self.advance().transpose();
        self.ended = !matches!(chunk, Some(Ok(_)));
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunks(text: &[u8], records: Option<u64>) -> Result<Vec<Chunk>, StorageError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), text).unwrap();
        let stored = StoredFile {
            name: "file".to_owned(),
            records,
            bytes: text.len() as u64,
            blake3: String::new(),
        };
        Chunks::open(folder.path(), &stored)?.collect()
    }

    #[test]
    fn a_small_file_is_one_chunk_and_an_empty_one_is_none() {
        let chunks_of = |text: &str| chunks(text.as_bytes(), None).unwrap();
        let all = chunks_of("[\n  {\"a\":1},\n  {\"a\":2}\n]");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].records(), b"{\"a\":1},\n  {\"a\":2}");
        assert_eq!(chunks_of("[]"), []);
    }

    #[test]
    fn what_is_not_as_the_manifest_says_is_told() {
        let cases = [
            ("[1]", 2, "it has 1 records, its manifest says 2"),
            (
                "[1, 2",
                2,
                "the JSON array is not closed: it ends after 5 bytes",
            ),
            ("", 0, "expected a JSON array, found nothing"),
            ("{}", 0, "expected a JSON array, found an object (`{`)"),
            ("[1 2]", 2, "expected `,` or the end of the array"),
        ];
        for (text, records, expected) in cases {
            let error = chunks(text.as_bytes(), Some(records)).unwrap_err();
            let words = error.to_string();
            assert!(words.contains(expected), "{text}: {words}");
            assert!(words.contains("/file: "), "{words}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn all_chunks_together_are_the_file(lengths in prop::collection::vec(0..700_000usize, 0..12)) {
            let records: Vec<_> = lengths.iter().map(|length| format!("\"{}\"", "x".repeat(*length))).collect();
            let text = format!("[\n  {}\n]", records.join(",\n  "));
            let chunks = chunks(text.as_bytes(), Some(records.len() as u64)).unwrap();
            let mut found = Vec::new();
            for chunk in &chunks {
                prop_assert_eq!(chunk.first, found.len() as u64);
                // Chunks are separated like records.
                let text = std::str::from_utf8(chunk.records()).unwrap();
                found.extend(text.trim_start_matches(|c: char| c == ',' || c.is_whitespace()).split(",\n  ").map(str::to_owned));
            }
            prop_assert_eq!(found, records);
        }
    }
}
