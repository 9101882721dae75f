//! Checks the integrity of a history.

use std::path::Path;

use rusqlite::Connection;

use super::HistoryError;
use activity_tracker_concurrency::Stop;

use super::entry::Entries;
use super::file::{self, OpenMode};
use super::schema::{self, DatabaseKind};
use super::{FILE, refuse_foreign};

/// How thoroughly a history is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Each page, but no index against its table: about as fast as reading the file.
    Quick,
    /// Each index against its table, too.
    Full,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The number of runs; 0 if the history is damaged.
    pub runs: u64,
    /// What is wrong with it, if anything.
    pub damage: Option<String>,
}

/// Checks the history of a data directory; `None` if there is none.
///
/// # Errors
/// When it cannot be read, or was made by a newer version or by another program.
pub fn check(data_dir: &Path, depth: Depth, stop: &Stop) -> Result<Option<Checked>, HistoryError> {
    let path = data_dir.join(FILE);
    if !file::exists(&path) {
        return Ok(None);
    }
    match runs(&path, depth, stop) {
        Ok(runs) => Ok(Some(Checked { runs, damage: None })),
        Err(HistoryError::Damaged { reason, .. }) => Ok(Some(Checked {
            runs: 0,
            damage: Some(reason),
        })),
        Err(error) => Err(error),
    }
}

/// The number of runs of an intact history.
fn runs(path: &Path, depth: Depth, stop: &Stop) -> Result<u64, HistoryError> {
    let mut connection = file::open(path, OpenMode::Reading)?;
    let failed = HistoryError::sqlite("read", path);
    file::heed(&mut connection, stop).map_err(&failed)?;
    match schema::form(&connection).map_err(&failed)? {
        DatabaseKind::Ours(0) => return Ok(0),
        DatabaseKind::Ours(version) => {
            schema::expect_ours(&connection, version).map_err(&failed)?;
        }
        form => refuse_foreign(path, form)?,
    }
    if let Some(reason) = pages(&connection, depth).map_err(&failed)? {
        let path = path.to_owned();
        return Err(HistoryError::Damaged { path, reason });
    }
    entries(&connection).map_err(&failed)?;
    let runs = "SELECT count(*) FROM runs";
    let runs: i64 = connection
        .query_row(runs, [], |row| row.get(0))
        .map_err(&failed)?;
    Ok(runs.unsigned_abs())
}

/// What SQLite finds wrong with a file, if anything.
pub(super) fn pages(connection: &Connection, depth: Depth) -> rusqlite::Result<Option<String>> {
    let pragma = match depth {
        Depth::Quick => "PRAGMA quick_check(1)",
        Depth::Full => "PRAGMA integrity_check(1)",
    };
    let found: String = connection.query_row(pragma, [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}

/// Reads the entries that the next run will be compared with.
fn entries(connection: &Connection) -> rusqlite::Result<()> {
    let mut blocks = connection.prepare("SELECT entries FROM entries")?;
    let mut rows = blocks.query([])?;
    while let Some(row) = rows.next()? {
        let block: Vec<u8> = row.get(0)?;
        for entry in Entries::new(block) {
            entry.map_err(|error| schema::malformed(error.to_string()))?;
        }
    }
    Ok(())
}
