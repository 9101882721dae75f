//! Errors in three kinds: the API, the data, the storage.
//!
//! Each error names the operation and its subject and keeps its cause. It is logged once and
//! printed once, at the top of the program, with a hint about what to do.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::concurrency::{Failed, Stopped};
use crate::fetch::{RequestTarget, SinkError};
use crate::json::splitter::SplitError;
use crate::record::{Reject, Resource};
use crate::source::InvalidSource;
use crate::text::{Printable, count};

pub use crate::concurrency::StopReason;
pub use crate::fetch::ApiError;
pub use crate::text::chain;

/// Anything that ends a run, or another command, with a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API could not be reached, or responded with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A response was received, but its data is unusable.
    #[error(transparent)]
    Data(#[from] DataProcessingError),
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The sample API could not be served.
    #[error("cannot serve the sample API on port {port}: {cause}")]
    Sample {
        /// The port to listen on; 0 for any free port.
        port: u16,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The report could not be served.
    #[error("cannot serve the report on {address}: {cause}")]
    Serve {
        /// The address to listen on.
        address: SocketAddr,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The result of a command could not be printed.
    #[error("cannot print to stdout: {0}")]
    Print(#[source] io::Error),
    /// The summary of a run could not be printed.
    #[error("cannot print the summary to stdout: {0}; the snapshot is stored")]
    PrintSummary(#[source] io::Error),
    /// A thread or process could not be started.
    #[error("cannot start {what}: {cause}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// The source is invalid.
    #[error(transparent)]
    Source(#[from] InvalidSource),
    /// The command line or the request is invalid.
    #[error("{0}")]
    Usage(String),
    /// A run failed, and can be resumed from the pages it has fetched.
    #[error("{cause}")]
    Unfinished {
        /// Why it failed.
        #[source]
        cause: Box<Error>,
        /// How many pages it has fetched.
        pages: u64,
    },
    /// The program was asked to stop.
    #[error("{0}; nothing in the data directory was changed")]
    Stopped(StopReason),
}

impl From<Stopped> for Error {
    fn from(Stopped(reason): Stopped) -> Self {
        Self::Stopped(reason)
    }
}

impl SinkError for Error {
    fn not_records(&self) -> Option<&SplitError> {
        match self {
            Self::Data(DataProcessingError::NotRecords { cause, .. }) => Some(cause),
            _ => None,
        }
    }

    fn is_echo(&self) -> bool {
        matches!(self, Self::Stopped(StopReason::Failure))
    }
}

impl Error {
    /// The error that ends a run for a task that no worker did.
    #[must_use]
    pub fn of_worker(failed: Failed, task: String) -> Self {
        match failed.into_cause() {
            Ok(cause) => Self::start("a worker process")(cause),
            Err(reason) => DataProcessingError::Worker { task, reason }.into(),
        }
    }

    /// For `map_err`: names what could not be started.
    pub fn start(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Start { what, cause }
    }

    /// The documented exit code of the program for this error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Sample { .. }
            | Self::Serve { .. }
            | Self::Print(_)
            | Self::PrintSummary(_)
            | Self::Start { .. }
            | Self::Stopped(StopReason::Failure) => 1,
            Self::Source(_) | Self::Usage(_) => 2,
            Self::Api(_) => 3,
            Self::Data(_) => 4,
            Self::Storage(_) => 5,
            Self::Unfinished { cause, .. } => cause.exit_code(),
            Self::Stopped(StopReason::HangUp) => 129,
            Self::Stopped(StopReason::Interrupt) => 130,
            Self::Stopped(StopReason::Terminate) => 143,
        }
    }

    /// What the user can do about it, if anything.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Api(error) => error.hint(),
            Self::Data(error) => Some(error.hint().into_owned()),
            Self::Storage(error) => error.hint(),
            Self::Unfinished { cause, pages } => {
                let (are, them) = if *pages == 1 {
                    ("is", "it")
                } else {
                    ("are", "them")
                };
                let pages = count(*pages, "page");
                let kept = format!("{pages} {are} kept; --resume continues from {them}");
                Some(match cause.hint() {
                    Some(hint) => format!("{hint}; {kept}"),
                    None => kept,
                })
            }
            Self::Start { cause, .. } => start_hint(cause).map(str::to_owned),
            Self::Serve { cause, .. } | Self::Sample { cause, .. } => {
                let of_address = match (self, cause.kind()) {
                    (Self::Serve { .. }, io::ErrorKind::AddrNotAvailable) => {
                        "--listen needs an address of this machine"
                    }
                    _ => "choose another port with --port",
                };
                Some(start_hint(cause).unwrap_or(of_address).to_owned())
            }
            Self::Print(cause) | Self::PrintSummary(cause) => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("free disk space where stdout goes, or redirect it elsewhere".to_owned())
                }
                _ => None,
            },
            Self::Source(_) | Self::Usage(_) | Self::Stopped(_) => None,
        }
    }
}

/// A hint for a lack of threads, processes, files or memory.
fn start_hint(cause: &io::Error) -> Option<&'static str> {
    let hint = match cause.kind() {
        // Starting a thread also fails with this error when memory is short.
        io::ErrorKind::WouldBlock => {
            "too many processes or threads, or too little memory: stop some, raise the limit \
             (`ulimit -u`, `ulimit -d`, or that of the container), or lower --workers and \
             --concurrency"
        }
        io::ErrorKind::OutOfMemory => TOO_LITTLE_MEMORY,
        _ if no_more_files(cause) => TOO_MANY_FILES,
        _ => return None,
    };
    Some(hint)
}

/// Whether the limit of open files of this process or the system is reached.
fn no_more_files(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

const TOO_LITTLE_MEMORY: &str =
    "too little memory: raise the limit (`ulimit -d`, `ulimit -v`, or that of the container)";

const TOO_MANY_FILES: &str =
    "too many open files: raise the limit (`ulimit -n`; 64 are enough), or lower --concurrency";

/// A response was received, but its data is unusable.
#[derive(Debug, thiserror::Error)]
pub enum DataProcessingError {
    /// The response is not an array of records.
    #[error("cannot read {subject}: {cause}")]
    NotRecords {
        /// The request.
        subject: Box<RequestTarget>,
        /// What is wrong with it.
        #[source]
        cause: SplitError,
    },
    /// A record was rejected, and the run is strict.
    #[error("{resource}: {reject}")]
    Rejected {
        /// The resource it belongs to.
        resource: Resource,
        /// What is wrong with the record, numbered within its page.
        reject: Box<Reject>,
    },
    /// More records were rejected than allowed; the others are stored.
    #[error(
        "{} rejected, more than the {limit} allowed; first: {resource}: {first}",
        count(*.rejects, "record")
    )]
    TooManyRejects {
        /// The number of rejected records.
        rejects: u64,
        /// The number allowed.
        limit: u64,
        /// The resource of the first one.
        resource: Resource,
        /// The first one, numbered within its page.
        first: Box<Reject>,
        /// The file with all of them.
        file: String,
    },
    /// The server refused some requests; the rest is stored, unless the run is strict.
    #[error("{resource} are missing: {first}")]
    Missing {
        /// The resource.
        resource: Resource,
        /// What is missing.
        first: String,
    },
    /// All records of a resource were rejected.
    #[error("{resource}: {}: {first}", all_rejected(*.records))]
    NoneMapped {
        /// Which resource.
        resource: Resource,
        /// How many records were received.
        records: u64,
        /// The first one, numbered within its page.
        first: Box<Reject>,
    },
    /// A worker process failed twice with the same task.
    #[error("cannot process {task}: the worker {reason}, twice")]
    Worker {
        /// The task.
        task: String,
        /// How the last worker ended.
        reason: String,
    },
    /// A page has another number of records after processing.
    #[error("cannot process {task}: {found} of {expected} records were processed")]
    Miscounted {
        /// The task.
        task: String,
        /// How many records the response has.
        expected: u64,
        /// How many records were processed.
        found: u64,
    },
}

fn all_rejected(records: u64) -> String {
    match records {
        1 => "the only record was rejected".to_owned(),
        records => format!("all {} were rejected", count(records, "record")),
    }
}

impl DataProcessingError {
    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::NotRecords { .. } => "check the base URL, and `records` in the source",
            Self::TooManyRejects { file, .. } => {
                let hint = format!(
                    "they are saved in {file}, and all others are stored; allow some with --max-rejects"
                );
                return hint.into();
            }
            Self::Missing { .. } => {
                "the rest is stored, unless --strict is given; exclude the refused resource with --resources, or allow refusals with --max-rejects"
            }
            Self::NoneMapped { .. } => "nothing was stored; check the fields of the source",
            Self::Rejected { .. } => {
                "nothing was stored; check the fields of the source, or mark the missing one as optional"
            }
            Self::Worker { .. } | Self::Miscounted { .. } => {
                "internal error, please report it with the log"
            }
        };
        hint.into()
    }
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
        /// The error of the system.
        #[source]
        cause: io::Error,
    },
    /// A file is not as it was written.
    #[error("cannot use {}: checksum mismatch", .0.display())]
    Damaged(PathBuf),
    /// A file that the run was to keep has changed since the last run.
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
    /// The data directory has no history.
    #[error("no history in {}", .0.display())]
    NoHistory(PathBuf),
    /// The history could not be read or written.
    #[error("cannot {operation} the history {}: {cause}", .path.display())]
    History {
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
    DamagedHistory {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The history does not belong to the snapshot beside it.
    #[error(
        "cannot use the history {}: the last run, {}, is missing", .path.display(), Printable(.run)
    )]
    OtherHistory {
        /// Which file.
        path: PathBuf,
        /// Which run.
        run: String,
    },
    /// Something other than a file has its name.
    #[error("cannot use {}: expected a regular file, found {}", .0.display(), .1)]
    NotAFile(PathBuf, &'static str),
    /// The history was made by a newer version of this program, or by another program.
    #[error(
        "cannot use the history {}: {}", .0.display(),
        if *.1 { "it belongs to another program" } else { "it was made by a newer version" }
    )]
    ForeignHistory(PathBuf, bool),
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
        /// The command that makes a new one.
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
        /// What a commit needs, or at least 64 MiB, or a twentieth of a small disk.
        needed: u64,
    },
    /// A symbolic link or a file has the name of a folder for runs.
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
    /// A folder for runs contains something that no run made.
    #[error(
        "cannot clear {}: it contains `{}`{}, not made by a run", .path.parent().unwrap_or(.path).display(),
        .path.file_name().unwrap_or_default().display(), and_others(*.others)
    )]
    Foreign {
        /// What was found.
        path: PathBuf,
        /// How many others there are.
        others: usize,
    },
    /// Another run has locked the data directory.
    #[error("cannot use {}: another run is writing to it", .0.display())]
    Locked(PathBuf),
    /// The file system of this folder has no symbolic links, and a snapshot is made current by one.
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
    /// For `map_err`: names the operation and the path.
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

    /// For `map_err`: names the operation and the file of the history, and distinguishes damage
    /// from transient failures.
    pub fn history(operation: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |cause| {
            let path = path.clone();
            match damage(&cause) {
                Some(reason) => Self::DamagedHistory { path, reason },
                None => Self::History {
                    operation,
                    path,
                    cause,
                },
            }
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

    /// Whether only the changes that the last run adds to the history are damaged.
    #[must_use]
    pub fn is_of_step(&self) -> bool {
        matches!(self, Self::DamagedHistory { path, .. } if is_step(path))
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::History { cause, .. } => return Some(history_hint(cause).to_owned()),
            Self::DamagedHistory { path, .. } if is_step(path) => {
                "the next `activity-tracker run` renames the file, and the history continues without that run"
            }
            Self::DamagedHistory { .. } => {
                "a run that finds the damage renames the file and starts a new history; to do that now, move it away together with `history.db-*`; `sqlite3 FILE .recover` may recover its contents"
            }
            Self::OtherHistory { .. } => {
                "it was emptied, or belongs to another data directory: restore the right one, or the next `activity-tracker run` continues with this one"
            }
            Self::NotAFile(..) => "move it away, or use another directory with --data-dir",
            Self::ForeignHistory(_, false) => "use that version, or run with --no-history",
            Self::ForeignHistory(_, true) => "move it away, or run with --no-history",
            Self::Unsound { path, .. } if is_manifest(path) => {
                "the manifest is damaged, though the other files may be intact: `run --fresh`, with the same source and flow, makes a new snapshot"
            }
            Self::Unsound { .. } => {
                "`activity-tracker verify` shows which files are intact, and `run --fresh` fetches them again"
            }
            Self::Undescribed { command, .. } => {
                return Some(format!("run once more: `{command}`, with the same source"));
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
            Self::NoHistory(_) => {
                "`activity-tracker run` makes one, unless --no-history is given; check --data-dir"
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

/// The file of the data directory with the changes of a run that the history does not have yet.
pub(crate) const STEP_FILE: &str = ".history-next.db";

/// Whether a file has the changes of a run, rather than the history.
fn is_step(path: &Path) -> bool {
    path.ends_with(STEP_FILE)
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("manifest"))
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
            let error = StorageError::history("open", Path::new("data/history.db"))(cause);
            assert_eq!(error.hint().as_deref(), Some(TOO_LITTLE_MEMORY), "{code}");
        }
    }

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
