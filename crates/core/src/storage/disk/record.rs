//! A record of the calls that change the file system, in debug builds only.
//!
//! With `ACTIVITY_TRACKER_RECORD=FILE`, each call that succeeded appends a line of JSON to that
//! file, in the order of the calls and from all processes: the main process and its workers append
//! to the same file. A test derives from it what a power failure may leave
//! (`tests/it/power_cuts/mod.rs`).

#[cfg(debug_assertions)]
pub(super) use on::{found, link, paths, truncate, write};

#[cfg(not(debug_assertions))]
pub(super) use off::{found, link, paths, truncate, write};

#[cfg(debug_assertions)]
mod on {
    use std::fmt::Write as _;
    use std::fs::{self, File};
    use std::io::{Seek, Write as _};
    use std::path::{Path, absolute};
    use std::sync::LazyLock;

    use serde_json::{Value, json};

    use super::super::fault;

    static RECORD: LazyLock<Option<File>> = LazyLock::new(|| {
        let path = std::env::var_os("ACTIVITY_TRACKER_RECORD")?;
        File::options().append(true).create(true).open(path).ok()
    });

    /// A call that needs only paths: the path that it acts on, or source and destination.
    pub(in super::super) fn paths(call: &str, paths: &[&Path]) {
        add(|| json!({ "call": call, "paths": names(paths) }));
    }

    /// These bytes were written to the file and end at its current position.
    pub(in super::super) fn write(file: &mut File, path: &Path, bytes: &[u8]) {
        add(|| {
            let end = file.stream_position().unwrap_or_default();
            let at = end.saturating_sub(bytes.len() as u64);
            json!({ "call": "write", "paths": names(&[path]), "at": at, "bytes": hex(bytes) })
        });
    }

    /// A symbolic link that points to `target`.
    pub(in super::super) fn link(target: &str, path: &Path) {
        add(|| {
            let target = hex(target.as_bytes());
            json!({ "call": "symlink", "paths": names(&[path]), "bytes": target })
        });
    }

    /// The file has this length.
    pub(in super::super) fn truncate(path: &Path, length: u64) {
        add(|| json!({ "call": "truncate", "paths": names(&[path]), "at": length }));
    }

    /// Other code, such as SQLite, wrote this file.
    pub(in super::super) fn found(path: &Path) {
        add(|| {
            let bytes = fs::read(path).unwrap_or_default();
            json!({ "call": "found", "paths": names(&[path]), "bytes": hex(&bytes) })
        });
    }

    fn add(line: impl FnOnce() -> Value) {
        if let Some(mut record) = RECORD.as_ref() {
            let mut line = line();
            line["number"] = fault::calls().into();
            // In one write, so that lines of several processes do not mix. A missing line is
            // noticed: the test compares the record with the directory.
            let _ = record.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// Each worker runs in its own folder, so a relative path alone is ambiguous.
    fn names(paths: &[&Path]) -> Vec<String> {
        let whole = paths
            .iter()
            .map(|path| absolute(path).unwrap_or_else(|_| path.into()));
        whole
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(not(debug_assertions))]
mod off {
    use std::fs::File;
    use std::path::Path;

    pub(in super::super) fn paths(_: &str, _: &[&Path]) {}

    pub(in super::super) fn write(_: &mut File, _: &Path, _: &[u8]) {}

    pub(in super::super) fn link(_: &str, _: &Path) {}

    pub(in super::super) fn truncate(_: &Path, _: u64) {}

    pub(in super::super) fn found(_: &Path) {}
}
