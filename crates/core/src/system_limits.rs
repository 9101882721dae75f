//! What to do when a limit of the system is reached.

use std::io;

use rustix::io::Errno;

/// A hint for a lack of threads, processes, files or memory.
pub(crate) fn start_hint(cause: &io::Error) -> Option<&'static str> {
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
pub(crate) fn no_more_files(cause: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(cause),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

pub(crate) const TOO_LITTLE_MEMORY: &str =
    "too little memory: raise the limit (`ulimit -d`, `ulimit -v`, or that of the container)";

pub(crate) const TOO_MANY_FILES: &str =
    "too many open files: raise the limit (`ulimit -n`; 64 are enough), or lower --concurrency";
