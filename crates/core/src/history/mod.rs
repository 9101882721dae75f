//! What changed from run to run, in an SQLite file that anyone can query.
//!
//! Before a run commits, it compares what it found with what `history.db` knows and
//! writes the difference, the *step*, into a file of its own. That file appears in the
//! data directory together with the snapshot, and is then taken into `history.db`.
//! Whatever is killed when, the history is never ahead of the snapshot, and where it
//! is a step behind, the step is there, and the next command takes it.

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
pub use since::moment;
pub use since::{InvalidSince, Since};
pub use step::{Found, NewRun, Places};

/// The file of the history in a data directory.
pub const FILE: &str = "history.db";

/// The file of a step that is not in the history yet.
pub const STEP: &str = NEXT_CHANGES_FILE;

/// How long a page of the file is.
const PAGE: u32 = 16 * 1024;

/// The history of a data directory.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    step: PathBuf,
    connection: Connection,
    /// Whether there is no file yet.
    in_memory: bool,
    /// Interrupts what takes long; what was under way is taken back.
    stop: Stop,
    /// The run that puts aside what is damaged; without one, damage is an error.
    run: Option<String>,
    set_aside: Vec<SetAside>,
    lacks: Option<String>,
}

impl History {
    /// Opens the history of a data directory that nobody else is writing to. A step that is
    /// not in it yet is taken into it. Where there is none, it is made when there is something
    /// to write: a run that fails leaves nothing.
    ///
    /// # Errors
    /// When the file is damaged, of a later version, or another program's, or cannot be written,
    /// and when `stop` is requested.
    pub fn open(data_dir: &Path, stop: &Stop) -> Result<Self, HistoryError> {
        Self::opened(data_dir, None, stop)
    }

    /// The same for a run, to which a damaged history is no obstacle: it gets another name, and a
    /// new one begins ([`set_aside`](Self::set_aside)).
    ///
    /// # Errors
    /// As [`open`](Self::open), but for damage.
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

    /// Looks whether the history is that of the snapshot beside it. Another one is no obstacle.
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

    /// The last run that the history was to have and had not when it was opened.
    #[must_use]
    pub fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    /// What was damaged, and is kept under another name.
    #[must_use]
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// Makes the file, unless it is there.
    fn on_disk(&mut self) -> Result<&mut Connection, HistoryError> {
        if self.in_memory {
            storage::create_private(&self.path)?;
            // A power cut must not take the name after the step that is in the file is removed.
            storage::sync_folder(storage::folder_of(&self.path))?;
            self.connection = connect(&self.path, &self.connection, &self.stop)?;
            self.in_memory = false;
        }
        Ok(&mut self.connection)
    }

    /// Does something, and once more where a file was damaged that could be put aside.
    fn despite_damage<T>(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        // The history may be, and then the step.
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

    /// Compares what a run found with what is known, and writes the step for the commit
    /// to put in place.
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
            // Of a first try.
            storage::remove(&path)?;
            let known = (&history.connection, history.path.as_path());
            let changes = step::write(known, &path, run, found, (places, mappings))?;
            storage::sync(&path)?;
            Ok(changes)
        })
    }

    /// Takes the step that a commit put in place, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or the history cannot be written. The step stays, and the
    /// next command takes it.
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

    /// Notes a run in which the server said that nothing had changed.
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

/// Settles what a killed run left in a data directory, and takes its step into the history.
/// Where a run is under way there, that is left to it.
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

/// Undoes what a program that was killed has left half done in a history. Who only reads cannot,
/// and so could not read it either.
fn undo_half_done(data_dir: &Path) -> Result<(), HistoryError> {
    open_if_free(data_dir, &Stop::new())
}

/// Opens the history to write to it, which does what a killed program left to do. A run that is
/// under way has done so.
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

/// Opens a history in a file, which is made where it is missing, and brings it to the form of this
/// version. `empty` is one of this version.
fn connect(path: &Path, empty: &Connection, stop: &Stop) -> Result<Connection, HistoryError> {
    let failed = |cause| HistoryError::sqlite("open", path)(cause);
    let mut connection = file::open(path, OpenMode::Writing)?;
    // A file of another program is left as it is.
    match schema::form(&connection).map_err(failed)? {
        // There is nothing in it that could be another's.
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

/// A history in memory, without anything in it.
fn in_memory(stop: &Stop) -> rusqlite::Result<Connection> {
    let mut connection = file::hardened(Connection::open_in_memory()?)?;
    prepare(&mut connection, stop)?;
    Ok(connection)
}

/// Sets what holds for each connection that writes, and brings the tables to the form of this
/// version.
fn prepare(connection: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
    file::heed(connection, stop)?;
    // The journal is to be gone from the disk before the step is: a power cut must not bring it
    // back, and undo what cannot be done again.
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    // For a new file; one that is there keeps what it has. Millions of rows take fewer pages.
    connection.pragma_update(None, "page_size", PAGE)?;
    // Each row of millions would be looked up three times, in tables that a step has just written.
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

/// A file that this version can neither read nor bring to its form is left alone.
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

    /// Leaves a change half done, as a program does that is killed.
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
