//! Moves damaged files aside, so that runs can continue.

use std::fmt;
use std::path::{Path, PathBuf};

use super::HistoryError;
use crate::storage;

use super::file::{self, BESIDE};

/// A damaged file that was renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its new path.
    pub kept: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// Whether it was the history; otherwise it was the changes of one run.
    pub whole: bool,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kept, reason) = (self.kept.display(), &self.reason);
        if self.whole {
            write!(
                f,
                "the history was damaged ({reason}): it is kept as {kept}, and a new one begins"
            )
        } else {
            write!(
                f,
                "the changes of a run were damaged ({reason}): they are kept as {kept}, and the history lacks that run"
            )
        }
    }
}

/// Renames a file and the files that SQLite keeps beside it, and never replaces an existing file.
/// The files beside it are renamed after it: without it, they are meaningless.
pub(super) fn set_aside(path: &Path, run: &str) -> Result<PathBuf, HistoryError> {
    let kept = free(path, run);
    storage::rename(path, &kept)?;
    for end in BESIDE {
        let beside = file::beside(path, end);
        if file::exists(&beside) {
            storage::rename(&beside, &file::beside(&kept, end))?;
        }
    }
    storage::sync_folder(storage::folder_of(path))?;
    Ok(kept)
}

/// `history.db.damaged-RUN`, with `-2` and so on if that name is taken.
fn free(path: &Path, run: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    let first = path.with_file_name(format!("{name}.damaged-{run}"));
    let others =
        (2u64..).map(|number| path.with_file_name(format!("{name}.damaged-{run}-{number}")));
    let is_free = |kept: &PathBuf| {
        !file::exists(kept)
            && BESIDE
                .iter()
                .all(|end| !file::exists(&file::beside(kept, end)))
    };
    let mut names = std::iter::once(first.clone()).chain(others);
    names.find(is_free).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_a_file_goes_with_it_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| folder.path().join(name);
        for (file, text) in [
            ("history.db", "new"),
            ("history.db-journal", "its journal"),
            ("history.db.damaged-r", "old"),
            ("history.db.damaged-r-2-wal", "of another"),
        ] {
            std::fs::write(name(file), text).unwrap();
        }
        let kept = set_aside(&name("history.db"), "r").unwrap();
        assert_eq!(kept, name("history.db.damaged-r-3"));
        assert_eq!(std::fs::read(&kept).unwrap(), b"new");
        let journal = std::fs::read(name("history.db.damaged-r-3-journal"));
        assert_eq!(journal.unwrap(), b"its journal");
        assert!(!file::exists(&name("history.db-journal")));
        assert_eq!(std::fs::read(name("history.db.damaged-r")).unwrap(), b"old");
    }
}
