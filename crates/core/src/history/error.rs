//! Why the history cannot be used.

use std::path::{Path, PathBuf};

use crate::storage::{NEXT_CHANGES_FILE, StorageError};
use crate::system_limits::TOO_LITTLE_MEMORY;
use activity_tracker_text::Printable;

/// The history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The data directory has no history.
    #[error("no history in {}", .0.display())]
    Missing(PathBuf),
    /// The history could not be read or written.
    #[error("cannot {operation} the history {}: {cause}", .path.display())]
    Sqlite {
        /// The operation: `open`, `write`, …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        #[source]
        cause: rusqlite::Error,
    },
    /// The history, or the changes that a run adds to it, is damaged.
    #[error(
        "cannot use {} {}: damaged: {reason}",
        if is_step(.path) { "the changes of the last run in" } else { "the history" }, .path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The history does not belong to the snapshot beside it.
    #[error(
        "cannot use the history {}: the last run, {}, is missing", .path.display(), Printable(.run)
    )]
    OtherRun {
        /// Which file.
        path: PathBuf,
        /// Which run.
        run: String,
    },
    /// The history was made by a newer version of this program, or by another program.
    #[error(
        "cannot use the history {}: {}", .0.display(),
        if *.1 { "it belongs to another program" } else { "it was made by a newer version" }
    )]
    Foreign(PathBuf, bool),
}

impl HistoryError {
    /// For `map_err`: names the operation and the file of the history, and distinguishes damage
    /// from transient failures.
    pub fn sqlite(operation: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |cause| {
            let path = path.clone();
            match damage(&cause) {
                Some(reason) => Self::Damaged { path, reason },
                None => Self::Sqlite {
                    operation,
                    path,
                    cause,
                },
            }
        }
    }

    /// Whether only the changes that the last run adds to the history are damaged.
    #[must_use]
    pub fn is_of_step(&self) -> bool {
        matches!(self, Self::Damaged { path, .. } if is_step(path))
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Storage(error) => return error.hint(),
            Self::Sqlite { cause, .. } => return Some(history_hint(cause).to_owned()),
            Self::Damaged { path, .. } if is_step(path) => {
                "the next `activity-tracker run` renames the file, and the history continues without that run"
            }
            Self::Damaged { .. } => {
                "a run that finds the damage renames the file and starts a new history; to do that now, move it away together with `history.db-*`; `sqlite3 FILE .recover` may recover its contents"
            }
            Self::OtherRun { .. } => {
                "it was emptied, or belongs to another data directory: restore the right one, or the next `activity-tracker run` continues with this one"
            }
            Self::Foreign(_, false) => "use that version, or run with --no-history",
            Self::Foreign(_, true) => "move it away, or run with --no-history",
            Self::Missing(_) => {
                "`activity-tracker run` makes one, unless --no-history is given; check --data-dir"
            }
        };
        Some(hint.to_owned())
    }
}

/// Whether a file has the changes of a run, rather than the history.
fn is_step(path: &Path) -> bool {
    path.ends_with(NEXT_CHANGES_FILE)
}

/// What is wrong with a file, if SQLite reports damage.
fn damage(cause: &rusqlite::Error) -> Option<String> {
    use rusqlite::Error as Sqlite;
    use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase};
    let damaged = match cause {
        Sqlite::FromSqlConversionFailure(_, _, cause) => return Some(cause.to_string()),
        Sqlite::InvalidColumnType(..)
        | Sqlite::IntegralValueOutOfRange(..)
        | Sqlite::Utf8Error(..) => true,
        cause => matches!(
            cause.sqlite_error_code(),
            Some(DatabaseCorrupt | NotADatabase | ConstraintViolation)
        ),
    };
    damaged.then(|| cause.to_string())
}

fn history_hint(cause: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free disk space, or use another directory with --data-dir",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is using it: end its transaction, and try again"
        }
        Some(ErrorCode::OutOfMemory) => TOO_LITTLE_MEMORY,
        Some(ErrorCode::OperationInterrupted) => "the next command continues",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "a killed run leaves work that needs write access to the data directory: run a command as a user who has it"
        }
        Some(ErrorCode::SystemIoFailure) => "check the disk, and the file size limit (`ulimit -f`)",
        _ => "move it away to start a new one, or run with --no-history",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_memory_is_no_damage_of_the_history() {
        // SQLITE_NOMEM, and one of its extended codes.
        for code in [7, 7 | 1 << 8] {
            let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let error = HistoryError::sqlite("open", Path::new("data/history.db"))(cause);
            assert_eq!(error.hint().as_deref(), Some(TOO_LITTLE_MEMORY), "{code}");
        }
    }
}
