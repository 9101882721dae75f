//! What commands that read do first: what a killed run left is settled, and its step taken into
//! the history.

use std::path::Path;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, StorageError, chain};
use activity_tracker::history;
use tracing::warn;

use crate::cli::printing;

/// Settles what can be settled. Where the disk is full or must not be written to, what is there
/// is read as it is, and that is said.
///
/// # Errors
/// When the history is damaged or another program's, and when this is told to stop. A signal ends
/// the commands that read at once: they only read, but for what the next one can do too.
pub(crate) fn catch_up(data_dir: &Path) -> Result<(), Error> {
    match history::bring_up(data_dir, &Stop::new()) {
        Err(Error::Storage(error @ (StorageError::Io { .. } | StorageError::History { .. }))) => {
            let reason = chain(&error);
            warn!(reason, "the last run's changes could not be taken in");
            printing::print_note(&format!(
                "warning: the history may be a run behind, which the next command mends: {reason}"
            ));
            Ok(())
        }
        done => done,
    }
}

/// The same for who looks at the snapshot first: what the last run was to add to the history may be
/// damaged, and is left out, which is said.
///
/// # Errors
/// As [`catch_up`], but for that.
pub(crate) fn catch_up_without_step(data_dir: &Path) -> Result<(), Error> {
    match catch_up(data_dir) {
        Err(Error::Storage(error)) if error.is_of_step() => {
            let reason = chain(&error);
            warn!(reason, "the history is told without the last run");
            printing::print_note(&format!("warning: {reason}; the history lacks that run"));
            Ok(())
        }
        done => done,
    }
}
