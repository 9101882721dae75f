//! What changed from run to run, in an SQLite file that anyone can query.
//!
//! Before a run commits, it compares its records with those in `history.db` and writes the changes,
//! the *step*, to a separate file. The commit publishes that file together with the snapshot; then
//! it is applied to `history.db`. Even after a crash, the history is never ahead of the snapshot.
//! If it is one step behind, the file of that step exists, and the next command applies it.

mod apply;
mod change_counts;
mod change_writer;
mod damage;
mod entry;
mod entry_file;
mod error;
mod fields;
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod integrity;
mod lacks;
mod page;
mod query;
mod retyped;
mod runs;
mod schema;
mod since;
mod step;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tracing::{info, warn};

use crate::record::{Mappings, Resource};
use crate::storage::{self, NEXT_CHANGES_FILE, StorageError};
use activity_tracker_concurrency::Stop;

use file::OpenMode;
use schema::DatabaseKind;

pub use change_counts::{ChangeCounts, Changes};
pub use damage::SetAside;
pub use entry::{Entries, Entry, EntryWriter, Malformed, Span, digest};
pub use entry_file::{EntryFile, EntryList};
pub use error::HistoryError;
pub use integrity::{Checked, Depth, check};
pub use lacks::lacks;
pub use page::{ChangePage, Cursor, ListedChange};
pub use query::{Change, ChangeFilter, FoundOf, Json, Kind, Log, LoggedRun, Named, Users};
pub use since::{InvalidSince, Since, moment};
pub use step::{Found, NewRun, Places};

/// The file of the history in a data directory.
pub const FILE: &str = "history.db";

/// The file of a step that has not been applied to the history yet.
pub const STEP: &str = NEXT_CHANGES_FILE;

/// The page size of the SQLite files, in bytes.
const PAGE: u32 = 16 * 1024;

/// The history of a data directory.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    step: PathBuf,
    connection: Connection,
    /// Whether there is no file yet.
    in_memory: bool,
    /// Interrupts long statements, and rolls back their transaction.
    stop: Stop,
    /// The run for which damaged files are moved aside; without one, damage is an error.
    run: Option<String>,
    set_aside: Vec<SetAside>,
    lacks: Option<String>,
}

impl History {
    /// Opens the history of a data directory that no other process is writing to, and applies a
    /// pending step. If there is no file, it is created when there is something to write: a run
    /// that fails leaves none.
    ///
    /// # Errors
    /// When the file is damaged, was made by a newer version or another program, or cannot be
    /// written, and when `stop` is requested.
    pub fn open(data_dir: &Path, stop: &Stop) -> Result<Self, HistoryError> {
        Self::opened(data_dir, None, stop)
    }

    /// The same for a run, which continues despite damage: damaged files are renamed
    /// ([`set_aside`](Self::set_aside)), and a new history replaces a damaged one.
    ///
    /// # Errors
    /// As [`open`](Self::open), except for damage.
    pub fn open_for_run(data_dir: &Path, run: &str, stop: &Stop) -> Result<Self, HistoryError> {
        Self::opened(data_dir, Some(run), stop)
    }

    fn opened(data_dir: &Path, run: Option<&str>, stop: &Stop) -> Result<Self, HistoryError> {
        let path = data_dir.join(FILE);
        let connection = in_memory(stop).map_err(HistoryError::sqlite("open", &path))?;
        let mut history = Self {
            path,
            step: data_dir.join(STEP),
            connection,
            in_memory: true,
            stop: stop.clone(),
            run: run.map(str::to_owned),
            set_aside: Vec::new(),
            lacks: None,
        };
        history.despite_damage(|history| {
            if file::exists(&history.path) {
                history.on_disk()?;
            }
            history.try_take_step()
        })?;
        if history.run.is_some() && history.set_aside.is_empty() {
            history.despite_damage(|history| history.look_for_last(data_dir))?;
        }
        Ok(history)
    }

    /// Checks whether the history has the run of the last snapshot. If not, it is used
    /// nevertheless.
    fn look_for_last(&mut self, data_dir: &Path) -> Result<(), HistoryError> {
        if !self.in_memory
            && let Some(last) = lacks::last(data_dir)
            && !lacks::has(&self.connection, &last)
                .map_err(HistoryError::sqlite("read", &self.path))?
        {
            warn!(run = last.run, "the history lacks the last run");
            self.lacks = Some(last.run);
        }
        Ok(())
    }

    /// The last run, if it was missing from the history when that was opened.
    #[must_use]
    pub fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    /// The damaged files that were renamed.
    #[must_use]
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// Moves to a file on disk, which is created if it does not exist.
    fn on_disk(&mut self) -> Result<&mut Connection, HistoryError> {
        if self.in_memory {
            storage::create_private(&self.path)?;
            // After a power failure, this file must not be missing if its step is already removed.
            storage::sync_folder(storage::folder_of(&self.path))?;
            self.connection = connect(&self.path, &self.connection, &self.stop)?;
            self.in_memory = false;
        }
        Ok(&mut self.connection)
    }

    /// Runs an operation, and again after moving a damaged file aside.
    fn despite_damage<T>(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        // Both files may be damaged: the history, then the step.
        for _ in 0..2 {
            match act(self) {
                Err(HistoryError::Damaged { path, reason }) => {
                    self.put_aside(path, reason)?;
                }
                done => return done,
            }
        }
        act(self)
    }

    fn put_aside(&mut self, path: PathBuf, reason: String) -> Result<(), HistoryError> {
        let whole = path == self.path;
        let known = whole || path == self.step;
        let Some(run) = self.run.as_ref().filter(|_| known) else {
            return Err(HistoryError::Damaged { path, reason });
        };
        if whole {
            self.connection =
                in_memory(&self.stop).map_err(HistoryError::sqlite("open", &self.path))?;
            self.in_memory = true;
        }
        let kept = damage::set_aside(&path, run)?;
        let aside = SetAside {
            kept,
            reason,
            whole,
        };
        warn!("{aside}");
        self.set_aside.push(aside);
        Ok(())
    }

    /// Compares the records of a run with the known ones, and writes the step that the commit
    /// publishes.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn compare(
        &mut self,
        run: &NewRun<'_>,
        found: &[Found<'_>],
        places: Places<'_>,
        mappings: &Mappings,
    ) -> Result<Changes, HistoryError> {
        let path = places.new_files.join(STEP);
        self.despite_damage(|history| {
            // Left by the first attempt.
            storage::remove(&path)?;
            let known = (&history.connection, history.path.as_path());
            let changes = step::write(known, &path, run, found, (places, mappings))?;
            storage::sync(&path)?;
            Ok(changes)
        })
    }

    /// Applies the step that a commit published, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or the history cannot be written. The step stays, and the next
    /// command applies it.
    pub fn take_step(&mut self) -> Result<(), HistoryError> {
        self.despite_damage(Self::try_take_step)
    }

    fn try_take_step(&mut self) -> Result<(), HistoryError> {
        if !file::exists(&self.step) {
            return Ok(());
        }
        self.on_disk()?;
        if apply::apply((&mut self.connection, &self.path), &self.step)? {
            info!("history updated");
        } else {
            warn!(
                "the history is not the one that the last run was compared with; its changes are left out"
            );
        }
        Ok(storage::remove(&self.step)?)
    }

    /// Records a run in which the server reported no changes.
    ///
    /// # Errors
    /// When the history cannot be written.
    pub fn unchanged(
        &mut self,
        run: &NewRun<'_>,
        resources: &[Resource],
    ) -> Result<(), HistoryError> {
        self.despite_damage(|history| {
            let noted = note_unchanged(history.on_disk()?, run, resources);
            noted.map_err(HistoryError::sqlite("write", &history.path))
        })
    }
}

/// Completes what a killed run left in a data directory, and applies its step to the history. If a
/// run is in progress there, this is left to it.
///
/// # Errors
/// When a file cannot be read or written, and when `stop` is requested.
pub fn bring_up(data_dir: &Path, stop: &Stop) -> Result<(), HistoryError> {
    match storage::settle(data_dir) {
        Err(StorageError::Locked(_)) => return Ok(()),
        settled => settled?,
    }
    if file::exists(&data_dir.join(STEP)) || file::is_half_done(&data_dir.join(FILE)) {
        open_if_free(data_dir, stop)?;
    }
    Ok(())
}

/// Rolls back an unfinished transaction that a killed program left in a history. A reader cannot do
/// this, and could not read the history without it.
fn undo_half_done(data_dir: &Path) -> Result<(), HistoryError> {
    open_if_free(data_dir, &Stop::new())
}

/// Opens the history for writing, which completes what a killed program left. A run in progress has
/// already done this.
fn open_if_free(data_dir: &Path, stop: &Stop) -> Result<(), HistoryError> {
    match storage::lock(data_dir) {
        Err(StorageError::Locked(_)) => {}
        held => {
            let _held = held?;
            History::open(data_dir, stop)?;
        }
    }
    Ok(())
}

/// Opens the history in a file, which is created if it is missing, and migrates it to this version.
/// `empty` is an empty history of this version.
fn connect(path: &Path, empty: &Connection, stop: &Stop) -> Result<Connection, HistoryError> {
    let failed = |cause| HistoryError::sqlite("open", path)(cause);
    let mut connection = file::open(path, OpenMode::Writing)?;
    // A file of another program is not changed.
    match schema::form(&connection).map_err(failed)? {
        // It is empty, so nothing in it can belong to another program.
        DatabaseKind::Ours(0) => {}
        DatabaseKind::Ours(schema::VERSION) => {
            schema::expect_like(&connection, empty).map_err(failed)?;
        }
        DatabaseKind::Ours(version) => schema::expect_ours(&connection, version).map_err(failed)?,
        form => refuse_foreign(path, form)?,
    }
    prepare(&mut connection, stop).map_err(failed)?;
    Ok(connection)
}

/// An empty history in memory.
fn in_memory(stop: &Stop) -> rusqlite::Result<Connection> {
    let mut connection = file::hardened(Connection::open_in_memory()?)?;
    prepare(&mut connection, stop)?;
    Ok(connection)
}

/// Configures a connection for writing, and migrates its tables to this version.
fn prepare(connection: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
    file::heed(connection, stop)?;
    // The journal must be deleted from the disk before the step is: otherwise a power failure could
    // restore it, and roll back changes that can no longer be applied.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    // For a new file; an existing one keeps its page size. Millions of rows need fewer pages of
    // this size.
    connection.pragma_update(None, "page_size", PAGE)?;
    // Otherwise each of millions of rows would need three lookups, in tables that were just
    // written.
    connection.pragma_update(None, "foreign_keys", false)?;
    if let DatabaseKind::Ours(version) = schema::form(connection)?
        && version < schema::VERSION
    {
        let transaction = connection.transaction()?;
        schema::migrate(&transaction, version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Rejects a file that this version can neither read nor migrate; the file is not changed.
fn refuse_foreign(path: &Path, form: DatabaseKind) -> Result<(), HistoryError> {
    let foreign = match form {
        DatabaseKind::Ours(_) => return Ok(()),
        DatabaseKind::Newer(_) => false,
        DatabaseKind::Foreign => true,
    };
    Err(HistoryError::Foreign(path.to_owned(), foreign))
}

fn note_unchanged(
    history: &mut Connection,
    run: &NewRun<'_>,
    resources: &[Resource],
) -> rusqlite::Result<()> {
    let transaction = history.transaction()?;
    transaction.execute(
        "INSERT INTO runs (run, source, flow, started_at, finished_at, retries, unchanged)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)",
        params![
            run.run,
            run.source,
            run.flow.name(),
            run.started_at.to_string(),
            run.finished_at.to_string(),
            run.retries.cast_signed()
        ],
    )?;
    let id = transaction.last_insert_rowid();
    for resource in resources {
        transaction.execute(
            "UPDATE collections SET run = ?1 WHERE source = ?2 AND resource = ?3",
            params![id, run.source, resource.name()],
        )?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Flow;
    use jiff::Timestamp;

    fn with_a_run(folder: &Path) -> History {
        let mut history = History::open(folder, &Stop::new()).unwrap();
        let run = NewRun {
            run: "r",
            source: "s",
            flow: Flow::Main,
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            retries: 0,
        };
        history.unchanged(&run, &[]).unwrap();
        history
    }

    /// Leaves an unfinished transaction, as a killed program does.
    fn cut_off(folder: &Path) {
        let path = folder.join(FILE);
        let other = tempfile::tempdir().unwrap();
        let copy = other.path().join(FILE);
        std::fs::copy(&path, &copy).unwrap();
        let open = Connection::open(&copy).unwrap();
        open.execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA cache_size = 2; BEGIN;
             UPDATE runs SET run = 'q';
             INSERT INTO entries
             WITH RECURSIVE up (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM up WHERE n < 99)
             SELECT 1, n, zeroblob(9999) FROM up;",
        )
        .unwrap();
        for end in ["", "-journal"] {
            std::fs::copy(file::beside(&copy, end), file::beside(&path, end)).unwrap();
        }
    }

    #[test]
    fn who_only_reads_undoes_what_is_half_done_and_leaves_it_to_whoever_has_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        drop(with_a_run(folder.path()));
        cut_off(folder.path());
        let held = storage::lock(folder.path()).unwrap();
        assert!(Log::open(folder.path()).is_err(), "nobody may write to it");
        drop(held);
        let log = Log::open(folder.path()).unwrap().unwrap();
        let runs = log.runs(None).unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].run, "r");
        assert!(!file::is_half_done(&folder.path().join(FILE)));
    }

    #[test]
    fn a_damaged_history_is_put_aside_by_a_run_alone_and_never_over_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let taken = folder.path().join("history.db.damaged-r1");
        std::fs::write(&taken, "old").unwrap();
        std::fs::write(&path, "no database at all".repeat(99)).unwrap();
        let opened = History::open(folder.path(), &Stop::new());
        assert!(matches!(opened, Err(HistoryError::Damaged { .. })));
        let history = History::open_for_run(folder.path(), "r1", &Stop::new()).unwrap();
        let kept = folder.path().join("history.db.damaged-r1-2");
        assert_eq!(history.set_aside()[0].kept, kept);
        assert!(kept.exists() && !path.exists());
        assert_eq!(std::fs::read(&taken).unwrap(), b"old");
    }
}
