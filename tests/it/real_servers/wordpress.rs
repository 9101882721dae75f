//! `WordPress`, with its doors open and closed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{FLOWS, assert_records, records, resources, surroundings};
use crate::support::program::Workplace;

const WORDPRESS: &str = "ACTIVITY_TRACKER_TEST_WORDPRESS";
/// The same site with users that nobody may list, and posts and comments that nobody may read.
const CLOSED: &str = "ACTIVITY_TRACKER_TEST_WORDPRESS_CLOSED";

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
fn a_wordpress_site_with_closed_doors_gives_what_it_shows_and_the_run_says_what_it_hides() {
    let Some([site]) = surroundings([CLOSED]) else {
        return;
    };
    let [posts, comments] =
        ["posts", "comments"].map(|collection| fetched_by_hand(&site, collection));
    // Of 400 posts one is private, and so not counted; another is counted, but not shown.
    assert_eq!(posts.len(), 398);
    assert!(comments.len() < 1_000);
    let var = format!("site={site}");
    for (flow, suffix) in FLOWS {
        let place = Workplace::new();
        let outcome = place.run(&[&["wordpress", "--var", &var], flow].concat());
        outcome.assert_code(4);
        let stored = |resource: &str| place.json(&format!("{resource}{suffix}.json"));
        assert_records(&stored("posts"), &posts, suffix);
        let mut expected = vec![
            "missing: users: the server refused all of it: 401".to_owned(),
            "posts: 398 records came of the 399 that the server counts".to_owned(),
        ];
        if !suffix.is_empty() {
            assert_records(&stored("comments"), &comments, suffix);
            expected.push(format!(
                "comments: {} records came of the 1000 that",
                comments.len()
            ));
        }
        for words in expected {
            assert!(outcome.stderr.contains(&words), "{words}: {outcome:#?}");
        }
    }
}
