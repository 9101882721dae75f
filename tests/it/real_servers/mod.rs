//! Against real servers, where `.ci/run` has started them: what is stored is what a script gets that has nothing of
//! this program.

mod datasette;
mod json_server;
mod mover;
mod nginx;
mod redmine;
mod squid;
mod wordpress;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::program::{Running, Workplace};

/// What is behind the names of a flow's files.
const FLOWS: [(&[&str], &str); 2] = [(&[], ""), (&["--async"], "_async")];

/// What `.ci/run` says where it has started what a test needs; where it has not, that is said.
fn environment<const N: usize>(names: [&str; N]) -> Option<[String; N]> {
    let values = names.map(|name| env::var(name).ok());
    if values.iter().any(Option::is_none) {
        println!("skipped: .ci/run starts what this needs and sets {names:?}");
        return None;
    }
    Some(values.map(|value| value.unwrap_or_default().trim().to_owned()))
}

/// What a file in a server's folder says: its URL, say.
fn told(folder: &str, name: &str) -> String {
    let path = Path::new(folder).join(name);
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim().to_owned()
}

/// What `fetch.py`, which has nothing but Python, gets one page after another.
#[track_caller]
fn fetched_by_script(args: &[&str]) -> Vec<Value> {
    fetched_by_script_with("Accept: application/json", args)
}

/// The same, with a header.
#[track_caller]
fn fetched_by_script_with(header: &str, args: &[&str]) -> Vec<Value> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/real_servers/fetch.py"
    );
    let mut command = Command::new("python3");
    let output = command
        .arg(script)
        .args(args)
        .env("FETCH_HEADER", header)
        .output();
    let output = output.expect("start python3");
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {says}");
    let records: Vec<Value> = serde_json::from_slice(&output.stdout).expect("an array of JSON");
    assert!(!records.is_empty(), "{args:?}");
    records
}

/// The resources that a flow fetches.
fn resources(suffix: &str) -> &'static [&'static str] {
    if suffix.is_empty() {
        &["users", "posts"]
    } else {
        &["users", "posts", "comments"]
    }
}

fn records(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// Compared one by one: whole arrays are too long to print.
#[track_caller]
fn assert_records(found: &Value, expected: &[Value], what: &str) {
    let found = records(found);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// The status and the body of a response, by nothing but a socket; with the lines of further headers and a body.
#[track_caller]
fn exchange(
    url: &str,
    method: &str,
    target: &str,
    (headers, body): (&str, &str),
) -> (String, String) {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("connect");
    let limit = Some(Duration::from_mins(1));
    stream.set_read_timeout(limit).expect("set a limit");
    // HTTP/1.0 has no chunks, and a connection for each response.
    let request = format!(
        "{method} {target} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("send");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.to_owned(), body.to_owned())
}

/// The ids of what the history says are removed.
fn removed(place: &Workplace) -> Vec<u64> {
    let mut command = place.command(&["changes", "--format", "json"]);
    let outcome = Running::start(&mut command).wait();
    outcome.assert_code(0);
    let changes: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let changes = records(&changes).iter();
    let removed = changes.filter(|change| change["kind"] == "removed");
    removed
        .map(|it| it["id"].as_u64().expect("an id"))
        .collect()
}
