//! Missing, foreign and damaged histories, and runs that see only a part.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::support::program::{HISTORY, Running, Workplace};
use super::super::support::server::{Reply, Route, Server};
use super::{CHANGED, after, changes, listed, route, stages, summarized};

#[test]
fn errors_have_a_message_and_an_exit_code() {
    let place = after(&stages());
    let nobody = "no id, name or e-mail address in the last snapshot or in the history matches";
    let cases: [(&[&str], i32, &str); 9] = [
        (
            &["--data-dir", "nowhere"],
            5,
            "error: no history in nowhere",
        ),
        (
            &["--since", "soon"],
            2,
            "error: cannot read --since soon: expected how long ago (7d, 12h, `1h 30m`), a date or time",
        ),
        (
            &["--since", "4"],
            2,
            "error: there is no run 4 in the history: it has those from 1 (",
        ),
        (
            &["--user", "Adda"],
            2,
            &format!("error: no user Adda: {nobody}; did you mean Ada?"),
        ),
        (
            &["--user", "17"],
            2,
            &format!("error: no user 17: {nobody}"),
        ),
        (
            &["--user", ""],
            2,
            "error: a value is required for '--user <ID|NAME>'",
        ),
        (
            &["--resource", "likes"],
            2,
            "error: invalid value 'likes' for '--resource <NAME>'",
        ),
        (
            &["--format", "xml"],
            2,
            "error: invalid value 'xml' for '--format <FORMAT>'",
        ),
        (
            &["--limit", "many"],
            2,
            "error: invalid value 'many' for '--limit <N>'",
        ),
    ];
    for (args, code, says) in cases {
        let outcome = changes(&place, args);
        outcome.assert_code(code);
        assert!(outcome.first_line().starts_with(says), "{outcome:#?}");
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn a_missing_history_is_an_error_with_a_hint() {
    let place = Workplace::new();
    let [first, ..] = stages();
    let server = Server::start(["users", "posts"].map(|resource| route(resource, [&first])));
    place.run_well(&[server.url(), "--no-history"]);
    server.finish();
    let outcome = changes(&place, &[]);
    outcome.assert_code(5);
    insta::assert_snapshot!(outcome.stderr, @r"
    error: no history in data
      try: `activity-tracker run` makes one, unless --no-history is given; check --data-dir
    ");
}

#[test]
fn a_damaged_newer_or_foreign_history_is_reported_and_left_alone() {
    let place = after(&stages()[..2]);
    let path = place.data_dir().join(HISTORY);
    let whole = fs::read(&path).expect("the history");
    let with = |sql: &str| {
        fs::write(&path, &whole).expect("the history as it was");
        let history = Connection::open(&path).expect("a history");
        history.execute_batch(sql).expect("a change");
        drop(history);
        fs::read(&path).expect("the history")
    };
    let mut torn = whole.clone();
    // All but the first page, which says what the file is.
    torn[16_384..].fill(0x5a);
    let cases = [
        (
            b"garbage\n".repeat(1000),
            "cannot use the history data/history.db: damaged: file is not a database",
        ),
        (
            torn,
            "cannot use the history data/history.db: damaged: database disk image is malformed",
        ),
        (
            with("PRAGMA user_version = 99"),
            "cannot use the history data/history.db: it was made by a newer version",
        ),
        (
            with("PRAGMA application_id = 7"),
            "cannot use the history data/history.db: it belongs to another program",
        ),
    ];
    for (bytes, says) in cases {
        fs::write(&path, &bytes).expect("another history");
        let outcome = changes(&place, &[]);
        outcome.assert_code(5);
        assert_eq!(outcome.first_line(), format!("error: {says}"));
        assert_eq!(outcome.stdout, "");
        assert!(fs::read(&path).expect("the history") == bytes, "{says}");
    }
}

#[test]
fn the_run_after_one_without_history_reports_the_changes_of_both() {
    let [first, second, third] = stages();
    let place = Workplace::new();
    let stages = [&first, &second, &third];
    let server = Server::start(["users", "posts"].map(|resource| route(resource, stages)));
    place.run_well(&[server.url()]);
    let path = place.data_dir().join(HISTORY);
    let before = fs::read(&path).expect("the history");
    place.run_well(&[server.url(), "--no-history"]);
    assert!(fs::read(&path).expect("the history") == before);
    assert_eq!(summarized(&place, &[]), [""; 0]);
    place.run_well(&[server.url()]);
    server.finish();
    let mut expected = CHANGED.to_vec();
    expected.insert(1, "changed users 2");
    assert_eq!(summarized(&place, &[]), expected);
}

#[test]
fn a_run_of_one_resource_does_not_remove_records_of_another() {
    let [first, second, _] = stages();
    let place = Workplace::new();
    let server = Server::start([route("users", [&first, &second]), route("posts", [&first])]);
    place.run_well(&[server.url()]);
    place.run_well(&[server.url(), "--resources", "users"]);
    server.finish();
    assert_eq!(summarized(&place, &[]), CHANGED[..3]);
}

#[test]
fn a_resumed_run_removes_no_records() {
    let place = Workplace::new();
    let page = |posts: &[(u32, &str)]| {
        let post = |(id, title): &(u32, &str)| json!({"id": id, "title": title});
        let posts: Vec<_> = posts.iter().map(post).collect();
        Reply::json(json!(posts).to_string()).header("X-Total", "3")
    };
    let server = Server::start([
        Route::get("/posts?page=1")
            .reply(page(&[(1, "one"), (2, "two")]))
            .then(page(&[(1, "other"), (4, "four")])),
        Route::get("/posts?page=2")
            .reply(page(&[(3, "three")]))
            .then(Reply::status(404))
            .then(page(&[(5, "five")])),
    ]);
    let source = format!(
        "name = 'forum'\nbase_url = '{}'\n[posts]\npath = '/posts'\n\
         pagination = {{ page = 'page' }}\ntotal = {{ header = 'X-Total' }}\n\
         [posts.fields]\ntitle = 'title'\n",
        server.url()
    );
    fs::write(place.path().join("forum.toml"), source).expect("write a source file");
    let args = ["./forum.toml", "--concurrency", "1"];
    place.run_well(&args);
    place.run(&args).assert_code(3);
    place.run_well(&[&args[..], &["--resume"]].concat());
    server.finish();
    let expected = ["changed posts 1", "added posts 4", "added posts 5"];
    assert_eq!(summarized(&place, &[]), expected);
}

#[test]
fn a_removed_user_keeps_its_id_without_the_last_snapshot() {
    let [first, second, _] = stages();
    let place = Workplace::new();
    let stages = [&first, &second];
    let server = Server::start(["users", "posts"].map(|resource| route(resource, stages)));
    place.run_well(&[server.url()]);
    for name in ["manifest.json", "users.json", "posts.json"] {
        fs::remove_file(place.path().join(place.stored(name))).expect("remove a file");
    }
    place.run_well(&[server.url()]);
    server.finish();
    assert_eq!(summarized(&place, &[]), CHANGED);
    assert_eq!(summarized(&place, &["--user", "3"]), ["removed users 3"]);
    let removed = &listed(&place, &["--user", "3"])[0];
    assert_eq!(removed["before"], Value::Null);
    let table = changes(&place, &[]).stdout;
    assert!(table.contains("previous values unknown"), "{table}");
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is_one() {
    let place = after(&stages()[..2]);
    for format in ["table", "json", "ndjson", "csv", "markdown"] {
        Running::assert_heeds_its_reader(|| place.command(&["changes", "--format", format]));
    }
}
