//! Values, closed parts and noise as real servers send them, in both flows.

use std::fs;

use super::support::program::{Outcome, Running, Workplace};
use super::support::records::{compact, gzip, post, users};
use super::support::server::{Reply, Route, Server};

/// How to take a flow, and the end of its files' names.
pub(super) const FLOWS: [(&[&str], &str); 2] = [(&[], ""), (&["--async"], "_async")];

pub(super) const USERS: &str = "[users]\npath = '/users'\nfields = { name = 'name' }\n";

pub(super) const POSTS: &str = "[posts]\npath = '/posts'\n";

/// A folder with a source file of these lines.
pub(super) fn workplace(server: &Server, lines: &str) -> Workplace {
    let place = Workplace::new();
    let text = format!("name = 'real'\nbase_url = '{}'\n{lines}", server.url());
    fs::write(place.path().join("real.toml"), text).expect("write the source");
    place
}

pub(super) fn run(flow: &[&str], more: &[&str]) -> Vec<String> {
    let args = [&["./real.toml", "--backoff", "0s"], flow, more].concat();
    args.into_iter().map(str::to_owned).collect()
}

pub(super) fn count(place: &Workplace, file: &str) -> usize {
    place.json(file).as_array().expect("a list").len()
}

/// Another command than `run`.
pub(super) fn command(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(args)).wait()
}

pub(super) fn kinds(place: &Workplace) -> Vec<String> {
    let outcome = command(place, &["changes", "--format", "ndjson"]);
    let kind = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line["kind"].as_str().expect("a kind").to_owned()
    };
    outcome.stdout.lines().map(kind).collect()
}

pub(super) fn take(place: &Workplace, flow: &[&str], code: i32) -> String {
    let args = run(flow, &[]);
    let outcome = place.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    outcome.assert_code(code);
    outcome.stderr
}

/// A run of a source of these lines.
pub(super) fn run_with_source(server: &Server, lines: &str, flow: &[&str]) -> (Workplace, Outcome) {
    let place = workplace(server, lines);
    let args = run(flow, &[]);
    let outcome = place.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    (place, outcome)
}

#[test]
fn an_optional_time_that_is_none_is_none_and_garbage_is_a_reject() {
    let optional = "fields = { created_at = { path = 'at', optional = true } }";
    let required = "fields = { created_at = 'at' }";
    let formats = "fields = { created_at = { path = 'at', optional = true, time_format = ['%d/%m/%Y', 'microseconds'] } }";
    let cases = [
        (optional, r#""""#, true),
        (optional, r#""0000-00-00 00:00:00""#, true),
        (optional, r#""0001-01-01T00:00:00Z""#, true),
        (optional, r#""9999-12-31""#, true),
        (optional, r#""yesterday""#, false),
        (optional, r#""0""#, true),
        (required, r#""0""#, false),
        (required, r#"" 2024-05-01T12:00:00Z""#, true),
        (optional, r#""1716900000.123456""#, true),
        (optional, r#""2024-05-01 12:00:00 UTC""#, true),
        (required, r#""""#, false),
        (required, r#""9999-12-31T23:59:59Z""#, true),
        (required, r#""Wed Oct 10 20:19:24 +0000 2018""#, true),
        (formats, r#""31/12/2024""#, true),
        (formats, "1714564800000000", true),
        (formats, r#""""#, true),
        (formats, r#""2024-12-31""#, false),
    ];
    for (flow, suffix) in FLOWS {
        for (fields, value, sound) in cases {
            let records = format!(r#"[{{"id":1,"at":null}},{{"id":2,"at":{value}}}]"#)
                .replace("null", if fields == required { "0" } else { "null" });
            let server = Server::start([Route::get("/posts").reply(Reply::json(records))]);
            let place = workplace(&server, &format!("{POSTS}{fields}\n"));
            take(&place, flow, if sound { 0 } else { 4 });
            let found = count(&place, &format!("posts{suffix}.json"));
            assert_eq!(found, 1 + usize::from(sound), "{fields} {value}");
        }
    }
}

#[test]
fn a_byte_order_mark_is_passed_by() {
    let posts = compact(&[post("1", "1"), post("2", "1")]);
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    let wrapped = format!(r#"{{"data":{posts},"next":null}}"#);
    let cases = [
        (Reply::json(marked(&posts)), ""),
        (Reply::gzip(gzip(&marked(&posts))), ""),
        (Reply::json(marked(&posts)).chunked(1), ""),
        (Reply::json(marked(&wrapped)), "records = 'data'\n"),
        (
            Reply::json(marked(&wrapped)).chunked(2),
            "records = 'data'\npagination = { next = 'next' }\n",
        ),
    ];
    for (flow, suffix) in FLOWS {
        for (reply, lines) in &cases {
            let server = Server::start([Route::get("/posts").reply(reply.clone())]);
            let place = workplace(&server, &format!("{POSTS}{lines}"));
            take(&place, flow, 0);
            assert_eq!(count(&place, &format!("posts{suffix}.json")), 2, "{lines}");
        }
    }
}

#[test]
fn users_who_may_not_be_listed_are_missing_and_the_posts_come() {
    for (flow, suffix) in FLOWS {
        for status in [401, 403, 404] {
            let server = Server::start([
                Route::get("/users")
                    .reply(Reply::json(compact(&users())))
                    .then(Reply::status(status)),
                Route::get("/posts")
                    .reply(Reply::json(compact(&[post("1", "1")])))
                    .times(2),
            ]);
            let place = workplace(&server, &format!("{USERS}{POSTS}"));
            take(&place, flow, 0);
            let says = take(&place, flow, 4);
            let all = format!("users are missing: the server refused all of it: {status} from ");
            assert!(says.contains(&all), "{says}");
            assert_eq!(count(&place, &format!("posts{suffix}.json")), 1);
            let manifest = place.json(&format!("manifest{suffix}.json"));
            assert_eq!(manifest["missing"]["users"]["status"], status);
            assert_eq!(kinds(&place), Vec::<String>::new(), "{status}");
        }
    }
}

#[test]
fn where_everything_is_refused_the_run_ends() {
    for (flow, _) in FLOWS {
        for (users, posts) in [(401, 401), (403, 403), (404, 404), (200, 403), (500, 200)] {
            let reply = |status| match status {
                200 => Reply::json("[]"),
                other => Reply::status(other),
            };
            let server = Server::start([
                Route::get("/users").reply(reply(users)).any_times(),
                Route::get("/posts").reply(reply(posts)).any_times(),
            ]);
            let place = workplace(&server, &format!("{USERS}{POSTS}"));
            take(&place, flow, 3);
            assert!(
                !place.data_dir().join("posts.json").exists(),
                "{users} {posts}"
            );
        }
    }
}

/// What comes of comments below posts whose requests are answered with these statuses.
fn children(statuses: &[u16]) -> (i32, Option<usize>) {
    let posts: Vec<_> = (1..=statuses.len())
        .map(|id| post(&id.to_string(), "1"))
        .collect();
    let mut routes = vec![Route::get("/posts").reply(Reply::json(compact(&posts)))];
    for (status, id) in statuses.iter().zip(1..) {
        let reply = match status {
            200 => Reply::json(format!(r#"[{{"id":{id}}}]"#)),
            other => Reply::status(*other),
        };
        routes.push(
            Route::get(&format!("/posts/{id}/comments"))
                .reply(reply)
                .any_times(),
        );
    }
    let server = Server::start(routes);
    let comments = "[comments]\npath = '/posts/{post_id}/comments'\n";
    let place = workplace(&server, &format!("{POSTS}{comments}"));
    let args = run(&["--async", "--retries", "0"], &[]);
    let outcome = place.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let file = place.data_dir().join("comments_async.json").exists();
    let stored = file.then(|| count(&place, "comments_async.json"));
    (outcome.status.code().unwrap_or_default(), stored)
}

#[test]
fn a_parent_that_is_gone_costs_its_children_only() {
    let cases: [(&[u16], _); 7] = [
        (&[200, 200, 404, 200], (4, Some(3))),
        (&[200, 410, 410, 200], (4, Some(2))),
        (&[404, 200], (4, Some(1))),
        (&[410], (4, Some(0))),
        // No parent has any: the path is wrong.
        (&[404, 404, 404], (3, None)),
        (&[200, 500, 200], (3, None)),
        (&[200, 403, 200], (3, None)),
    ];
    for (statuses, expected) in cases {
        assert_eq!(children(statuses), expected, "{statuses:?}");
    }
}

#[test]
fn what_a_source_ignores_is_no_change_and_neither_are_quotes_around_ids() {
    let before = r#"[{"id":1,"views":1,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":2}]"#;
    let cases = [
        (
            "ignore = 'views'",
            r#"[{"id":1,"views":2,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":2}]"#,
            "",
        ),
        (
            "ignore = ['views', 'a.url']",
            r#"[{"id":1,"views":9,"a":{"url":"x?sig=2","b":1},"userId":7},{"id":2}]"#,
            "",
        ),
        (
            "ignore = ['a']",
            r#"[{"id":1,"views":1,"userId":7},{"id":2}]"#,
            "",
        ),
        (
            "ignore = ['views']",
            r#"[{"id":1,"views":2,"a":{"url":"x?sig=1","b":2},"userId":7},{"id":2}]"#,
            "changed",
        ),
        (
            "",
            r#"[{"id":1,"views":2,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":2}]"#,
            "changed",
        ),
        (
            "",
            r#"[{"id":"1","views":1,"a":{"url":"x?sig=1","b":1},"userId":"7"},{"id":"2"}]"#,
            "",
        ),
        (
            "",
            r#"[{"id":"1","views":1,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":2}]"#,
            "",
        ),
        (
            "",
            r#"[{"id":"1","views":5,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":"2"}]"#,
            "changed",
        ),
        (
            "",
            r#"[{"id":"1","views":1,"a":{"url":"x?sig=1","b":1},"userId":7},{"id":"3"}]"#,
            "added removed",
        ),
    ];
    for (flow, _) in FLOWS {
        for (lines, after, expected) in cases {
            let server = Server::start([Route::get("/posts")
                .reply(Reply::json(before))
                .then(Reply::json(after))
                .then(Reply::json(after))]);
            let fields = "fields = { user_id = { path = 'userId', optional = true } }";
            let place = workplace(&server, &format!("{POSTS}{lines}\n{fields}\n"));
            take(&place, flow, 0);
            let says = take(&place, flow, 0);
            let mut found = kinds(&place);
            found.sort();
            assert_eq!(found.join(" "), expected, "{lines} {after}");
            let retyped = says.contains("changed between number and string");
            assert_eq!(retyped, after.contains(r#""id":"1""#), "{says}");
            take(&place, flow, 0);
            assert_eq!(kinds(&place).len(), found.len(), "{lines} {after}");
        }
    }
}

#[test]
fn ids_with_a_point_or_of_64_bits_are_exact_and_in_order() {
    let ids = [
        "7.0",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
    ];
    for (flow, suffix) in FLOWS {
        let records: Vec<_> = ids.iter().map(|id| post(id, "1")).collect();
        let server = Server::start([Route::get("/posts")
            .reply(Reply::json(compact(&records)))
            .then(Reply::json(compact(&records[..3])))]);
        let place = workplace(&server, POSTS);
        take(&place, flow, 0);
        assert_eq!(count(&place, &format!("posts{suffix}.json")), 4);
        take(&place, flow, 0);
        let changes = command(&place, &["changes", "--format", "ndjson"]).stdout;
        assert!(changes.contains("18446744073709551615"), "{changes}");
        assert_eq!(kinds(&place), ["removed"]);
    }
}

#[test]
fn a_report_counts_days_and_hours_in_the_zone_of_the_reader() {
    let posts = r#"[{"id":1,"at":"2024-03-30T23:30:00Z"},{"id":2,"at":"2024-03-31T22:30:00Z"}]"#;
    let server = Server::start([Route::get("/posts").reply(Reply::json(posts))]);
    let place = workplace(
        &server,
        &format!("{POSTS}fields = {{ created_at = 'at' }}\n"),
    );
    take(&place, &[], 0);
    let days = |more: &[&str]| {
        let args = ["report", "--format", "csv", "--table", "days"];
        command(&place, &[&args, more].concat()).stdout
    };
    assert_eq!(
        days(&[]),
        "date,posts,comments\n2024-03-30,1,0\n2024-03-31,1,0\n"
    );
    let berlin = ["--time-zone", "Europe/Berlin"];
    assert_eq!(
        days(&berlin),
        "date,posts,comments\n2024-03-31,1,0\n2024-04-01,1,0\n"
    );
    for format in ["json", "markdown", "table"] {
        let args = [&["report", "--format", format][..], &berlin].concat();
        let report = command(&place, &args).stdout;
        assert!(report.contains("Europe/Berlin"), "{report}");
    }
    let json = command(&place, &["report", "--format", "json"]).stdout;
    assert!(json.contains("\"time_zone\": \"UTC\""), "{json}");
    let page = place.path().join("report.html");
    let file = page.to_string_lossy().into_owned();
    command(
        &place,
        &[&["report", "--html", &file][..], &berlin].concat(),
    )
    .assert_code(0);
    let page = fs::read_to_string(page).expect("the page");
    assert!(page.contains("Europe/Berlin"));
    command(&place, &["report", "--time-zone", "Europe/Nowhere"]).assert_code(2);
}
