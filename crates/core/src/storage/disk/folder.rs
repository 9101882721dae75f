//! Open folder handles: a removal acts on the folder that was opened, even if its name has come to
//! mean something else, and no link redirects it to another one.

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fsync, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::storage::StorageError;

use super::{call, found, record};

/// A folder that is open.
#[derive(Debug)]
pub(in crate::storage) struct Folder {
    file: OwnedFd,
    path: PathBuf,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) struct Entry {
    pub(in crate::storage) name: OsString,
    pub(in crate::storage) is_folder: bool,
}

impl Folder {
    /// Opens a folder that the user named; it may be a link. `None` if it does not exist.
    pub(in crate::storage) fn open(path: &Path) -> Result<Option<Self>, StorageError> {
        let file = call("open", path, || {
            found(open(CWD, path.as_os_str(), OFlags::empty()))
        })?;
        let path = path.to_owned();
        Ok(file.map(|file| Self { file, path }))
    }

    /// Opens a folder in this one; `None` if it does not exist.
    ///
    /// # Errors
    /// If a link or a file is in its place.
    pub(in crate::storage) fn inner(&self, name: &str) -> Result<Option<Self>, StorageError> {
        let path = self.path.join(name);
        let open = || found(open(&self.file, name.as_ref(), OFlags::NOFOLLOW));
        match call("open", &path, open) {
            Err(StorageError::Io { cause, .. }) if is_no_folder(&cause) => {
                Err(StorageError::InTheWay {
                    is_link: path.is_symlink(),
                    path,
                })
            }
            opened => Ok(opened?.map(|file| Self { file, path })),
        }
    }

    /// Its entries, in no particular order.
    pub(in crate::storage) fn entries(&self) -> Result<Vec<Entry>, StorageError> {
        call("list", &self.path, || {
            let mut entries = Vec::new();
            for entry in Dir::read_from(&self.file)? {
                let entry = entry?;
                let name = entry.file_name();
                if name != c"." && name != c".." {
                    let is_folder = self.is_folder(name, entry.file_type())?;
                    let name = OsStr::from_bytes(name.to_bytes()).to_owned();
                    entries.push(Entry { name, is_folder });
                }
            }
            Ok(entries)
        })
    }

    /// Not every file system reports the type of an entry when it lists a folder.
    fn is_folder(&self, name: &CStr, kind: FileType) -> io::Result<bool> {
        if kind != FileType::Unknown {
            return Ok(kind == FileType::Directory);
        }
        let about = statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(about.st_mode) == FileType::Directory)
    }

    /// Removes a file in it, if it exists. A link itself is removed, not its target.
    pub(in crate::storage) fn remove_file(&self, name: &OsStr) -> Result<(), StorageError> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes an empty folder in it, if it exists.
    pub(in crate::storage) fn remove_folder(&self, name: &str) -> Result<(), StorageError> {
        self.unlink(name.as_ref(), AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), StorageError> {
        let unlink = || found(unlinkat(&self.file, name, flags).map_err(io::Error::from));
        let path = self.path.join(name);
        if call("remove", &path, unlink)?.is_some() {
            let is_folder = flags.contains(AtFlags::REMOVEDIR);
            record::paths(if is_folder { "rmdir" } else { "unlink" }, &[&path]);
        }
        Ok(())
    }

    /// Syncs its entries to disk.
    pub(in crate::storage) fn sync(&self) -> Result<(), StorageError> {
        call("sync", &self.path, || Ok(fsync(&self.file)?))?;
        record::paths("sync", &[&self.path]);
        Ok(())
    }

    /// Its path at the time it was opened.
    pub(in crate::storage) fn path(&self) -> &Path {
        &self.path
    }
}

fn open(within: impl std::os::fd::AsFd, name: &OsStr, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    Ok(openat(within, name, flags, Mode::empty())?)
}

/// The errors of various systems when a link or a file is opened as a folder.
fn is_no_folder(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::LOOP | Errno::NOTDIR | Errno::MLINK))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_was_opened_stays_the_same_when_a_link_takes_its_name() {
        let place = tempfile::tempdir().unwrap();
        let (ours, theirs) = (place.path().join("ours"), place.path().join("theirs"));
        for folder in [&ours, &theirs] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "").unwrap();
        }
        let opened = Folder::open(place.path()).unwrap().unwrap();
        let inner = opened.inner("ours").unwrap().unwrap();
        fs::rename(&ours, place.path().join("moved")).unwrap();
        symlink(&theirs, &ours).unwrap();
        inner.remove_file("file".as_ref()).unwrap();
        assert!(!place.path().join("moved/file").exists());
        assert!(theirs.join("file").exists());
        // Removing a folder does not remove a link, and a link is never opened as a folder.
        assert!(opened.remove_folder("ours").is_err());
        let error = opened.inner("ours").unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert!(theirs.join("file").exists() && ours.is_symlink());
    }

    #[test]
    fn what_is_in_a_folder_is_listed_and_links_are_no_folders() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("folder")).unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        symlink("folder", place.path().join("link")).unwrap();
        let folder = Folder::open(place.path()).unwrap().unwrap();
        let mut entries = folder.entries().unwrap();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let entries = entries
            .iter()
            .map(|entry| (entry.name.to_str().unwrap(), entry.is_folder));
        let expected = [("file", false), ("folder", true), ("link", false)];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
        assert!(folder.inner("nothing").unwrap().is_none());
        let error = folder.inner("file").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("it is a file, expected a folder"),
            "{error}"
        );
        folder.remove_file("nothing".as_ref()).unwrap();
        folder.remove_folder("nothing").unwrap();
    }
}
