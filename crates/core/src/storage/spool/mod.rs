//! The spool: raw pages on disk, as they were received.

mod checksum;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fetch::{
    CompletePage, Event, Observer, Page, PageInfo, Position, Received, Restored, Sink, SinkFactory,
};
use crate::record::Resource;
use crate::storage::{ReceiveError, StorageError};

use super::disk::DiskFile;
use super::journal::{Entry, Journal, StreamedResponse, Sum};
use super::room::Room;
use super::slice::{Slice, Slicer, page_name};
use super::stage::Staging;

pub(crate) use checksum::PageHasher;

/// Stores pages and forwards their slices once the page is complete.
pub struct Spool {
    staging: Arc<Staging>,
    journal: Arc<Journal>,
    forward: Forward,
    room: Arc<Room>,
    /// Whether slices are forwarded while their response is being received.
    streams: bool,
    /// The maximum length of a record in bytes.
    longest: u64,
    /// Pages that are unchanged since the last snapshot.
    kept: Mutex<Vec<Page>>,
    /// For each resource whose pages may be fetched again: the pass that counts.
    looks: Mutex<HashMap<Resource, (u32, StreamedResponse)>>,
}

/// Selects what is read of stored pages; by default everything.
pub trait Choice {
    /// Whether a page is read at all.
    fn takes(&self, _resource: Resource, _page: &Position) -> bool {
        true
    }

    /// The records of a slice to skip, because they were received again on a later page.
    fn repeated(&self, _slice: &Slice) -> Vec<u64> {
        Vec::new()
    }

    /// Whether another resource is requested with the ids of this one.
    fn has_children(&self, _resource: Resource) -> bool {
        false
    }
}

/// Receives slices. It may block, and fails when the receiver is gone.
type Forward = Arc<dyn Fn(Slice) -> Result<(), ReceiveError> + Send + Sync>;

impl Spool {
    /// Stores pages in the spool of `journal` and passes slices to `forward`, which may block, and
    /// fails when the receiver is gone.
    pub fn new(
        staging: Arc<Staging>,
        journal: Arc<Journal>,
        forward: impl Fn(Slice) -> Result<(), ReceiveError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            room: Arc::new(Room::new(staging.folder())),
            staging,
            journal,
            forward: Arc::new(forward),
            streams: false,
            longest: u64::MAX,
            kept: Mutex::default(),
            looks: Mutex::default(),
        }
    }

    /// Forwards slices while their response is being received, if it holds the whole resource and
    /// no other resource needs its ids. Their results count only if the [`Journal`] reports that
    /// the response was complete.
    #[must_use]
    pub fn streaming(self) -> Self {
        Self {
            streams: true,
            ..self
        }
    }

    /// Puts each record that is longer than `longest` bytes into its own slice, to be rejected.
    #[must_use]
    pub fn with_longest_record(self, longest: u64) -> Self {
        Self { longest, ..self }
    }

    /// The folder that places are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.staging.folder()
    }

    /// The pages that the server reports as unchanged since the last snapshot.
    #[must_use]
    pub fn kept(&self) -> Vec<Page> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    /// The number that marks the slices of a page if its fetch pass may be followed by another one.
    /// The first page of the next pass invalidates the results of the pass before.
    fn look(&self, page: &Page) -> Option<u64> {
        let look = page.look?;
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || (look, self.journal.begin_response());
        let known = looks.entry(page.subject.resource).or_insert_with(begin);
        if known.0 < look {
            *known = begin();
        }
        Some(known.1.number)
    }

    /// All pages are present: the results of the last pass over each resource count.
    pub fn looked(&self) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, response) in looks.values_mut() {
            response.is_whole();
        }
    }

    /// Reads the records of a page from an output file of the last snapshot.
    ///
    /// # Errors
    /// If the file cannot be read, or the page cannot be stored.
    pub fn take_stored(
        &self,
        page: Page,
        path: &Path,
        said: &PageInfo,
    ) -> Result<(), ReceiveError> {
        // What wrapped the records was not stored.
        let page = Page {
            records_at: Arc::default(),
            ..page
        };
        self.copied(page, path)?.keep(said)
    }

    /// Like [`Self::take_stored`], for records that were not requested: they get no journal entry,
    /// so a resumed run does not use them.
    ///
    /// # Errors
    /// If the file cannot be read, or the page cannot be stored.
    pub fn carry(&self, page: Page, path: &Path) -> Result<(), ReceiveError> {
        self.copied(page, path)?.pass_on()
    }

    fn copied(&self, page: Page, path: &Path) -> Result<WholePage, ReceiveError> {
        let mut sink = self.open(page)?;
        let mut file = DiskFile::open(path)?;
        file.each_piece(|piece| sink.write(piece))?;
        Ok(sink.finish()?.1)
    }

    /// Forwards the selected pages of the journal in the API's order.
    ///
    /// # Errors
    /// If one of them is damaged.
    pub fn replay(&self, choice: &dyn Choice, observer: &dyn Observer) -> Result<(), ReceiveError> {
        self.each_page(
            choice,
            |mut page| {
                for slice in &mut page.whole.slices {
                    slice.repeated = choice.repeated(slice);
                }
                page.whole.pass_on()
            },
            observer,
        )
    }

    /// Passes the slices of the selected pages to `each`, and does not forward them.
    ///
    /// # Errors
    /// If a page is damaged, and the errors of `each`.
    pub fn each_slice(
        &self,
        choice: &dyn Choice,
        mut each: impl FnMut(Slice) -> Result<(), ReceiveError>,
    ) -> Result<(), ReceiveError> {
        self.each_page(
            choice,
            |page| page.whole.slices.into_iter().try_for_each(&mut each),
            &(),
        )
    }

    fn each_page(
        &self,
        choice: &dyn Choice,
        mut each: impl FnMut(Restored<WholePage>) -> Result<(), ReceiveError>,
        observer: &dyn Observer,
    ) -> Result<(), ReceiveError> {
        for ((resource, position), entry) in self.journal.written()? {
            if !choice.takes(resource, &position) {
                continue;
            }
            let page = entry.page(choice.has_children(resource));
            let Some(recalled) = self.read_again(&page, &entry)? else {
                let (path, _) = self.names(self.journal.folder(), &page);
                return Err(StorageError::Damaged(path).into());
            };
            let records = recalled.received.records;
            observer.on(Event::Fetched { resource, records });
            each(recalled)?;
        }
        Ok(())
    }

    /// The path of a page's file, and its name in slices.
    fn names(&self, folder: &Path, page: &Page) -> (PathBuf, String) {
        let name = format!("{}.page", page_name(page.subject.resource, &page.position));
        let path = folder.join(&name);
        // Workers resolve the names of files in the run's own folder from there.
        let place = path.strip_prefix(self.staging.folder()).unwrap_or(&path);
        let place = place.to_string_lossy().into_owned();
        (path, place)
    }

    fn whole(&self, slices: Vec<Slice>, response: Option<StreamedResponse>) -> WholePage {
        WholePage {
            slices,
            response,
            entry: None,
            sum: None,
            staging: Arc::clone(&self.staging),
            journal: Arc::clone(&self.journal),
            forward: Arc::clone(&self.forward),
        }
    }

    /// Reads a page back; `None` if it does not match its entry.
    fn read_again(
        &self,
        page: &Page,
        entry: &Entry,
    ) -> Result<Option<Restored<WholePage>>, ReceiveError> {
        let (path, place) = self.names(self.journal.folder(), page);
        let page = Page {
            // Pages are stored without what wrapped their records.
            records_at: Arc::default(),
            ..page.clone()
        };
        let mut file = match DiskFile::open(&path) {
            Err(StorageError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            opened => opened?,
        };
        let (mut hasher, mut bytes) = (PageHasher::of(&entry.checksum), 0);
        let single = !page.one_of_many;
        if !single {
            self.room.joins(entry.bytes);
        }
        let look = self.look(&page);
        let mut slicer = Slicer::new(page, place.clone(), look, self.longest);
        let mut broken = false;
        file.each_piece(|piece| {
            hasher.update(piece);
            bytes += piece.len() as u64;
            broken = broken || slicer.push(piece).is_err();
            Ok::<_, StorageError>(())
        })?;
        let checksum = hasher.finish();
        if broken || bytes != entry.bytes || checksum.text != entry.checksum {
            return Ok(None);
        }
        let (cut, mut received) = match slicer.finish() {
            Ok(done) if done.1.records == entry.records => done,
            _ => return Ok(None),
        };
        received.digest = received.digest.and(Some(checksum.digest));
        received.bytes = bytes;
        let sum = Sum {
            bytes,
            blake3: entry.checksum.clone(),
        };
        Ok(Some(Restored {
            received,
            info: entry.said.clone(),
            whole: WholePage {
                sum: single.then_some((place, sum)),
                ..self.whole(cut, None)
            },
        }))
    }
}

impl SinkFactory for Spool {
    type Error = ReceiveError;
    type Sink = SpoolSink;

    fn keep(&self, page: &Page) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(page.clone());
    }

    fn open(&self, page: Page) -> Result<SpoolSink, ReceiveError> {
        self.room.check()?;
        let (path, place) = self.names(&self.staging.spool(), &page);
        let look = self.look(&page);
        // A page that is received again starts over.
        let file = DiskFile::create_anew(&path)?;
        let hasher = PageHasher::new(page.one_of_many);
        let streams = self.streams && !page.one_of_many && !page.has_children;
        let response = streams.then(|| self.journal.begin_response());
        let number = response.as_ref().map(|response| response.number).or(look);
        Ok(SpoolSink {
            joined: page.one_of_many,
            room: Arc::clone(&self.room),
            slicer: Slicer::new(page, place, number, self.longest),
            file,
            hasher,
            stored: 0,
            received: 0,
            opened: false,
            closed: false,
            empty: self.whole(Vec::new(), response),
        })
    }

    fn recall(&self, page: &Page) -> Result<Option<Restored<WholePage>>, ReceiveError> {
        let Some(entry) = self.journal.entry(page) else {
            return Ok(None);
        };
        let (known, url) = (&entry.url, &page.subject.url);
        // The definition is that of the stored run, but the host is not compared: an embedded API
        // has another one each time.
        let cut_alike = entry.records_at.as_ref() == Some(&*page.records_at)
            && entry.map == page.map
            && entry.overlaps == page.overlaps;
        if cut_alike && (known.path(), known.query()) == (url.path(), url.query()) {
            self.read_again(page, entry)
        } else {
            Ok(None)
        }
    }
}

/// A page that is being written to disk.
pub struct SpoolSink {
    slicer: Slicer,
    file: DiskFile,
    room: Arc<Room>,
    /// Whether it is one of several that a commit joins to a file.
    joined: bool,
    hasher: PageHasher,
    /// How many bytes are in the file.
    stored: u64,
    /// How many bytes were received.
    received: u64,
    /// Whether the opening bracket of a wrapped array was stored.
    opened: bool,
    /// Whether the closing bracket of a wrapped array was stored.
    closed: bool,
    /// The page that it becomes once it is complete.
    empty: WholePage,
}

impl SpoolSink {
    fn store(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.hasher.update(bytes);
        let length = bytes.len() as u64;
        self.stored += length;
        self.room.take(length)?;
        if self.joined {
            self.room.joins(length);
        }
        self.file.write(bytes)
    }
}

impl Sink for SpoolSink {
    type Error = ReceiveError;
    type CompletePage = WholePage;

    fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        self.slicer.push(bytes)?;
        self.received += bytes.len() as u64;
        // What wraps the records is not stored: servers repeat the credentials of a query in their
        // links.
        let splitter = &self.slicer.splitter;
        let array = splitter.array_part(bytes.len());
        let wrapped = splitter.array_start().is_some();
        let ends = wrapped && !self.closed && splitter.is_behind_array();
        if wrapped && !self.opened {
            self.store(b"[")?;
            self.opened = true;
        }
        self.store(&bytes[array])?;
        if ends {
            self.store(b"]")?;
            self.closed = true;
        }
        if self.empty.response.is_some() {
            self.empty.forward(self.slicer.slices.whole.drain(..))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(Received, WholePage), ReceiveError> {
        let Page {
            subject,
            position,
            one_of_many,
            look,
            records_at,
            map,
            overlaps,
            ..
        } = self.slicer.slices.page.clone();
        let file = self.slicer.slices.file.clone();
        let (slices, mut received) = self.slicer.finish()?;
        let checksum = self.hasher.finish();
        received.bytes = self.received;
        received.digest = received.digest.and(Some(checksum.digest));
        let entry = Entry {
            resource: subject.resource,
            position,
            url: subject.url,
            bytes: self.stored,
            records: received.records,
            checksum: checksum.text,
            look: look.unwrap_or_default(),
            records_at: Some((*records_at).clone()),
            map,
            overlaps,
            said: PageInfo::default(),
        };
        let sum = Sum {
            bytes: entry.bytes,
            blake3: entry.checksum.clone(),
        };
        let page = WholePage {
            slices,
            entry: Some(entry),
            sum: (!one_of_many).then_some((file, sum)),
            ..self.empty
        };
        Ok((received, page))
    }
}

/// A page that is complete in the spool.
pub struct WholePage {
    /// The slices that were not forwarded while it was received.
    slices: Vec<Slice>,
    response: Option<StreamedResponse>,
    /// The checksum of its file, if that holds the whole resource.
    sum: Option<(String, Sum)>,
    /// The journal entry to write, unless it exists already.
    entry: Option<Entry>,
    staging: Arc<Staging>,
    journal: Arc<Journal>,
    forward: Forward,
}

impl WholePage {
    /// Forwards its slices without a journal entry, so a resumed run does not use it.
    ///
    /// # Errors
    /// If the receiver of slices is gone.
    pub fn pass_on(self) -> Result<(), ReceiveError> {
        if let Some((file, sum)) = self.sum {
            self.journal.add_sum(file, sum);
        }
        if let Some(mut response) = self.response {
            response.is_whole();
        }
        self.slices
            .into_iter()
            .try_for_each(|slice| (self.forward)(slice))
    }

    fn forward(&self, slices: impl Iterator<Item = Slice>) -> Result<(), ReceiveError> {
        for slice in slices {
            (self.forward)(slice)?;
        }
        Ok(())
    }
}

impl CompletePage for WholePage {
    type Error = ReceiveError;

    fn keep(mut self, said: &PageInfo) -> Result<(), ReceiveError> {
        if let Some(entry) = self.entry.take() {
            let said = said.clone();
            self.journal.add(&Entry { said, ..entry })?;
            self.staging.page_came();
        }
        self.pass_on()
    }
}

#[cfg(test)]
mod tests;
