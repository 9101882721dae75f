//! What the log tells of a run.

use serde_json::Value;

use super::support::program::Workplace;
use super::support::records::{compact, posts, users};
use super::support::server::{Reply, Route, Server};

fn serve() -> Server {
    Server::start([
        Route::get("/users")
            .reply(Reply::status(503))
            .then(Reply::json(compact(&users()))),
        Route::get("/posts").reply(Reply::json(compact(&posts()))),
    ])
}

/// A line of the log.
struct Line<'a> {
    level: &'a str,
    /// The run that it belongs to.
    span: &'a str,
    message: &'a str,
}

fn split(line: &str) -> Line<'_> {
    let (time, rest) = line.split_once(' ').expect("a time");
    let (level, rest) = rest.trim_start().split_once(' ').expect("a level");
    let (span, message) = rest.split_once(": ").expect("a span");
    time.parse::<jiff::Timestamp>().expect("a time in RFC 3339");
    Line {
        level,
        span,
        message,
    }
}

#[test]
fn each_line_of_a_run_has_a_time_a_level_and_the_runs_id() {
    let flows: [(&str, &[&str]); 2] = [("main", &[]), ("async", &["--async"])];
    for (name, flow) in flows {
        let place = Workplace::new();
        let server = serve();
        let debug = ["--backoff", "0s", "--log-level", "debug"];
        let chosen = ["--resources", "users,posts"];
        place.run_well(&[&[server.url()], &debug[..], &chosen, flow].concat());
        let manifest = place.json(&format!(
            "manifest{}.json",
            if name == "async" { "_async" } else { "" }
        ));
        let run = manifest["run"].as_str().expect("a run");
        let log = place.log();
        let lines: Vec<_> = log.lines().map(split).collect();
        let of_run = format!("run{{flow=\"{name}\" id=\"{run}\"}}");
        let others = lines.iter().filter(|line| line.span != of_run);
        assert_eq!(others.count(), 0, "{log}");
        let levels = ["INFO", "WARN", "DEBUG"];
        let each = levels.map(|level| lines.iter().any(|line| line.level == level));
        assert_eq!(each, [true; 3], "{log}");
    }
}

#[test]
fn each_retry_and_each_stored_file_is_a_line() {
    let place = Workplace::new();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s"]);
    let log = place.log();
    let mut messages = Vec::new();
    for line in log.lines() {
        let Line { level, message, .. } = split(line);
        let expected = if message.starts_with("retrying") {
            "WARN"
        } else {
            "INFO"
        };
        assert_eq!(level, expected, "{line}");
        messages.push(message);
    }
    let url = server.url();
    let expected = [
        format!("retrying resource=users url={url}/users why=\"503\" attempt=1 delay_ms=0"),
        "run finished elapsed_ms=".to_owned(),
    ];
    for expected in expected {
        let found = messages
            .iter()
            .any(|message| message.starts_with(&expected));
        assert!(found, "{expected:?} is missing in\n{log}");
    }
    let manifest = place.json("manifest.json");
    for file in manifest["files"].as_array().expect("files") {
        let records = file
            .get("records")
            .map(|records| format!(" records={records}"));
        let expected = format!(
            "stored file={}{} bytes={} blake3={}",
            file["name"],
            records.unwrap_or_default(),
            file["bytes"],
            file["blake3"]
        );
        assert!(
            messages.contains(&expected.as_str()),
            "{expected:?} is missing in\n{log}"
        );
    }
    assert!(messages[0].starts_with("run started source="), "{log}");
}

#[test]
fn a_log_in_json_has_an_object_a_line() {
    let place = Workplace::new();
    let server = serve();
    let debug = ["--log-level", "debug", "--log-format", "json"];
    place.run_well(&[&[server.url(), "--backoff", "0s"], &debug[..]].concat());
    let log = place.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    for line in &lines {
        let time = line["timestamp"].as_str().expect("a time");
        time.parse::<jiff::Timestamp>().expect("a time in RFC 3339");
        assert!(["INFO", "WARN", "DEBUG"].contains(&line["level"].as_str().expect("a level")));
        assert_eq!(line["span"]["id"], place.json("manifest.json")["run"]);
        assert_eq!(line["span"]["flow"], "main");
    }
    let fetched = |line: &&Value| line["message"] == "page fetched" && line["resource"] == "posts";
    let fetched = lines.iter().find(fetched).expect("a line for the posts");
    assert_eq!(fetched["url"], format!("{}/posts", server.url()));
    assert!(fetched["elapsed_ms"].is_u64());
    assert_eq!(fetched["records"], 3);
    assert_eq!(fetched["bytes"], compact(&posts()).len());
    let stored = lines.iter().filter(|line| line["message"] == "stored");
    assert_eq!(stored.count(), 6);
}

#[test]
fn the_log_is_appended_to_and_its_level_obeyed() {
    let place = Workplace::new();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s", "--log-level", "warn"]);
    let first = place.log();
    assert_eq!(first.lines().count(), 1, "{first}");
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s"]);
    let log = place.log();
    assert!(log.starts_with(&first) && log.lines().count() > 2, "{log}");
}

#[test]
fn an_error_is_logged_once_with_its_causes_and_exit_code() {
    let place = Workplace::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::status(404)),
        Route::get("/posts").reply(Reply::json("[]")).any_times(),
    ]);
    place.run(&[server.url()]).assert_code(3);
    let log = place.log();
    let errors: Vec<_> = log
        .lines()
        .map(split)
        .filter(|line| line.level == "ERROR")
        .collect();
    let expected = format!(
        "cannot fetch users from {}/users: the server responded with 404 Not Found (1 attempt) exit_code=3",
        server.url()
    );
    assert_eq!(errors.len(), 1, "{log}");
    assert_eq!(errors[0].message, expected);
    assert!(errors[0].span.contains(" id="), "{log}");
}
