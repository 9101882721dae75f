//! The built-in sample: a forum that can be seen as it was, so that changes can be tried offline.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::support::program::{Running, Workplace};

/// How many changes there are, by resource and kind.
fn changes(place: &Workplace) -> BTreeMap<(String, String), usize> {
    let outcome = Running::start(&mut place.command(&["changes", "--format", "json"])).wait();
    outcome.assert_code(0);
    let list: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("JSON");
    let mut counts = BTreeMap::new();
    for change in list {
        let text = |name: &str| change[name].as_str().expect("a text").to_owned();
        *counts.entry((text("resource"), text("kind"))).or_default() += 1;
    }
    counts
}

#[test]
fn a_month_of_the_sample_adds_changes_and_removes_records() {
    let place = Workplace::new();
    let earlier = place.run_well(&["sample", "--async", "--var", "at=2026-05-31"]);
    assert!(!earlier.stderr.contains("100 posts"), "{}", earlier.stderr);
    let later = place.run_well(&["sample", "--async"]);
    assert!(later.stderr.contains(" new posts"), "{}", later.stderr);
    let again = place.run_well(&["sample", "--async"]);
    let same = "Up to date: 10 users, 100 posts, 500 comments (sample)\n";
    assert_eq!(again.stderr, same);

    let counts = changes(&place);
    let of = |resource: &str, kind: &str| {
        let key = (resource.to_owned(), kind.to_owned());
        counts.get(&key).copied().unwrap_or_default()
    };
    for (resource, kind) in [
        ("users", "changed"),
        ("posts", "added"),
        ("posts", "changed"),
        ("posts", "removed"),
        ("comments", "added"),
        ("comments", "removed"),
    ] {
        assert!(of(resource, kind) > 0, "{resource} {kind}: {counts:?}");
    }
    assert!(of("comments", "added") > of("posts", "added"), "{counts:?}");
    assert_eq!(of("users", "removed"), 0);
}

#[test]
fn the_report_of_the_sample_shows_dates_guests_silent_users_and_unanswered_posts() {
    let place = Workplace::new();
    place.run_well(&["sample", "--async"]);
    let outcome = Running::start(&mut place.command(&["report", "--format", "json"])).wait();
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let totals = &report["totals"];
    for name in ["inactive_users", "comments_by_guests"] {
        assert!(totals[name].as_u64() > Some(0), "{name}: {totals}");
    }
    assert!(report["unanswered"]["count"].as_u64() > Some(0));
    assert!(report["dates"]["weeks"].as_array().map(Vec::len) >= Some(25));
    assert!(report["dates"]["time_to_first_reply"]["median"].is_string());
    let busiest = &report["users"][0];
    let written = |user: &Value| {
        user["posts"]
            .as_u64()
            .max(user["comments_written"].as_u64())
    };
    assert!(written(busiest) > Some(50), "{busiest}");
}

#[test]
fn a_served_sample_shows_the_moment_that_it_was_started_with() {
    let place = Workplace::new();
    let args = ["sample-api", "--port", "0", "--at", "2026-03-31"];
    let mut api = place.command(&args);
    let mut api = api.stderr(Stdio::piped()).spawn().expect("the sample API");
    let mut line = String::new();
    let mut output = BufReader::new(api.stderr.take().expect("its output"));
    output.read_line(&mut line).expect("a line");
    let words = line.split_whitespace();
    let url = words.into_iter().find(|word| word.starts_with("http://"));
    let base = format!("base={}", url.expect("a URL"));
    place.run_well(&["sample", "--var", &base]);
    let then = place.json("summary.json")["posts"].clone();
    place.run_well(&["sample", "--var", &base, "--var", "at=2026-06-30"]);
    let now = place.json("summary.json")["posts"].clone();
    api.kill().expect("stop the sample API");
    api.wait().expect("its end");
    assert!(
        then.as_u64() > Some(30) && then.as_u64() < Some(80),
        "{then}"
    );
    assert_eq!(now, 100);
}
