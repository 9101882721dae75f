//! The calls of all processes of a run, SQLite's too, as `strace` wrote them down.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::record::{Call, Kind, bytes_of_hex};

/// Whether `strace` is installed, and may trace.
pub(super) fn is_there() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "true"]);
    let quiet = strace.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Reads what it wrote: calls that succeeded, in the order in which they ended.
pub(super) fn read(log: &Path) -> Vec<Call> {
    let text = fs::read_to_string(log).expect("read what strace wrote");
    // Of a call that another process' came in between of, the beginning.
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (process, line) = line.split_once(' ').expect("a process");
        let line = line.trim_start();
        if let Some(beginning) = line.strip_suffix(" <unfinished ...>") {
            begun.insert(process, beginning);
        } else if let Some((_, end)) = line.split_once(" resumed>") {
            let beginning = begun.remove(process).expect("a call that had begun");
            calls.extend(parse(&format!("{beginning}{end}")));
        } else {
            calls.extend(parse(line));
        }
    }
    calls
}

fn parse(line: &str) -> Vec<Call> {
    let Some((name, rest)) = line.split_once('(') else {
        return Vec::new();
    };
    let Some((arguments, result)) = rest.rsplit_once(" = ") else {
        return Vec::new();
    };
    if name.starts_with("---") || result.starts_with('-') || result.starts_with('?') {
        return Vec::new();
    }
    let arguments = arguments.trim_end().strip_suffix(')').expect("a call");
    let arguments: Vec<_> = arguments.split(", ").collect();
    let call = |kind, paths: &[PathBuf]| {
        let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
        vec![Call::new(kind, &paths)]
    };
    match name {
        "open" | "openat" | "creat" => {
            let path = match name {
                "openat" => at(arguments[0], arguments[1]),
                _ => text(arguments[0]),
            };
            if line.contains("O_TRUNC") || name == "creat" {
                call(Kind::Create, &[path])
            } else if line.contains("O_CREAT") {
                call(Kind::Append, &[path])
            } else {
                Vec::new()
            }
        }
        "write" | "pwrite64" => {
            let Some(path) = of_descriptor(arguments[0]) else {
                return Vec::new();
            };
            let mut bytes = bytes_of_text(arguments[1]);
            bytes.truncate(result.trim().parse().expect("a length"));
            let at = arguments.get(3).map(|at| at.parse().expect("an offset"));
            let call = Call::new(Kind::Write, &[&path]);
            vec![Call { at, bytes, ..call }]
        }
        "ftruncate" => {
            let path = of_descriptor(arguments[0]).expect("a file");
            let at = Some(arguments[1].parse().expect("a length"));
            let call = Call::new(Kind::Truncate, &[&path]);
            vec![Call { at, ..call }]
        }
        "fsync" | "fdatasync" => {
            let path = of_descriptor(arguments[0]).expect("a file");
            call(Kind::Sync, &[path])
        }
        "rename" => call(Kind::Rename, &[text(arguments[0]), text(arguments[1])]),
        "renameat" | "renameat2" => {
            let (from, to) = (
                at(arguments[0], arguments[1]),
                at(arguments[2], arguments[3]),
            );
            call(Kind::Rename, &[from, to])
        }
        "link" => call(Kind::Link, &[text(arguments[0]), text(arguments[1])]),
        "linkat" => {
            let (from, to) = (
                at(arguments[0], arguments[1]),
                at(arguments[2], arguments[3]),
            );
            call(Kind::Link, &[from, to])
        }
        "symlink" | "symlinkat" => {
            let (text, path) = match name {
                "symlink" => (arguments[0], text(arguments[1])),
                _ => (arguments[0], at(arguments[1], arguments[2])),
            };
            let bytes = bytes_of_text(text);
            let call = Call::new(Kind::Symlink, &[&path]);
            vec![Call { bytes, ..call }]
        }
        "unlink" => call(Kind::Unlink, &[text(arguments[0])]),
        "unlinkat" => call(Kind::Unlink, &[at(arguments[0], arguments[1])]),
        "mkdir" => call(Kind::Mkdir, &[text(arguments[0])]),
        "mkdirat" => call(Kind::Mkdir, &[at(arguments[0], arguments[1])]),
        "rmdir" => call(Kind::Rmdir, &[text(arguments[0])]),
        // Between pipes and sockets; of files, the model would notice.
        "writev" | "pwritev" | "sendfile" | "copy_file_range" | "fallocate" | "truncate" => {
            Vec::new()
        }
        other => panic!("{other}: {line}"),
    }
}

/// `"\x2f\x61"`.
fn bytes_of_text(text: &str) -> Vec<u8> {
    let inner = text
        .trim()
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    bytes_of_hex(&inner.expect("a whole text").replace("\\x", ""))
}

fn text(text: &str) -> PathBuf {
    OsString::from_vec(bytes_of_text(text)).into()
}

/// `5<\x2f\x61>`; nothing for pipes and sockets.
fn of_descriptor(descriptor: &str) -> Option<PathBuf> {
    let (_, inner) = descriptor.split_once('<')?;
    let inner = inner.strip_suffix('>').unwrap_or(inner);
    let inner = inner.strip_suffix("(deleted)").unwrap_or(inner);
    if !inner.starts_with("\\x2f") && !inner.starts_with('/') {
        return None;
    }
    Some(if inner.starts_with('/') {
        inner.into()
    } else {
        OsString::from_vec(bytes_of_hex(&inner.replace("\\x", ""))).into()
    })
}

/// A path that may be counted from a folder that is open.
fn at(folder: &str, path: &str) -> PathBuf {
    let path = text(path);
    match of_descriptor(folder) {
        Some(folder) => folder.join(path),
        None => path,
    }
}
