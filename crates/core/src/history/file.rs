//! Opens the SQLite files of a data directory, which may have been tampered with.
//!
//! A planted file must not redirect the program, block it or run code: only regular files are
//! opened, triggers and views are disabled, and the schema is compared with the program's own
//! ([`super::schema`]) before a row is read.

use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::HistoryError;
use crate::storage;
use crate::storage::StorageError;
use activity_tracker_concurrency::Stop;

/// How many instructions SQLite's virtual machine runs between two checks for a stop: well below a
/// millisecond.
const STEPS: i32 = 1000;

/// How long to wait for another process's transaction.
const PATIENCE: Duration = Duration::from_secs(10);

/// The suffixes of the files that SQLite keeps beside a database.
pub(super) const BESIDE: [&str; 3] = [JOURNAL, "-wal", "-shm"];

const JOURNAL: &str = "-journal";

/// How a journal ends that names a super-journal, which SQLite would delete.
const NAMES_ANOTHER: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenMode {
    /// For writing; the file is created if it is missing.
    Writing,
    Reading,
}

/// Opens a file, which must be a regular one if it exists.
///
/// # Errors
/// When it is a link, a directory, a device and so on, and when SQLite cannot open it.
pub(super) fn open(path: &Path, for_what: OpenMode) -> Result<Connection, HistoryError> {
    expect_regular(path)?;
    for end in BESIDE {
        expect_regular(&beside(path, end))?;
    }
    expect_own_journal(path)?;
    let place = place(path).map_err(StorageError::io("find", path))?;
    let flags = match for_what {
        OpenMode::Writing => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        OpenMode::Reading => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(place, flags)
        .and_then(hardened)
        .map_err(HistoryError::sqlite("open", path))
}

/// Configures a connection to run nothing that is stored in its file.
pub(super) fn hardened(connection: Connection) -> rusqlite::Result<Connection> {
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Interrupts statements when `stop` is requested or hurried.
pub(super) fn heed(connection: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
    let stop = stop.clone();
    let handler = move || stop.is_hurried() || stop.check().is_err();
    connection.progress_handler(STEPS, Some(handler))
}

/// Interrupts statements only when `stop` is hurried.
pub(super) fn heed_hurry(connection: &mut Connection, stop: &Stop) -> rusqlite::Result<()> {
    let stop = stop.clone();
    connection.progress_handler(STEPS, Some(move || stop.is_hurried()))
}

/// Whether a killed program left an unfinished transaction, which the next connection that may
/// write rolls back.
pub(super) fn is_half_done(path: &Path) -> bool {
    let journal = fs::symlink_metadata(beside(path, JOURNAL));
    journal.is_ok_and(|journal| journal.is_file() && journal.len() > 0)
}

/// Whether anything exists at this path, even a dangling link.
pub(super) fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// A file's path as SQLite accepts it: with the links in its folder's path resolved, which SQLite
/// would not follow, and absolute, so that it never begins with `file:`, which SQLite would parse
/// as a URI.
pub(super) fn place(path: &Path) -> io::Result<PathBuf> {
    let folder = storage::folder_of(path).canonicalize()?;
    Ok(path
        .file_name()
        .map_or(folder.clone(), |name| folder.join(name)))
}

/// The path of a file that SQLite keeps beside another one.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Expects a regular file or none: anything else could lead elsewhere, or block when it is opened.
fn expect_regular(path: &Path) -> Result<(), HistoryError> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => Ok(()),
        Ok(about) => {
            let found = kind(about.file_type());
            Err(StorageError::NotAFile(path.to_owned(), found).into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("open", path)(error).into()),
    }
}

/// The name of a file type other than a regular file.
fn kind(file: FileType) -> &'static str {
    match file {
        file if file.is_symlink() => "a symbolic link",
        file if file.is_dir() => "a directory",
        file if file.is_fifo() => "a named pipe",
        file if file.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Rejects a journal that names a super-journal: this program writes to one file per transaction.
/// Such a journal was planted, or left by a program that changed several files at once; SQLite
/// would delete the named file.
fn expect_own_journal(path: &Path) -> Result<(), HistoryError> {
    let end = || {
        let mut file = File::open(beside(path, JOURNAL))?;
        let mut end = [0; NAMES_ANOTHER.len()];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut end)?;
        Ok::<_, io::Error>(end)
    };
    // A shorter or missing journal names nothing.
    if end().is_ok_and(|end| end == NAMES_ANOTHER) {
        return Err(HistoryError::Damaged {
            path: path.to_owned(),
            reason: "its journal names another file, which would be removed".to_owned(),
        });
    }
    Ok(())
}
