//! json-server 0.17 and 1.x, page by page.

use std::fs;

use serde_json::Value;

use super::{FLOWS, assert_records, environment, records, resources};
use crate::support::program::Workplace;

const JSON_SERVER: &str = "ACTIVITY_TRACKER_TEST_JSON_SERVER";
const JSON_SERVER_V1: &str = "ACTIVITY_TRACKER_TEST_JSON_SERVER_V1";
const DB: &str = "ACTIVITY_TRACKER_TEST_DB";

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

/// Runs both flows page by page and in one response, and holds the files against each other and the database.
#[track_caller]
fn assert_pages_are_the_whole(paging: &str) {
    let Some([url, db]) = environment([JSON_SERVER, DB]) else {
        return;
    };
    let db = database(&db);
    let (whole, paged) = (Workplace::new(), Workplace::new());
    fs::write(paged.path().join("paged.toml"), paged_source(&url, paging)).expect("write a source");
    for (flow, suffix) in FLOWS {
        let asked_before = paged.log().len();
        whole.run_well(&[&[&*url], flow].concat());
        paged.run_well(&[&["paged.toml", "--log-level", "debug"], flow].concat());
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
    let Some([url, db]) = environment([JSON_SERVER, DB]) else {
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
    let Some([url, db]) = environment([JSON_SERVER_V1, DB]) else {
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

#[test]
fn the_authors_of_json_server_1_are_known_by_name() {
    let Some([url]) = environment([JSON_SERVER_V1]) else {
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
