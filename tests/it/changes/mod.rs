//! The command `changes`, compared with a simple implementation over the API's responses.

mod docs;
mod real;
mod trouble;

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::support::program::{HISTORY, Outcome, Running, Workplace};
use super::support::server::{Reply, Route, Server};

/// The users and posts of an API.
type Db = BTreeMap<&'static str, Vec<Value>>;

fn db(users: Value, posts: Value) -> Db {
    let records = |records: Value| serde_json::from_value(records).expect("records");
    [("users", records(users)), ("posts", records(posts))].into()
}

/// The states of an API at three runs.
fn stages() -> [Db; 3] {
    let first = db(
        json!([
            {"id": 1, "name": "Ada", "username": "lace", "email": "Ada@april.biz", "address": {"city": "Rome", "zip": 1}},
            {"id": 2, "name": "Bob", "username": "bob", "email": "bob@melissa.tv"},
            {"id": 3, "name": "Cleo", "username": "cleo", "email": "cleo@may.biz", "phone": "1"},
        ]),
        json!([
            {"id": "1", "userId": 3, "title": "one", "body": "b"},
            {"id": "2", "userId": 1, "title": "two", "body": "b"},
            {"id": "3", "userId": 3, "title": "three", "body": "b"},
        ]),
    );
    let second = db(
        json!([
            {"id": 1, "name": "Ada", "username": "lace", "email": "Ada@april.biz", "address": {"city": "Oslo", "zip": 1}},
            {"id": 2, "name": "Bob", "username": "bob", "email": "bob@melissa.tv"},
            {"id": 4, "name": "=Dora()", "username": "dora", "email": "dora@x.org"},
        ]),
        json!([
            {"id": "1", "userId": 3, "title": "one", "body": "b"},
            {"id": "2", "userId": 1, "title": "two, and | more", "body": "b", "tags": [1.50, "x"]},
            {"id": "p-4", "userId": 4, "title": "four", "body": "\u{1b}[31m\u{202e}"},
        ]),
    );
    let mut third = second.clone();
    let users = third.get_mut("users").expect("users");
    users[1] = json!({"id": 2, "name": "Ada", "username": "bob", "email": "bob@melissa.tv"});
    [first, second, third]
}

/// A route with one response per run.
fn route<'s>(resource: &str, stages: impl IntoIterator<Item = &'s Db>) -> Route {
    let stages = stages.into_iter();
    stages.fold(Route::get(&format!("/{resource}")), |route, stage| {
        route.reply(Reply::json(json!(stage[resource]).to_string()))
    })
}

/// A workplace after a run against each stage.
fn after(stages: &[Db]) -> Workplace {
    let place = Workplace::new();
    let server = Server::start(["users", "posts"].map(|resource| route(resource, stages)));
    for _ in stages {
        place.run_well(&[server.url()]);
    }
    server.finish();
    place
}

fn changes(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(&[&["changes"], args].concat())).wait()
}

/// The changes as JSON.
#[track_caller]
fn listed(place: &Workplace, args: &[&str]) -> Vec<Value> {
    let outcome = changes(place, &[&["--format", "json"], args].concat());
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    serde_json::from_str(&outcome.stdout).expect("an array")
}

/// The changes in short: `changed users 1`.
#[track_caller]
fn summarized(place: &Workplace, args: &[&str]) -> Vec<String> {
    let words = |change: &Value| {
        let text = |key: &str| change[key].as_str().expect("a text").to_owned();
        format!("{} {} {}", text("kind"), text("resource"), change["id"])
    };
    listed(place, args).iter().map(words).collect()
}

/// The runs of the history: their ids and times.
fn runs(place: &Workplace) -> Vec<(String, String)> {
    let history = Connection::open(place.data_dir().join(HISTORY)).expect("a history");
    let query = "SELECT run, finished_at FROM runs ORDER BY id";
    let mut runs = history.prepare(query).expect("a query");
    let runs = runs.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    runs.expect("runs").map(|run| run.expect("a run")).collect()
}

/// The differences between two values, by path.
fn differ(path: &str, was: &Value, is: &Value, found: &mut [Map<String, Value>; 2]) {
    let (Some(before), Some(after)) = (was.as_object(), is.as_object()) else {
        if was != is {
            found[0].insert(path.to_owned(), was.clone());
            found[1].insert(path.to_owned(), is.clone());
        }
        return;
    };
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    for (key, was) in before {
        match after.get(key) {
            Some(is) => differ(&below(key), was, is, found),
            None => drop(found[0].insert(below(key), was.clone())),
        }
    }
    for (key, is) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        found[1].insert(below(key), is.clone());
    }
}

/// The changes between two stages, sorted.
fn naive(was: &Db, is: &Db) -> Vec<Value> {
    let mut all = Vec::new();
    for (resource, records) in was {
        let mut add = |id: &Value, kind: &str, before: Value, after: Value| {
            all.push(json!({
                "resource": resource, "id": id, "kind": kind, "before": before, "after": after,
            }));
        };
        for before in records {
            let id = &before["id"];
            let Some(after) = is[resource].iter().find(|after| after["id"] == *id) else {
                add(id, "removed", before.clone(), Value::Null);
                continue;
            };
            let mut found = [Map::new(), Map::new()];
            differ("", before, after, &mut found);
            if found.iter().any(|fields| !fields.is_empty()) {
                let [was, is] = found.map(Value::Object);
                add(id, "changed", was, is);
            }
        }
        for after in &is[resource] {
            if !records.iter().any(|before| before["id"] == after["id"]) {
                add(&after["id"], "added", Value::Null, after.clone());
            }
        }
    }
    sorted(all)
}

fn sorted(mut changes: Vec<Value>) -> Vec<Value> {
    changes.sort_by_key(|change| [&change["resource"], &change["id"]].map(Value::to_string));
    changes
}

/// The changes with only the fields that `naive` has.
fn plain(changes: Vec<Value>) -> Vec<Value> {
    let keys = ["resource", "id", "kind", "before", "after"];
    let plain = |change: Value| keys.iter().map(|key| (*key, change[key].clone())).collect();
    sorted(changes.into_iter().map(plain).collect())
}

#[test]
fn changes_are_exact_whatever_the_order_of_records() {
    let [first, second, _] = stages();
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let shuffled = |(resource, records): (&&'static str, &Vec<Value>)| {
            (*resource, order.map(|at| records[at].clone()).to_vec())
        };
        let other: Db = second.iter().map(shuffled).collect();
        let place = after(&[first.clone(), other]);
        let found = listed(&place, &[]);
        let (run, at) = &runs(&place)[1];
        for change in &found {
            assert_eq!([&change["run"], &change["at"]], [run, at]);
        }
        assert_eq!(plain(found), naive(&first, &second), "{order:?}");
        assert_eq!(summarized(&place, &[]), CHANGED, "{order:?}");
    }
}

/// What the second stage changes.
const CHANGED: [&str; 6] = [
    "changed users 1",
    "removed users 3",
    "added users 4",
    "changed posts \"2\"",
    "removed posts \"3\"",
    "added posts \"p-4\"",
];

#[test]
fn since_takes_a_run_or_a_time() {
    let place = after(&stages());
    let runs = runs(&place);
    let all: Vec<_> = ["changed users 2"].into_iter().chain(CHANGED).collect();
    let day = runs[0].1.split_once('T').expect("a date and a time").0;
    let cases: [(&str, &[&str]); 10] = [
        ("1", &all),
        (&runs[0].0, &all),
        ("2", &all[..1]),
        ("3", &[]),
        (&runs[2].0, &[]),
        ("7d", &all),
        ("1h 30m", &all),
        (day, &all),
        // Changes at this very time count.
        (&runs[1].1, &all),
        (&runs[2].1, &all[..1]),
    ];
    for (since, expected) in cases {
        assert_eq!(summarized(&place, &["--since", since]), expected, "{since}");
    }
    assert_eq!(summarized(&place, &["--since", "2999-01-01"]), [""; 0]);
    let outcome = changes(&place, &["--since", "2", "--resource", "posts"]);
    let begins = format!("No changes in posts at {}", source(&place));
    assert!(outcome.stdout.starts_with(&begins), "{outcome:#?}");
    assert!(outcome.stdout.contains(" since run 2 ("), "{outcome:#?}");
}

fn source(place: &Workplace) -> String {
    let manifest = place.json("manifest.json");
    manifest["source"].as_str().expect("a source").to_owned()
}

#[test]
fn a_user_is_found_by_id_name_and_address_even_if_removed() {
    let place = after(&stages());
    let of_ada = ["changed users 1", "changed posts \"2\""];
    let of_cleo = ["removed users 3", "removed posts \"3\""];
    let of_dora = ["added users 4", "added posts \"p-4\""];
    let of_bob = ["changed users 2"];
    let of_both = ["changed users 2", "changed users 1", "changed posts \"2\""];
    let cases: [(&str, &[&str]); 9] = [
        ("1", &of_ada),
        ("lace", &of_ada),
        ("ada@APRIL.biz", &of_ada),
        ("3", &of_cleo),
        ("cleo", &of_cleo),
        ("CLEO@may.biz", &of_cleo),
        ("=dora()", &of_dora),
        ("2", &of_bob),
        // Bob's new name.
        ("ADA", &of_both),
    ];
    for (user, expected) in cases {
        assert_eq!(summarized(&place, &["--user", user]), expected, "{user}");
    }
    let posts = summarized(&place, &["--user", "cleo", "--resource", "posts"]);
    assert_eq!(posts, of_cleo[1..]);
    let newest = summarized(&place, &["--limit", "2"]);
    assert_eq!(newest, ["changed users 2", CHANGED[0]]);
}

/// The output, without the parts that differ between runs.
fn redacted(place: &Workplace, text: &str) -> String {
    let mut text = text.to_owned();
    let source = source(place);
    let address = source.trim_start_matches("http://");
    text = text.replace(address, "api.test");
    for (number, (run, at)) in (1..).zip(runs(place)) {
        text = text.replace(&run, &format!("RUN-{number}"));
        text = text.replace(&at, &format!("TIME-{number}"));
        let second = at[..19].replace('T', " ");
        text = text.replace(&second, "YYYY-MM-DD HH:MM:SS");
        text = text.replace(&second[..16], "YYYY-MM-DD HH:MM");
    }
    text
}

fn printed(place: &Workplace, args: &[&str]) -> String {
    let outcome = changes(place, args);
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    let is_control = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert_eq!(outcome.stdout.find(is_control), None, "{outcome:#?}");
    redacted(place, &outcome.stdout)
}

#[test]
fn each_format_has_the_same_changes() {
    let place = after(&stages());
    insta::assert_snapshot!(printed(&place, &[]), @r##"
    Changes at http://api.test since run 1 (YYYY-MM-DD HH:MM:SS UTC)
    7 changes: 2 added, 3 changed, 2 removed

    time (UTC)         change          id   label             user
    ────────────────────────────────────────────────────────────────────────
    YYYY-MM-DD HH:MM   changed user     2   Ada               bob@melissa.tv
        name: "Bob" → "Ada"
    YYYY-MM-DD HH:MM   changed user     1   Ada               ada@april.biz
        address.city: "Rome" → "Oslo"
    YYYY-MM-DD HH:MM   removed user     3   Cleo              cleo@may.biz
    YYYY-MM-DD HH:MM   added user       4   =Dora()           dora@x.org
    YYYY-MM-DD HH:MM   changed post     2   two, and | more   user 1
        tags: (none) → [1.5,"x"]
        title: "two" → "two, and | more"
    YYYY-MM-DD HH:MM   removed post     3   three             user 3
    YYYY-MM-DD HH:MM   added post     p-4   four              user 4

    Tracking users, posts since run 1 (YYYY-MM-DD HH:MM:SS UTC)
    "##);
    insta::assert_snapshot!(printed(&place, &["--limit", "1", "--resource", "users"]), @r##"
    Changes in users at http://api.test since run 1 (YYYY-MM-DD HH:MM:SS UTC)
    4 changes: 1 added, 2 changed, 1 removed

    time (UTC)         change         id   label   user
    ─────────────────────────────────────────────────────────────
    YYYY-MM-DD HH:MM   changed user    2   Ada     bob@melissa.tv
        name: "Bob" → "Ada"
    and 3 more changes; use --limit 4 to show all, or --format csv for a program

    Tracking users since run 1 (YYYY-MM-DD HH:MM:SS UTC)
    "##);
    insta::assert_snapshot!(printed(&place, &["--format", "markdown"]), @r##"
    # Changes at http\://api.test since run 1 (YYYY-MM-DD HH:MM:SS UTC)

    7 changes: 2 added, 3 changed, 2 removed

    | time (UTC) | change | id | label | user | fields |
    | --- | --- | ---: | --- | --- | --- |
    | YYYY-MM-DD HH:MM | changed user | 2 | Ada | bob&#64;melissa.tv | name: "Bob" → "Ada" |
    | YYYY-MM-DD HH:MM | changed user | 1 | Ada | ada&#64;april.biz | address.city: "Rome" → "Oslo" |
    | YYYY-MM-DD HH:MM | removed user | 3 | Cleo | cleo&#64;may.biz |  |
    | YYYY-MM-DD HH:MM | added user | 4 | =Dora() | dora&#64;x.org |  |
    | YYYY-MM-DD HH:MM | changed post | 2 | two, and \| more | user 1 | tags: (none) → \[1.5,"x"\]; title: "two" → "two, and \| more" |
    | YYYY-MM-DD HH:MM | removed post | 3 | three | user 3 |  |
    | YYYY-MM-DD HH:MM | added post | p-4 | four | user 4 |  |

    - Tracking users, posts since run 1 (YYYY-MM-DD HH:MM:SS UTC)
    "##);
    insta::assert_snapshot!(printed(&place, &["--format", "csv"]), @r##"
    run,at,source,resource,id,kind,label,user,email,before,after
    RUN-3,TIME-3,http://api.test,users,2,changed,Ada,2,bob@melissa.tv,"{""name"":""Bob""}","{""name"":""Ada""}"
    RUN-2,TIME-2,http://api.test,users,1,changed,Ada,1,ada@april.biz,"{""address.city"":""Rome""}","{""address.city"":""Oslo""}"
    RUN-2,TIME-2,http://api.test,users,3,removed,Cleo,3,cleo@may.biz,"{""email"":""cleo@may.biz"",""id"":3,""name"":""Cleo"",""phone"":""1"",""username"":""cleo""}",
    RUN-2,TIME-2,http://api.test,users,4,added,'=Dora(),4,dora@x.org,,"{""email"":""dora@x.org"",""id"":4,""name"":""=Dora()"",""username"":""dora""}"
    RUN-2,TIME-2,http://api.test,posts,2,changed,"two, and | more",1,,"{""title"":""two""}","{""tags"":[1.5,""x""],""title"":""two, and | more""}"
    RUN-2,TIME-2,http://api.test,posts,3,removed,three,3,,"{""body"":""b"",""id"":""3"",""title"":""three"",""userId"":3}",
    RUN-2,TIME-2,http://api.test,posts,p-4,added,four,4,,,"{""body"":""\u001b[31m\u202e"",""id"":""p-4"",""title"":""four"",""userId"":4}"
    "##);
    insta::assert_snapshot!(printed(&place, &["--format", "ndjson"]), @r##"
    {"run":"RUN-3","at":"TIME-3","source":"http://api.test","resource":"users","id":2,"kind":"changed","label":"Ada","user":2,"email":"bob@melissa.tv","before":{"name":"Bob"},"after":{"name":"Ada"}}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"users","id":1,"kind":"changed","label":"Ada","user":1,"email":"ada@april.biz","before":{"address.city":"Rome"},"after":{"address.city":"Oslo"}}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"users","id":3,"kind":"removed","label":"Cleo","user":3,"email":"cleo@may.biz","before":{"email":"cleo@may.biz","id":3,"name":"Cleo","phone":"1","username":"cleo"},"after":null}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"users","id":4,"kind":"added","label":"=Dora()","user":4,"email":"dora@x.org","before":null,"after":{"email":"dora@x.org","id":4,"name":"=Dora()","username":"dora"}}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"posts","id":"2","kind":"changed","label":"two, and | more","user":1,"email":null,"before":{"title":"two"},"after":{"tags":[1.5,"x"],"title":"two, and | more"}}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"posts","id":"3","kind":"removed","label":"three","user":3,"email":null,"before":{"body":"b","id":"3","title":"three","userId":3},"after":null}
    {"run":"RUN-2","at":"TIME-2","source":"http://api.test","resource":"posts","id":"p-4","kind":"added","label":"four","user":4,"email":null,"before":null,"after":{"body":"\u001b[31m\u202e","id":"p-4","title":"four","userId":4}}
    "##);
    insta::assert_snapshot!(printed(&place, &["--format", "json", "--limit", "2"]), @r##"
    [
      {
        "run": "RUN-3",
        "at": "TIME-3",
        "source": "http://api.test",
        "resource": "users",
        "id": 2,
        "kind": "changed",
        "label": "Ada",
        "user": 2,
        "email": "bob@melissa.tv",
        "before": {"name":"Bob"},
        "after": {"name":"Ada"}
      },
      {
        "run": "RUN-2",
        "at": "TIME-2",
        "source": "http://api.test",
        "resource": "users",
        "id": 1,
        "kind": "changed",
        "label": "Ada",
        "user": 1,
        "email": "ada@april.biz",
        "before": {"address.city":"Rome"},
        "after": {"address.city":"Oslo"}
      }
    ]
    "##);
}

#[test]
fn no_changes_are_a_success_in_every_format() {
    let [first, ..] = stages();
    let place = after(&[first.clone(), first]);
    let nothing = "No changes at http://api.test since run 1 (YYYY-MM-DD HH:MM:SS UTC)\n\
                   Tracking users, posts since run 1 (YYYY-MM-DD HH:MM:SS UTC)\n";
    let headers = "run,at,source,resource,id,kind,label,user,email,before,after\n";
    let cases = [
        ("table", nothing),
        ("json", "[]\n"),
        ("ndjson", ""),
        ("csv", headers),
    ];
    for (format, expected) in cases {
        assert_eq!(printed(&place, &["--format", format]), expected, "{format}");
    }
    let markdown = printed(&place, &["--format", "markdown"]);
    assert!(markdown.starts_with("# No changes at"), "{markdown}");
}
