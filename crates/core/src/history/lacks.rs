//! Checks whether a history belongs to the snapshot beside it, or is another one, or was emptied.

use std::path::Path;

use rusqlite::Connection;

use super::HistoryError;
use crate::storage::StorageError;
use crate::storage::{self, Flow, Manifest, StoredSnapshot};

use super::file::{self, OpenMode};
use super::{FILE, STEP, schema};

/// The newest snapshot whose run should be in the history.
pub(super) fn last(data_dir: &Path) -> Option<Manifest> {
    let flows = Flow::BOTH.into_iter();
    let found = flows.filter_map(|flow| StoredSnapshot::last(data_dir, flow));
    found
        .map(|stored| stored.manifest)
        .filter(|manifest| manifest.in_history)
        .max_by_key(|manifest| manifest.finished_at)
}

/// Whether a history has the run of a snapshot, or a later run without changes, with which a
/// history may begin.
pub(super) fn has(history: &Connection, last: &Manifest) -> rusqlite::Result<bool> {
    history.query_row(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE run = ?1 OR (unchanged = 1 AND finished_at > ?2))",
        [&last.run, &last.finished_at.to_string()],
        |row| row.get(0),
    )
}

/// The last run that should be in the history of a data directory and is not; `None` if there is no
/// history, or if the run may still be added to it.
///
/// # Errors
/// When the history cannot be read.
pub fn lacks(data_dir: &Path) -> Result<Option<String>, HistoryError> {
    if lacked(data_dir)?.is_none() {
        return Ok(None);
    }
    // A run in progress may be about to add it.
    let held = storage::lock(data_dir);
    if matches!(held, Err(StorageError::Locked(_))) {
        return Ok(None);
    }
    lacked(data_dir)
}

fn lacked(data_dir: &Path) -> Result<Option<String>, HistoryError> {
    let path = data_dir.join(FILE);
    if !file::exists(&path) || file::exists(&data_dir.join(STEP)) {
        return Ok(None);
    }
    let Some(last) = last(data_dir) else {
        return Ok(None);
    };
    let failed = HistoryError::sqlite("read", &path);
    let connection = file::open(&path, OpenMode::Reading)?;
    // A history without tables has no runs.
    let is_empty = schema::form(&connection).map_err(&failed)? == schema::DatabaseKind::Ours(0);
    let has = !is_empty && has(&connection, &last).map_err(&failed)?;
    Ok((!has).then_some(last.run))
}
