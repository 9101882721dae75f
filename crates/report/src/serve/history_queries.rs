//! Queries of the history: runs and changes.

use std::path::Path;

use activity_tracker_core::error::HistoryError;
use activity_tracker_core::history::{ChangeFilter, ChangePage, Cursor, Log, LoggedRun};

/// Calls `take` for all runs, newest first; there are none without a history.
pub(super) fn each_run(data_dir: &Path, take: impl FnMut(LoggedRun)) -> Result<(), HistoryError> {
    match Log::open(data_dir)? {
        Some(log) => log.each_run(take),
        None => Ok(()),
    }
}

/// The last runs, newest first, up to `limit`, and whether there are more.
pub(super) fn last_runs(
    data_dir: &Path,
    limit: usize,
) -> Result<(Vec<LoggedRun>, bool), HistoryError> {
    let Some(log) = Log::open(data_dir)? else {
        return Ok(Default::default());
    };
    // One more, to know whether there are more.
    let mut runs = log.last_runs(limit as u64 + 1)?;
    runs.reverse();
    let more = runs.len() > limit;
    runs.truncate(limit);
    Ok((runs, more))
}

/// The number of a run, by its id or number; `None` without a history.
pub(super) fn run(data_dir: &Path, id_or_number: &str) -> Result<Option<i64>, HistoryError> {
    let log = Log::open(data_dir)?;
    let found = log.map(|log| log.find_run(id_or_number));
    Ok(found.transpose()?.flatten())
}

/// A page of changes, as many as fit into a response.
pub(super) fn changes(
    data_dir: &Path,
    wanted: &ChangeFilter,
    from: Option<Cursor>,
) -> Result<ChangePage, HistoryError> {
    match Log::open(data_dir)? {
        Some(log) => log.page(wanted, from),
        None => Ok(ChangePage::default()),
    }
}
