//! Errors of storage.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::fetch::{ApiError, Page, RequestTarget, SinkError};
use crate::system_limits::{TOO_MANY_FILES, no_more_files};
use activity_tracker_concurrency::{StopReason, Stopped};
use activity_tracker_json::splitter::SplitError;
use activity_tracker_text::count;

/// A page could not be added to the spool: it was not received, is invalid, or could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The API could not be reached, or responded with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A response is not an array of records.
    #[error(transparent)]
    NotRecords(#[from] NotRecords),
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The program was asked to stop, or another part of the run failed.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl SinkError for ReceiveError {
    fn not_records(&self) -> Option<&SplitError> {
        match self {
            Self::NotRecords(error) => Some(&error.cause),
            _ => None,
        }
    }

    fn is_echo(&self) -> bool {
        matches!(self, Self::Stopped(Stopped(StopReason::Failure)))
    }
}

/// A response is not an array of records.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {subject}: {cause}")]
pub struct NotRecords {
    /// The request.
    pub subject: Box<RequestTarget>,
    /// What is wrong with the response.
    #[source]
    pub cause: SplitError,
}

impl NotRecords {
    /// The response of this page is not an array of records.
    pub(crate) fn of(page: &Page, cause: SplitError) -> Self {
        Self {
            subject: Box::new(page.subject.clone()),
            cause,
        }
    }
}

/// A data directory could not be opened for a run, or a run not committed to it.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The program was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A file or directory could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// An operation of the file system failed.
    #[error("cannot {operation} {}: {cause}", .path.display())]
    Io {
        /// The operation: `create`, `write`, `sync`, …
        operation: Cow<'static, str>,
        /// The file or directory.
        path: PathBuf,
        /// The error that the system reported.
        #[source]
        cause: io::Error,
    },
    /// A stored file has changed or is damaged.
    #[error("cannot use {}: checksum mismatch", .0.display())]
    Damaged(PathBuf),
    /// A file that the run was to keep has changed since the previous run.
    #[error("cannot keep {}: {reason}", .path.display())]
    NotKept {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The data directory has no snapshot.
    #[error("no snapshot in {}", .0.display())]
    NoSnapshot(PathBuf),
    /// The path exists but is not a regular file.
    #[error("cannot use {}: expected a regular file, found {}", .0.display(), .1)]
    NotAFile(PathBuf, &'static str),
    /// A stored file does not match its manifest.
    #[error("cannot read {}: {reason}", .path.display())]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest lacks the definition of its source.
    #[error(
        "cannot read the records of {}: it was made by an older version, which did not store the definition of the source",
        .path.display()
    )]
    Undescribed {
        /// Which manifest.
        path: PathBuf,
        /// The command that creates a new one.
        command: &'static str,
    },
    /// The disk is nearly full: the run stops before it is.
    #[error(
        "cannot store more in {}: {} free on the disk, and {} must stay free",
        .path.display(), count(*.free, "byte"), count(*.needed, "byte")
    )]
    NoRoom {
        /// The folder of the run.
        path: PathBuf,
        /// How many bytes are free.
        free: u64,
        /// How many bytes must stay free: what the commit needs, and at least 64 MiB, or 1/20 of a
        /// small disk.
        needed: u64,
    },
    /// A symbolic link or a file has the name of a folder that runs use.
    #[error(
        "cannot use {}: {}", .path.display(),
        if *.is_link { "it is a symbolic link, expected a folder" }
        else { "it is a file, expected a folder" }
    )]
    InTheWay {
        /// Where the folder should be.
        path: PathBuf,
        /// Whether it is a link.
        is_link: bool,
    },
    /// A folder that runs use contains something that no run made.
    #[error(
        "cannot clear {}: it contains `{}`{}, not made by a run", .path.parent().unwrap_or(.path).display(),
        .path.file_name().unwrap_or_default().display(), and_others(*.others)
    )]
    Foreign {
        /// What was found.
        path: PathBuf,
        /// How many more there are.
        others: usize,
    },
    /// Another run has locked the data directory.
    #[error("cannot use {}: another run is writing to it", .0.display())]
    Locked(PathBuf),
    /// The file system of this folder does not support symbolic links, which commits need.
    #[error("cannot store a snapshot in {}: its file system has no symbolic links", .0.display())]
    NoLinks(PathBuf),
}

fn and_others(number: usize) -> String {
    match number {
        0 => String::new(),
        others => format!(" and {}", count(others as u64, "other")),
    }
}

impl StorageError {
    /// For `map_err`: adds the operation and the path to an error of the system.
    pub fn io(
        operation: impl Into<Cow<'static, str>>,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let operation = operation.into();
        let path = path.to_owned();
        move |cause| Self::Io {
            operation,
            path,
            cause,
        }
    }

    /// The file or directory of the error.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotKept { path, .. }
            | Self::Unsound { path, .. }
            | Self::Undescribed { path, .. }
            | Self::NoRoom { path, .. }
            | Self::InTheWay { path, .. }
            | Self::Foreign { path, .. }
            | Self::Damaged(path)
            | Self::NoSnapshot(path)
            | Self::NotAFile(path, _)
            | Self::Locked(path)
            | Self::NoLinks(path) => path,
        }
    }

    /// A stored file that does not match its manifest.
    #[must_use]
    pub fn unsound(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::Unsound {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAFile(..) => "move it away, or use another directory with --data-dir",
            Self::Unsound { path, .. } if is_manifest(path) => {
                "the manifest is damaged, though the other files may be intact: `run --fresh`, with the same source and flow, makes a new snapshot"
            }
            Self::Unsound { .. } => {
                "`activity-tracker verify` shows which files are intact, and `run --fresh` fetches them again"
            }
            Self::Undescribed { command, .. } => {
                return Some(format!("run again: `{command}`, with the same source"));
            }
            Self::Locked(_) => "wait for it with --wait, or use another directory with --data-dir",
            Self::InTheWay { .. } | Self::Foreign { .. } => "move it away; nothing was removed",
            Self::NoLinks(_) => "use a directory on another file system with --data-dir",
            Self::Damaged(_) => "run again with --fresh",
            Self::NotKept { .. } => {
                "nothing was changed; `run --fresh` without --resources fetches it again"
            }
            Self::NoRoom { .. } => {
                "free disk space, or use another directory with --data-dir; the previous snapshot is intact"
            }
            Self::NoSnapshot(_) => "`activity-tracker run` makes one; check --data-dir",
            Self::Io {
                operation, cause, ..
            } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free disk space, or use another directory with --data-dir; the previous snapshot is intact"
                }
                io::ErrorKind::PermissionDenied
                    if matches!(&**operation, "read" | "open" | "list") =>
                {
                    "grant this user read permission, or run as the owner"
                }
                io::ErrorKind::IsADirectory => {
                    "a directory has the name of a file: move it away, or use another directory with --data-dir"
                }
                _ if no_more_files(cause) => TOO_MANY_FILES,
                io::ErrorKind::FileTooLarge => {
                    "the file size limit is reached: raise it (`ulimit -f`), or use another file system with --data-dir; the previous snapshot is intact"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "use a directory you can write to, with --data-dir or --log-file"
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    "a file has the name of a directory: use another path with --data-dir or --log-file"
                }
                _ => return None,
            },
        };
        Some(hint.to_owned())
    }
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("manifest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_fit_the_operation() {
        let io = |operation: &'static str, kind: io::ErrorKind| {
            let error = StorageError::io(operation, Path::new("data/users.json"))(kind.into());
            error.hint().unwrap_or_default()
        };
        let denied = io::ErrorKind::PermissionDenied;
        for reading in ["read", "open", "list"] {
            assert!(io(reading, denied).contains("read permission"), "{reading}");
        }
        for writing in ["create", "write", "open the log file"] {
            assert!(
                io(writing, denied).contains("you can write to"),
                "{writing}"
            );
        }
        for (name, expected) in [
            ("manifest.json", "makes a new snapshot"),
            ("manifest_async.json", "makes a new snapshot"),
            ("users.json", "shows which files are intact"),
        ] {
            let hint = StorageError::unsound(Path::new(name), &"EOF").hint();
            assert!(hint.unwrap_or_default().contains(expected), "{name}");
        }
    }
}
