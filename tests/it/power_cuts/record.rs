//! The calls of the file system that a run made, in their order.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Makes a file, or empties the one that is there.
    Create,
    /// Makes a file, unless there is one.
    Append,
    Write,
    Truncate,
    /// A file's contents, or a folder's names.
    Sync,
    Rename,
    Link,
    Copy,
    Unlink,
    Mkdir,
    Rmdir,
    /// Makes a symbolic link with these bytes as its text.
    Symlink,
    /// SQLite put a file on the disk, and its own name: all of it or nothing, for its journal sees
    /// to that. None of the program's calls.
    Found,
}

/// One call that succeeded.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Call {
    #[serde(rename = "call")]
    pub(super) kind: Kind,
    /// The path that it acts on, or from where to where.
    pub(super) paths: Vec<PathBuf>,
    /// Where bytes go; none where they go behind what is there.
    #[serde(default)]
    pub(super) at: Option<u64>,
    #[serde(default, deserialize_with = "from_hex")]
    pub(super) bytes: Vec<u8>,
    /// Which call of its process it was, reading ones included; 0 where they were not counted.
    #[serde(default)]
    pub(super) number: u64,
}

impl Call {
    pub(super) fn new(kind: Kind, paths: &[&Path]) -> Self {
        Self {
            kind,
            paths: paths.iter().map(|path| path.to_path_buf()).collect(),
            at: None,
            bytes: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.paths[0]
    }

    /// Whether it makes a snapshot the current one.
    pub(super) fn is_commit(&self) -> bool {
        self.kind == Kind::Rename && self.path().ends_with("staging/current")
    }
}

fn from_hex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let hex = String::deserialize(deserializer)?;
    Ok(bytes_of_hex(&hex))
}

pub(super) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

/// Reads what the program recorded of itself. SQLite's calls are not among them: `history`
/// is put on the disk, as it was in the end, before its step is removed, or last where it was not.
pub(super) fn read(record: &Path, history: &Path, step: &Path) -> Vec<Call> {
    let text = fs::read_to_string(record).expect("read the record");
    let mut found = fs::read(history).ok().map(|bytes| Call {
        bytes,
        ..Call::new(Kind::Found, &[history])
    });
    let mut calls = Vec::new();
    for line in text.lines() {
        let call: Call = serde_json::from_str(line).expect("a call");
        if call.kind == Kind::Unlink && call.path() == step {
            calls.extend(found.take());
        }
        calls.push(call);
    }
    calls.extend(found);
    calls
}
