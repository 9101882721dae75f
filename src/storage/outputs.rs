//! The files of a snapshot: their names, their form, and what the manifest says of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::activity::{EmailDomain, Resource};
use crate::api::Validators;
use crate::error::StorageError;

use super::segment::{Layout, Segment};

/// The two flows, which keep their files apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// Threads and worker processes.
    Main,
    /// Tasks.
    Async,
}

impl Flow {
    /// The name of one of this flow's files: `users.json` or `users_async.json`.
    #[must_use]
    pub fn file_name(self, stem: &str) -> String {
        self.file_name_with(stem, "json")
    }

    fn file_name_with(self, stem: &str, extension: &str) -> String {
        match self {
            Self::Main => format!("{stem}.{extension}"),
            Self::Async => format!("{stem}_async.{extension}"),
        }
    }
}

/// The files that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// All users.
    Users,
    /// All posts.
    Posts,
    /// All comments.
    Comments,
    /// The users that the e-mail filter took.
    FilteredUsers,
    /// The names of all users.
    UserNames,
    /// Users as they were found inside of what they wrote, again and again: not
    /// stored, but what users are made of where an API does not list them.
    Authors,
    /// The records that did not map, each with where it was and why.
    Rejected,
}

impl Output {
    /// The file's name without its flow and extension.
    #[must_use]
    pub fn stem(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Posts => "posts",
            Self::Comments => "comments",
            Self::FilteredUsers => "filtered_users",
            Self::UserNames => "user_names",
            Self::Authors => "authors",
            Self::Rejected => "rejected",
        }
    }

    /// The file's name in a flow: `users.json`, `rejected_async.ndjson`.
    #[must_use]
    pub fn file_name(self, flow: Flow) -> String {
        match self {
            Self::Rejected => flow.file_name_with(self.stem(), "ndjson"),
            _ => flow.file_name(self.stem()),
        }
    }

    /// How its records stand in the file.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::Rejected => Layout::LINES,
            _ => Layout::ARRAY,
        }
    }

    /// The resource that it comes from; none where it comes from all of them.
    #[must_use]
    pub fn resource(self) -> Option<Resource> {
        match self {
            Self::Users | Self::FilteredUsers | Self::UserNames | Self::Authors => {
                Some(Resource::Users)
            }
            Self::Posts => Some(Resource::Posts),
            Self::Comments => Some(Resource::Comments),
            Self::Rejected => None,
        }
    }
}

/// What a run left, and how to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The id of the run.
    pub run: String,
    /// Which flow it was.
    pub flow: Flow,
    /// The source's name or base URL.
    pub source: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its files were about to be put in place.
    pub finished_at: Timestamp,
    /// The domain that users were filtered by.
    #[serde(default)]
    pub email_domain: Option<EmailDomain>,
    /// Tells the source's definition from others.
    #[serde(default)]
    pub definition: String,
    /// What to ask the server with whether anything changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validators: BTreeMap<Resource, Validators>,
    /// How many records came of each resource, and what became of them.
    #[serde(default)]
    pub resources: BTreeMap<Resource, Counts>,
    /// All files of the snapshot but the manifest itself.
    pub files: Vec<StoredFile>,
}

/// What became of the records of a resource. Each that came is stored or rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many the API sent.
    pub received: u64,
    /// How many of them are stored.
    pub records: u64,
    /// How many of them did not map.
    pub rejects: u64,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name in the data directory.
    pub name: String,
    /// How many records it holds; none where it holds something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3 checksum in hex, as `b3sum` prints it.
    pub blake3: String,
}

/// Writes bytes to a file and knows their number and checksum.
struct Checked {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Creates `name` in `folder`, has it written and synced, and describes it.
fn store(
    folder: &Path,
    name: String,
    records: Option<u64>,
    write: impl FnOnce(&mut Checked) -> io::Result<()>,
) -> Result<StoredFile, StorageError> {
    let path = folder.join(&name);
    let file = File::create(&path).map_err(StorageError::io("create", &path))?;
    let mut checked = Checked {
        file: BufWriter::new(file),
        hasher: blake3::Hasher::new(),
        bytes: 0,
    };
    write(&mut checked)
        .and_then(|()| checked.flush())
        .map_err(StorageError::io("write", &path))?;
    checked
        .file
        .get_ref()
        .sync_all()
        .map_err(StorageError::io("sync", &path))?;
    let blake3 = checked.hasher.finalize().to_hex().to_string();
    Ok(StoredFile {
        name,
        records,
        bytes: checked.bytes,
        blake3,
    })
}

/// Joins segments, in this order, into the file `name`.
///
/// An answer that was laid out like the file comes out byte for byte.
///
/// # Errors
/// When a segment cannot be read or the file cannot be written.
pub fn write_records(
    folder: &Path,
    name: String,
    layout: Layout,
    segments: &[Segment],
) -> Result<StoredFile, StorageError> {
    let records = segments.iter().map(|segment| segment.records).sum();
    // Opened one by one: there may be thousands.
    let parts = segments.iter().filter(|segment| segment.records > 0);
    let mut failed = None;
    let stored = store(folder, name, Some(records), |file| {
        if records == 0 {
            return file.write_all(layout.empty);
        }
        let mut piece = vec![0; 256 * 1024];
        for (index, segment) in parts.enumerate() {
            file.write_all(if index == 0 {
                layout.open
            } else {
                layout.separator
            })?;
            if let Err(error) = copy(folder, segment, &mut piece, file)? {
                failed = Some(error);
                return Ok(());
            }
        }
        file.write_all(layout.close)
    })?;
    failed.map_or(Ok(stored), Err)
}

/// Copies a segment. Reading and writing fail apart, for each has its own subject.
fn copy(
    folder: &Path,
    segment: &Segment,
    piece: &mut [u8],
    to: &mut Checked,
) -> io::Result<Result<(), StorageError>> {
    let place = &segment.place;
    let mut from = match place.open(folder) {
        Ok(from) => from,
        Err(error) => return Ok(Err(error)),
    };
    let mut left = place.length;
    while left > 0 {
        match from.read(piece) {
            Ok(0) => {
                let ended = io::ErrorKind::UnexpectedEof.into();
                return Ok(Err(place.unreadable(folder, ended)));
            }
            Ok(length) => {
                to.write_all(&piece[..length])?;
                left -= length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(place.unreadable(folder, error))),
        }
    }
    Ok(Ok(()))
}

/// Writes a value as indented JSON into the file `name`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(
    folder: &Path,
    name: String,
    value: &impl Serialize,
) -> Result<StoredFile, StorageError> {
    store(folder, name, None, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SegmentWriter;

    fn array(parts: &[&[&str]]) -> (StoredFile, String) {
        let folder = tempfile::tempdir().unwrap();
        let segments: Vec<_> = parts
            .iter()
            .map(|records| {
                let mut writer = SegmentWriter::new(Layout::ARRAY);
                for record in *records {
                    writer.push(record);
                }
                writer.write(folder.path(), "segments".to_owned()).unwrap()
            })
            .collect();
        let name = "users.json".to_owned();
        let stored = write_records(folder.path(), name, Layout::ARRAY, &segments).unwrap();
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
        let segment = writer.write(folder.path(), "segments".to_owned()).unwrap();
        std::fs::remove_file(folder.path().join("segments")).unwrap();
        let name = "users.json".to_owned();
        let error = write_records(folder.path(), name, Layout::ARRAY, &[segment]).unwrap_err();
        assert!(error.to_string().contains("cannot open"), "{error}");
    }
}
