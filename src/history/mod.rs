//! What changed from run to run, in an SQLite file that anyone can query.
//!
//! Before a run commits, it compares what it found with what `history.db` knows and
//! writes the difference, the *step*, into a file of its own. That file appears in the
//! data directory together with the snapshot, and is then taken into `history.db`.
//! Whatever is killed when, the history is never ahead of the snapshot, and where it
//! is a step behind, the step is there, and the next command takes it.

mod entry;
mod fields;
mod query;
mod schema;
mod since;
mod sorted;
mod step;
mod telling;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params, vtab};
use tracing::{info, warn};

use crate::activity::{Mappings, Resource};
use crate::error::{Error, StorageError};
use crate::storage;

use schema::Form;

pub use entry::{Entries, Entry, EntryWriter, Malformed, Span, digest};
pub use query::{Change, FoundOf, Json, Kind, Log, LoggedRun, Named, Users, Wanted};
pub use since::Since;
pub use sorted::{List, Listing};
pub use step::{ChangeCounts, Changes, Found, NewRun, Places};

/// The file of the history in a data directory.
pub const FILE: &str = "history.db";

/// The file of a step that is not in the history yet.
pub const STEP: &str = ".history-next.db";

/// How long a page of the file is.
const PAGE: u32 = 16 * 1024;

/// How long to wait for somebody else's query to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The history of a data directory.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    connection: Connection,
    /// Whether there is no file yet.
    in_memory: bool,
}

impl History {
    /// Opens the history of a data directory that nobody else is writing to. A step that is
    /// not in it yet is taken into it. Where there is none, it is made when there is something
    /// to write: a run that fails leaves nothing.
    ///
    /// # Errors
    /// When the file is damaged, of a later version, or another program's, or cannot be written.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(FILE);
        let in_memory = !path.exists();
        let connection = connect(&path, in_memory)?;
        let mut history = Self {
            path,
            connection,
            in_memory,
        };
        history.take_step(data_dir)?;
        Ok(history)
    }

    /// Makes the file, unless it is there.
    fn on_disk(&mut self) -> Result<&mut Connection, StorageError> {
        if std::mem::take(&mut self.in_memory) {
            storage::create_private(&self.path)?;
            self.connection = connect(&self.path, false)?;
        }
        Ok(&mut self.connection)
    }

    /// Compares what a run found with what is known, and writes the step for the commit
    /// to put in place.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn compare(
        &self,
        run: &NewRun<'_>,
        found: Vec<Found<'_>>,
        places: Places<'_>,
        mappings: &Mappings,
    ) -> Result<Changes, StorageError> {
        let path = places.new_files.join(STEP);
        let changes = step::write(&self.connection, &path, run, found, (places, mappings))?;
        storage::sync(&path)?;
        Ok(changes)
    }

    /// Takes the step that a commit put in place, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or the history cannot be written. The step stays, and the
    /// next command takes it.
    pub fn take_step(&mut self, data_dir: &Path) -> Result<(), StorageError> {
        let step = data_dir.join(STEP);
        if !step.exists() {
            return Ok(());
        }
        let applied = step::apply(self.on_disk()?, &step);
        if applied.map_err(StorageError::history("write", &self.path))? {
            info!("the history has the last run");
        } else {
            warn!(
                "the history is not the one that the last run was compared with; its changes are left out"
            );
        }
        storage::remove(&step)
    }

    /// Notes a run in which the server said that nothing had changed.
    ///
    /// # Errors
    /// When the history cannot be written.
    pub fn unchanged(
        &mut self,
        run: &NewRun<'_>,
        resources: &[Resource],
    ) -> Result<(), StorageError> {
        note_unchanged(self.on_disk()?, run, resources)
            .map_err(StorageError::history("write", &self.path))
    }
}

/// Settles what a killed run left in a data directory, and takes its step into the history.
/// Where a run is under way there, that is left to it.
///
/// # Errors
/// When a file cannot be read or written.
pub fn bring_up(data_dir: &Path) -> Result<(), Error> {
    match storage::settle(data_dir) {
        Err(Error::Storage(StorageError::Locked(_))) => return Ok(()),
        settled => settled?,
    }
    if data_dir.join(STEP).exists() {
        match storage::hold(data_dir) {
            Err(Error::Storage(StorageError::Locked(_))) => {}
            held => {
                let _held = held?;
                History::open(data_dir)?;
            }
        }
    }
    Ok(())
}

/// Opens a history, in memory or in a file, and brings it to the form of this version.
fn connect(path: &Path, in_memory: bool) -> Result<Connection, StorageError> {
    let failed = |cause| StorageError::history("open", path)(cause);
    let connection = if in_memory {
        Connection::open_in_memory()
    } else {
        Connection::open(path)
    };
    let mut connection = connection.map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    vtab::series::load_module(&connection).map_err(failed)?;
    // For a new file; one that is there keeps what it has. Millions of rows take fewer pages.
    connection
        .pragma_update(None, "page_size", PAGE)
        .map_err(failed)?;
    // Each row of millions would be looked up three times, in tables that a step has just written.
    connection
        .pragma_update(None, "foreign_keys", false)
        .map_err(failed)?;
    match schema::form(&connection).map_err(failed)? {
        Form::Ours(schema::VERSION) => {}
        Form::Ours(version) => {
            let transaction = connection.transaction().map_err(failed)?;
            schema::migrate(&transaction, version).map_err(failed)?;
            transaction.commit().map_err(failed)?;
        }
        form => refuse_foreign(path, form)?,
    }
    Ok(connection)
}

/// A file that this version can neither read nor bring to its form is left alone.
fn refuse_foreign(path: &Path, form: Form) -> Result<(), StorageError> {
    let foreign = match form {
        Form::Ours(_) => return Ok(()),
        Form::Newer(_) => false,
        Form::Foreign => true,
    };
    Err(StorageError::ForeignHistory(path.to_owned(), foreign))
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
