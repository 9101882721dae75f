//! The journal of a spool: its run, and the pages that it holds completely.
//!
//! It has one line of JSON for each page, written after the page. A line that a crash truncated is
//! ignored, and so is a page that does not match its line. So neither needs to be synced.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::fetch::{Missing, Page, PageInfo, Position};
use crate::record::Resource;
use crate::source::{Definition, RecordMap, Source};
use crate::storage::StorageError;
use activity_tracker_json::JsonPath;

use super::disk::{self, DiskFile};
use super::output::Flow;

/// The version of the line format; a journal with another version is not read.
const FORMAT: u32 = 1;

/// The run that a spool belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the line format.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// Which flow it is.
    pub flow: Flow,
    /// When it started.
    pub started_at: Timestamp,
    /// Identifies the requests of the run: pages of another fingerprint cannot be reused. It does
    /// not cover how records are mapped, so that a mapping mistake can be corrected before
    /// resuming.
    pub fingerprint: String,
    /// The source definition, verbatim.
    pub definition: Definition,
}

impl Header {
    /// For a new run.
    #[must_use]
    pub fn new(run: &str, flow: Flow, started_at: Timestamp, source: &Source) -> Self {
        Self {
            format: FORMAT,
            run: run.to_owned(),
            flow,
            started_at,
            fingerprint: source.request_fingerprint(),
            definition: source.definition.clone(),
        }
    }

    /// Why the pages of one run cannot be used by the other; `None` if they can.
    #[must_use]
    pub fn misfit(&self, other: &Self) -> Option<&'static str> {
        if self.fingerprint == other.fingerprint {
            return None;
        }
        Some(match (&self.definition, &other.definition) {
            (ours, theirs) if ours.same_source(theirs) && ours != theirs => "other resources",
            (ours, theirs) if ours == theirs => "another version of the program",
            _ => "another source",
        })
    }
}

/// A page that is in the spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) resource: Resource,
    pub(super) position: Position,
    /// The URL that it was requested from.
    pub(super) url: Url,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// In hex: see [`PageHasher`](super::spool).
    #[serde(alias = "blake3")]
    pub(super) checksum: String,
    /// The fetch pass over the pages of its resource; entries of earlier passes do not count.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) look: u32,
    /// Path of the records in the response: with another path the page is split differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) records_at: Option<JsonPath>,
    /// Set if the records were the values of an object there: how its keys are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) map: Option<RecordMap>,
    /// Whether its first record repeats the last record of the page before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) overlaps: bool,
    /// The pagination metadata of its response.
    pub(super) said: PageInfo,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "required by serde")]
fn is_first(look: &u32) -> bool {
    *look == 0
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::large_enum_variant,
    reason = "one value at a time, and short-lived"
)]
enum Line<'a> {
    Run(Cow<'a, Header>),
    Page(Cow<'a, Entry>),
    /// What the server refused to deliver.
    Missing(BTreeMap<Resource, Missing>),
    /// All pages are present.
    Complete,
}

/// The contents of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// The run.
    pub header: Header,
    /// In the order in which they were received.
    pub(super) entries: Vec<Entry>,
    /// What the server refused to deliver.
    missing: BTreeMap<Resource, Missing>,
    /// Whether the run had all of its pages.
    pub complete: bool,
    /// The length in bytes of its complete lines.
    length: u64,
}

impl Journaled {
    /// Parses a journal up to its last complete line; `None` if not even the first line is
    /// complete, or if another version of the program wrote it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .take_while(|line| line.ends_with(b"\n"));
        let first = lines.next()?;
        let Ok(Line::Run(header)) = serde_json::from_slice(first) else {
            return None;
        };
        let mut journaled = Self {
            header: header.into_owned(),
            entries: Vec::new(),
            missing: BTreeMap::new(),
            complete: false,
            length: first.len() as u64,
        };
        if journaled.header.format != FORMAT {
            return None;
        }
        for line in lines {
            match serde_json::from_slice(line) {
                Ok(Line::Page(entry)) => journaled.entries.push(entry.into_owned()),
                Ok(Line::Missing(missing)) => journaled.missing = missing,
                Ok(Line::Complete) => journaled.complete = true,
                // Anything after a broken line was written after a crash of the machine.
                Ok(Line::Run(_)) | Err(_) => break,
            }
            journaled.length += line.len() as u64;
        }
        let looks = journaled.looks();
        let of_last = |entry: &Entry| looks.get(&entry.resource) == Some(&entry.look);
        journaled.entries.retain(of_last);
        Some(journaled)
    }

    /// Reads the journal of the spool in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, StorageError> {
        let bytes = disk::read(&folder.join(Journal::NAME))?;
        Ok(bytes.and_then(|bytes| Self::parse(&bytes)))
    }

    /// The latest fetch pass of each resource.
    #[must_use]
    pub fn looks(&self) -> BTreeMap<Resource, u32> {
        let mut looks = BTreeMap::new();
        for entry in &self.entries {
            let look = looks.entry(entry.resource).or_default();
            *look = entry.look.max(*look);
        }
        looks
    }

    /// How many pages it has. Each position counts once.
    #[must_use]
    pub fn pages(&self) -> u64 {
        let pages: HashSet<_> = self.entries.iter().map(Entry::key).collect();
        pages.len() as u64
    }

    /// How many pages the run expected, as far as the responses reported it.
    #[must_use]
    pub fn planned(&self) -> u64 {
        let mut planned: HashMap<_, u64> = HashMap::new();
        for entry in &self.entries {
            let of = (entry.resource, entry.position.whole());
            let known = planned.entry(of).or_default();
            *known = entry.said.planned().max(*known);
        }
        // Servers may report any number.
        planned
            .values()
            .fold(0, |sum, pages| sum.saturating_add(*pages))
    }
}

impl Entry {
    fn key(&self) -> (Resource, Position) {
        (self.resource, self.position.clone())
    }

    /// The page, for reading it without the pagination state machine.
    pub(super) fn page(&self, has_children: bool) -> Page {
        Page {
            has_children,
            overlaps: self.overlaps,
            ..Page::of_records(self.resource, &self.url, self.position.clone())
        }
    }
}

/// The journal of a spool that a run writes to or reads.
#[derive(Debug)]
pub struct Journal {
    /// `None` for a read-only spool.
    file: Option<Mutex<DiskFile>>,
    path: PathBuf,
    /// The entries that it had when it was opened.
    entries: HashMap<(Resource, Position), Entry>,
    missing: BTreeMap<Resource, Missing>,
    /// How many were added since.
    added: AtomicU64,
    streams: Mutex<Streams>,
}

/// State of the responses whose slices are processed while they are received.
#[derive(Debug, Default)]
struct Streams {
    next: u64,
    whole: HashSet<u64>,
    broken_off: HashSet<u64>,
    /// Checksums of files that hold all pages of a resource, by the file name used in slices.
    sums: HashMap<String, Sum>,
}

/// A response whose slices are processed while it is received. Dropping it early marks it as
/// interrupted.
#[derive(Debug)]
pub(super) struct StreamedResponse {
    pub(super) number: u64,
    journal: Arc<Journal>,
    ended: bool,
}

impl StreamedResponse {
    /// The response is complete: the results of its slices count.
    pub(super) fn is_whole(&mut self) {
        self.ended = true;
        self.journal.streams().whole.insert(self.number);
    }
}

impl Drop for StreamedResponse {
    fn drop(&mut self) {
        if !self.ended {
            self.journal.streams().broken_off.insert(self.number);
        }
    }
}

/// The length and the checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its BLAKE3 checksum, in hex.
    pub blake3: String,
}

impl Journal {
    /// The file's name in the spool.
    pub(super) const NAME: &str = "journal.ndjson";

    /// Starts a new journal in `folder`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn create(folder: &Path, header: &Header) -> Result<Self, StorageError> {
        let path = folder.join(Journal::NAME);
        let file = DiskFile::create(&path)?;
        let journal = Self {
            file: Some(Mutex::new(file)),
            path,
            entries: HashMap::new(),
            missing: BTreeMap::new(),
            added: AtomicU64::new(0),
            streams: Mutex::default(),
        };
        journal.write(&Line::Run(Cow::Borrowed(header)))?;
        Ok(journal)
    }

    /// Resumes the journal in `folder` after its last complete line.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn reopen(folder: &Path, journaled: Journaled) -> Result<Self, StorageError> {
        let path = folder.join(Journal::NAME);
        let mut file = DiskFile::append(&path)?;
        file.truncate(journaled.length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file: Some(Mutex::new(file)),
            ..Self::of(path, journaled)
        })
    }

    /// A read-only journal of the spool in `folder`.
    #[must_use]
    pub fn read_only(folder: &Path, journaled: Journaled) -> Self {
        Self::of(folder.join(Journal::NAME), journaled)
    }

    fn of(path: PathBuf, journaled: Journaled) -> Self {
        // If a torn page was fetched again, its last entry counts.
        let entries = journaled.entries.into_iter();
        Self {
            file: None,
            path,
            missing: journaled.missing,
            entries: entries.map(|entry| (entry.key(), entry)).collect(),
            added: AtomicU64::new(0),
            streams: Mutex::default(),
        }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a response whose slices are processed while it is received.
    pub(super) fn begin_response(self: &Arc<Self>) -> StreamedResponse {
        let mut streams = self.streams();
        streams.next += 1;
        StreamedResponse {
            number: streams.next,
            journal: Arc::clone(self),
            ended: false,
        }
    }

    /// Whether a response was interrupted. Its page may be overwritten by a retry at any time, so
    /// any further result of its slices is discarded, errors too.
    #[must_use]
    pub fn broke_off(&self, response: u64) -> bool {
        self.streams().broken_off.contains(&response)
    }

    /// Whether a response was received completely.
    #[must_use]
    pub fn is_whole(&self, response: u64) -> bool {
        self.streams().whole.contains(&response)
    }

    pub(super) fn add_sum(&self, file: String, sum: Sum) {
        self.streams().sums.insert(file, sum);
    }

    /// The checksum of a file that holds all pages of a resource, by the file name used in slices.
    #[must_use]
    pub fn sum(&self, file: &str) -> Option<Sum> {
        self.streams().sums.get(file).cloned()
    }

    /// The folder of the spool.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// How many pages it has.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.entries.len() as u64 + self.added.load(Ordering::SeqCst)
    }

    /// The pages that it had when it was opened.
    #[must_use]
    pub fn stored(&self) -> HashSet<(Resource, Position)> {
        self.entries.keys().cloned().collect()
    }

    /// The fetch pass that they belong to, for each resource.
    #[must_use]
    pub fn looks(&self) -> BTreeMap<Resource, u32> {
        let looks = self.entries.values();
        looks.map(|entry| (entry.resource, entry.look)).collect()
    }

    pub(super) fn entry(&self, page: &Page) -> Option<&Entry> {
        self.entries
            .get(&(page.subject.resource, page.position.clone()))
    }

    /// The pages that are present now, in the API's order.
    ///
    /// # Errors
    /// If the file of a writable journal cannot be read.
    pub(super) fn written(&self) -> Result<BTreeMap<(Resource, Position), Entry>, StorageError> {
        if self.file.is_none() {
            let entries = self.entries.iter();
            return Ok(entries
                .map(|(key, entry)| (key.clone(), entry.clone()))
                .collect());
        }
        let journaled = Journaled::read(self.folder())?;
        let journaled = journaled.ok_or_else(|| StorageError::Damaged(self.path.clone()))?;
        let entries = journaled.entries.into_iter();
        Ok(entries.map(|entry| (entry.key(), entry)).collect())
    }

    pub(super) fn add(&self, entry: &Entry) -> Result<(), StorageError> {
        self.write(&Line::Page(Cow::Borrowed(entry)))?;
        // A torn page that was fetched again is already counted.
        let new = !self.entries.contains_key(&entry.key());
        self.added.fetch_add(u64::from(new), Ordering::SeqCst);
        Ok(())
    }

    /// What the server refused to deliver to the earlier run.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<Resource, Missing> {
        self.missing.clone()
    }

    /// Records that all pages are present, except those the server refused.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn complete(&self, missing: &BTreeMap<Resource, Missing>) -> Result<(), StorageError> {
        // An earlier run may have written such a line; the last one counts.
        if !missing.is_empty() || !self.missing.is_empty() {
            self.write(&Line::Missing(missing.clone()))?;
        }
        self.write(&Line::Complete)
    }

    fn write(&self, line: &Line<'_>) -> Result<(), StorageError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut json = serde_json::to_vec(line)
            .map_err(|error| StorageError::io("write", &self.path)(error.into()))?;
        json.push(b'\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_counts_that_servers_declare_are_added_up_whatever_they_are() {
        let source = Source::jsonplaceholder().unwrap();
        let entry = |resource| Entry {
            resource,
            position: Position::default().then(0),
            url: source.base_url.clone(),
            bytes: 0,
            records: 0,
            checksum: String::new(),
            look: 0,
            records_at: None,
            map: None,
            overlaps: false,
            said: serde_json::from_str(r#"{"planned":18446744073709551615}"#).unwrap(),
        };
        let journaled = Journaled {
            header: Header::new("1", Flow::Main, Timestamp::UNIX_EPOCH, &source),
            entries: [Resource::Users, Resource::Posts].map(entry).into(),
            missing: BTreeMap::new(),
            complete: false,
            length: 0,
        };
        assert_eq!(journaled.planned(), u64::MAX);
    }
}
