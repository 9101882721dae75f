//! The command `serve`: routes, request checks, new runs, damaged files and shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::program::{Running, Workplace};
use super::support::served::{Response, Served, changing_api, fetch, two_runs};
use super::support::server::{Reply, Route, Server};

fn sample() -> Workplace {
    let place = Workplace::new();
    place.run_well(&["--async", "--quiet", "sample"]);
    place
}

/// Checks the security headers.
#[track_caller]
fn assert_security_headers(response: &Response) {
    let policy = &response.headers["content-security-policy"];
    assert!(
        policy.starts_with("default-src 'none';") && policy.ends_with("frame-ancestors 'none'"),
        "{policy}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(response.headers[name], value, "{response:?}");
    }
    assert!(response.headers["permissions-policy"].contains("geolocation=()"));
    assert!(!response.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn each_route_responds_in_its_format() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    let page = "text/html; charset=utf-8";
    let json = "application/json";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let cases = [
        ("/", 200, page, "Activity report"),
        ("/?from=elsewhere", 200, page, "Activity report"),
        ("/users/1", 200, page, "Ada Lovelace"),
        ("/runs", 200, page, "All runs"),
        ("/users/7", 404, page, "no such user: 7"),
        ("/users", 404, page, "no such page"),
        ("/favicon.ico", 404, page, "no such page"),
        ("/../data/users_async.json", 404, page, "no such page"),
        ("/users/../runs", 404, page, "no such page"),
        ("/api/report", 200, json, "\"totals\""),
        ("/api/users/1", 200, json, "\"more_changes\": false"),
        (
            "/api/users/7",
            404,
            json,
            "{\n  \"error\": \"no such user: 7\"\n}",
        ),
        ("/api/runs", 200, json, "\"runs\""),
        ("/api/changes", 200, json, "\"changes\""),
        (
            "/api/changes?limit=x",
            400,
            json,
            "limit: expected 1 to 1,000",
        ),
        (
            "/api/changes?since_run=x%1b",
            404,
            json,
            "no such run: x\\\\u{1b}",
        ),
        ("/api", 404, json, "no such page"),
        ("/metrics", 200, text, "# HELP"),
    ];
    for (path, status, form, says) in cases {
        let response = served.get(path);
        let found = (response.status, &*response.headers["content-type"]);
        assert_eq!(found, (status, form), "{path}");
        assert!(response.body.contains(says), "{path}: {}", response.body);
        assert_security_headers(&response);
        let length = response.body.len().to_string();
        assert_eq!(response.headers["content-length"], length, "{path}");
        let head = served.request("HEAD", path, "localhost");
        assert_eq!((head.status, &*head.body), (status, ""), "{path}");
        assert_eq!(head.headers["content-length"], length, "{path}");
    }
}

#[test]
fn the_policy_header_matches_the_policy_in_the_page() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    for path in ["/", "/users/1", "/runs", "/nowhere"] {
        let response = served.get(path);
        let meta = "http-equiv=\"Content-Security-Policy\" content=\"";
        let (_, own) = response.body.split_once(meta).expect("a policy");
        let own = own
            .split_once('"')
            .expect("its end")
            .0
            .replace("&#39;", "'");
        let sent = &response.headers["content-security-policy"];
        assert_eq!(*sent, format!("{own}; frame-ancestors 'none'"), "{path}");
    }
}

#[test]
fn other_methods_and_other_host_names_are_rejected() {
    let place = sample();
    let before = place.data();
    let served = Served::start(&place, &[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/", "/runs", "/api/report", "/metrics", "/nowhere"] {
            let response = served.request(method, path, "localhost");
            assert_eq!(response.status, 405, "{method} {path}");
            assert_eq!(response.headers["allow"], "GET, HEAD");
            assert_security_headers(&response);
        }
    }
    for host in [
        "example.org",
        "localhost.example.org",
        "192.168.0.1",
        "",
        "a b",
    ] {
        for path in ["/", "/api/report", "/metrics"] {
            let response = served.request("GET", path, host);
            assert_eq!(response.status, 421, "{host:?} {path}");
            assert!(
                response
                    .body
                    .contains("only localhost and loopback addresses")
            );
            assert!(!response.body.contains("Katelyn"), "{host:?}");
        }
    }
    let nameless = served.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.status, 421);
    let port = served.address.port();
    for host in [
        format!("127.0.0.1:{port}"),
        "LOCALHOST".to_owned(),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(served.request("GET", "/", &host).status, 200, "{host}");
    }
    assert_eq!(served.output.lines().count(), 1, "{}", served.output);
    drop(served);
    place.assert_unchanged(&before);
}

#[test]
fn another_address_than_loopback_prints_a_warning_and_accepts_any_host() {
    let place = sample();
    let served = Served::start(&place, &["--listen", "0.0.0.0"]);
    assert!(
        served
            .output
            .starts_with("warning: 0.0.0.0 is reachable from other machines"),
        "{}",
        served.output
    );
    assert!(
        served.output.contains(" at http://127.0.0.1:"),
        "{}",
        served.output
    );
    assert_eq!(served.request("GET", "/", "example.org").status, 200);
}

#[test]
fn users_are_found_whatever_characters_their_ids_have() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    let cases = [
        ("1", Some("Ada Lovelace")),
        ("%31", Some("Ada Lovelace")),
        ("%221%22", None),
        ("01", None),
        ("%22..%22", Some("Dots")),
        ("%2E%2E", Some("Dots")),
        ("a%2Fb%3Fc%23d%20e%252F", Some("Slash")),
        ("", Some("Nothing")),
        ("%22%22", Some("Nothing")),
        ("%22%22q%22%22", Some("Quotes")),
        ("%3Cscript%3Ealert%281%29%3C%2Fscript%3E", Some("Script")),
        ("%3Cscript%3E", None),
        ("%FF%FE", None),
        ("%", None),
        ("%00", None),
    ];
    for (path, name) in cases {
        let page = served.get(&format!("/users/{path}"));
        let api = served.get(&format!("/api/users/{path}"));
        let status = if name.is_some() { 200 } else { 404 };
        assert_eq!((page.status, api.status), (status, status), "{path}");
        assert_eq!(page.body.matches("<script").count(), 1, "{path}");
        match name {
            Some(name) => {
                assert_eq!(api.json()["user"]["name"], name, "{path}");
                assert!(page.body.contains(name), "{path}");
            }
            None => assert!(api.json()["error"].is_string(), "{path}"),
        }
    }
}

#[test]
fn a_user_has_unanswered_posts_and_changes() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    let ada = served.get("/api/users/1").json();
    assert_eq!(ada["user"]["posts"], 3);
    let ids = |list: &Value| -> Vec<Value> {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["id"].clone())
            .collect()
    };
    assert_eq!(ids(&ada["unanswered"]), [2, 5]);
    let changes = ada["changes"].as_array().expect("changes").iter();
    let changes: BTreeSet<String> = changes
        .map(|change| {
            format!("{} {} {}", change["resource"], change["id"], change["kind"]).replace('"', "")
        })
        .collect();
    let expected = [
        "users 1 changed",
        "posts 1 changed",
        "posts 2 changed",
        "posts 4 removed",
        "posts 5 added",
    ];
    assert_eq!(changes, expected.map(str::to_owned).into());
    let page = served.get("/users/1").body;
    for part in [
        "“ada@april.biz” → “ada@may.biz”",
        "“On the engine” → “On the Analytical Engine”",
        "To be removed",
        "3 posts and 1 comment.",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let fewer = served.get("/api/users/1?limit=2").json();
    assert_eq!(
        (ids(&fewer["changes"]).len(), &fewer["more_changes"]),
        (2, &json!(true))
    );
}

#[test]
fn the_report_as_json_is_what_the_command_prints() {
    let place = two_runs();
    let printed = Running::start(&mut place.command(&["report", "--format", "json"])).wait();
    printed.assert_code(0);
    let served = Served::start(&place, &[]);
    assert_eq!(served.get("/api/report").body, printed.stdout);
}

#[test]
fn runs_and_changes_are_newest_first_up_to_the_limit() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    let runs = served.get("/api/runs").json();
    assert_eq!(
        (&runs["runs"][0]["number"], &runs["runs"][1]["number"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(runs["more"], false);
    let one = served.get("/api/runs?limit=1").json();
    assert_eq!(
        (one["runs"].as_array().map(Vec::len), &one["more"]),
        (Some(1), &json!(true))
    );
    let all = served.get("/api/changes").json();
    let count = |response: &Value| response["changes"].as_array().expect("changes").len();
    assert_eq!((count(&all), &all["more"]), (6, &json!(false)));
    let first = runs["runs"][1]["run"].as_str().expect("an id");
    for since in [first, "1"] {
        let since = served
            .get(&format!("/api/changes?since_run={since}&limit=3"))
            .json();
        assert_eq!((count(&since), &since["more"]), (3, &json!(true)));
    }
    assert_eq!(count(&served.get("/api/changes?since_run=2").json()), 0);
    let page = served.get("/runs").body;
    for run in runs["runs"].as_array().expect("runs") {
        assert!(page.contains(run["run"].as_str().expect("an id")), "{page}");
    }
}

/// A sample: the name with its labels, and the value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Parses the text format strictly.
#[track_caller]
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let mut samples = Samples::new();
    let mut family: Option<(String, String)> = None;
    let mut seen = BTreeSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(!help.is_empty() && seen.insert(name.to_owned()), "{line}");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let (of, kind) = kind.and_then(|kind| kind.split_once(' ')).expect("a type");
            assert_eq!(of, name);
            assert!(["counter", "gauge"].contains(&kind), "{kind}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            let letters = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                name.starts_with("activity_tracker_") && name.chars().all(letters),
                "{name}"
            );
            family = Some((name.to_owned(), kind.to_owned()));
            continue;
        }
        let (name, rest) = line.split_once('{').expect("labels");
        assert_eq!(
            family.as_ref().map(|(name, _)| &**name),
            Some(name),
            "{line}"
        );
        let (labels, value) = labels(rest);
        let value = value.strip_prefix(' ').expect("a space");
        let value: f64 = value.parse().expect("a number");
        let twice = samples.insert((name.to_owned(), labels), value);
        assert_eq!(twice, None, "{line}");
    }
    samples
}

/// Labels up to the closing brace, and the rest.
#[track_caller]
fn labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").expect("a value");
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().expect("what is escaped").1 {
                    'n' => '\n',
                    same @ ('"' | '\\') => same,
                    other => panic!("\\{other}"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{text}");
        rest = &after[end + 1..];
        match rest.split_at(1) {
            (",", more) => rest = more,
            ("}", behind) => return (labels, behind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn metrics_are_valid_and_match_the_runs() {
    let place = two_runs();
    place.run_well(&["--quiet", "sample"]);
    place.run_well(&["--quiet", "--no-history", "sample", "--fresh"]);
    let served = Served::start(&place, &[]);
    let samples = parse(&served.get("/metrics").body);
    let source = place.json("manifest_async.json")["source"]
        .as_str()
        .expect("a source")
        .to_owned();
    let of = |name: &str, source: &str, flow: &str, more: &[(&str, &str)]| {
        let labels = [("source", source), ("flow", flow)];
        let labels = labels
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        samples
            .get(&(format!("activity_tracker_{name}"), labels.collect()))
            .copied()
    };
    let posts = ("resource", "posts");
    let cases = [
        ("runs_total", &[][..], 2.0),
        ("retries_total", &[], 0.0),
        ("last_run_retries", &[], 0.0),
        ("records", &[posts], 4.0),
        ("rejects", &[posts], 0.0),
        ("last_run_changes", &[posts, ("kind", "added")], 1.0),
        ("last_run_changes", &[posts, ("kind", "changed")], 3.0),
        ("last_run_changes", &[posts, ("kind", "removed")], 1.0),
        (
            "last_run_changes",
            &[("resource", "users"), ("kind", "changed")],
            1.0,
        ),
    ];
    for (name, more, value) in cases {
        assert_eq!(
            of(name, &source, "async", more),
            Some(value),
            "{name} {more:?}"
        );
    }
    for (source, flow, manifest) in [
        (&*source, "async", "manifest_async.json"),
        ("sample", "main", "manifest.json"),
    ] {
        let manifest = place.json(manifest);
        let time = |name: &str| -> jiff::Timestamp {
            manifest[name]
                .as_str()
                .expect("a time")
                .parse()
                .expect("a time")
        };
        let finished = of("last_success_timestamp_seconds", source, flow, &[]).expect("a time");
        let expected = time("finished_at").as_duration().as_secs_f64();
        assert!((finished - expected).abs() < 0.01, "{finished} {expected}");
        let took = of("last_run_duration_seconds", source, flow, &[]).expect("a duration");
        let expected = time("finished_at")
            .duration_since(time("started_at"))
            .as_secs_f64();
        assert!((took - expected).abs() < 0.01, "{took} {expected}");
    }
    // The last run kept no history, so its changes and retries are unknown.
    assert_eq!(of("records", "sample", "main", &[posts]), Some(100.0));
    assert_eq!(of("last_run_retries", "sample", "main", &[]), None);
}

#[test]
fn a_new_run_appears_while_the_server_runs() {
    let (place, api) = (Workplace::new(), changing_api());
    let served = Served::start(&place, &[]);
    let missing = served.get("/");
    assert_eq!(
        (missing.status, &*missing.headers["retry-after"]),
        (503, "5")
    );
    assert!(missing.body.contains("no snapshot in "), "{}", missing.body);
    assert!(
        missing
            .body
            .contains("<code>activity-tracker run</code> makes one"),
        "{}",
        missing.body
    );
    assert!(
        missing.body.contains("http-equiv=\"refresh\""),
        "it reloads until there is one"
    );
    let error = served.get("/api/report");
    assert_eq!(error.status, 503);
    let hint = "`activity-tracker run` makes one; check --data-dir";
    assert_eq!(error.json()["hint"], hint);
    assert!(served.get("/runs").body.contains("No runs yet"));
    assert_eq!(parse(&served.get("/metrics").body), Samples::new());
    fetch(&place, &api);
    let first = served.get("/api/report").json();
    assert_eq!(first["totals"]["posts"], 4);
    assert_eq!(served.get("/users/1").status, 200);
    assert!(!served.get("/").body.contains("http-equiv=\"refresh\""));
    assert!(served.get("/users/1").body.contains("ada@april.biz"));
    fetch(&place, &api);
    assert!(served.get("/users/1").body.contains("ada@may.biz"));
    let second = served.get("/api/report").json();
    assert_ne!(first["snapshots"], second["snapshots"]);
    assert_eq!(
        served.get("/api/runs").json()["runs"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    api.finish();
}

#[test]
fn a_damaged_snapshot_is_reported_and_the_server_stays_up() {
    let place = sample();
    let whole = place.file("posts_async.json");
    let served = Served::start(&place, &[]);
    assert_eq!(served.get("/").status, 200);
    fs::write(place.data_dir().join("posts_async.json"), "[\n  {\"id\"").expect("damage a file");
    let says = format!("cannot read {}", place.stored("posts_async.json").display());
    for path in ["/", "/users/1", "/api/report", "/api/users/1"] {
        let response = served.get(path);
        assert_eq!(response.status, 500, "{path}");
        assert!(response.body.contains(&says), "{}", response.body);
        let body = response.body.replace("<code>", "`").replace("</code>", "`");
        assert!(
            body.contains("`activity-tracker verify` shows which"),
            "{}",
            response.body
        );
        assert_security_headers(&response);
    }
    assert_eq!(
        (served.get("/runs").status, served.get("/metrics").status),
        (200, 200)
    );
    fs::write(place.data_dir().join("posts_async.json"), whole).expect("repair it");
    assert_eq!(served.get("/").status, 200);
    fs::write(place.data_dir().join("history.db"), "no history").expect("damage the history");
    for path in ["/", "/runs", "/metrics", "/api/changes"] {
        let response = served.get(path);
        assert_eq!(response.status, 500, "{path}");
        assert!(
            response.body.contains("history data/history.db"),
            "{}",
            response.body
        );
    }
    assert_eq!(served.get("/nowhere").status, 404);
}

#[test]
fn a_pending_history_that_cannot_be_applied_is_reported() {
    let place = sample();
    // As after a killed run, in a read-only directory.
    fs::write(place.data_dir().join(".history-next.db"), "not a step").expect("leave a step");
    let before = fs::read(place.data_dir().join("history.db")).expect("a history");
    let served = Served::start(&place, &[]);
    assert_eq!(served.get("/").status, 200);
    assert!(
        served
            .get("/runs")
            .body
            .contains("The last run may be missing")
    );
    assert_eq!(
        fs::read(place.data_dir().join("history.db")).expect("a history"),
        before
    );
}

#[test]
fn concurrent_requests_get_the_same_response() {
    let place = two_runs();
    let served = Served::start(&place, &[]);
    let bodies: BTreeSet<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| served.get("/").body))
            .collect();
        threads
            .into_iter()
            .map(|one| one.join().expect("a response"))
            .collect()
    });
    assert_eq!(bodies.len(), 1);
}

#[test]
fn idle_clients_do_not_block_new_ones() {
    const CONNECTIONS: usize = 64;
    let place = sample();
    let served = Served::start(&place, &[]);
    let idle: Vec<_> = (0..CONNECTIONS).map(|_| served.connect()).collect();
    assert_eq!(served.get("/runs").status, 200);
    drop(idle);
}

#[test]
fn idle_clients_do_not_block_new_ones_with_few_file_handles() {
    let place = sample();
    for files in [64, 32] {
        let served = Served::start_under(&place, &format!("ulimit -n {files}"));
        let idle: Vec<_> = (0..files).map(|_| served.connect()).collect();
        let started = Instant::now();
        assert_eq!(served.get("/runs").status, 200, "{files}");
        // After ten seconds, the header timeout would free slots anyway.
        assert!(started.elapsed() < Duration::from_secs(8), "{files}");
        drop(idle);
    }
}

#[test]
fn queued_clients_do_not_block_new_ones() {
    let place = sample();
    let served = Served::start(&place, &[]);
    let pipelined = "GET /api/report HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    let greedy: Vec<_> = (0..64)
        .map(|_| {
            let mut client = served.connect();
            client.write_all(pipelined.as_bytes()).expect("send");
            client
        })
        .collect();
    assert_eq!(served.get("/runs").status, 200);
    drop(greedy);
}

#[test]
#[cfg(debug_assertions)]
fn without_threads_it_reports_errors_and_stays_up() {
    let place = sample();
    let under = |limit: u32| format!("export ACTIVITY_TRACKER_START_FAULT={limit}");
    let says = "Resource temporarily unavailable";
    let mut command = place.command(&["serve", "--port", "0"]);
    command.env("ACTIVITY_TRACKER_START_FAULT", "0");
    let outcome = Running::start(&mut command).wait();
    outcome.assert_code(1);
    assert!(outcome.first_line().contains(says), "{outcome:?}");
    for limit in 1..7 {
        let served = Served::start_under(&place, &under(limit));
        for _ in 0..2 {
            let response = served.get("/");
            assert!(matches!(response.status, 200 | 500), "{response:?}");
            assert!(
                response.status == 200 || response.body.contains(says),
                "{response:?}"
            );
            assert_eq!(served.get("/runs").status, 200, "{limit}");
        }
        let (status, output) = served.end("TERM");
        assert_eq!((status.code(), &*output), (Some(0), ""), "{limit}");
    }
}

#[test]
fn a_data_directory_that_disappears_is_an_error() {
    let place = sample();
    let served = Served::start(&place, &[]);
    let paths = ["/", "/runs", "/metrics", "/api/runs", "/api/changes"];
    for path in paths {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    fs::rename(place.data_dir(), place.path().join("elsewhere")).expect("move it away");
    for path in paths {
        let response = served.get(path);
        assert_eq!(response.status, 500, "{path}");
        assert!(response.body.contains("no longer exists"), "{response:?}");
    }
    fs::rename(place.path().join("elsewhere"), place.data_dir()).expect("move it back");
    assert_eq!(served.get("/runs").status, 200);
}

#[test]
fn requests_from_other_sites_are_rejected() {
    let place = sample();
    let served = Served::start(&place, &[]);
    for path in [
        "/",
        "/runs",
        "/api/report",
        "/api/changes?limit=1000",
        "/metrics",
    ] {
        for (site, status) in [
            ("Sec-Fetch-Site: cross-site", 403),
            ("Sec-Fetch-Site: same-site", 403),
            ("Sec-Fetch-Site: none", 200),
            ("Origin: http://example.org", 403),
            ("Origin: http://localhost", 200),
        ] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: localhost\r\n{site}\r\nConnection: close\r\n\r\n"
            );
            let response = served.send(&head);
            assert_eq!(response.status, status, "{site} {path}");
            assert_security_headers(&response);
            assert!(
                status == 200 || !response.body.contains("sample"),
                "{}",
                response.body
            );
        }
    }
}

#[test]
fn responses_have_a_maximum_length_whatever_the_records() {
    let (place, long) = (Workplace::new(), "x".repeat(300_000));
    let posts = |word: &str| {
        let post = |id: u32| json!({"userId": 1, "id": id, "title": "t", "body": format!("{word}{}", if id < 3 { &*long } else { &long[..50_000] })});
        json!((1..=60).map(post).collect::<Vec<_>>()).to_string()
    };
    let api = Server::start([
        Route::get("/users").reply(Reply::json("[]")).times(2),
        Route::get("/posts")
            .reply(Reply::json(posts("a")))
            .then(Reply::json(posts("b"))),
        Route::get("/comments").reply(Reply::json("[]")).times(2),
    ]);
    fetch(&place, &api);
    fetch(&place, &api);
    api.finish();
    let served = Served::start(&place, &[]);
    let (mut ids, mut path) = (Vec::new(), "/api/changes?limit=1000".to_owned());
    loop {
        let response = served.get(&path);
        assert!(response.body.len() < 2 << 20, "{}", response.body.len());
        let page = response.json();
        for change in page["changes"].as_array().expect("changes") {
            let id = change["id"].as_u64().expect("an id");
            assert_eq!(change["omitted"].is_object(), id < 3, "{id}");
            assert_eq!(change["after"].is_null(), id < 3, "{id}");
            ids.push(id);
        }
        assert_eq!(page["more"], page["next"].is_string());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/changes?limit=1000&after={next}");
    }
    assert_eq!(ids, (1..=60).collect::<Vec<_>>());
    let wrong = served.get("/api/changes?after=x");
    assert_eq!(
        (wrong.status, wrong.json()["error"].clone()),
        (
            400,
            json!("after: expected the value of `next` in a response")
        )
    );
}

#[test]
fn a_port_in_use_is_an_error_with_a_hint() {
    let place = sample();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind a free port");
    let port = taken.local_addr().expect("its port").port().to_string();
    let outcome = Running::start(&mut place.command(&["serve", "--port", &port])).wait();
    outcome.assert_code(1);
    let says =
        format!("error: cannot serve the report on 127.0.0.1:{port}: Address already in use");
    assert!(outcome.stderr.starts_with(&says), "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .ends_with("  try: choose another port with --port\n"),
        "{}",
        outcome.stderr
    );
    let outcome = Running::start(&mut place.command(&["serve", "--listen", "192.0.2.1"])).wait();
    outcome.assert_code(1);
    assert!(
        outcome
            .stderr
            .ends_with("  try: --listen needs an address of this machine\n"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_signal_stops_it_within_a_second_with_open_connections() {
    let place = sample();
    for signal in ["TERM", "INT"] {
        let served = Served::start(&place, &[]);
        let idle = served.connect();
        let mut half = served.connect();
        half.write_all(b"GET / HT").expect("send half");
        let mut kept = served.connect();
        kept.write_all(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("send");
        kept.read_exact(&mut [0; 100]).expect("a response");
        let started = Instant::now();
        let (status, output) = served.end(signal);
        let took = started.elapsed();
        assert_eq!((status.code(), &*output), (Some(0), ""), "{signal}");
        assert!(took < Duration::from_secs(1), "{signal}: {took:?}");
        drop((idle, half, kept));
    }
}
