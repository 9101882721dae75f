//! What the history knows: runs and changes.

use std::path::Path;

use serde::Serialize;

use crate::error::StorageError;
use crate::history::{Change, Log, LoggedRun, Wanted};

/// Changes, newest run first.
#[derive(Debug, Default, Serialize)]
pub(super) struct Page {
    pub(super) changes: Vec<Change>,
    /// Whether there are more than were asked for.
    pub(super) more: bool,
}

/// All runs, newest first; none without a history.
pub(super) fn runs(data_dir: &Path) -> Result<Option<Vec<LoggedRun>>, StorageError> {
    let Some(log) = Log::open(data_dir)? else {
        return Ok(None);
    };
    let mut runs = log.runs(None)?;
    runs.reverse();
    Ok(Some(runs))
}

/// The changes that are wanted, `limit` of them at most.
pub(super) fn changes(data_dir: &Path, wanted: Wanted, limit: u64) -> Result<Page, StorageError> {
    let Some(log) = Log::open(data_dir)? else {
        return Ok(Page::default());
    };
    let mut page = Page::default();
    let wanted = Wanted {
        // One more tells whether there are more.
        limit: Some(limit.saturating_add(1)),
        ..wanted
    };
    log.changes(&wanted, |change| {
        if (page.changes.len() as u64) < limit {
            page.changes.push(change);
        } else {
            page.more = true;
        }
        Ok::<_, StorageError>(())
    })?;
    Ok(page)
}
