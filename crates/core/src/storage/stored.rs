//! Stored records read back: the bytes of a snapshot's file, cut at the borders of its records.

use std::path::Path;

use crate::storage::StorageError;
use activity_tracker_json::splitter::Splitter;

use super::disk::DiskFile;
use super::stored_file::StoredFile;

/// How much is read at a time; a piece is about as long, or as long as its one record.
const READ: usize = 1024 * 1024;

/// Neighbouring records of a stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    buffer: Vec<u8>,
    /// Where the first record begins.
    start: usize,
    /// How many records of the file come before.
    pub first: u64,
}

impl Piece {
    /// The records with commas between them, as the mapper takes them.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// Hands over all records of a file of a snapshot in `folder`, a piece at a time.
///
/// # Errors
/// When the file cannot be read or is not what its manifest says, or `take` fails.
pub fn each_piece<E: From<StorageError>>(
    folder: &Path,
    stored: &StoredFile,
    mut take: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let path = folder.join(&stored.name);
    let unsound = |reason: &dyn std::fmt::Display| E::from(StorageError::unsound(&path, reason));
    let mut file = DiskFile::open(&path)?;
    let mut splitter = Splitter::of_array();
    let mut read = vec![0; READ];
    // What is not handed over yet, and which byte of the file it begins with.
    let (mut kept, mut base) = (Vec::with_capacity(2 * READ), 0);
    let (mut records, mut handed_over) = (0, 0);
    loop {
        let length = file.read(&mut read)?;
        if length == 0 {
            break;
        }
        let mut borders = None;
        let cut = splitter.advance_over(&read[..length], |record| {
            records += 1;
            let start = borders.map_or(record.start, |(start, _)| start);
            borders = Some((start, record.end));
        });
        cut.map_err(|error| unsound(&error))?;
        kept.extend_from_slice(&read[..length]);
        let Some((start, end)) = borders else {
            continue;
        };
        let within = |at: u64| usize::try_from(at - base).unwrap_or(usize::MAX);
        let tail = kept.split_off(within(end).min(kept.len()));
        let mut next = Vec::with_capacity(2 * READ);
        next.extend_from_slice(&tail);
        take(Piece {
            buffer: std::mem::replace(&mut kept, next),
            start: within(start),
            first: handed_over,
        })?;
        (base, handed_over) = (end, records);
    }
    splitter.finish().map_err(|error| unsound(&error))?;
    match stored.records {
        Some(expected) if expected != records => Err(unsound(&format_args!(
            "it holds {records} records, and its manifest says {expected}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &[u8], records: Option<u64>) -> Result<Vec<Piece>, StorageError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), text).unwrap();
        let stored = StoredFile {
            name: "file".to_owned(),
            records,
            bytes: text.len() as u64,
            blake3: String::new(),
        };
        let mut pieces = Vec::new();
        each_piece(folder.path(), &stored, |piece| {
            pieces.push(piece);
            Ok::<_, StorageError>(())
        })?;
        Ok(pieces)
    }

    #[test]
    fn a_small_file_is_one_piece_and_an_empty_one_is_none() {
        let pieces_of = |text: &str| pieces(text.as_bytes(), None).unwrap();
        let all = pieces_of("[\n  {\"a\":1},\n  {\"a\":2}\n]");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].records(), b"{\"a\":1},\n  {\"a\":2}");
        assert_eq!(pieces_of("[]"), []);
    }

    #[test]
    fn what_is_not_as_the_manifest_says_is_told() {
        let cases = [
            ("[1]", 2, "it holds 1 records, and its manifest says 2"),
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
            let error = pieces(text.as_bytes(), Some(records)).unwrap_err();
            let words = error.to_string();
            assert!(words.contains(expected), "{text}: {words}");
            assert!(words.contains("/file: "), "{words}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn all_pieces_together_are_the_file(lengths in prop::collection::vec(0..700_000usize, 0..12)) {
            let records: Vec<_> = lengths.iter().map(|length| format!("\"{}\"", "x".repeat(*length))).collect();
            let text = format!("[\n  {}\n]", records.join(",\n  "));
            let pieces = pieces(text.as_bytes(), Some(records.len() as u64)).unwrap();
            let mut found = Vec::new();
            for piece in &pieces {
                prop_assert_eq!(piece.first, found.len() as u64);
                // Between two pieces stands what stands between two records.
                let text = std::str::from_utf8(piece.records()).unwrap();
                found.extend(text.trim_start_matches(|c: char| c == ',' || c.is_whitespace()).split(",\n  ").map(str::to_owned));
            }
            prop_assert_eq!(found, records);
        }
    }
}
