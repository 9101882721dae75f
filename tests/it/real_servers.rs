//! Against real servers, page by page, where `.ci/run` has started them: json-server 0.17 and 1.x, `WordPress`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::program::Workplace;

const JSON_SERVER: &str = "ACTIVITY_TRACKER_TEST_JSON_SERVER";
const JSON_SERVER_V1: &str = "ACTIVITY_TRACKER_TEST_JSON_SERVER_V1";
const WORDPRESS: &str = "ACTIVITY_TRACKER_TEST_WORDPRESS";
const DB: &str = "ACTIVITY_TRACKER_TEST_DB";

/// What is behind the names of a flow's files.
const FLOWS: [(&[&str], &str); 2] = [(&[], ""), (&["--async"], "_async")];

/// What `.ci/run` says where it has started what a test needs; where it has not, that is said.
fn surroundings<const N: usize>(names: [&str; N]) -> Option<[String; N]> {
    let values = names.map(|name| env::var(name).ok());
    if values.iter().any(Option::is_none) {
        println!("skipped: .ci/run starts what this needs and sets {names:?}");
        return None;
    }
    Some(values.map(|value| value.unwrap_or_default().trim().to_owned()))
}

fn database(path: &str) -> Value {
    let bytes = fs::read(path).expect("read the database");
    serde_json::from_slice(&bytes).expect("a database of JSON")
}

/// A source file of JSONPlaceholder's shape in which all resources are paged in one way.
fn paged_source(url: &str, paging: &str) -> String {
    let resource = |name: &str, fields: &str| {
        format!("[{name}]\npath = \"/{name}\"\n{paging}\n[{name}.fields]\n{fields}\n")
    };
    [
        format!("name = \"paged\"\nbase_url = \"{url}\"\n"),
        resource(
            "users",
            "name = \"name\"\nusername = \"username\"\nemail = \"email\"",
        ),
        resource(
            "posts",
            "user_id = \"userId\"\ntitle = \"title\"\nbody = \"body\"",
        ),
        resource("comments", "post_id = \"postId\"\nbody = \"body\""),
    ]
    .concat()
}

/// How often a run of the log asked for a resource.
fn asked(log: &str, resource: &str) -> usize {
    let path = format!("/{resource}?");
    let mut lines = log.lines().filter(|line| line.contains(" requesting "));
    lines.by_ref().filter(|line| line.contains(&path)).count()
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

/// Runs both flows page by page and in one answer, and holds the files against each other and the database.
#[track_caller]
fn assert_pages_are_the_whole(paging: &str) {
    let Some([url, db]) = surroundings([JSON_SERVER, DB]) else {
        return;
    };
    let db = database(&db);
    let (whole, paged) = (Workplace::new(), Workplace::new());
    fs::write(paged.path().join("paged.toml"), paged_source(&url, paging)).expect("write a source");
    for (flow, suffix) in FLOWS {
        let asked_before = paged.log().len();
        whole.run_well(&[&[&*url], flow].concat());
        paged.run_well(&[&["paged.toml"], flow].concat());
        let log = paged.log().split_off(asked_before);
        for resource in resources(suffix) {
            let name = format!("{resource}{suffix}.json");
            let expected = records(&db[resource]);
            assert_records(&paged.json(&name), expected, &name);
            // Compared, not printed: it is long.
            assert!(paged.file(&name) == whole.file(&name), "{name}");
            assert_eq!(asked(&log, resource), expected.len().div_ceil(7), "{name}");
        }
        let name = format!("filtered_users{suffix}.json");
        assert_eq!(paged.file(&name), whole.file(&name), "{name}");
        let name = format!("summary{suffix}.json");
        let (mut one, mut other) = (paged.json(&name), whole.json(&name));
        one["source"] = Value::Null;
        other["source"] = Value::Null;
        assert_eq!(one, other, "{name}");
    }
}

#[test]
fn the_pages_that_json_server_links_to_are_the_whole_data_set() {
    assert_pages_are_the_whole("query = { _page = 1, _limit = 7 }\npagination = \"link\"");
}

#[test]
fn the_pages_that_json_server_numbers_are_the_whole_data_set() {
    assert_pages_are_the_whole(
        "pagination = { page = \"_page\", size = { _limit = 7 } }\ntotal = { header = \"X-Total-Count\" }",
    );
}

#[test]
fn the_pages_of_json_server_can_be_asked_for_without_knowing_how_many_there_are() {
    let Some([url, db]) = surroundings([JSON_SERVER, DB]) else {
        return;
    };
    let db = database(&db);
    let place = Workplace::new();
    // 100 is a multiple of 10: only an empty page tells that it was the last one.
    let paging = "pagination = { page = \"_page\", size = { _limit = 10 } }";
    fs::write(place.path().join("paged.toml"), paged_source(&url, paging)).expect("write a source");
    for (flow, suffix) in FLOWS {
        place.run_well(&[&["paged.toml"], flow].concat());
        for resource in resources(suffix) {
            let name = format!("{resource}{suffix}.json");
            assert_records(&place.json(&name), records(&db[resource]), &name);
        }
    }
}

/// A key of a record as json-server 1.x gives it: the id as a string, those of others as they are or strings too.
fn with_string_keys(record: &Value) -> Value {
    let mut record = record.clone();
    let fields = record.as_object_mut().expect("an object");
    for (name, value) in fields {
        if (name == "id" || name.ends_with("Id")) && value.is_number() {
            *value = Value::String(value.to_string());
        }
    }
    record
}

#[test]
fn all_that_json_server_1_holds_is_stored_in_order_by_both_flows() {
    let Some([url, db]) = surroundings([JSON_SERVER_V1, DB]) else {
        return;
    };
    let db = database(&db);
    let place = Workplace::new();
    let var = format!("url={url}");
    for (flow, suffix) in FLOWS {
        place.run_well(&[&["json-server-v1", "--var", &var], flow].concat());
        for resource in resources(suffix) {
            let name = format!("{resource}{suffix}.json");
            let stored = place.json(&name);
            assert!(
                records(&stored)
                    .iter()
                    .all(|record| record["id"].is_string()),
                "{name}"
            );
            let stored = records(&stored).iter().map(with_string_keys).collect();
            let expected: Vec<_> = records(&db[resource])
                .iter()
                .map(with_string_keys)
                .collect();
            assert_records(&stored, &expected, &name);
        }
        let summary = place.json(&format!("summary{suffix}.json"));
        let counts = ["users", "posts", "filtered_users", "rejected"].map(|name| &summary[name]);
        assert_eq!(counts, [10, 100, 3, 0]);
        assert_eq!(summary.get("duplicate_ids"), None);
    }
    assert_eq!(place.json("summary_async.json")["comments"], 500);
    for stem in ["users", "posts", "filtered_users"] {
        let [one, other] = ["", "_async"].map(|suffix| place.file(&format!("{stem}{suffix}.json")));
        assert!(one == other, "{stem}");
    }
}

/// All records of a `WordPress` collection, page by page, fetched by nothing but a socket.
fn fetched_by_hand(site: &str, collection: &str) -> Vec<Value> {
    let host = site.trim_start_matches("http://");
    let mut all = Vec::new();
    for page in 1.. {
        let mut stream = TcpStream::connect(host).expect("connect");
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).expect("set a limit");
        let target =
            format!("/wp-json/wp/v2/{collection}?orderby=id&order=asc&per_page=50&page={page}");
        // HTTP/1.0 has no chunks, and a connection for each answer.
        write!(stream, "GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n").expect("ask");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1);
        if status == Some("400") {
            break;
        }
        assert_eq!(status, Some("200"), "{head}");
        let body: Vec<Value> = serde_json::from_str(body).expect("an array");
        // Behind the last page there is an error, or nothing: WordPress does both.
        if body.is_empty() {
            break;
        }
        all.extend(body);
    }
    all
}

/// Posts of each user, by id; users without posts too.
fn counted(users: &[Value], posts: &[Value]) -> BTreeMap<u64, u64> {
    let id = |value: &Value| value.as_u64().expect("an id");
    let mut counts: BTreeMap<_, _> = users.iter().map(|user| (id(&user["id"]), 0)).collect();
    for post in posts {
        *counts.entry(id(&post["author"])).or_default() += 1;
    }
    counts
}

#[test]
fn a_wordpress_site_is_stored_whole_by_both_flows() {
    let Some([site]) = surroundings([WORDPRESS]) else {
        return;
    };
    let [users, posts, comments] =
        ["users", "posts", "comments"].map(|collection| fetched_by_hand(&site, collection));
    assert_eq!([users.len(), posts.len(), comments.len()], [25, 400, 1_000]);
    let place = Workplace::new();
    let var = format!("site={site}");
    for (flow, suffix) in FLOWS {
        place.run_well(&[&["wordpress", "--var", &var], flow].concat());
        let stored = |resource: &str| place.json(&format!("{resource}{suffix}.json"));
        let fetched = [
            ("users", &users),
            ("posts", &posts),
            ("comments", &comments),
        ];
        for (resource, expected) in fetched.iter().take(resources(suffix).len()) {
            let stored = stored(resource);
            assert_records(&stored, expected, &format!("{resource}{suffix}"));
            let ids: Vec<_> = records(&stored).iter().map(|r| r["id"].as_u64()).collect();
            assert!(ids.iter().all(Option::is_some), "{resource}");
            assert!(ids.is_sorted_by(|one, next| one < next), "{resource}");
        }
        let summary = stored("summary");
        let ranking = records(&summary["posts_per_user"]).iter();
        let id = |value: &Value| value.as_u64().expect("a number");
        let ranking: BTreeMap<_, _> = ranking
            .map(|row| (id(&row["user_id"]), id(&row["posts"])))
            .collect();
        assert_eq!(ranking, counted(&users, &posts), "{suffix}");
        let mut counts = json!({"users": 25, "posts": 400, "rejected": 0});
        for (name, count) in counts.as_object_mut().expect("an object") {
            assert_eq!(summary[name], *count, "{name}{suffix}");
        }
    }
    assert_eq!(place.json("summary_async.json")["comments"], 1_000);
    for stem in ["users", "posts"] {
        let [one, other] = ["", "_async"].map(|suffix| place.file(&format!("{stem}{suffix}.json")));
        assert!(one == other, "{stem}");
    }
}

#[test]
fn the_authors_of_json_server_1_are_known_by_name() {
    let Some([url]) = surroundings([JSON_SERVER_V1]) else {
        return;
    };
    let place = Workplace::new();
    let var = format!("url={url}");
    for (flow, suffix) in FLOWS {
        place.run_well(&[&["json-server-v1", "--var", &var], flow].concat());
        let summary = place.json(&format!("summary{suffix}.json"));
        let ranking = records(&summary["posts_per_user"]);
        assert_eq!(ranking.len(), 10, "{summary:#}");
        for row in ranking {
            assert!(row["name"].is_string() && row["posts"] == 10, "{row}");
        }
    }
}
