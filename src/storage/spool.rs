//! Pages on disk as they arrived, cut into slices at record boundaries.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::activity::Resource;
use crate::api::{Digest, Page, Position, Received, Sink, Sinks, digest};
use crate::cutter::Cutter;
use crate::error::{DataProcessingError, Error, StorageError};

use super::commit::Staging;
use super::segment::Place;

/// How many bytes of records make a slice: enough to be worth a task, little enough to hold.
const SLICE: u64 = 1024 * 1024;

/// Some records of one page, in a row: what is processed at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Whose records.
    pub resource: Resource,
    /// Where it stands in the resource.
    pub position: Position,
    /// How many records of the page come before it.
    pub first: u64,
    /// How many records it holds.
    pub records: u64,
    /// Whether another resource is asked for by their ids.
    pub has_children: bool,
    /// Where the page was asked for.
    pub url: Url,
    /// Where its bytes are: from the first byte of the first record to the last of the last.
    pub place: Place,
}

impl Slice {
    /// What its page is called: `posts-3`.
    #[must_use]
    pub fn page_name(&self) -> String {
        page_name(self.resource, &self.position.whole())
    }
}

/// What a page is called. Nothing of it comes from elsewhere: it names a file.
fn page_name(resource: Resource, position: &Position) -> String {
    format!("{resource}-{position}")
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            position,
            first,
            records,
            ..
        } = self;
        write!(
            f,
            "{resource}, slice {position}, records {first} to {}",
            (first + records).saturating_sub(1)
        )
    }
}

/// Takes pages in, and sends their slices on once the page is whole.
pub struct Spool {
    staging: Arc<Staging>,
    forward: Forward,
    /// Pages that are as they were in the last snapshot.
    kept: Mutex<Vec<Page>>,
}

/// Where slices go. It may block, and fails when nobody takes them any more.
type Forward = Arc<dyn Fn(Slice) -> Result<(), Error> + Send + Sync>;

impl Spool {
    /// Keeps pages in the staging folder and hands slices to `forward`,
    /// which may block, and fails when nobody takes them any more.
    pub fn new(
        staging: Arc<Staging>,
        forward: impl Fn(Slice) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            staging,
            forward: Arc::new(forward),
            kept: Mutex::default(),
        }
    }

    /// Where pages are kept.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.staging.folder()
    }

    /// The pages that the server says are as they were in the last snapshot.
    #[must_use]
    pub fn kept(&self) -> Vec<Page> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    /// Takes the records of a page from an output file of the last snapshot.
    ///
    /// # Errors
    /// When the file cannot be read, or the page cannot be kept.
    pub fn take_stored(&self, page: Page, file: &mut impl Read, path: &Path) -> Result<(), Error> {
        // Whatever was wrapped around the records was not stored.
        let page = Page {
            records_at: Arc::default(),
            ..page
        };
        let mut sink = self.open(page)?;
        let mut piece = vec![0; 256 * 1024];
        loop {
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => sink.write(&piece[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io("read", path)(error).into()),
            }
        }
        sink.finish().map(drop)
    }
}

impl Sinks for Spool {
    type Sink = SpoolSink;

    fn keep(&self, page: &Page) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(page.clone());
    }

    fn open(&self, page: Page) -> Result<SpoolSink, Error> {
        let name = format!("{}.page", page_name(page.subject.resource, &page.position));
        let path = self.staging.folder().join(&name);
        // A page that is received once more starts over.
        let file = File::create(&path).map_err(StorageError::io("create", &path))?;
        Ok(SpoolSink {
            staging: Arc::clone(&self.staging),
            cutter: Cutter::of_array_at(&page.records_at),
            page,
            name,
            path,
            file,
            written: 0,
            records: 0,
            open: None,
            whole: Vec::new(),
            forward: Arc::clone(&self.forward),
        })
    }
}

/// One page on its way to disk.
pub struct SpoolSink {
    staging: Arc<Staging>,
    page: Page,
    name: String,
    path: PathBuf,
    file: File,
    cutter: Cutter,
    written: u64,
    records: u64,
    open: Option<Slice>,
    whole: Vec<Slice>,
    forward: Forward,
}

impl SpoolSink {
    fn add_record(&mut self, start: u64, end: u64) {
        let (first, number) = (self.records, self.whole.len() as u64);
        let slice = self.open.get_or_insert_with(|| Slice {
            resource: self.page.subject.resource,
            position: self.page.position.then(number),
            first,
            records: 0,
            has_children: self.page.has_children,
            url: self.page.subject.url.clone(),
            place: Place {
                file: self.name.clone(),
                offset: start,
                length: 0,
            },
        });
        slice.records += 1;
        slice.place.length = end - slice.place.offset;
        self.records += 1;
        if slice.place.length >= SLICE {
            self.whole.extend(self.open.take());
        }
    }

    fn not_records(&self, cause: crate::cutter::CutError) -> Error {
        DataProcessingError::NotRecords {
            subject: Box::new(self.page.subject.clone()),
            cause,
        }
        .into()
    }
}

impl Sink for SpoolSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        loop {
            let (consumed, found) = match self.cutter.advance(rest) {
                Ok(found) => found,
                Err(cause) => return Err(self.not_records(cause)),
            };
            let Some(place) = found else { break };
            self.add_record(place.start, place.end);
            rest = &rest[consumed..];
        }
        // What is wrapped around the records is not kept: servers repeat the
        // credentials of a query in their links. Spaces keep the places right.
        let array = self.cutter.array_part(bytes.len());
        let blank = |length: usize| vec![b' '; length];
        let (before, behind) = (blank(array.start), blank(bytes.len() - array.end));
        for part in [&before[..], &bytes[array], &behind[..]] {
            self.file
                .write_all(part)
                .map_err(StorageError::io("write", &self.path))?;
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Received, Error> {
        let body = self
            .cutter
            .finish()
            .map_err(|cause| self.not_records(cause))?;
        self.whole.extend(self.open.take());
        let digest = if self.page.one_of_many {
            Some(self.digest()?)
        } else {
            None
        };
        for slice in self.whole {
            (self.forward)(slice)?;
        }
        Ok(Received {
            bytes: self.written,
            records: self.records,
            digest,
            body,
        })
    }
}

impl SpoolSink {
    /// Of the records alone: what is wrapped around them may count pages.
    fn digest(&self) -> Result<Digest, StorageError> {
        let mut records = Vec::new();
        for slice in &self.whole {
            records.extend(slice.place.read(self.staging.folder())?);
        }
        Ok(digest(&records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Subject;
    use crate::concurrency::Stop;
    use crate::storage::Stage;

    /// What a page came to, its slices, and the folders they are in.
    type Spooled = (
        Result<Received, Error>,
        Vec<Slice>,
        (Stage, tempfile::TempDir),
    );

    /// Receives page 3 of the posts, whose records are at `path`.
    fn receive_at(path: &str, pieces: &[&[u8]]) -> Spooled {
        let folder = tempfile::tempdir().unwrap();
        let (sender, slices) = std::sync::mpsc::channel();
        let stage = Stage::open(folder.path(), "1", &Stop::new()).unwrap();
        let spool = Spool::new(stage.staging(), move |slice| {
            sender.send(slice).unwrap();
            Ok(())
        });
        let url = Url::parse("http://api.test/posts").unwrap();
        let subject = Subject {
            resource: Resource::Posts,
            url,
        };
        let page = Page {
            subject,
            position: Position::default().then(3),
            records_at: Arc::new(path.parse().unwrap()),
            one_of_many: !path.is_empty(),
            has_children: false,
        };
        let mut sink = spool.open(page).unwrap();
        let written = pieces.iter().try_for_each(|piece| sink.write(piece));
        let received = written.and_then(|()| sink.finish());
        (received, slices.try_iter().collect(), (stage, folder))
    }

    fn receive(pieces: &[&[u8]]) -> Spooled {
        receive_at("", pieces)
    }

    #[test]
    fn a_long_page_is_cut_at_records_and_nothing_is_lost() {
        let record = format!("{{\"text\":\"{}\"}}", "x".repeat(300_000));
        let page = format!("[\n  {}\n]", [record.as_str(); 10].join(",\n  "));
        let (received, slices, (stage, _folder)) =
            receive(&page.as_bytes().chunks(65_536).collect::<Vec<_>>());
        let received = received.unwrap();
        assert_eq!((received.bytes, received.records), (page.len() as u64, 10));
        let counts: Vec<_> = slices
            .iter()
            .map(|s| (s.position.to_string(), s.first, s.records))
            .collect();
        assert_eq!(
            counts,
            [
                ("3-0".to_owned(), 0, 4),
                ("3-1".to_owned(), 4, 4),
                ("3-2".to_owned(), 8, 2)
            ]
        );
        for slice in &slices {
            let bytes = slice.place.read(stage.folder()).unwrap();
            let expected =
                vec![record.as_str(); usize::try_from(slice.records).unwrap()].join(",\n  ");
            assert!(bytes == expected.as_bytes());
        }
    }

    #[test]
    fn what_is_wrapped_around_the_records_is_not_kept() {
        let text = br#"{"data": [ {"id":1}, {"id":2} ], "next": "/posts?key=secret"}"#;
        for size in [1, 7, 100] {
            let pieces: Vec<_> = text.chunks(size).collect();
            let (received, slices, (stage, _folder)) = receive_at("data", &pieces);
            let received = received.unwrap();
            assert_eq!(received.body["next"], "/posts?key=secret");
            let slice = &slices[0];
            let bytes = slice.place.read(stage.folder()).unwrap();
            assert_eq!(bytes, br#"{"id":1}, {"id":2}"#);
            let file = std::fs::read_to_string(stage.folder().join(&slice.place.file)).unwrap();
            assert!(
                !file.contains("secret") && file.len() == text.len(),
                "{file}"
            );
        }
    }

    #[test]
    fn a_page_that_is_not_whole_leaves_no_slices() {
        let (received, slices, _stage) = receive(&[b"[{\"id\":1},{"]);
        let message = received.unwrap_err().to_string();
        assert_eq!(
            message,
            "cannot read posts from http://api.test/posts: the JSON array is not closed: it ends after 11 bytes"
        );
        assert!(slices.is_empty());
    }

    #[test]
    fn an_empty_array_is_a_page_without_slices() {
        let (received, slices, _stage) = receive(&[b"[", b"]"]);
        assert_eq!(received.unwrap().records, 0);
        assert!(slices.is_empty());
    }
}
