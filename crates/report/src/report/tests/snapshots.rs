//! Which files a report is made from, and errors in them.

use std::fs;

use serde_json::json;

use super::{Run, source, store_manifest};
use crate::report::ActivityReport;
use activity_tracker_core::record::Resource;
use activity_tracker_core::storage::Flow;

#[test]
fn each_resource_comes_from_the_newest_run_of_the_source() {
    let other = "name = \"other\"\nbase_url = \"http://other.test\"\n[users]\npath = \"/u\"";
    let cases = [
        // The main flow is newer, and has no comments.
        (
            1,
            2,
            false,
            json!({"users": "run-2", "posts": "run-2", "comments": "run-1"}),
        ),
        (
            2,
            1,
            false,
            json!({"users": "run-2", "posts": "run-2", "comments": "run-2"}),
        ),
        // The main flow is of another source.
        (1, 2, true, json!({"users": "run-2"})),
        (
            2,
            1,
            true,
            json!({"users": "run-2", "posts": "run-2", "comments": "run-2"}),
        ),
    ];
    for (by_tasks, by_threads, is_other, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        Run::new(Flow::Async, by_tasks)
            .with(Resource::Users, "[]")
            .with(Resource::Posts, "[]")
            .with(Resource::Comments, "[]")
            .store(folder.path());
        let main = Run::new(Flow::Main, by_threads).with(Resource::Users, "[]");
        if is_other {
            let source = source(other);
            Run { source, ..main }.store(folder.path());
        } else {
            main.with(Resource::Posts, "[]").store(folder.path());
        }
        let report = ActivityReport::of(folder.path(), 1).unwrap();
        let snapshots = serde_json::to_value(&report.snapshots).unwrap();
        let snapshots = snapshots.as_object().unwrap().iter();
        let runs: serde_json::Map<_, _> = snapshots
            .map(|(resource, file)| (resource.clone(), file["run"].clone()))
            .collect();
        assert_eq!(serde_json::Value::Object(runs), expected);
        assert_eq!(
            report.totals.comments.is_some(),
            expected.get("comments").is_some()
        );
        assert_eq!(
            report.source,
            if is_other && by_threads == 2 {
                "other"
            } else {
                "dated"
            }
        );
    }
}

#[test]
fn rejects_are_added_up_over_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::new(Flow::Main, 1).with(Resource::Users, "[]");
    Run {
        rejects: 2,
        ..run.with(Resource::Posts, "[]")
    }
    .store(folder.path());
    let run = Run::new(Flow::Async, 2).with(Resource::Posts, "[]");
    Run { rejects: 5, ..run }.store(folder.path());
    let report = ActivityReport::of(folder.path(), 1).unwrap();
    assert_eq!(report.totals.rejects, 2 + 5);
}

#[test]
fn errors_in_stored_files_name_the_file_and_have_a_hint() {
    let verify = "`activity-tracker verify` shows which files are intact, and `run --fresh` fetches them again";
    let cases = [
        (
            "[{\"id\": 1}",
            "posts.json: the JSON array is not closed: it ends after 10 bytes",
        ),
        (
            "[{\"id\": 1}, {\"id\": 1.5}]",
            "posts.json: record 1: field `id`: expected a whole number of at most 64 bits or a string, found 1.5",
        ),
        ("[{\"id\": }]", "posts.json: record 0: field"),
        (
            "[{\"id\": 1}]",
            "posts.json: it has 1 records, its manifest says 2",
        ),
        (
            "<html>",
            "posts.json: expected a JSON array, found `<`, which looks like HTML",
        ),
    ];
    for (text, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        Run::new(Flow::Main, 1)
            .with(Resource::Posts, r#"[{"id": 1}, {"id": 2}]"#)
            .store(folder.path());
        fs::write(folder.path().join("posts.json"), text).unwrap();
        let error = ActivityReport::of(folder.path(), 1).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(
            (error.exit_code(), error.hint().as_deref()),
            (5, Some(verify))
        );
    }
}

#[test]
fn a_missing_snapshot_and_one_of_an_older_version_have_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let error = || {
        let error = ActivityReport::of(folder.path(), 1).unwrap_err();
        let words = error
            .to_string()
            .replace(&folder.path().display().to_string(), "DIR");
        (words, error.exit_code(), error.hint().unwrap())
    };
    let (words, code, hint) = error();
    assert_eq!((words.as_str(), code), ("no snapshot in DIR", 5));
    assert_eq!(hint, "`activity-tracker run` makes one; check --data-dir");

    let mut manifest = Run::new(Flow::Async, 1)
        .with(Resource::Users, "[]")
        .store(folder.path());
    manifest.source_definition = None;
    store_manifest(folder.path(), &manifest);
    let (words, code, hint) = error();
    let says = "cannot read the records of DIR/manifest_async.json: it was made by an older version, which did not store the definition of the source";
    assert_eq!((words.as_str(), code), (says, 5));
    assert_eq!(
        hint,
        "run again: `activity-tracker run --async --fresh`, with the same source"
    );

    fs::write(folder.path().join("manifest.json"), "{").unwrap();
    let (words, code, _) = error();
    assert!(
        words.starts_with("cannot read DIR/manifest.json: EOF"),
        "{words}"
    );
    assert_eq!(code, 5);
}
