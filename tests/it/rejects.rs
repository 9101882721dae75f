//! Records that do not map: kept with their reason, and nothing lost.

use super::support::program::{SNAPSHOT, Workplace};
use super::support::records::{post, stored, users};
use super::support::server::{Reply, Route, Server};

/// A page with what can be wrong with a record, between two that are sound.
fn page() -> (Vec<u8>, Vec<Vec<u8>>) {
    let sound = post("1", "1").into_bytes();
    let nested = format!("{{\"id\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let bad: Vec<Vec<u8>> = vec![
        br#"{"userId":1,"title":"no id","body":""}"#.to_vec(),
        b"{\"id\":2,\"userId\":1,\"title\":\"caf\xe9\",\"body\":\"\"}".to_vec(),
        b"{\"id\":3,\n  nonsense}".to_vec(),
        b"7".to_vec(),
        b"null".to_vec(),
        b"\"a\\u0041\"".to_vec(),
        nested.into_bytes(),
        br#"{"id":18446744073709551616,"userId":1,"title":"","body":""}"#.to_vec(),
    ];
    let mut records = vec![sound.clone()];
    records.extend(bad.clone());
    records.push(post("9", "1").into_bytes());
    ([&b"["[..], &records.join(&b", "[..]), b"]"].concat(), bad)
}

/// The records that a `rejected.ndjson` holds, verbatim.
fn kept(lines: &str) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let record = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        match (line["record"].as_str(), line["record_base64"].as_str()) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(bytes)) => base64::prelude::BASE64_STANDARD
                .decode(bytes)
                .expect("base64"),
            both => panic!("{both:?}"),
        }
    };
    lines.lines().map(record).collect()
}

fn server() -> Server {
    let users = format!("[{}]", users().join(","));
    Server::start([
        Route::get("/users").reply(Reply::json(users)).any_times(),
        Route::get("/posts")
            .reply(Reply::json(page().0))
            .any_times(),
        Route::get("/comments").reply(Reply::json("[]")).any_times(),
    ])
}

#[test]
fn what_does_not_map_is_kept_to_the_letter_and_the_run_goes_on() {
    for (flow, suffix) in [(&[][..], ""), (&["--async"][..], "_async")] {
        let (server, place) = (server(), Workplace::new());
        let (_, bad) = page();
        let outcome = place.run(&[&[server.url()], flow].concat());
        outcome.assert_code(4);
        let says = "error: 8 records rejected, more than the 0 allowed; \
            first: posts: record 1: required field `id` is missing";
        assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
        let posts = place.file(&format!("posts{suffix}.json"));
        assert_eq!(posts, stored(&[post("1", "1"), post("9", "1")]));
        let rejected = place.file(&format!("rejected{suffix}.ndjson"));
        assert_eq!(kept(&rejected), bad);
        let first: serde_json::Value =
            serde_json::from_str(rejected.lines().next().expect("a line")).expect("JSON");
        assert_eq!(first["resource"], "posts");
        assert_eq!(first["page"], "posts-0");
        assert_eq!(first["url"], format!("{}/posts", server.url()));
        let manifest = place.json(&format!("manifest{suffix}.json"));
        assert_eq!(
            manifest["resources"]["posts"],
            serde_json::json!({"received": 10, "records": 2, "rejects": 8})
        );
        assert_eq!(place.json(&format!("summary{suffix}.json"))["rejected"], 8);
        let names = manifest["files"].as_array().expect("files").iter();
        let mut names = names.map(|file| file["name"].as_str().expect("a name"));
        assert!(names.any(|name| name == format!("rejected{suffix}.ndjson")));
    }
}

#[test]
fn the_exit_code_tells_whether_there_are_more_than_allowed() {
    let (server, place) = (server(), Workplace::new());
    for (allowed, code) in [("7", 4), ("8", 0), ("1000", 0)] {
        let outcome = place.run(&[server.url(), "--max-rejects", allowed]);
        outcome.assert_code(code);
        assert!(
            outcome
                .stderr
                .contains("rejected: 8 records, saved to data/rejected.ndjson")
        );
    }
}

#[test]
fn a_strict_run_ends_at_the_first_one_and_changes_nothing() {
    let (server, place) = (server(), Workplace::with_old_snapshot());
    let before = place.data();
    let outcome = place.run(&[server.url(), "--strict"]);
    outcome.assert_code(4);
    assert!(outcome.first_line().starts_with("error: posts: record 1: "));
    place.assert_unchanged(&before);
}

#[test]
fn a_resource_of_which_nothing_maps_does_not_replace_the_last_snapshot() {
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]")),
        Route::get("/posts").reply(Reply::json(r#"[{"ID":1},{"ID":2}]"#)),
    ]);
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    let outcome = place.run(&[server.url(), "--max-rejects", "5"]);
    outcome.assert_code(4);
    assert_eq!(
        outcome.first_line(),
        "error: posts: all 2 records were rejected: record 0: required field `id` is missing"
    );
    place.assert_unchanged(&before);
}

#[test]
fn a_resource_with_rejects_is_fetched_again_even_if_it_did_not_change() {
    let (page, _) = page();
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]")).any_times(),
        Route::get("/posts")
            .reply(Reply::json(page).header("ETag", "\"1\""))
            .any_times(),
    ]);
    let place = Workplace::new();
    place.run(&[server.url()]).assert_code(4);
    assert!(place.json("manifest.json").get("validators").is_none());
}
#[test]
fn rejects_of_the_last_run_do_not_stay() {
    let (bad, place) = (server(), Workplace::new());
    place.run(&[bad.url()]).assert_code(4);
    assert!(place.data().contains_key("rejected.ndjson"));
    let good = Server::start([
        Route::get("/users").reply(Reply::json("[]")),
        Route::get("/posts").reply(Reply::json("[]")),
    ]);
    place.run_well(&[good.url()]);
    assert_eq!(place.data().keys().collect::<Vec<_>>(), SNAPSHOT);
}
