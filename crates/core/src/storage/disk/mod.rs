//! The file system as storage uses it: each error names the operation and its path.
//!
//! All file system calls of a run in its data directory go through here, so that a test can kill
//! the program at each of them in turn, or make each of them fail.

mod record;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::regular_file;
use crate::storage::StorageError;

mod folder;
mod links;

pub(super) use folder::{Entry, Folder};
pub(super) use links::{At, at, link_to, make_link};

/// Records contain e-mail addresses: only the owner can read what is written, unless the commit
/// extends the permissions.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Runs one call and adds the operation and the path to its error.
fn call<T>(
    operation: &'static str,
    path: &Path,
    act: impl FnOnce() -> io::Result<T>,
) -> Result<T, StorageError> {
    let done = fault::point(operation, path).and_then(|()| act());
    done.map_err(StorageError::io(operation, path))
}

/// Size of the read buffer in bytes.
const PIECE: usize = 256 * 1024;

/// An open file with its path.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Creates a file; fails if anything exists at the path, even a link.
    pub(super) fn create(path: &Path) -> Result<Self, StorageError> {
        let file = call("create", path, || create_new(path, PRIVATE_FILE))?;
        record::paths("create", &[path]);
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Creates a new file in place of an existing one. The old file may have a second name (hard
    /// link), under which it must keep its contents.
    pub(super) fn create_anew(path: &Path) -> Result<Self, StorageError> {
        remove_file(path)?;
        Self::create(path)
    }

    /// Opens a file for appending; creates it if it is missing.
    pub(super) fn append(path: &Path) -> Result<Self, StorageError> {
        let open = || {
            let mut options = File::options();
            options.append(true).create(true).mode(PRIVATE_FILE);
            let flags = regular_file::flags(OFlags::NOFOLLOW);
            let file = options.custom_flags(flags).open(path);
            let file = file.map_err(|error| regular_file::explain(error, path))?;
            regular_file::check(&file)?;
            Ok(file)
        };
        let file = call("create", path, open)?;
        record::paths("append", &[path]);
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Opens a file of a data directory for reading. Runs create no links there: a link in its
    /// place would lead to a file that no run stored.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let file = call("open", path, || regular_file::open_no_link(path))?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Writes all the bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let Self { file, path } = self;
        fault::tear(file, bytes);
        call("write", path, || file.write_all(bytes))?;
        record::write(file, path, bytes);
        Ok(())
    }

    /// Reads at most `piece.len()` bytes; 0 at the end of the file.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<usize, StorageError> {
        let Self { file, path } = self;
        call("read", path, || {
            loop {
                match file.read(piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => return read,
                }
            }
        })
    }

    /// Reads `length` bytes into `bytes`, or fewer if the file ends before.
    pub(super) fn read_length(
        &mut self,
        length: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let Self { file, path } = self;
        call("read", path, || {
            // `read_to_end` reads into reserved capacity without clearing it first. The buffer is
            // reused, and without `reserve_exact` it would double for each slice longer than the
            // one before.
            bytes.clear();
            bytes.reserve_exact(usize::try_from(length).unwrap_or_default());
            file.take(length).read_to_end(bytes).map(drop)
        })
    }

    /// Passes the rest of the file to `take`, one chunk at a time.
    pub(super) fn each_piece<E: From<StorageError>>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut piece = vec![0; PIECE];
        loop {
            match self.read(&mut piece)? {
                0 => return Ok(()),
                length => take(&piece[..length])?,
            }
        }
    }

    /// Moves the read and write position.
    pub(super) fn seek(&mut self, to: SeekFrom) -> Result<u64, StorageError> {
        self.file
            .seek(to)
            .map_err(StorageError::io("read", &self.path))
    }

    /// Truncates the file to `length` bytes.
    pub(super) fn truncate(&self, length: u64) -> Result<(), StorageError> {
        call("write", &self.path, || self.file.set_len(length))?;
        record::truncate(&self.path, length);
        Ok(())
    }

    /// Syncs everything that was written to disk.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        call("sync", &self.path, || self.file.sync_all())?;
        record::paths("sync", &[&self.path]);
        Ok(())
    }
}

/// The largest file that is read into memory, in bytes: the journal of millions of pages.
const LONGEST_READ: u64 = 1 << 30;

/// The contents of a file of a data directory; `None` if it does not exist. A link in its place is
/// an error, as it is when a file is opened.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    call("read", path, || {
        found(regular_file::read_no_link(path, LONGEST_READ))
    })
}

/// The length of a regular file in bytes; `None` if there is none, or only a link to one.
pub(super) fn length(path: &Path) -> Option<u64> {
    let about = path.symlink_metadata().ok()?;
    about.is_file().then_some(about.len())
}

/// A buffered reader of a file, from its beginning.
pub(crate) fn reader(path: &Path) -> Result<impl io::Read + use<>, StorageError> {
    Ok(io::BufReader::new(DiskFile::open(path)?.file))
}

fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(mode).open(path)
}

/// Creates an empty private file for another writer, unless it exists: SQLite would make it
/// readable for everybody.
pub(crate) fn create_private(path: &Path) -> Result<(), StorageError> {
    call("create", path, || match create_new(path, PRIVATE_FILE) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop),
    })
}

/// Sets the permissions of a file that a run created.
pub(super) fn set_file_mode(path: &Path, mode: u32) -> Result<(), StorageError> {
    call("set the permissions of", path, || {
        // The opened file, because its name may come to mean another one.
        let file = regular_file::open_no_link(path)?;
        file.set_permissions(Permissions::from_mode(mode))
    })
}

/// Sets the permissions of a folder that a run created.
pub(super) fn set_folder_mode(path: &Path, mode: u32) -> Result<(), StorageError> {
    call("set the permissions of", path, || {
        open_folder(path)?.set_permissions(Permissions::from_mode(mode))
    })
}

/// Creates a folder, unless it exists. A link to a folder is accepted: it is the user's data
/// directory, or a folder above it.
pub(super) fn create_folder(path: &Path) -> Result<(), StorageError> {
    create_folder_unless(path, Path::is_dir)
}

/// Creates a folder for runs to work in, unless it exists.
pub(super) fn create_own_folder(path: &Path) -> Result<(), StorageError> {
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|about| about.is_dir());
    create_folder_unless(path, is_folder)
}

fn create_folder_unless(path: &Path, is_there: fn(&Path) -> bool) -> Result<(), StorageError> {
    let mut builder = DirBuilder::new();
    let builder = builder.mode(PRIVATE_FOLDER);
    call("create", path, || match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_there(path) => Ok(()),
        created => created,
    })?;
    record::paths("mkdir", &[path]);
    Ok(())
}

/// Replaces a file atomically: writes a temporary file beside it, then renames it. Keeps the
/// permissions of an existing file; a new file gets the usual ones.
///
/// # Errors
/// If it cannot be written; the previous file is unchanged then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let (mut file, beside) = create_beside(path)?;
    let mode = path.symlink_metadata().ok();
    let mode = mode
        .filter(fs::Metadata::is_file)
        .map(|about| about.permissions());
    let written = file.write(bytes).and_then(|()| {
        if let Some(mode) = mode {
            call("write", &beside, || file.file.set_permissions(mode))?;
        }
        file.sync()
    });
    let placed = written.and_then(|()| rename(&beside, path).map(drop));
    if placed.is_err() {
        // The remains are useless; the first error is the one to report.
        let _ = remove_file(&beside);
    }
    placed
}

/// Creates a file beside another one, with an unpredictable name, so that nobody can plant a link
/// there.
fn create_beside(path: &Path) -> Result<(DiskFile, PathBuf), StorageError> {
    let Some(name) = path.file_name() else {
        return Err(StorageError::io("write", path)(
            io::ErrorKind::IsADirectory.into(),
        ));
    };
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{:016x}.new", fastrand::u64(..)));
    let beside = path.with_file_name(beside);
    // The usual permissions of the user's new files: this file is meant to be shared.
    let file = call("create", path, || create_new(&beside, 0o666))?;
    let path = beside.clone();
    Ok((DiskFile { file, path }, beside))
}

/// Syncs to disk a file that other code wrote.
pub(crate) fn sync_file(path: &Path) -> Result<(), StorageError> {
    let file = DiskFile::open(path)?;
    record::found(path);
    file.sync()
}

/// The parent folder of a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Syncs the entries of a folder to disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StorageError> {
    call("sync", path, || open_folder(path)?.sync_all())?;
    record::paths("sync", &[path]);
    Ok(())
}

/// Like [`sync_folder`], but does nothing if there is no such folder.
pub(super) fn sync_folder_if_there(path: &Path) -> Result<(), StorageError> {
    match at(path) {
        At::Folder => sync_folder(path),
        _ => Ok(()),
    }
}

/// Opens a data directory so that it can be locked.
pub(super) fn folder_to_lock(path: &Path) -> Result<File, StorageError> {
    call("open", path, || open_folder(path))
}

fn open_folder(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    let flags = regular_file::flags(OFlags::DIRECTORY);
    options.custom_flags(flags).open(path)
}

/// Moves a file or folder, replacing an existing one. Returns whether there was anything to move.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<bool, StorageError> {
    let moved = call("put in place", to, || found(fs::rename(from, to)))?;
    if moved.is_some() {
        record::paths("rename", &[from, to]);
    }
    Ok(moved.is_some())
}

/// Hard-links a file, or copies it if the file system does not support hard links. Returns whether
/// the file exists.
pub(super) fn keep(from: &Path, to: &Path) -> Result<bool, StorageError> {
    let kept = call("replace", from, || match fs::hard_link(from, to) {
        Err(error) if has_no_links(&error) => {
            copy_itself(from, to)?;
            if !to.is_symlink() {
                // The contents of a hard link would already be on disk.
                File::open(to)?.sync_all()?;
            }
            Ok("copy")
        }
        linked => linked.map(|()| "link"),
    });
    match kept {
        Err(StorageError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        kept => {
            record::paths(kept?, &[from, to]);
            Ok(true)
        }
    }
}

/// Copies a file, inside the kernel if the system can.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    call("copy", from, || copy_itself(from, to))?;
    record::paths("copy", &[from, to]);
    Ok(())
}

/// A link is copied as a link, and nothing is written through a link.
fn copy_itself(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    let mut source = regular_file::open_no_link(from)?;
    io::copy(&mut source, &mut create_new(to, PRIVATE_FILE)?).map(drop)
}

fn has_no_links(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), PermissionDenied | TooManyLinks | Unsupported)
}

/// Removes a file, if it exists.
pub(crate) fn remove_file(path: &Path) -> Result<(), StorageError> {
    if call("remove", path, || found(fs::remove_file(path)))?.is_some() {
        record::paths("unlink", &[path]);
    }
    Ok(())
}

/// Removes an empty folder, if it exists.
pub(super) fn remove_folder(path: &Path) -> Result<(), StorageError> {
    if call("remove", path, || found(fs::remove_dir(path)))?.is_some() {
        record::paths("rmdir", &[path]);
    }
    Ok(())
}

/// The space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Available to this user: space that is reserved for others is not counted.
    pub(super) free: u64,
    pub(super) total: u64,
}

/// The space of the file system that contains `folder`; `None` if the system does not report it.
pub(super) fn space(folder: &Path) -> Option<Space> {
    let told = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    let (free, total) = (bytes(told.f_bavail), bytes(told.f_blocks));
    let free = fault::free().unwrap_or(free);
    (total > 0).then_some(Space { free, total })
}

/// Maps "not found" to `None`.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fault injection, in debug builds only: `ACTIVITY_TRACKER_FAULT=kill:17` kills the program at its
/// 17th file system call, `tear:17` kills it there after writing half of the bytes, `5:17` makes
/// that call fail with the system's error 5, and with `free:17` the disk appears to have 17 bytes
/// free.
#[cfg(debug_assertions)]
mod fault {
    use std::fs::File;
    use std::io::{self, Write};
    use std::path::Path;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    enum Kind {
        Kill,
        Tear,
        Free,
        Error(i32),
    }

    static PLAN: LazyLock<Option<(Kind, u64)>> = LazyLock::new(|| {
        let worker = std::env::args_os()
            .nth(1)
            .is_some_and(|arg| arg == "worker");
        let name = if worker {
            "ACTIVITY_TRACKER_WORKER_FAULT"
        } else {
            "ACTIVITY_TRACKER_FAULT"
        };
        let plan = std::env::var(name).ok()?;
        let (kind, at) = plan.split_once(':')?;
        let kind = match kind {
            "kill" => Kind::Kill,
            "tear" => Kind::Tear,
            "free" => Kind::Free,
            code => Kind::Error(code.parse().ok()?),
        };
        Some((kind, at.parse().ok()?))
    });

    static CALLS: AtomicU64 = AtomicU64::new(0);

    /// The number of calls so far, if one of them is to fail.
    pub(super) fn calls() -> u64 {
        CALLS.load(Ordering::SeqCst)
    }

    fn kill() {
        let _ = signal_hook::low_level::raise(9);
    }

    pub(super) fn point(operation: &str, path: &Path) -> io::Result<()> {
        let Some((kind, at)) = &*PLAN else {
            return Ok(());
        };
        if matches!(kind, Kind::Free) || CALLS.fetch_add(1, Ordering::SeqCst) + 1 != *at {
            return Ok(());
        }
        // Not through the macro: libraries do not print.
        let _ = writeln!(io::stderr(), "fault: {operation} {}", path.display());
        match kind {
            Kind::Error(code) => Err(io::Error::from_raw_os_error(*code)),
            Kind::Free => Ok(()),
            Kind::Kill | Kind::Tear => {
                kill();
                Ok(())
            }
        }
    }

    pub(super) fn free() -> Option<u64> {
        match &*PLAN {
            Some((Kind::Free, free)) => Some(*free),
            _ => None,
        }
    }

    pub(super) fn tear(file: &mut File, bytes: &[u8]) {
        if let Some((Kind::Tear, at)) = &*PLAN
            && CALLS.load(Ordering::SeqCst) + 1 == *at
        {
            let _ = file.write_all(&bytes[..bytes.len() / 2]);
        }
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    #[expect(
        clippy::unnecessary_wraps,
        reason = "same signature as the one that fails"
    )]
    pub(super) fn point(_: &str, _: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn free() -> Option<u64> {
        None
    }

    pub(super) fn tear(_: &mut File, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_no_error() {
        let place = tempfile::tempdir().unwrap();
        let (nothing, other) = (place.path().join("nothing"), place.path().join("other"));
        remove_file(&nothing).unwrap();
        remove_folder(&nothing).unwrap();
        assert!(!rename(&nothing, &other).unwrap());
        assert!(!keep(&nothing, &other).unwrap());
        assert!(read(&nothing).unwrap().is_none());
    }

    #[test]
    fn nothing_is_read_or_written_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (theirs, link) = (place.path().join("theirs"), place.path().join("link"));
        fs::write(&theirs, "theirs").unwrap();
        symlink(&theirs, &link).unwrap();
        assert!(DiskFile::create(&link).is_err());
        assert!(DiskFile::append(&link).is_err());
        assert!(copy(&theirs, &link).is_err());
        assert!(create_own_folder(&link).is_err());
        assert!(DiskFile::open(&link).is_err());
        assert!(read(&link).is_err());
        assert!(reader(&link).is_err());
        assert!(at(&link) != At::File && at(&theirs) == At::File);
        let mut anew = DiskFile::create_anew(&link).unwrap();
        anew.write(b"ours").unwrap();
        assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
        assert_eq!(fs::read(&link).unwrap(), b"ours");
    }

    #[test]
    fn a_link_is_kept_as_the_link_that_it_is() {
        let place = tempfile::tempdir().unwrap();
        let (theirs, link) = (place.path().join("theirs"), place.path().join("link"));
        fs::write(&theirs, "theirs").unwrap();
        symlink(&theirs, &link).unwrap();
        let (linked, copied) = (place.path().join("linked"), place.path().join("copied"));
        assert!(keep(&link, &linked).unwrap());
        // As on a file system without hard links.
        copy_itself(&link, &copied).unwrap();
        for kept in [linked, copied] {
            assert_eq!(fs::read_link(&kept).unwrap(), theirs);
        }
    }

    #[test]
    fn what_is_kept_of_a_file_stays_when_the_file_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let (file, old) = (place.path().join("file"), place.path().join("old"));
        fs::write(&file, "first").unwrap();
        assert!(keep(&file, &old).unwrap());
        fs::write(place.path().join("new"), "second").unwrap();
        assert!(rename(&place.path().join("new"), &file).unwrap());
        assert_eq!(fs::read(&old).unwrap(), b"first");
        assert_eq!(fs::read(&file).unwrap(), b"second");
    }

    #[test]
    fn nothing_else_in_storage_calls_the_file_system() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
        let files = fs::read_dir(&room)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.is_file());
        let files: Vec<_> = files.chain([room.join("spool/mod.rs")]).collect();
        assert!(files.len() > 15, "files were found");
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for call in ["fs::", "File::", "OpenOptions"] {
                let allowed = |line: &&str| {
                    let ours = ["use ", "DiskFile::"];
                    ours.iter().any(|text| line.contains(text))
                };
                let mut lines = code.lines().filter(|line| line.contains(call));
                let stray = lines.find(|line| !allowed(line));
                assert_eq!(stray, None, "{}", path.display());
            }
        }
    }
}
