//! What reading commands do first: finish the commit of a killed run, and add its changes to the
//! history.

use std::path::Path;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, HistoryError, StorageError, chain};
use activity_tracker::history;
use tracing::warn;

use crate::cli::printing;

/// Finishes what a killed run left unfinished. On a full or read-only disk the data is read as it
/// is, with a warning.
///
/// A signal ends a reading command at once: what is left undone here, the next command does.
///
/// # Errors
/// When the history is damaged or belongs to another program.
pub(crate) fn catch_up(data_dir: &Path) -> Result<(), Error> {
    match history::bring_up(data_dir, &Stop::new()) {
        Err(
            error @ (HistoryError::Storage(StorageError::Io { .. }) | HistoryError::Sqlite { .. }),
        ) => {
            let reason = chain(&error);
            warn!(reason, "cannot add the last run's changes to the history");
            printing::print_note(&format!(
                "warning: the history may be one run behind; it is repaired by the next command: {reason}"
            ));
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Like [`catch_up`], for commands that need the snapshot more than the history: if the last run's
/// changes are damaged, they are skipped with a warning.
///
/// # Errors
/// As [`catch_up`], except for that damage.
pub(crate) fn catch_up_or_warn(data_dir: &Path) -> Result<(), Error> {
    match catch_up(data_dir) {
        Err(Error::History(error)) if error.is_of_step() => {
            let reason = chain(&error);
            warn!(reason, "the history is used without the last run");
            printing::print_note(&format!(
                "warning: {reason}; the history does not include that run"
            ));
            Ok(())
        }
        outcome => outcome,
    }
}
