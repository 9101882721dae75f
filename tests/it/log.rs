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

/// Takes the time and the level from the beginning of a line.
fn split(line: &str) -> (jiff::Timestamp, &str, &str) {
    let (time, rest) = line.split_once(' ').expect("a time");
    let (level, rest) = rest.trim_start().split_once(' ').expect("a level");
    (time.parse().expect("a time in RFC 3339"), level, rest)
}

#[test]
fn each_request_and_each_stored_file_is_a_line_with_time_and_level() {
    let place = Workplace::new();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s"]);
    let log = place.log();
    let mut messages = Vec::new();
    for line in log.lines() {
        let (_, level, message) = split(line);
        let expected = if message.starts_with("asking again") {
            "WARN"
        } else {
            "INFO"
        };
        assert_eq!(level, expected, "{line}");
        messages.push(message);
    }
    let url = server.url();
    let (users, posts) = (compact(&users()).len(), compact(&posts()).len());
    let expected = [
        format!("requesting url={url}/users"),
        format!("requesting url={url}/posts"),
        format!(
            "asking again after 1 attempt resource=users url={url}/users why=\"503\" delay=0ns"
        ),
        format!(
            "fetched resource=users url={url}/users status=200 bytes={users} records=3 elapsed="
        ),
        format!(
            "fetched resource=posts url={url}/posts status=200 bytes={posts} records=3 elapsed="
        ),
        "run is done run=".to_owned(),
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
    assert!(messages[0].starts_with("run begins run="), "{log}");
}

#[test]
fn a_log_in_json_has_an_object_a_line() {
    let place = Workplace::new();
    let server = serve();
    place.run_well(&[server.url(), "--backoff", "0s", "--log-format", "json"]);
    let log = place.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    for line in &lines {
        let time = line["timestamp"].as_str().expect("a time");
        time.parse::<jiff::Timestamp>().expect("a time in RFC 3339");
        assert!(["INFO", "WARN"].contains(&line["level"].as_str().expect("a level")));
    }
    let fetched = |line: &&Value| line["message"] == "fetched" && line["resource"] == "posts";
    let fetched = lines.iter().find(fetched).expect("a line for the posts");
    assert_eq!(fetched["url"], format!("{}/posts", server.url()));
    assert_eq!(fetched["status"], 200);
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
        .filter(|line| line.1 == "ERROR")
        .collect();
    let expected = format!(
        "cannot fetch users from {}/users: the server answered 404 Not Found (1 attempt) exit_code=3",
        server.url()
    );
    assert_eq!(errors.len(), 1, "{log}");
    assert_eq!(errors[0].2, expected);
}
