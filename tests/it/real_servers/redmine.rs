//! Redmine: issues page by page, their journals one by one, and issues that come and go while pages are turned.

use std::fs;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::mover::Mover;
use super::{FLOWS, assert_records, environment, exchange, records, removed, resources, told};
use crate::support::program::{Outcome, Running, Workplace};

/// The folder of `.ci/redmine`.
const REDMINE: &str = "ACTIVITY_TRACKER_TEST_REDMINE";

/// A Redmine, and what its administrator may do.
#[derive(Clone)]
struct Redmine {
    url: String,
    key: String,
}

/// One test at a time: `SQLite` has one writer, and Redmine gives up when it has to wait for long.
static ALONE: Mutex<()> = Mutex::new(());

impl Redmine {
    fn new() -> Option<Self> {
        let [folder] = environment([REDMINE])?;
        Some(Self {
            url: told(&folder, "url"),
            key: told(&folder, "api-key"),
        })
    }

    /// What the API responses to an administrator.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let headers = format!(
            "X-Redmine-API-Key: {}\r\nContent-Type: application/json\r\n",
            self.key
        );
        exchange(&self.url, method, path, (&headers, body))
    }

    /// A new issue of the project `moving`, which the seed leaves empty.
    fn create(&self, subject: &str) -> u64 {
        let issue = json!({"issue": {"project_id": "moving", "subject": subject}});
        let (status, body) = self.ask("POST", "/issues.json", &issue.to_string());
        assert_eq!(status, "201", "{body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        body["issue"]["id"].as_u64().expect("an id")
    }

    fn delete(&self, id: u64) {
        let (status, body) = self.ask("DELETE", &format!("/issues/{id}.json"), "");
        assert!(["200", "204"].contains(&&*status), "{status} {body}");
    }

    /// What `fetch.py` gets.
    #[track_caller]
    fn fetched(&self, args: &[&str]) -> Vec<Value> {
        super::fetched_by_script_with(&format!("X-Redmine-API-Key: {}", self.key), args)
    }

    fn run(&self, place: &Workplace, url: &str, args: &[&str]) -> Outcome {
        let var = format!("url={url}");
        let mut command = place.command(&[&["run", "redmine.toml", "--var", &var], args].concat());
        command.env("REDMINE_KEY", &self.key);
        Running::start(&mut command).wait()
    }

    /// Has the project `moving` hold twelve issues, and tells their ids in order.
    fn twelve(&self) -> Vec<u64> {
        let path = "/issues.json?project_id=moving&status_id=*&sort=id&limit=100";
        let (_, body) = self.ask("GET", path, "");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let mut ids = ids(records(&body["issues"]));
        for id in ids.drain(..ids.len().saturating_sub(12)) {
            self.delete(id);
        }
        while ids.len() < 12 {
            ids.push(self.create("another one"));
        }
        ids
    }
}

/// A workplace with the source file in it, whose pages of issues are of this size.
fn workplace(size: &str) -> Workplace {
    let place = Workplace::new();
    let source = include_str!("redmine.toml").replace("limit = 25", &format!("limit = {size}"));
    fs::write(place.path().join("redmine.toml"), source).expect("write a source");
    place
}

fn ids(issues: &[Value]) -> Vec<u64> {
    let id = |issue: &Value| issue["id"].as_u64().expect("an id");
    issues.iter().map(id).collect()
}

#[test]
fn a_redmine_is_stored_record_for_record_by_both_flows() {
    let Some(redmine) = Redmine::new() else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let url = &redmine.url;
    let users = redmine.fetched(&["offset", &format!("{url}/users.json"), "users", "10"]);
    let issues = format!("{url}/issues.json?project_id=seed&status_id=*&sort=id");
    let issues = redmine.fetched(&["offset", &issues, "issues", "25"]);
    let numbers: Vec<_> = ids(&issues).iter().map(u64::to_string).collect();
    let issue = format!("{url}/issues/{{id}}.json?include=journals");
    let journals: Vec<_> = ["children", &issue, "issue.journals"]
        .into_iter()
        .chain(numbers.iter().map(String::as_str))
        .collect();
    let journals = redmine.fetched(&journals);
    let counts = [users.len(), issues.len(), journals.len()];
    assert_eq!(counts, [21, 230, 345]);
    let place = workplace("25");
    let fetched = [
        ("users", &users),
        ("posts", &issues),
        ("comments", &journals),
    ];
    for (flow, suffix) in FLOWS {
        redmine.run(&place, url, flow).assert_code(0);
        for (resource, expected) in fetched.iter().take(resources(suffix).len()) {
            let name = format!("{resource}{suffix}.json");
            assert_records(&place.json(&name), expected, &name);
        }
        let summary = place.json(&format!("summary{suffix}.json"));
        let counts = ["users", "posts", "rejected"].map(|name| &summary[name]);
        assert_eq!(counts, [21, 230, 0], "{suffix}");
    }
    assert_eq!(place.json("summary_async.json")["comments"], 345);
}

/// What happens between two pages: its name, the order of the issues, and what is done with which ids.
type Case = (&'static str, &'static str, fn(&Redmine, &[u64]));

const CASES: [Case; 7] = [
    ("the first is deleted", "id", |redmine, ids| {
        redmine.delete(ids[0]);
    }),
    ("one of the last page is deleted", "id", |redmine, ids| {
        redmine.delete(ids[10]);
    }),
    (
        "the newest is deleted, newest first",
        "id:desc",
        |redmine, ids| {
            redmine.delete(ids[11]);
        },
    ),
    ("one is created", "id", |redmine, _| {
        redmine.create("new");
    }),
    ("one is created, newest first", "id:desc", |redmine, _| {
        redmine.create("new");
    }),
    (
        "the first is deleted and one is created",
        "id",
        |redmine, ids| {
            redmine.delete(ids[0]);
            redmine.create("new");
        },
    ),
    (
        "two are created and two deleted, newest first",
        "id:desc",
        |redmine, ids| {
            redmine.create("new");
            redmine.create("newest");
            redmine.delete(ids[0]);
            redmine.delete(ids[10]);
        },
    ),
];

#[test]
fn an_issue_that_comes_or_goes_between_two_pages_costs_no_other() {
    let Some(redmine) = Redmine::new() else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let moving = format!("{}/issues.json?project_id=moving&status_id=*", redmine.url);
    for (flow, suffix) in FLOWS {
        for (case, sort, event) in CASES {
            let case = format!("{case}{suffix}");
            let before = redmine.twelve();
            let place = workplace("5");
            let order = format!("sort={sort}");
            let args = [
                "--resources",
                "posts",
                "--var",
                "project=moving",
                "--var",
                &order,
            ];
            let args = [&args, flow].concat();
            let mover = Mover::start(&redmine.url, "offset=0");
            redmine.run(&place, &mover.url(), &args).assert_code(0);
            let (there, known) = (redmine.clone(), before.clone());
            mover.arm(move || event(&there, &known));
            let outcome = redmine.run(&place, &mover.url(), &args);
            assert!(mover.moved(), "{case}");
            outcome.assert_code(0);
            let now = format!("{moving}&sort={sort}");
            let now = redmine.fetched(&["offset", &now, "issues", "5"]);
            assert_records(&place.json(&format!("posts{suffix}.json")), &now, &case);
            // The history took none for removed that is still there.
            let gone = before.iter().filter(|id| !ids(&now).contains(id));
            let gone: Vec<_> = gone.copied().collect();
            assert_eq!(removed(&place), gone, "{case}");
        }
    }
}
