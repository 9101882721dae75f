//! The entries of a resource by id, whatever the order of the API's records.
//!
//! Workers sort the entries of their slice. Slices whose ids follow one another are chained, which
//! gives one chain for most APIs. Chains are merged sixteen at a time, so that little memory is
//! used however many there are.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::record::Id;
use crate::storage::{Layout, Place, STAGING, SegmentWriter, StorageError};

use super::entry::{Entries, Entry, EntryWriter, Malformed};

/// How many chains are merged at once.
const FAN: usize = 16;

/// The number of entries per block in the files between two merges.
const BLOCK: usize = 16_384;

/// Where the entries of some records are stored, sorted by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryFile {
    /// The bytes of the entries.
    pub place: Place,
    /// The lowest id.
    pub first: Id,
    /// The highest id.
    pub last: Id,
    /// The offset in the file of the records that their positions are relative to.
    #[serde(default)]
    pub base: u64,
}

impl EntryFile {
    /// Appends entries to the file `name` of the staging folder in `folder`; `None` if there are
    /// none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(folder: &Path, name: &str, list: EntryList) -> Result<Option<Self>, StorageError> {
        let Some(mut list) = list.finish() else {
            return Ok(None);
        };
        let count = list.writer.count() as u64;
        let mut bytes = SegmentWriter::new(Layout::LINES);
        bytes.push_run(&list.writer.take(), count);
        let segment = bytes.write(folder, &format!("{STAGING}/{name}"))?;
        Ok(Some(Self {
            place: segment.place,
            first: list.first,
            last: list.last,
            base: 0,
        }))
    }
}

/// Collects entries; they are sorted at the end if they were not added in order.
#[derive(Debug, Default)]
pub struct EntryList(Gathered);

#[derive(Debug, Default)]
enum Gathered {
    #[default]
    Nothing,
    /// In order so far.
    InOrder(InOrder),
    AsTheyCame(Vec<Entry>),
}

#[derive(Debug)]
struct InOrder {
    writer: EntryWriter,
    first: Id,
    last: Id,
}

impl InOrder {
    fn begin(entry: &Entry) -> Self {
        let mut writer = EntryWriter::default();
        writer.push(entry);
        Self {
            writer,
            first: entry.id.clone(),
            last: entry.id.clone(),
        }
    }

    fn push(&mut self, entry: &Entry) {
        self.writer.push(entry);
        self.last.clone_from(&entry.id);
    }
}

impl EntryList {
    /// Adds an entry.
    pub fn push(&mut self, entry: Entry) {
        match &mut self.0 {
            Gathered::Nothing => self.0 = Gathered::InOrder(InOrder::begin(&entry)),
            Gathered::InOrder(list) if list.last <= entry.id => list.push(&entry),
            Gathered::InOrder(list) => {
                // These bytes were written just now, so they can be read.
                let mut entries = Entries::new(list.writer.take())
                    .collect::<Result<Vec<_>, _>>()
                    .unwrap_or_default();
                entries.push(entry);
                self.0 = Gathered::AsTheyCame(entries);
            }
            Gathered::AsTheyCame(entries) => entries.push(entry),
        }
    }

    fn finish(self) -> Option<InOrder> {
        match self.0 {
            Gathered::Nothing => None,
            Gathered::InOrder(list) => Some(list),
            Gathered::AsTheyCame(mut entries) => {
                // The sort is stable: of several entries with one id, the first stays first.
                entries.sort_by(|one, other| one.id.cmp(&other.id));
                let (first, others) = entries.split_first()?;
                let mut list = InOrder::begin(first);
                for entry in others {
                    list.push(entry);
                }
                Some(list)
            }
        }
    }
}

/// Files whose ids follow one another, read as one.
struct Chain {
    listings: VecDeque<EntryFile>,
    entries: Entries<Vec<u8>>,
    base: u64,
    head: Option<Entry>,
}

impl Chain {
    fn begin(folder: &Path, listings: VecDeque<EntryFile>) -> Result<Self, StorageError> {
        let mut chain = Self {
            listings,
            entries: Entries::new(Vec::new()),
            base: 0,
            head: None,
        };
        chain.advance(folder)?;
        Ok(chain)
    }

    /// Returns the head, and replaces it by the next entry.
    fn advance(&mut self, folder: &Path) -> Result<Option<Entry>, StorageError> {
        let next = loop {
            if let Some(entry) = self.entries.next() {
                let damaged =
                    |error| StorageError::io("read", folder)(std::io::Error::other(error));
                let mut entry = entry.map_err(damaged)?;
                if let Some(span) = &mut entry.span {
                    let offset = span.offset.checked_add(self.base);
                    span.offset = offset.ok_or(Malformed).map_err(damaged)?;
                }
                break Some(entry);
            }
            let Some(listing) = self.listings.pop_front() else {
                break None;
            };
            self.base = listing.base;
            self.entries = Entries::new(listing.place.read(folder)?);
        };
        Ok(std::mem::replace(&mut self.head, next))
    }
}

/// Arranges files into as few chains as possible.
fn chains(mut listings: Vec<EntryFile>) -> Vec<VecDeque<EntryFile>> {
    listings.sort_by(|one, other| one.first.cmp(&other.first));
    let mut chains: Vec<VecDeque<EntryFile>> = Vec::new();
    // The last id of each chain; several chains may have the same one.
    let mut ends: BTreeSet<(Id, usize)> = BTreeSet::new();
    for listing in listings {
        let before = (listing.first.clone(), 0);
        let found = ends.range(..before).next_back().cloned();
        let chain = if let Some(end) = found {
            ends.remove(&end);
            end.1
        } else {
            chains.push(VecDeque::new());
            chains.len() - 1
        };
        ends.insert((listing.last.clone(), chain));
        chains[chain].push_back(listing);
    }
    chains
}

/// All entries of some files in the order of ids, each id once.
pub(super) struct Sorted<'a> {
    folder: &'a Path,
    chains: Vec<Chain>,
    last: Option<Id>,
}

impl<'a> Sorted<'a> {
    /// Reads files whose places are relative to `folder`.
    pub(super) fn new(folder: &'a Path, listings: Vec<EntryFile>) -> Result<Self, StorageError> {
        let mut all = chains(listings);
        let mut pass = 0;
        while all.len() > FAN {
            let mut merged = Vec::new();
            for (index, group) in all.chunks(FAN).enumerate() {
                let name = format!("entries-{pass}-{index}.merged");
                merged.push(Self::of(folder, group.to_vec())?.write(&name)?);
            }
            all = merged;
            pass += 1;
        }
        Self::of(folder, all)
    }

    fn of(folder: &'a Path, chains: Vec<VecDeque<EntryFile>>) -> Result<Self, StorageError> {
        let chains = chains.into_iter().map(|chain| Chain::begin(folder, chain));
        Ok(Self {
            folder,
            chains: chains.collect::<Result<_, _>>()?,
            last: None,
        })
    }

    /// Writes the merged entries as one chain.
    fn write(mut self, name: &str) -> Result<VecDeque<EntryFile>, StorageError> {
        let mut listings = VecDeque::new();
        loop {
            let mut block = EntryList::default();
            for _ in 0..BLOCK {
                let Some(entry) = self.next()? else { break };
                block.push(entry);
            }
            match EntryFile::write(self.folder, name, block)? {
                Some(listing) => listings.push_back(listing),
                None => return Ok(listings),
            }
        }
    }

    /// The next entry. Of several with one id, it is the first one of the first chain.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        loop {
            let heads = self.chains.iter().enumerate();
            let heads = heads.filter_map(|(at, chain)| Some((&chain.head.as_ref()?.id, at)));
            let Some((_, at)) = heads.min() else {
                return Ok(None);
            };
            let Some(entry) = self.chains[at].advance(self.folder)? else {
                continue;
            };
            if self.last.as_ref() != Some(&entry.id) {
                self.last = Some(entry.id.clone());
                return Ok(Some(entry));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::entry::Span;
    use proptest::prelude::*;

    fn entry(number: i64, offset: u64) -> Entry {
        Entry {
            id: Id::Number(number),
            digest: number.unsigned_abs(),
            span: Some(Span { offset, length: 1 }),
        }
    }

    /// The merged ids of slices with these ids, and the number of chains.
    fn sorted(slices: &[Vec<i64>]) -> (Vec<i64>, usize) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(STAGING)).unwrap();
        let mut listings = Vec::new();
        for (index, slice) in slices.iter().enumerate() {
            let mut list = EntryList::default();
            for (id, at) in slice.iter().zip(0..) {
                list.push(entry(*id, at));
            }
            let listing = EntryFile::write(folder.path(), "entries", list).unwrap();
            let base = index as u64 * 1000;
            listings.extend(listing.map(|listing| EntryFile { base, ..listing }));
        }
        let count = chains(listings.clone()).len();
        let mut sorted = Sorted::new(folder.path(), listings).unwrap();
        let mut ids = Vec::new();
        while let Some(found) = sorted.next().unwrap() {
            let Id::Number(id) = found.id else {
                panic!("{found:?}")
            };
            let span = found.span.unwrap();
            let slice = &slices[usize::try_from(span.offset / 1000).unwrap()];
            assert_eq!(slice[usize::try_from(span.offset % 1000).unwrap()], id);
            ids.push(id);
        }
        (ids, count)
    }

    #[test]
    fn slices_behind_one_another_make_one_chain_whichever_way_the_api_counts() {
        let up: Vec<Vec<i64>> = (0..50)
            .map(|slice| (slice * 10..slice * 10 + 10).collect())
            .collect();
        let down = up
            .iter()
            .rev()
            .map(|slice| slice.iter().rev().copied().collect());
        let down: Vec<Vec<i64>> = down.collect();
        let all: Vec<i64> = (0..500).collect();
        assert_eq!(sorted(&up), (all.clone(), 1));
        assert_eq!(sorted(&down), (all, 1));
    }

    proptest! {
        #[test]
        fn any_slices_come_out_in_order_and_each_id_once(
            slices in prop::collection::vec(prop::collection::vec(-50i64..50, 0..6), 0..40),
        ) {
            let mut expected: Vec<i64> = slices.concat();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(sorted(&slices).0, expected);
        }
    }
}
