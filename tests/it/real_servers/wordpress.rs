//! `WordPress`, with its doors open and closed.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::mover::Mover;
use super::{FLOWS, assert_records, environment, exchange, records, removed, resources, told};
use crate::support::program::Workplace;

const WORDPRESS: &str = "ACTIVITY_TRACKER_TEST_WORDPRESS";
/// The folder of `.ci/wordpress`, which tells where the same site is with its doors closed, and where to be changed.
const FOLDER: &str = "ACTIVITY_TRACKER_TEST_WORDPRESS_FOLDER";

/// All records of a `WordPress` collection, page by page, fetched by nothing but a socket.
fn fetched_by_hand(site: &str, collection: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let target =
            format!("/wp-json/wp/v2/{collection}?orderby=id&order=asc&per_page=50&page={page}");
        let (status, body) = exchange(site, "GET", &target, ("", ""));
        if status == "400" {
            break;
        }
        assert_eq!(status, "200", "{body}");
        let body: Vec<Value> = serde_json::from_str(&body).expect("an array");
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
    let Some([site]) = environment([WORDPRESS]) else {
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
    let Some([folder]) = environment([FOLDER]) else {
        return;
    };
    let site = told(&folder, "closed-url");
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
            "posts: received 398 of 399 records".to_owned(),
        ];
        if !suffix.is_empty() {
            assert_records(&stored("comments"), &comments, suffix);
            expected.push(format!(
                "comments: received {} of 1,000 records",
                comments.len()
            ));
        }
        for words in expected {
            assert!(outcome.stderr.contains(&words), "{words}: {outcome:#?}");
        }
    }
}

#[test]
fn a_post_of_a_wordpress_site_that_is_deleted_between_two_pages_costs_no_other() {
    let Some([folder]) = environment([FOLDER]) else {
        return;
    };
    let site = told(&folder, "moving-url");
    let user = BASE64_STANDARD.encode(format!("user01:{}", told(&folder, "password")));
    for (flow, suffix) in FLOWS {
        let before = fetched_by_hand(&site, "posts");
        let first = before[0]["id"].as_u64().expect("an id");
        let mover = Mover::start(&site, "&page=1 ");
        let place = Workplace::new();
        let var = format!("site={}", mover.url());
        let args = [&["wordpress", "--var", &var, "--resources", "posts"], flow].concat();
        place.run_well(&args);
        let (there, headers) = (site.clone(), format!("Authorization: Basic {user}\r\n"));
        mover.arm(move || {
            let target = format!("/wp-json/wp/v2/posts/{first}?force=true");
            let (status, body) = exchange(&there, "DELETE", &target, (&headers, ""));
            assert_eq!(status, "200", "{body}");
        });
        let outcome = place.run(&args);
        assert!(mover.moved(), "{suffix}");
        outcome.assert_code(0);
        let now = fetched_by_hand(&site, "posts");
        assert_eq!(now.len(), before.len() - 1, "{suffix}");
        assert_records(&place.json(&format!("posts{suffix}.json")), &now, suffix);
        assert_eq!(removed(&place), [first], "{suffix}");
    }
}
