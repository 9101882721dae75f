//! The entry points of the fuzz target of steps and entries; not for any other use.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::HistoryError;
use crate::storage::StorageError;
use activity_tracker_concurrency::Stop;

use super::{apply, in_memory, integrity, schema};

/// A row of a step: a table, and a value for each of its columns.
pub type StepRow = (&'static str, Vec<StepValue>);

/// A value in SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum StepValue {
    /// `NULL`.
    Null,
    /// An integer.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The contents of a history after a step was applied, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was applied; `None` if it was rejected as damaged.
    pub applied: Option<bool>,
    /// The number of runs.
    pub runs: u64,
    /// The number of known records.
    pub records: u64,
    /// The number of changes.
    pub changes: u64,
    /// Whether SQLite finds no damage, and applying the step left no temporary tables.
    pub whole: bool,
}

/// Writes these bytes as a step and applies it to an empty history.
///
/// # Errors
/// When anything fails for another reason than a damaged step.
pub fn take_bytes(folder: &Path, bytes: &[u8]) -> Result<Taken, HistoryError> {
    let path = folder.join("step.db");
    std::fs::write(&path, bytes).map_err(StorageError::io("write", &path))?;
    take(&path)
}

/// Writes a step of these rows, if SQLite accepts them, and applies it to an empty history.
///
/// # Errors
/// When anything fails for another reason than a damaged step.
pub fn take_rows(folder: &Path, rows: &[StepRow]) -> Result<Taken, HistoryError> {
    let path = folder.join("step.db");
    let failed = HistoryError::sqlite("write", &path);
    crate::storage::remove(&path)?;
    let step = Connection::open(&path).map_err(&failed)?;
    let begin = format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {}",
        schema::STEP
    );
    step.execute_batch(&begin).map_err(&failed)?;
    for (table, values) in rows {
        let places = vec!["?"; values.len()].join(", ");
        let values = values.iter().map(sql);
        // Rows that the tables do not allow are left out.
        let _ = step.execute(
            &format!("INSERT INTO {table} VALUES ({places})"),
            rusqlite::params_from_iter(values),
        );
    }
    step.execute_batch("COMMIT").map_err(&failed)?;
    drop(step);
    take(&path)
}

fn sql(value: &StepValue) -> Value {
    match value {
        StepValue::Null => Value::Null,
        StepValue::Number(number) => Value::Integer(*number),
        StepValue::Text(text) => Value::Text(text.clone()),
        StepValue::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}

fn take(step: &Path) -> Result<Taken, HistoryError> {
    let here = Path::new("history.db");
    let failed = HistoryError::sqlite("read", here);
    let mut history = in_memory(&Stop::new()).map_err(&failed)?;
    let applied = match apply::apply((&mut history, here), step) {
        Ok(applied) => Some(applied),
        Err(HistoryError::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    let count = |table: &str| {
        let count: i64 = history
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        Ok::<_, HistoryError>(count.unsigned_abs())
    };
    let left = "SELECT count(*) FROM sqlite_temp_schema";
    let left: i64 = history
        .query_row(left, [], |row| row.get(0))
        .map_err(&failed)?;
    let damage = integrity::pages(&history, integrity::Depth::Full).map_err(&failed)?;
    Ok(Taken {
        applied,
        runs: count("runs")?,
        records: count("records")?,
        changes: count("changes")?,
        whole: damage.is_none() && left == 0,
    })
}
