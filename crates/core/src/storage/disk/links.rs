//! Symbolic links of a data directory: created, and read without being followed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::io::Errno;

use crate::storage::StorageError;

use super::{call, record};

/// What is at a path. A link counts as a link, wherever it points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::storage) enum At {
    Nothing,
    File,
    Folder,
    /// A link with this text; `None` if the text is not UTF-8.
    Link(Option<String>),
    /// A FIFO, a device, a socket.
    Other,
}

/// What is at a path. An error counts as nothing: the call that uses the path will report it.
pub(in crate::storage) fn at(path: &Path) -> At {
    let Ok(about) = path.symlink_metadata() else {
        return At::Nothing;
    };
    let kind = about.file_type();
    if kind.is_symlink() {
        At::Link(link_to(path))
    } else if kind.is_file() {
        At::File
    } else if kind.is_dir() {
        At::Folder
    } else {
        At::Other
    }
}

/// The text of a link; `None` if there is no link, or its text is not UTF-8.
pub(in crate::storage) fn link_to(path: &Path) -> Option<String> {
    fs::read_link(path)
        .ok()?
        .into_os_string()
        .into_string()
        .ok()
}

/// Creates a link with this text.
///
/// # Errors
/// If something exists at the path, and if the file system does not support symbolic links.
pub(in crate::storage) fn make_link(target: &str, path: &Path) -> Result<(), StorageError> {
    match call("link", path, || symlink(target, path)) {
        Err(StorageError::Io { cause, .. }) if has_no_links(&cause) => {
            Err(StorageError::NoLinks(super::folder_of(path).to_owned()))
        }
        made => {
            made?;
            record::link(target, path);
            Ok(())
        }
    }
}

/// The errors of various systems if the file system does not support links.
fn has_no_links(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_from_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("folder")).unwrap();
        for to in ["file", "folder", "nowhere"] {
            let link = path(&format!("to-{to}"));
            make_link(to, &link).unwrap();
            assert_eq!(at(&link), At::Link(Some(to.to_owned())));
            assert!(make_link(to, &link).is_err(), "nothing is replaced");
        }
        assert_eq!(at(&path("file")), At::File);
        assert_eq!(at(&path("folder")), At::Folder);
        assert_eq!(at(&path("nowhere")), At::Nothing);
        assert_eq!(at(Path::new("/dev/null")), At::Other);
        assert_eq!(link_to(&path("file")), None);
    }
}
