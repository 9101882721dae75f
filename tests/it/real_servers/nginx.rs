//! nginx with limits: on requests a second, and on connections.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use super::{FLOWS, assert_records, environment, fetched_by_script, resources, told};
use crate::support::program::Workplace;

/// The folder of `.ci/nginx`.
pub(super) const NGINX: &str = "ACTIVITY_TRACKER_TEST_NGINX";

/// The pages of `.ci/nginx`, numbered, behind one of its limits.
pub(super) fn source(base: &str) -> String {
    let resource = |name: &str, fields: &str| {
        format!(
            "[{name}]\npath = \"/{name}\"\npagination = {{ page = \"_page\", size = {{ _limit = 5 }} }}\n\
             total = {{ header = \"X-Total-Count\" }}\nfields = {{ {fields} }}\n"
        )
    };
    [
        format!("name = \"nginx\"\nbase_url = \"{base}\"\n"),
        resource(
            "users",
            "name = \"name\", username = \"username\", email = \"email\"",
        ),
        resource(
            "posts",
            "user_id = \"userId\", title = \"title\", body = \"body\"",
        ),
        resource("comments", "post_id = \"postId\", body = \"body\""),
    ]
    .concat()
}

/// All records of each resource, as a script gets them where there is no limit.
pub(super) fn expected(folder: &str) -> &'static [(&'static str, Vec<Value>); 3] {
    static EXPECTED: OnceLock<[(&str, Vec<Value>); 3]> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let open = format!("{}/open", told(folder, "url"));
        ["users", "posts", "comments"].map(|resource| {
            let url = format!("{open}/{resource}");
            (resource, fetched_by_script(&["numbered", &url, "_page"]))
        })
    })
}

/// Asserts that what is stored is all of it.
#[track_caller]
pub(super) fn assert_whole(folder: &str, place: &Workplace, suffix: &str) {
    for (resource, expected) in expected(folder).iter().take(resources(suffix).len()) {
        let name = format!("{resource}{suffix}.json");
        assert_records(&place.json(&name), expected, &name);
    }
}

/// Asserts that a run of eight requests at once against a limit is as complete as a script's that has no haste.
#[track_caller]
fn assert_complete(limit: &str, status: &str) {
    let Some([folder]) = environment([NGINX]) else {
        return;
    };
    let base = format!("{}/{limit}", told(&folder, "url"));
    let place = Workplace::new();
    fs::write(place.path().join("nginx.toml"), source(&base)).expect("write a source");
    let refused = || {
        let start = format!("{status} http GET /{limit}/");
        let log = told(&folder, "logs/access.log");
        log.lines().filter(|line| line.starts_with(&start)).count()
    };
    for (flow, suffix) in FLOWS {
        let before = refused();
        // How many are refused in a row is a matter of luck, but not without end.
        let options = [
            "--concurrency",
            "8",
            "--retries",
            "50",
            "--backoff",
            "100ms",
        ];
        place.run_well(&[&["nginx.toml"], &options[..], flow].concat());
        assert!(refused() > before, "{limit}{suffix}: nothing was refused");
        assert_whole(&folder, &place, suffix);
        let summary = place.json(&format!("summary{suffix}.json"));
        let counts = ["users", "posts", "rejected"].map(|name| &summary[name]);
        assert_eq!(counts, [28, 1_498, 0], "{limit}{suffix}");
    }
}

#[test]
fn hundreds_of_pages_are_complete_where_nginx_responses_429_to_too_many_requests() {
    assert_complete("rate-429", "429");
}

#[test]
fn hundreds_of_pages_are_complete_where_nginx_responses_503_to_too_many_requests() {
    assert_complete("rate-503", "503");
}

#[test]
fn hundreds_of_pages_are_complete_where_nginx_responses_503_to_too_many_connections() {
    assert_complete("connections", "503");
}

#[test]
fn a_rate_in_the_source_keeps_to_the_limit_of_nginx() {
    let Some([folder]) = environment([NGINX]) else {
        return;
    };
    let base = format!("{}/rate-own", told(&folder, "url"));
    let place = Workplace::new();
    let rate = "[rate]\nrequests = 100\nper = \"second\"\n";
    let text = [&source(&base), rate].concat();
    fs::write(place.path().join("nginx.toml"), text).expect("write a source");
    for (flow, suffix) in FLOWS {
        place.run_well(
            &[
                &["nginx.toml", "--concurrency", "8", "--retries", "0"],
                flow,
            ]
            .concat(),
        );
        assert_whole(&folder, &place, suffix);
    }
}
