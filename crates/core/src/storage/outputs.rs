//! The files of a snapshot: how they are written.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::storage::StorageError;

use super::disk::{self, DiskFile};
use super::journal::{Journal, Sum};
use super::segment::{Layout, Place, Segment};
use super::stored_file::StoredFile;

/// Writes bytes to a file and tracks their count and checksum.
struct Checked {
    file: DiskFile,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    bytes: u64,
}

/// Buffer size before each write, in bytes.
const GATHERED: usize = 64 * 1024;

impl Checked {
    fn put(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > GATHERED {
            self.flush()?;
        }
        if bytes.len() > GATHERED {
            self.hasher.update(bytes);
            return self.file.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        if !self.buffer.is_empty() {
            self.hasher.update(&self.buffer);
            self.file.write(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Creates `name` in `folder`, lets `write` fill it, syncs it, and describes it.
fn store(
    folder: &Path,
    name: String,
    records: Option<u64>,
    write: impl FnOnce(&mut Checked) -> Result<(), StorageError>,
) -> Result<StoredFile, StorageError> {
    let mut checked = Checked {
        file: DiskFile::create(&folder.join(&name))?,
        buffer: Vec::new(),
        hasher: blake3::Hasher::new(),
        bytes: 0,
    };
    write(&mut checked)?;
    checked.flush()?;
    checked.file.sync()?;
    let blake3 = checked.hasher.finalize().to_hex().to_string();
    Ok(StoredFile {
        name,
        records,
        bytes: checked.bytes,
        blake3,
    })
}

/// Joins segments into the file `name` in `folder`. Their places are relative to `from`.
///
/// A response that already has the layout of the file is stored byte for byte. If it holds the
/// whole resource, it is not even copied: its page is hard-linked.
///
/// # Errors
/// If a segment cannot be read or the file cannot be written.
pub fn write_records(
    (from, folder): (&Path, &Path),
    name: String,
    layout: Layout,
    segments: &[Segment],
    pages: Pages<'_>,
) -> Result<StoredFile, StorageError> {
    let records = segments.iter().map(|segment| segment.records).sum();
    if let Some((page, sum)) = whole_page(from, layout, segments, pages.journal)? {
        let path = folder.join(&name);
        if pages.stay {
            disk::copy(&page, &path)?;
        } else {
            disk::keep(&page, &path)?;
        }
        DiskFile::open(&path)?.sync()?;
        return Ok(StoredFile {
            name,
            records: Some(records),
            bytes: sum.bytes,
            blake3: sum.blake3,
        });
    }
    store(folder, name, Some(records), |file| {
        if records == 0 {
            return file.put(layout.empty);
        }
        let mut piece = vec![0; 256 * 1024];
        // Opened one at a time: there may be thousands.
        let parts = segments.iter().filter(|segment| segment.records > 0);
        for (index, segment) in parts.enumerate() {
            file.put(if index == 0 {
                layout.open
            } else {
                layout.separator
            })?;
            let copy = |bytes: &[u8]| file.put(bytes);
            segment.place.for_each_piece(from, &mut piece, copy)?;
        }
        file.put(layout.close)
    })
}

/// The pages that segments may come from.
#[derive(Clone, Copy, Debug)]
pub struct Pages<'a> {
    /// The journal of the pages.
    pub journal: &'a Journal,
    /// Whether the pages are kept, so that the output file needs its own copy of the bytes.
    pub stay: bool,
}

/// The page that already equals the output file, byte for byte, if there is one.
fn whole_page(
    from: &Path,
    layout: Layout,
    segments: &[Segment],
    journal: &Journal,
) -> Result<Option<(PathBuf, Sum)>, StorageError> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Ok(None);
    };
    let name = &first.place.file;
    let Some(sum) = journal.sum(name) else {
        return Ok(None);
    };
    // The text before, between and after the segments must equal that of the layout.
    let end = |segment: &Segment| segment.place.offset + segment.place.length;
    let mut gaps = vec![(0, first.place.offset, layout.open)];
    for pair in segments.windows(2) {
        gaps.push((end(&pair[0]), pair[1].place.offset, layout.separator));
    }
    gaps.push((end(last), sum.bytes, layout.close));
    let same_file = segments.iter().all(|segment| segment.place.file == *name);
    let fits = |(start, end, text): &(u64, u64, &[u8])| start + text.len() as u64 == *end;
    if !same_file || !gaps.iter().all(fits) {
        return Ok(None);
    }
    let path = from.join(name);
    for (start, end, text) in gaps {
        let place = Place {
            file: name.clone(),
            offset: start,
            length: end - start,
        };
        if place.read(from)? != text {
            return Ok(None);
        }
    }
    Ok(Some((path, sum)))
}

/// Writes a value as indented JSON to the file `name`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_json(
    folder: &Path,
    name: String,
    value: &impl Serialize,
) -> Result<StoredFile, StorageError> {
    let path = folder.join(&name);
    store(folder, name, None, |file| {
        // In chunks: a summary has a line for every user.
        let mut out = JsonOut { file, failed: None };
        let mut buffer = BufWriter::with_capacity(GATHERED, &mut out);
        let written = serde_json::to_writer_pretty(&mut buffer, value)
            .map_err(io::Error::from)
            .and_then(|()| buffer.write_all(b"\n"))
            .and_then(|()| buffer.flush());
        drop(buffer);
        match out.failed {
            Some(error) => Err(error),
            None => written.map_err(StorageError::io("write", &path)),
        }
    })
}

/// Receives what serde writes, and keeps the original error, which serde would wrap.
struct JsonOut<'a> {
    file: &'a mut Checked,
    failed: Option<StorageError>,
}

impl Write for JsonOut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.put(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failed = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::storage::Flow;
    use crate::storage::{Header, SegmentWriter};
    use jiff::Timestamp;

    fn journal(folder: &Path) -> Journal {
        let source = Source::jsonplaceholder().unwrap();
        let header = Header::new("1", Flow::Main, Timestamp::UNIX_EPOCH, &source);
        Journal::create(folder, &header).unwrap()
    }

    fn pages(journal: &Journal) -> Pages<'_> {
        Pages {
            journal,
            stay: false,
        }
    }

    /// Whether a page with segments at these places becomes the output file without being copied.
    fn is_taken(page: &str, places: &[(u64, u64)]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("page"), page).unwrap();
        let journal = journal(folder.path());
        let sum = Sum {
            bytes: page.len() as u64,
            blake3: "the page's own".to_owned(),
        };
        journal.add_sum("page".to_owned(), sum);
        let segments: Vec<_> = places
            .iter()
            .map(|(offset, length)| {
                let place = Place {
                    file: "page".to_owned(),
                    offset: *offset,
                    length: *length,
                };
                Segment { place, records: 1 }
            })
            .collect();
        let both = (folder.path(), folder.path());
        let name = "users.json".to_owned();
        let stored = write_records(both, name, Layout::ARRAY, &segments, pages(&journal)).unwrap();
        let text = std::fs::read_to_string(folder.path().join("users.json")).unwrap();
        let records: Vec<u32> = serde_json::from_str(&text).unwrap();
        assert_eq!(records.len(), segments.len(), "{text}");
        stored.blake3 == "the page's own"
    }

    #[test]
    fn a_page_that_is_what_the_file_should_be_is_not_copied() {
        assert!(is_taken("[\n  1,\n  2\n]", &[(4, 1), (9, 1)]));
        assert!(is_taken("[\n  1\n]", &[(4, 1)]));
        // Different whitespace in one place each.
        assert!(!is_taken("[\n  1,\n  2\n]\n", &[(4, 1), (9, 1)]));
        assert!(!is_taken("[\n\t\t1,\n  2\n]", &[(4, 1), (9, 1)]));
        assert!(!is_taken("[\n  1 ,\n 2\n]", &[(4, 1), (9, 1)]));
        assert!(!is_taken("[\n  1,\n  2 ]", &[(4, 1), (9, 1)]));
        assert!(!is_taken("[1,2]", &[(1, 1), (3, 1)]));
        // Some of its records were rejected, at either end or in the middle.
        assert!(!is_taken("[\n  1,\n  2\n]", &[(4, 1)]));
        assert!(!is_taken("[\n  1,\n  2\n]", &[(9, 1)]));
        assert!(!is_taken("[\n  1,\n  2,\n  3\n]", &[(4, 1), (14, 1)]));
    }

    fn array(parts: &[&[&str]]) -> (StoredFile, String) {
        let folder = tempfile::tempdir().unwrap();
        let segments: Vec<_> = parts
            .iter()
            .map(|records| {
                let mut writer = SegmentWriter::new(Layout::ARRAY);
                for record in *records {
                    writer.push(record);
                }
                writer.write(folder.path(), "segments").unwrap()
            })
            .collect();
        let name = "users.json".to_owned();
        let both = (folder.path(), folder.path());
        let journal = journal(folder.path());
        let stored = write_records(both, name, Layout::ARRAY, &segments, pages(&journal)).unwrap();
        let text = std::fs::read_to_string(folder.path().join("users.json")).unwrap();
        (stored, text)
    }

    #[test]
    fn an_array_has_each_record_on_a_new_line_however_it_was_segmented() {
        let cases: [(&[&[&str]], &str); 5] = [
            (&[], "[]"),
            (&[&[]], "[]"),
            (&[&["1"]], "[\n  1\n]"),
            (&[&["1", "2"], &[], &["3"]], "[\n  1,\n  2,\n  3\n]"),
            (&[&[], &["1"]], "[\n  1\n]"),
        ];
        for (parts, expected) in cases {
            let (stored, text) = array(parts);
            assert_eq!(text, expected);
            let records: Vec<u32> = serde_json::from_str(&text).unwrap();
            assert_eq!(stored.records, Some(records.len() as u64));
            assert_eq!(stored.bytes, text.len() as u64);
            assert_eq!(
                stored.blake3,
                blake3::hash(text.as_bytes()).to_hex().as_str()
            );
        }
    }

    #[test]
    fn a_segment_that_has_gone_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = SegmentWriter::new(Layout::ARRAY);
        writer.push("1");
        let segment = writer.write(folder.path(), "segments").unwrap();
        std::fs::remove_file(folder.path().join("segments")).unwrap();
        let name = "users.json".to_owned();
        let both = (folder.path(), folder.path());
        let journal = journal(folder.path());
        let written = write_records(both, name, Layout::ARRAY, &[segment], pages(&journal));
        let error = written.unwrap_err();
        assert!(error.to_string().contains("cannot open"), "{error}");
    }
}
