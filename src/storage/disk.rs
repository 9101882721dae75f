//! The file system, as storage uses it: each call names what it tried and on what.
//!
//! All calls that a run makes in its data directory go through here, so that a
//! test can end the program at each of them in turn, or make each of them fail.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::StorageError;

/// Makes one call.
fn call<T>(
    operation: &'static str,
    path: &Path,
    act: impl FnOnce() -> io::Result<T>,
) -> Result<T, StorageError> {
    let done = fault::point(operation, path).and_then(|()| act());
    done.map_err(StorageError::io(operation, path))
}

/// How much of a file is read at a time.
const PIECE: usize = 256 * 1024;

/// An open file that knows its name.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Makes a file, empty, whatever was there before.
    pub(super) fn create(path: &Path) -> Result<Self, StorageError> {
        let file = call("create", path, || File::create(path))?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Makes a file that has nothing in common with one that was there before: that
    /// one may have a second name, under which it is to stay as it is.
    pub(super) fn create_anew(path: &Path) -> Result<Self, StorageError> {
        remove_file(path)?;
        Self::create(path)
    }

    /// Opens a file to write behind what it holds; makes it where it is missing.
    pub(super) fn append(path: &Path) -> Result<Self, StorageError> {
        let open = || File::options().append(true).create(true).open(path);
        let file = call("create", path, open)?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Opens a file to read it.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let file = call("open", path, || File::open(path))?;
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    /// Writes all of these bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let Self { file, path } = self;
        fault::tear(file, bytes);
        call("write", path, || file.write_all(bytes))
    }

    /// Reads what there is, up to the length of `piece`; 0 at the end.
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

    /// Reads `length` bytes into `bytes`, or fewer where the file ends before.
    pub(super) fn read_length(
        &mut self,
        length: u64,
        bytes: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let Self { file, path } = self;
        call("read", path, || {
            // Room that is read into at once need not be cleared before.
            bytes.clear();
            bytes.reserve(usize::try_from(length).unwrap_or_default());
            file.take(length).read_to_end(bytes).map(drop)
        })
    }

    /// Hands over what there is up to the end of the file, a piece at a time.
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

    /// Goes to a place in the file.
    pub(super) fn seek(&mut self, to: SeekFrom) -> Result<u64, StorageError> {
        self.file
            .seek(to)
            .map_err(StorageError::io("read", &self.path))
    }

    /// Cuts the file off.
    pub(super) fn truncate(&self, length: u64) -> Result<(), StorageError> {
        call("write", &self.path, || self.file.set_len(length))
    }

    /// Has everything on the disk that was written.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        call("sync", &self.path, || self.file.sync_all())
    }
}

/// All of a file; nothing where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    call("read", path, || found(fs::read(path)))
}

/// A file to be read from its beginning, a little at a time.
pub(super) fn reader(path: &Path) -> Result<impl io::Read + use<>, StorageError> {
    Ok(io::BufReader::new(DiskFile::open(path)?.file))
}

/// Makes a folder, unless it is there.
pub(super) fn create_folder(path: &Path) -> Result<(), StorageError> {
    call("create", path, || match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    })
}

/// Writes a file beside its place and puts it there when it is whole.
///
/// # Errors
/// When it cannot be written; what was in its place is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let written = DiskFile::create(&beside).and_then(|mut file| {
        file.write(bytes)?;
        file.sync()
    });
    let placed = written.and_then(|()| rename(&beside, path).map(drop));
    if placed.is_err() {
        // What remains of it is of no use; the first error is the one to tell.
        let _ = remove_file(&beside);
    }
    placed
}

/// Has a file that somebody else wrote on the disk.
pub(crate) fn sync_file(path: &Path) -> Result<(), StorageError> {
    DiskFile::open(path)?.sync()
}

/// Has the entries of a folder on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StorageError> {
    call("sync", path, || File::open(path)?.sync_all())
}

/// Moves a file or folder, over one that is there; tells whether there was anything to move.
pub(super) fn rename(from: &Path, to: &Path) -> Result<bool, StorageError> {
    let moved = call("put in place", to, || found(fs::rename(from, to)))?;
    Ok(moved.is_some())
}

/// Gives a file a second name, or a copy of it where the file system knows no second
/// names; tells whether the file is there.
pub(super) fn keep(from: &Path, to: &Path) -> Result<bool, StorageError> {
    let linked = call("replace", from, || match fs::hard_link(from, to) {
        Err(error) if has_no_links(&error) => fs::copy(from, to).map(drop),
        linked => linked,
    });
    match linked {
        Err(StorageError::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        linked => linked.map(|()| true),
    }
}

/// Copies a file, without its bytes passing through here where the system can.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StorageError> {
    call("copy", from, || fs::copy(from, to)).map(drop)
}

fn has_no_links(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), PermissionDenied | TooManyLinks | Unsupported)
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<(), StorageError> {
    call("remove", path, || found(fs::remove_file(path))).map(drop)
}

/// Removes an empty folder, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), StorageError> {
    call("remove", path, || found(fs::remove_dir(path))).map(drop)
}

/// Removes a folder and all that is in it, if it is there.
pub(super) fn remove_tree(path: &Path) -> Result<(), StorageError> {
    let listed = call("list", path, || {
        let Some(entries) = found(fs::read_dir(path))? else {
            return Ok(Vec::new());
        };
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.path(), entry.file_type()?.is_dir()))
        };
        entries.map(entry).collect()
    })?;
    for (path, is_folder) in listed {
        if is_folder {
            remove_tree(&path)?;
        } else {
            remove_file(&path)?;
        }
    }
    remove_folder(path)
}

/// How much room a file system has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// For us: what is reserved for others is none of it.
    pub(super) free: u64,
    pub(super) total: u64,
}

/// How much room there is where `folder` is; none where the system does not tell.
pub(super) fn space(folder: &Path) -> Option<Space> {
    let told = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    let (free, total) = (bytes(told.f_bavail), bytes(told.f_blocks));
    let free = fault::free().unwrap_or(free);
    (total > 0).then_some(Space { free, total })
}

/// What is not there is no error here.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Faults on demand, in builds for development alone: `ACTIVITY_TRACKER_FAULT=kill:17`
/// ends the program at its 17th call of the file system, `tear:17` ends it there with
/// half of what was to be written, `5:17` has that call fail with the system's error 5,
/// and with `free:17` the disk seems to have 17 bytes free.
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
        // Through the handle, and not the macro: libraries do not print.
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
        reason = "it has the form of the one that fails"
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
    fn a_tree_is_removed_whole_and_what_is_not_there_is_no_error() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir_all(tree.join("deep/er")).unwrap();
        fs::write(tree.join("deep/file"), "").unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        remove_tree(&tree).unwrap();
        remove_file(&tree).unwrap();
        assert!(!rename(&tree, &place.path().join("other")).unwrap());
        assert!(!keep(&tree, &place.path().join("other")).unwrap());
        assert!(read(&tree).unwrap().is_none());
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
        for name in [
            "commit", "journal", "manifest", "outputs", "room", "segment", "slice", "spool",
            "stage", "verify",
        ] {
            let path = format!("{}/src/storage/{name}.rs", env!("CARGO_MANIFEST_DIR"));
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for call in ["fs::", "File::", "OpenOptions"] {
                let allowed = |line: &&str| {
                    let ours = ["use ", "DiskFile::", "to lock it"];
                    ours.iter().any(|text| line.contains(text))
                };
                let mut lines = code.lines().filter(|line| line.contains(call));
                let stray = lines.find(|line| !allowed(line));
                assert_eq!(stray, None, "{path}");
            }
        }
    }
}
