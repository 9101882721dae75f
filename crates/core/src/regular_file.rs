//! Opens files for reading: regular files only, and never blocking.
//!
//! There may be a FIFO, a device or a socket where a file is expected: planted by an attacker, or
//! named by mistake. Opening a FIFO blocks until a writer opens it, and reading one may never end.
//! So every file that the program reads is opened here, without blocking. The type of the opened
//! file is checked, not that of the name before opening: a name can refer to something else between
//! two calls.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The error of a path that exists and is not a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {found}, and a regular file is needed{}", hint(.found))]
pub struct NotRegular {
    /// The type of the file: `a FIFO (pipe)`.
    pub found: &'static str,
}

fn hint(found: &str) -> &'static str {
    // Shells pass `<(…)` as a FIFO, where a command line names files.
    if found == FIFO {
        ": write its contents to a file first"
    } else {
        ""
    }
}

const FIFO: &str = "a FIFO (pipe)";

/// Opens a regular file for reading. Its name may be a symbolic link.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::empty())
}

/// Opens a regular file whose name is not a symbolic link, for reading.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::NOFOLLOW)
}

fn open_with(path: &Path, more: OFlags) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    let file = options.custom_flags(flags(more)).open(path);
    let file = file.map_err(|error| explain(error, path))?;
    check(&file)?;
    Ok(file)
}

/// The flags for opening files: no call blocks, and no terminal becomes the controlling one.
pub(crate) fn flags(more: OFlags) -> i32 {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    // The system's type for these flags is signed.
    flags.bits().cast_signed()
}

/// Checks the type of an opened file.
///
/// # Errors
/// When it is not a regular file.
pub(crate) fn check(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        // The same error as the system's when a directory is read.
        return Err(Errno::ISDIR.into());
    }
    Err(not_regular(kind))
}

/// Replaces an unclear system error of opening a file by one that names its type.
pub(crate) fn explain(error: io::Error, path: &Path) -> io::Error {
    // Most likely the path still refers to what could not be opened.
    let kind = || path.symlink_metadata().map(|about| about.file_type());
    match Errno::from_io_error(&error) {
        // A link that must not be followed, a socket, or a FIFO without a reader.
        Some(Errno::LOOP | Errno::NXIO | Errno::OPNOTSUPP) => match kind() {
            Ok(kind) if !kind.is_file() && !kind.is_dir() => not_regular(kind),
            _ => error,
        },
        _ => error,
    }
}

fn not_regular(kind: FileType) -> io::Error {
    let found = if kind.is_fifo() {
        FIFO
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    io::Error::new(io::ErrorKind::InvalidInput, NotRegular { found })
}

/// Reads a regular file of at most `limit` bytes. Its name may be a symbolic link.
///
/// # Errors
/// When it cannot be read, is longer, or is not a regular file.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_open(&open(path)?, limit)
}

/// As [`read`], for a file whose name is not a symbolic link.
///
/// # Errors
/// As [`read`], and when it is a link.
pub fn read_no_link(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_open(&open_no_link(path)?, limit)
}

/// As [`read`], for a file of UTF-8 text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let bytes = read(path, limit)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let problem = format!("it is not UTF-8 text: byte {at} is wrong");
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}

fn read_open(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let too_long = || {
        let problem =
            format!("it is longer than {limit} bytes, the most that such a file may have");
        io::Error::new(io::ErrorKind::InvalidData, problem)
    };
    // Detected before reading in most cases; but a file may also grow while it is read.
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    fn says(error: &io::Error, words: &str) {
        let found = error.to_string();
        assert!(found.contains(words), "{found}");
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_and_never_a_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(path("fifo")).status().unwrap();
        assert!(made.success());
        let _listener = UnixListener::bind(path("socket")).unwrap();
        symlink(path("fifo"), path("to-fifo")).unwrap();
        let null = Path::new("/dev/null").to_owned();
        let cases = [
            (
                path("fifo"),
                "a FIFO (pipe), and a regular file is needed: write",
            ),
            (
                path("to-fifo"),
                "a FIFO (pipe), and a regular file is needed",
            ),
            (path("socket"), "a socket, and a regular file is needed"),
            (null, "a device, and a regular file is needed"),
            (folder.path().to_owned(), "Is a directory (os error 21)"),
            (path("nothing"), "No such file or directory (os error 2)"),
        ];
        for (path, words) in cases {
            says(&open(&path).unwrap_err(), words);
        }
        says(
            &open_no_link(&path("to-fifo")).unwrap_err(),
            "a symbolic link",
        );
        says(&open_no_link(&path("fifo")).unwrap_err(), "a FIFO");
    }

    #[test]
    fn a_link_is_followed_only_where_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_to_string(&link, 4).unwrap(), "text");
        says(&open_no_link(&link).unwrap_err(), "a symbolic link");
        says(&read_no_link(&link, 4).unwrap_err(), "a symbolic link");
        assert_eq!(read_no_link(&file, 4).unwrap(), b"text");
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read_and_text_is_utf_8() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        // A sparse file: it needs no disk space, but would need all of the memory.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        says(&read(&file, 1000).unwrap_err(), "longer than 1000 bytes");
        fs::write(&file, b"a\xff").unwrap();
        says(&read_to_string(&file, 2).unwrap_err(), "byte 1 is wrong");
        assert_eq!(read(&file, 2).unwrap(), b"a\xff");
        says(&read(&file, 1).unwrap_err(), "longer than 1 bytes");
    }
}
