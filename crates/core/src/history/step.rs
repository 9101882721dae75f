//! The changes that one run makes to the history: computed before the commit, published with the
//! snapshot, and then applied to `history.db` ([`super::apply`]).

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::HistoryError;
use crate::record::{Mappings, Resource};
use crate::storage::StorageError;
use crate::storage::{Counts, Flow, Output, StoredFile, StoredSnapshot};

use super::change_counts::{ChangeCounts, Changes};
use super::change_writer::ChangeWriter;
use super::entry::{Entries, Entry, Malformed};
use super::entry_file::{EntryFile, Sorted};
use super::retyped;
use super::schema::{self, STEP};
use super::{PAGE, file};

/// A run, as the history records it.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Its id.
    pub run: &'a str,
    /// The source's name or base URL.
    pub source: &'a str,
    /// Its flow.
    pub flow: Flow,
    /// When it started.
    pub started_at: Timestamp,
    /// When its files were about to be committed.
    pub finished_at: Timestamp,
    /// The number of retries.
    pub retries: u64,
}

/// What a run found of a resource.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The resource.
    pub resource: Resource,
    /// How many records were received, stored and rejected.
    pub counts: Counts,
    /// The file of its records, in the folder of new files.
    pub file: &'a StoredFile,
    /// Where the entries of its records are.
    pub listings: Vec<EntryFile>,
    /// Whether a record that is not among them was removed: the whole resource was fetched in one
    /// run, and every rejected record has an id.
    pub complete: bool,
}

/// What the history has of a resource from the last run that fetched it.
pub(super) struct Known {
    collection: i64,
    /// The checksum of the file of its records.
    blake3: String,
}

impl Known {
    fn find(
        history: &Connection,
        source: &str,
        resource: Resource,
    ) -> rusqlite::Result<Option<Self>> {
        let known = |row: &Row<'_>| {
            Ok(Self {
                collection: row.get(0)?,
                blake3: row.get(1)?,
            })
        };
        history
            .prepare_cached(
                "SELECT id, blake3 FROM collections WHERE source = ?1 AND resource = ?2",
            )?
            .query_row([source, resource.name()], known)
            .optional()
    }
}

/// The folders that a run reads from and writes to.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Where the last snapshot is.
    pub data_dir: &'a Path,
    /// The folder that places are relative to.
    pub folder: &'a Path,
    /// Where the new files are.
    pub new_files: &'a Path,
}

/// Compares the records of a run with the known ones, and writes the step to `path`.
pub(super) fn write(
    (history, history_path): (&Connection, &Path),
    path: &Path,
    run: &NewRun<'_>,
    found: &[Found<'_>],
    (places, mappings): (Places<'_>, &Mappings),
) -> Result<Changes, HistoryError> {
    let failed = |cause| HistoryError::sqlite("write", path)(cause);
    let unread = |cause| HistoryError::sqlite("read", history_path)(cause);
    let place = file::place(path).map_err(StorageError::io("find", path))?;
    let step = Connection::open(place).map_err(failed)?;
    // The file is synced as a whole before the commit; an incomplete one is never read.
    let begin = format!(
        "PRAGMA page_size = {PAGE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {STEP}"
    );
    step.execute_batch(&begin).map_err(failed)?;
    let base = last_run(history).map_err(unread)?;
    insert_run(&step, run, base).map_err(failed)?;
    let mut changes = Changes::new();
    for found in found {
        let known = Known::find(history, run.source, found.resource).map_err(unread)?;
        let before = known
            .as_ref()
            .map(|known| old_file(places.data_dir, found.resource, known));
        let mapping = mappings.of(found.resource);
        let contents = (before.flatten(), places.new_files.join(&found.file.name));
        let first = known.is_none();
        let mut writer = ChangeWriter::new((&step, path), found.resource, mapping, contents, first);
        let sorted = Sorted::new(places.folder, found.listings.clone())?;
        match &known {
            Some(known) => {
                let mut blocks = history
                    .prepare("SELECT entries FROM entries WHERE collection = ?1 ORDER BY block")
                    .map_err(unread)?;
                let rows = blocks.query([known.collection]).map_err(unread)?;
                compare(
                    &mut Blocks::new(rows, history_path),
                    sorted,
                    found.complete,
                    &mut writer,
                )?;
            }
            None => compare(&mut Nothing, sorted, found.complete, &mut writer)?,
        }
        let mut counts = writer.finish()?;
        retyped::join((&step, path), found.resource, mapping, &mut counts)?;
        insert_collection(&step, found, first, &counts).map_err(failed)?;
        if !first {
            changes.insert(found.resource, counts);
        }
    }
    step.execute_batch("COMMIT").map_err(failed)?;
    step.close().map_err(|(_, cause)| failed(cause))?;
    Ok(changes)
}

fn insert_run(step: &Connection, run: &NewRun<'_>, base: i64) -> rusqlite::Result<()> {
    step.execute(
        "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            run.run,
            run.source,
            run.flow.name(),
            run.started_at.to_string(),
            run.finished_at.to_string(),
            run.retries.cast_signed(),
            base
        ],
    )?;
    Ok(())
}

fn insert_collection(
    step: &Connection,
    found: &Found<'_>,
    first: bool,
    counts: &ChangeCounts,
) -> rusqlite::Result<()> {
    let Counts {
        received,
        records,
        rejects,
        repeated: _,
        incomplete: _,
    } = found.counts;
    step.execute(
        "INSERT INTO collections VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            found.resource.name(),
            found.file.blake3,
            received.cast_signed(),
            records.cast_signed(),
            rejects.cast_signed(),
            first,
            found.complete,
            counts.added.cast_signed(),
            counts.changed.cast_signed(),
            counts.removed.cast_signed()
        ],
    )?;
    Ok(())
}

/// The number of the last run; 0 before the first.
pub(super) fn last_run(history: &Connection) -> rusqlite::Result<i64> {
    history.query_row("SELECT coalesce(max(id), 0) FROM runs", [], |row| {
        row.get(0)
    })
}

/// The file that the known entries refer to, if it is still in the data directory.
fn old_file(data_dir: &Path, resource: Resource, known: &Known) -> Option<PathBuf> {
    Flow::BOTH.into_iter().find_map(|flow| {
        let stored = StoredSnapshot::last(data_dir, flow)?;
        let file = stored.manifest.file(Output::all_of(resource))?;
        (file.blake3 == known.blake3).then(|| stored.path(file))
    })
}

/// Entries in ascending order of their ids.
trait InOrder {
    fn next(&mut self) -> Result<Option<Entry>, HistoryError>;
}

impl InOrder for Sorted<'_> {
    fn next(&mut self) -> Result<Option<Entry>, HistoryError> {
        Ok(self.next()?)
    }
}

struct Nothing;

impl InOrder for Nothing {
    fn next(&mut self) -> Result<Option<Entry>, HistoryError> {
        Ok(None)
    }
}

/// The entries in the history, block by block.
struct Blocks<'s> {
    rows: Rows<'s>,
    path: &'s Path,
    block: Entries<Vec<u8>>,
}

impl<'s> Blocks<'s> {
    fn new(rows: Rows<'s>, path: &'s Path) -> Self {
        Self {
            rows,
            path,
            block: Entries::new(Vec::new()),
        }
    }
}

impl InOrder for Blocks<'_> {
    fn next(&mut self) -> Result<Option<Entry>, HistoryError> {
        let failed = |cause| HistoryError::sqlite("read", self.path)(cause);
        loop {
            if let Some(entry) = self.block.next() {
                let malformed = |error: Malformed| failed(schema::malformed(error.to_string()));
                return entry.map(Some).map_err(malformed);
            }
            let Some(row) = self.rows.next().map_err(failed)? else {
                return Ok(None);
            };
            self.block = Entries::new(row.get(0).map_err(failed)?);
        }
    }
}

/// Compares the previous entries with the new ones, both in the order of ids.
fn compare(
    old: &mut impl InOrder,
    mut new: impl InOrder,
    complete: bool,
    writer: &mut ChangeWriter<'_>,
) -> Result<(), HistoryError> {
    let (mut was, mut is) = (old.next()?, new.next()?);
    loop {
        let order = match (&was, &is) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => was.id.cmp(&is.id),
        };
        let before = if order.is_le() {
            std::mem::replace(&mut was, old.next()?)
        } else {
            None
        };
        let now = if order.is_ge() {
            std::mem::replace(&mut is, new.next()?)
        } else {
            None
        };
        // A record without a span exists but was rejected: its previous entry is kept.
        let now = now.map(|now| {
            if now.span.is_some() {
                Ok(now)
            } else {
                Err(now)
            }
        });
        match (before, now) {
            (Some(before), None) if complete => writer.removed(&before)?,
            (Some(before), None | Some(Err(_))) => writer.keep(&Entry {
                span: None,
                ..before
            })?,
            (Some(before), Some(Ok(now))) if before.digest == now.digest => writer.keep(&now)?,
            (Some(before), Some(Ok(now))) => writer.changed(&before, &now)?,
            (None, Some(Ok(now))) => writer.added(&now)?,
            (None, Some(Err(_)) | None) => {}
        }
    }
}
