//! What can go wrong, in three kinds: the API, the data, the storage.
//!
//! Each error names the operation and its subject and keeps its cause. It is
//! logged once and printed once, at the top of the program, with what a person
//! can do about it.

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

/// Anything that ends a run before it is done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API could not be talked to, or responded with an error.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A response came, and its data cannot be used.
    #[error(transparent)]
    Data(#[from] DataProcessingError),
    /// A file or directory could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The sample API could not be served.
    #[error("cannot serve the sample API on port {port}: {cause}")]
    Sample {
        /// Where it was to listen; 0 for any free port.
        port: u16,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The report could not be served.
    #[error("cannot serve the report on {address}: {cause}")]
    Serve {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// What a command was asked for could not be printed.
    #[error("cannot print to standard output: {0}")]
    Print(#[source] io::Error),
    /// The summary of a run could not be printed.
    #[error("cannot print the summary to standard output: {0}; the snapshot is stored")]
    PrintSummary(#[source] io::Error),
    /// The system has no thread or process to give.
    #[error("cannot start {what}: {cause}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is no source to run against.
    #[error(transparent)]
    Source(#[from] InvalidSource),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A run failed, and the pages that it has can be gone on from.
    #[error("{cause}")]
    Unfinished {
        /// What it failed of.
        #[source]
        cause: Box<Error>,
        /// How many pages it has.
        pages: u64,
    },
    /// Somebody asked the program to stop.
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

    /// What a person can do about it, where there is something.
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
                let kept = format!("{pages} {are} kept; --resume goes on with {them}");
                Some(match cause.hint() {
                    Some(hint) => format!("{hint}; {kept}"),
                    None => kept,
                })
            }
            Self::Start { cause, .. } => start_hint(cause).map(str::to_owned),
            Self::Serve { cause, .. } | Self::Sample { cause, .. } => {
                let of_address = match (self, cause.kind()) {
                    (Self::Serve { .. }, io::ErrorKind::AddrNotAvailable) => {
                        "--listen takes an address of this machine"
                    }
                    _ => "choose another port with --port",
                };
                Some(start_hint(cause).unwrap_or(of_address).to_owned())
            }
            Self::Print(cause) | Self::PrintSummary(cause) => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("make room where standard output goes, or send it elsewhere".to_owned())
                }
                _ => None,
            },
            Self::Source(_) | Self::Usage(_) | Self::Stopped(_) => None,
        }
    }
}

/// What helps where the system had no thread, process, file or memory to give.
fn start_hint(cause: &io::Error) -> Option<&'static str> {
    let hint = match cause.kind() {
        // It says so of threads where memory is short, too.
        io::ErrorKind::WouldBlock => {
            "too many processes or threads, or too little memory: end some, raise the limit \
             (`ulimit -u`, `ulimit -d`, or that of the container), or have a run ask for less \
             with --workers and --concurrency"
        }
        io::ErrorKind::OutOfMemory => TOO_LITTLE_MEMORY,
        _ if no_more_files(cause) => TOO_MANY_FILES,
        _ => return None,
    };
    Some(hint)
}

/// Whether this process, or the system, may open no further file.
fn no_more_files(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

const TOO_LITTLE_MEMORY: &str =
    "too little memory: raise the limit (`ulimit -d`, `ulimit -v`, or that of the container)";

const TOO_MANY_FILES: &str = "too many open files: raise the limit (`ulimit -n`; 64 are enough), or have a run ask for less with --concurrency";

/// A response came, and its data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataProcessingError {
    /// The response is not an array of records.
    #[error("cannot read {subject}: {cause}")]
    NotRecords {
        /// What was asked for.
        subject: Box<RequestTarget>,
        /// What is wrong with it.
        #[source]
        cause: SplitError,
    },
    /// A record did not map.
    #[error("cannot map {resource}: {reject}")]
    Rejected {
        /// The resource it belongs to.
        resource: Resource,
        /// The record and what is wrong with it, counted within the response.
        reject: Box<Reject>,
    },
    /// More records did not map than are allowed; the others are stored.
    #[error(
        "{} did not map, more than the {limit} allowed; the first of {resource}: {first}",
        count(*.rejects, "record")
    )]
    TooManyRejects {
        /// How many.
        rejects: u64,
        /// How many are allowed.
        limit: u64,
        /// The resource of the first one.
        resource: Resource,
        /// The first one, counted within its page.
        first: Box<Reject>,
        /// Where all of them are kept.
        file: String,
    },
    /// The server refused to give a part of what was asked for; the rest is stored, unless the
    /// run is strict.
    #[error("{resource} are missing: {first}")]
    Missing {
        /// The resource.
        resource: Resource,
        /// What is missing of it.
        first: String,
    },
    /// A resource has records, and none of them mapped.
    #[error("cannot map any of {} of {resource}: {first}", count(*.records, "record"))]
    NoneMapped {
        /// Which resource.
        resource: Resource,
        /// How many records came.
        records: u64,
        /// The first one, counted within its page.
        first: Box<Reject>,
    },
    /// A worker process failed at the same task twice.
    #[error("cannot process {task}: the worker {reason}, twice")]
    Worker {
        /// The task.
        task: String,
        /// How the last worker ended.
        reason: String,
    },
    /// Fewer or more records came out of a page than went in.
    #[error("cannot process {task}: {found} of its {expected} records came out")]
    Miscounted {
        /// The task.
        task: String,
        /// How many the response held.
        expected: u64,
        /// How many were mapped.
        found: u64,
    },
}

impl DataProcessingError {
    fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Self::NotRecords { .. } => {
                "check the base URL, and where the source says the records are"
            }
            Self::TooManyRejects { file, .. } => {
                let hint = format!(
                    "all of them are in {file}, and the others are stored; allow some with --max-rejects"
                );
                return hint.into();
            }
            Self::Missing { .. } => {
                "what is there is stored unless --strict is given; leave out what is closed with --resources, or allow so many refusals with --max-rejects"
            }
            Self::NoneMapped { .. } => "nothing was stored; check the fields of the source",
            Self::Rejected { .. } => {
                "nothing was stored; check the fields of the source, or make the one that records lack optional"
            }
            Self::Worker { .. } | Self::Miscounted { .. } => {
                "this should not happen: please report it, with the log"
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
        /// What was tried: `create`, `write`, `sync`, …
        operation: Cow<'static, str>,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A file is not as it was written.
    #[error("cannot use {}: it is not as it was written", .0.display())]
    Damaged(PathBuf),
    /// What a run was told to leave as it is, is not as the last one left it.
    #[error("cannot carry over {}: {reason}", .path.display())]
    NotKept {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is nothing to look at.
    #[error("cannot use {}: there is no snapshot in it", .0.display())]
    NoSnapshot(PathBuf),
    /// There is no history to look at.
    #[error("cannot tell what changed: there is no history in {}", .0.display())]
    NoHistory(PathBuf),
    /// The history could not be read or written.
    #[error("cannot {operation} the history {}: {cause}", .path.display())]
    History {
        /// What was tried: `open`, `write`, …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        cause: rusqlite::Error,
    },
    /// The history, or what a run is to add to it, is not what this program wrote.
    #[error(
        "cannot use {} {}: it is damaged: {reason}",
        if is_step(.path) { "what the last run changed," } else { "the history" }, .path.display()
    )]
    DamagedHistory {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The history is not that of the snapshot beside it.
    #[error(
        "cannot use the history {}: it lacks the last run, {}", .path.display(), Printable(.run)
    )]
    OtherHistory {
        /// Which file.
        path: PathBuf,
        /// Which run.
        run: String,
    },
    /// Something else is in the place of a file.
    #[error("cannot use {}: expected a regular file, found {}", .0.display(), .1)]
    NotAFile(PathBuf, &'static str),
    /// The history is of a later version of this program, or of another program.
    #[error(
        "cannot use the history {}: {}", .0.display(),
        if *.1 { "it is another program's file" } else { "a later version of this program made it" }
    )]
    ForeignHistory(PathBuf, bool),
    /// What is in a stored file is not what its manifest says.
    #[error("cannot read {}: {reason}", .path.display())]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest does not say how the records of its snapshot are to be read.
    #[error(
        "cannot read the records of {}: it is of an older version, which did not store the source's definition",
        .path.display()
    )]
    Undescribed {
        /// Which manifest.
        path: PathBuf,
        /// What makes a new one.
        command: &'static str,
    },
    /// The disk is nearly full: the run ends before it is.
    #[error(
        "cannot store more in {}: {free} bytes are free on its disk, and {needed} must stay free",
        .path.display()
    )]
    NoRoom {
        /// The folder of the run.
        path: PathBuf,
        /// How many bytes are free.
        free: u64,
        /// What a commit needs, or at least 64 MiB, or a twentieth of a small disk.
        needed: u64,
    },
    /// A link or a file stands in place of a folder that runs work in.
    #[error(
        "cannot use {}: {}", .path.display(),
        if *.is_link { "it is a symbolic link, and runs work in folders of their own only" }
        else { "a file is in its place" }
    )]
    InTheWay {
        /// Where the folder should be.
        path: PathBuf,
        /// Whether it is a link.
        is_link: bool,
    },
    /// Something is in a folder that runs work in, and no run made it.
    #[error(
        "cannot clear {}: no run made `{}`{}", .path.parent().unwrap_or(.path).display(),
        .path.file_name().unwrap_or_default().display(), and_others(*.others)
    )]
    Foreign {
        /// What was found.
        path: PathBuf,
        /// How many other things there are like it.
        others: usize,
    },
    /// Another run has the data directory.
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

    /// For `map_err`: names the operation and the file of the history, and tells damage from
    /// what may pass.
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

    /// A stored file that is not what its manifest says.
    #[must_use]
    pub fn unsound(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::Unsound {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Whether it is damage to what the last run is to add to the history, and to nothing else.
    #[must_use]
    pub fn is_of_step(&self) -> bool {
        matches!(self, Self::DamagedHistory { path, .. } if is_step(path))
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::History { cause, .. } => return Some(history_hint(cause).to_owned()),
            Self::DamagedHistory { path, .. } if is_step(path) => {
                "the next `activity-tracker run` keeps it under another name, and the history goes on without that run"
            }
            Self::DamagedHistory { .. } => {
                "a run that comes upon the damage keeps the file under another name and begins a new one; to have that at once, move it away, with what is named `history.db-…`; `sqlite3 FILE .recover` may save what is in it"
            }
            Self::OtherHistory { .. } => {
                "it was emptied, or is of another data directory: put the right one in its place, or else the next `activity-tracker run` goes on with this one"
            }
            Self::NotAFile(..) => "move it away, or choose another directory with --data-dir",
            Self::ForeignHistory(_, false) => {
                "use that version, or leave the history out with --no-history"
            }
            Self::ForeignHistory(_, true) => {
                "move it away, or leave the history out with --no-history"
            }
            Self::Unsound { path, .. } if is_manifest(path) => {
                "the manifest is damaged, though the files beside it may be whole: `run --fresh`, with the same source and flow, makes a new snapshot"
            }
            Self::Unsound { .. } => {
                "`activity-tracker verify` says which files are whole, and `run --fresh` makes them anew"
            }
            Self::Undescribed { command, .. } => {
                return Some(format!("run once more: `{command}`, with the same source"));
            }
            Self::Locked(_) => {
                "wait for it with --wait, or choose another directory with --data-dir"
            }
            Self::InTheWay { .. } | Self::Foreign { .. } => {
                "move it away; nothing was removed that no run made"
            }
            Self::NoLinks(_) => "choose a place on another file system with --data-dir",
            Self::Damaged(_) => "run again, with --fresh",
            Self::NotKept { .. } => {
                "nothing was changed; `run --fresh` without --resources makes it anew"
            }
            Self::NoRoom { .. } => {
                "make room, or choose another place with --data-dir; the last snapshot stands"
            }
            Self::NoHistory(_) => {
                "`activity-tracker run` makes one, unless --no-history is given; --data-dir says where"
            }
            Self::NoSnapshot(_) => "`activity-tracker run` makes one; --data-dir says where",
            Self::Io {
                operation, cause, ..
            } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room, or choose another place with --data-dir; the last snapshot stands"
                }
                io::ErrorKind::PermissionDenied
                    if matches!(&**operation, "read" | "open" | "list") =>
                {
                    "let this user read it, or run as the user whose it is"
                }
                io::ErrorKind::IsADirectory => {
                    "a directory is in the way: move it away, or choose another place with --data-dir"
                }
                _ if no_more_files(cause) => TOO_MANY_FILES,
                io::ErrorKind::FileTooLarge => {
                    "a file may not grow longer here: raise the limit (`ulimit -f`), or choose another file system with --data-dir; the last snapshot stands"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a place you may write to, with --data-dir or --log-file"
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    "a file is in the way: choose another place with --data-dir or --log-file"
                }
                _ => return None,
            },
        };
        Some(hint.to_owned())
    }
}

/// What a run is to add to the history, until the history took it: a file of the data directory.
pub(crate) const STEP_FILE: &str = ".history-next.db";

/// Whether a file is what a run is to add to the history, rather than the history.
fn is_step(path: &Path) -> bool {
    path.ends_with(STEP_FILE)
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("manifest"))
}

/// What is wrong with a file, where that is what SQLite complains of.
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
        Some(ErrorCode::DiskFull) => "make room, or choose another place with --data-dir",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has it open: end its transaction, and try again"
        }
        Some(ErrorCode::OutOfMemory) => TOO_LITTLE_MEMORY,
        Some(ErrorCode::OperationInterrupted) => "the next command goes on with it",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "a run that was killed leaves work to the next command, which must be able to write to the data directory: run one that is"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "check the disk, and the limit on the length of files (`ulimit -f`)"
        }
        _ => "move it away to begin a new one, or leave the history out with --no-history",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_that_there_is_no_memory_for_is_not_to_be_thrown_away() {
        // SQLITE_NOMEM, and one of its extended codes.
        for code in [7, 7 | 1 << 8] {
            let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let error = StorageError::history("open", Path::new("data/history.db"))(cause);
            assert_eq!(error.hint().as_deref(), Some(TOO_LITTLE_MEMORY), "{code}");
        }
    }

    #[test]
    fn hints_fit_what_was_tried() {
        let io = |operation: &'static str, kind: io::ErrorKind| {
            let error = StorageError::io(operation, Path::new("data/users.json"))(kind.into());
            error.hint().unwrap_or_default()
        };
        let denied = io::ErrorKind::PermissionDenied;
        for reading in ["read", "open", "list"] {
            assert!(
                io(reading, denied).contains("let this user read it"),
                "{reading}"
            );
        }
        for writing in ["create", "write", "open the log file"] {
            assert!(
                io(writing, denied).contains("you may write to"),
                "{writing}"
            );
        }
        for (name, expected) in [
            ("manifest.json", "makes a new snapshot"),
            ("manifest_async.json", "makes a new snapshot"),
            ("users.json", "says which files are whole"),
        ] {
            let hint = StorageError::unsound(Path::new(name), &"EOF").hint();
            assert!(hint.unwrap_or_default().contains(expected), "{name}");
        }
    }
}
