//! Opens files for reading: regular files only, and never blocking.
//!
//! A FIFO, a device or a socket may stand where a file is expected: planted by
//! somebody else, or typed by mistake. To open a FIFO blocks until somebody writes
//! to it, and to read one may never end. So each file that the program reads is
//! opened here, without blocking, and what was opened is looked at, rather than
//! its name before: between two calls a name can come to mean something else.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Why a file cannot be read that can be opened, or could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is {found}, and a regular file is needed{}", hint(.found))]
pub struct NotRegular {
    /// What it is: `a FIFO`.
    pub found: &'static str,
}

fn hint(found: &str) -> &'static str {
    // A shell's `<(…)` is one, where files are named on the command line.
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
/// When it cannot be opened, or is something else than a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::empty())
}

/// Opens a regular file whose name is not a symbolic link, for reading.
///
/// # Errors
/// When it cannot be opened, or is something else than a regular file.
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

/// What files are opened with: no call blocks, and no terminal becomes the program's own.
pub(crate) fn flags(more: OFlags) -> i32 {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    // The system's own type of flags is signed.
    flags.bits().cast_signed()
}

/// Looks at what was opened.
///
/// # Errors
/// When it is no regular file.
pub(crate) fn check(file: &File) -> io::Result<()> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        // As the system says it where one is read.
        return Err(Errno::ISDIR.into());
    }
    Err(not_regular(kind))
}

/// Puts words to an error of opening that the system has none for.
pub(crate) fn explain(error: io::Error, path: &Path) -> io::Error {
    // What stands there now is what could not be opened, in all likelihood.
    let kind = || path.symlink_metadata().map(|about| about.file_type());
    match Errno::from_io_error(&error) {
        // A link that must not be followed, a socket, a FIFO that nobody reads.
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

/// Reads a regular file that is no longer than `limit` bytes. Its name may be a symbolic link.
///
/// # Errors
/// When it cannot be read, is longer, or is something else than a regular file.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_open(&open(path)?, limit)
}

/// As [`read`], of a file whose name is not a symbolic link.
///
/// # Errors
/// As [`read`], and when it is a link.
pub fn read_no_link(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_open(&open_no_link(path)?, limit)
}

/// As [`read`], of a file of UTF-8 text.
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
    // Known at once in most cases; a file may grow while it is read, too.
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
        // It takes no room on the disk, and would take all of the memory.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        says(&read(&file, 1000).unwrap_err(), "longer than 1000 bytes");
        fs::write(&file, b"a\xff").unwrap();
        says(&read_to_string(&file, 2).unwrap_err(), "byte 1 is wrong");
        assert_eq!(read(&file, 2).unwrap(), b"a\xff");
        says(&read(&file, 1).unwrap_err(), "longer than 1 bytes");
    }
}
