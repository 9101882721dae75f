//! The command `report`, compared with a simple implementation over plain JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::json_server::real_api;
use super::support::program::{Outcome, Running, Workplace, contents};
use super::support::records::serve_records;
use super::support::server::{Reply, Route, Server};

fn report(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(&[&["report"], args].concat())).wait()
}

/// The report as JSON, without the parts that differ between runs.
fn numbers(place: &Workplace, top: usize) -> Value {
    let top = top.to_string();
    let outcome = report(place, &["--format", "json", "--top", &top]);
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    let mut all: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let manifest = place.json("manifest_async.json");
    let parts = all.as_object_mut().expect("an object");
    for resource in ["users", "posts", "comments"] {
        let snapshot = json!({
            "run": manifest["run"], "at": manifest["finished_at"], "file": format!("{resource}_async.json"),
        });
        assert_eq!(parts["snapshots"][resource], snapshot);
    }
    assert_eq!(parts["source"], manifest["source"]);
    let none = json!({"added": 0, "changed": 0, "removed": 0});
    let first = json!({
        "run": manifest["run"], "at": manifest["finished_at"],
        "changes": {"users": none, "posts": none, "comments": none},
    });
    assert_eq!(parts["history"], json!([first]));
    parts.remove("history");
    parts.remove("snapshots");
    parts.remove("source");
    assert_eq!(parts.remove("time_zone"), Some(json!("UTC")));
    all
}

fn records<'v>(db: &'v Value, resource: &str) -> &'v Vec<Value> {
    db[resource].as_array().expect("records")
}

/// Compares ids regardless of quotes, which is enough if no user has both.
fn same_id(one: &Value, other: &Value) -> bool {
    let plain = |id: &Value| id.to_string().replace('"', "");
    !one.is_null() && plain(one) == plain(other)
}

fn when(record: &Value) -> Option<Timestamp> {
    record["createdAt"]
        .as_str()
        .map(|text| text.parse().expect("a time"))
}

/// The author of a comment or post: the index of a user, or the id or address of a guest.
fn author(record: &Value, users: &[Value]) -> Result<usize, Value> {
    let by_id = users
        .iter()
        .position(|user| same_id(&record["userId"], &user["id"]));
    let email = |record: &Value| record["email"].as_str().map(str::to_lowercase);
    let by_email = || {
        let wanted = email(record)?;
        users
            .iter()
            .position(|user| email(user).as_ref() == Some(&wanted))
    };
    let guest = || match &record["userId"] {
        Value::Null => json!(email(record).expect("an author")),
        id => id.clone(),
    };
    by_id.or_else(by_email).ok_or_else(guest)
}

/// A person without activity. Guests have no name and no date of joining.
fn person(record: &Value, id: &Value, is_user: bool) -> Value {
    let of_user = |value: Value| if is_user { value } else { Value::Null };
    json!({
        "id": id, "name": of_user(record["name"].clone()), "email": record["email"], "is_user": is_user,
        "posts": 0, "comments_received": 0, "comments_written": 0,
        "joined": of_user(json!(when(record))), "active": null,
    })
}

/// The report, by a simple implementation.
fn naive(db: &Value, top: usize) -> Value {
    let [users, posts, comments] = ["users", "posts", "comments"].map(|name| records(db, name));
    let post_of = |comment: &Value| {
        posts
            .iter()
            .position(|post| same_id(&comment["postId"], &post["id"]))
    };
    // Users first, then guests in order of appearance, comments before posts.
    let mut people: Vec<Value> = users
        .iter()
        .map(|user| person(user, &user["id"], true))
        .collect();
    let mut guests: Vec<Value> = Vec::new();
    let mut number = |record: &Value, people: &mut Vec<Value>| match author(record, users) {
        Ok(user) => user,
        Err(guest) => {
            if let Some(known) = guests.iter().position(|known| *known == guest) {
                return users.len() + known;
            }
            guests.push(guest);
            people.push(person(record, &record["userId"], false));
            people.len() - 1
        }
    };
    let mut written = Vec::new();
    for (kind, all) in [("comments_written", comments), ("posts", posts)] {
        for record in all {
            let person = number(record, &mut people);
            people[person][kind] = json!(people[person][kind].as_u64().expect("a count") + 1);
            if let Some(when) = when(record) {
                written.push((when, kind == "posts", person));
            }
        }
    }
    let mut unanswered = Vec::new();
    let mut waits = Vec::new();
    for (index, post) in posts.iter().enumerate() {
        let replies: Vec<_> = comments
            .iter()
            .filter(|comment| post_of(comment) == Some(index))
            .collect();
        let person = number(post, &mut people);
        let received = people[person]["comments_received"]
            .as_u64()
            .expect("a count");
        people[person]["comments_received"] = json!(received + replies.len() as u64);
        if replies.is_empty() {
            unanswered.push(json!({
                "id": post["id"], "user_id": post["userId"], "title": post["title"], "created_at": when(post),
            }));
        }
        let first = replies.iter().filter_map(|reply| when(reply)).min();
        waits.extend(
            first
                .zip(when(post))
                .map(|(first, post)| first.duration_since(post).max(SignedDuration::ZERO)),
        );
    }
    for (person, value) in people.iter_mut().enumerate() {
        let mine = written
            .iter()
            .filter(|(_, _, author)| *author == person)
            .map(|(when, ..)| *when);
        let (first, last) = (mine.clone().min(), mine.max());
        value["active"] = json!(first.zip(last));
    }
    let count = |person: &Value, kind: &str| person[kind].as_u64().expect("a count");
    let wrote = |person: &Value| count(person, "posts") + count(person, "comments_written");
    let inactive = people[..users.len()]
        .iter()
        .filter(|user| wrote(user) == 0)
        .count();
    people.sort_by_key(|person| {
        let id = &person["id"];
        let by_id = (
            id.is_null(),
            id.is_string(),
            id.as_i64(),
            id.as_str().map(str::to_owned),
        );
        (
            u64::MAX - wrote(person),
            u64::MAX - count(person, "comments_received"),
            by_id,
        )
    });
    let by_guests = comments
        .iter()
        .filter(|comment| author(comment, users).is_err())
        .count();
    json!({
        "totals": {
            "users": users.len(), "posts": posts.len(), "comments": comments.len(),
            "inactive_users": inactive, "comments_by_guests": by_guests, "rejects": 0,
        },
        "users": people,
        "unanswered": {"count": unanswered.len(), "posts": &unanswered[..unanswered.len().min(top)]},
        "domains": domains(users),
        "dates": dates(&written, waits, users),
    })
}

/// The domains of users' addresses, most users first.
fn domains(users: &[Value]) -> Vec<Value> {
    let mut domains: BTreeMap<String, u64> = BTreeMap::new();
    for (_, domain) in users
        .iter()
        .filter_map(|user| user["email"].as_str()?.rsplit_once('@'))
    {
        *domains.entry(domain.to_lowercase()).or_default() += 1;
    }
    let mut domains: Vec<_> = domains.into_iter().collect();
    domains.sort_by_key(|(_, users)| u64::MAX - users);
    domains
        .iter()
        .map(|(domain, users)| json!({"domain": domain, "users": users}))
        .collect()
}

/// Activity over time, from (time, whether it is a post, author).
fn dates(
    written: &[(Timestamp, bool, usize)],
    mut waits: Vec<SignedDuration>,
    users: &[Value],
) -> Value {
    if written.is_empty() {
        return Value::Null;
    }
    let date = |when: Timestamp| when.to_zoned(TimeZone::UTC).date();
    let monday = |when: Timestamp| {
        let date = date(when);
        date - i64::from(date.weekday().to_monday_zero_offset()).days()
    };
    let count = |is_post: bool, within: &dyn Fn(Timestamp) -> bool| {
        let all = written
            .iter()
            .filter(|(when, kind, _)| *kind == is_post && within(*when));
        all.count()
    };
    let days: BTreeSet<_> = written.iter().map(|(when, ..)| date(*when)).collect();
    let days: Vec<_> = days
        .into_iter()
        .map(|day| {
            let within = |when| date(when) == day;
            json!({"date": day, "posts": count(true, &within), "comments": count(false, &within)})
        })
        .collect();
    let joined: Vec<_> = users.iter().filter_map(when).map(monday).collect();
    let mondays: BTreeSet<_> = written
        .iter()
        .map(|(when, ..)| monday(*when))
        .chain(joined.iter().copied())
        .collect();
    let (mut week, last) = (
        *mondays.first().expect("a week"),
        *mondays.last().expect("a week"),
    );
    let mut weeks = Vec::new();
    while week <= last {
        let within = |when| monday(when) == week;
        let people: BTreeSet<_> = written
            .iter()
            .filter(|(when, ..)| within(*when))
            .map(|(.., who)| who)
            .collect();
        let known = |who: &&&usize| {
            written
                .iter()
                .any(|(when, _, other)| other == **who && monday(*when) < week)
        };
        let returning = people.iter().filter(known).count();
        let made = joined.iter().filter(|monday| **monday == week).count();
        weeks.push(json!({
            "monday": week, "posts": count(true, &within), "comments": count(false, &within),
            "new_users": people.len() - returning, "returning_users": returning,
            "joined": (!joined.is_empty()).then_some(made),
        }));
        week += 7.days();
    }
    let mut hours = vec![vec![0; 24]; 7];
    for (when, ..) in written {
        let when = when.to_zoned(TimeZone::UTC);
        let weekday = usize::try_from(when.weekday().to_monday_zero_offset()).expect("a weekday");
        hours[weekday][usize::try_from(when.hour()).expect("an hour")] += 1;
    }
    waits.sort();
    // The nearest-rank percentile.
    let within = |percent: usize| {
        let enough = |index: &usize| (index + 1) * 100 >= waits.len() * percent;
        (0..waits.len()).find(enough).map(|index| waits[index])
    };
    let time_to_first_reply = within(50)
        .map(|median| json!({"posts": waits.len(), "median": median, "percentile_90": within(90)}));
    json!({"days": days, "weeks": weeks, "hours": hours, "time_to_first_reply": time_to_first_reply})
}

/// Compares two reports, part by part.
#[track_caller]
fn assert_same(found: &Value, expected: &Value) {
    let [found, expected] = [found, expected].map(|value| value.as_object().expect("an object"));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (part, expected) in expected {
        if let (Some(found), Some(expected)) = (found[part].as_array(), expected.as_array()) {
            assert_eq!(found.len(), expected.len(), "{part}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected, "{part}");
            }
        }
        assert_eq!(&found[part], expected, "{part}");
    }
}

#[test]
fn a_report_on_the_sample_source_matches_its_records() {
    let place = Workplace::new();
    place.run_well(&["sample", "--async"]);
    let stored = |resource: &str| place.json(&format!("{resource}_async.json"));
    let db =
        json!({"users": stored("users"), "posts": stored("posts"), "comments": stored("comments")});
    assert_same(&numbers(&place, 7), &naive(&db, 7));
}

#[test]
fn a_report_on_the_real_data_set_matches_its_records() {
    let Some((url, db)) = real_api() else { return };
    let place = Workplace::new();
    place.run_well(&[&url, "--async"]);
    let found = numbers(&place, 10);
    assert_same(&found, &naive(&db, 10));
    let totals = json!({
        "users": 10, "posts": 100, "comments": 500, "inactive_users": 0, "comments_by_guests": 500, "rejects": 0,
    });
    assert_eq!(found["totals"], totals);
    assert_eq!(found["users"].as_array().expect("users").len(), 510);
}

const DATED: &str = r#"
name = "dated"
base_url = "{url}"
[vars]
url = "where it is"
[users]
path = "/users"
fields = { name = "name", email = { path = "email", optional = true }, created_at = "createdAt" }
[posts]
path = "/posts"
fields = { user_id = "userId", title = "title", created_at = "createdAt" }
[comments]
path = "/comments"
fields = { post_id = "postId", user_id = { path = "userId", optional = true }, email = { path = "email", optional = true }, created_at = { path = "createdAt", optional = true } }
"#;

/// Records spread over some months; ids of posts are quoted, references to them are not.
fn dated() -> Value {
    let moment = |number: i64| {
        let started: Timestamp = "2024-01-31T22:10:00Z".parse().expect("a time");
        (started + (number * 7919 % 100_000).minutes()).to_string()
    };
    let user = |id: i64| json!({"id": id, "name": format!("User {id}"), "email": format!("User{id}@Mail{}.org", id % 3), "createdAt": moment(id)});
    let post = |id: i64| json!({"id": id.to_string(), "userId": id * id % 23 + 1, "title": format!("Post {id}"), "createdAt": moment(id * 3)});
    let comment = |id: i64| {
        let mut comment = json!({"id": id, "postId": id * 31 % 70 + 1});
        match id % 3 {
            0 => comment["userId"] = json!(id % 25 + 1),
            1 => comment["email"] = json!(format!("USER{}@mail{}.org", id % 20, id % 20 % 3)),
            _ => comment["email"] = json!(format!("guest{}@x.org", id % 5)),
        }
        if id % 7 > 0 {
            // Most are later than their posts.
            let post: Timestamp = moment((id * 31 % 70 + 1) * 3).parse().expect("a time");
            let later = (id * 977 % 9000 - 500).minutes();
            comment["createdAt"] = json!((post + later).to_string());
        }
        comment
    };
    json!({
        "users": (1..=20).map(user).collect::<Vec<_>>(),
        "posts": (1..=90).map(post).collect::<Vec<_>>(),
        "comments": (1..=200).map(comment).collect::<Vec<_>>(),
    })
}

#[test]
fn a_report_on_dated_records_matches_its_records() {
    let (place, db) = (Workplace::new(), dated());
    fs::write(place.path().join("dated.toml"), DATED).expect("write the source file");
    let route = |path: &str| {
        let records = db[path.trim_start_matches('/')].to_string();
        Route::get(path).reply(Reply::json(records))
    };
    let server = Server::start(["/users", "/posts", "/comments"].map(route));
    let url = format!("url={}", server.url());
    place.run_well(&["./dated.toml", "--var", &url, "--async"]);
    server.finish();
    let found = numbers(&place, 100);
    assert!(found["dates"]["time_to_first_reply"]["posts"].as_u64() > Some(30));
    assert!(found["dates"]["weeks"].as_array().expect("weeks").len() > 8);
    assert_same(&found, &naive(&db, 100));
}

/// A place with a small snapshot of the main flow.
fn small() -> Workplace {
    let place = Workplace::new();
    let server = serve_records();
    place.run_well(&[server.url()]);
    server.finish();
    place
}

#[test]
fn output_has_the_requested_format_and_length() {
    let place = small();
    let cases: [(&[&str], &str); 5] = [
        (&[], "Activity: http://127.0.0.1:"),
        (&["--format", "markdown"], "# Activity: http\\://127.0.0.1:"),
        (&["--format", "csv"], "id,name,email,is_user,posts,"),
        (&["--format", "csv", "--table", "domains"], "domain,users\n"),
        (
            &["--format", "json"],
            "{\n  \"source\": \"http://127.0.0.1:",
        ),
    ];
    for (args, begins) in cases {
        let outcome = report(&place, args);
        outcome.assert_code(0);
        assert!(outcome.stdout.starts_with(begins), "{outcome:#?}");
        assert_eq!(outcome.stderr, "");
    }
    for (top, names) in [("1", 1), ("2", 2), ("9", 2)] {
        let shown = report(&place, &["--top", top]).stdout;
        let active: Vec<_> = shown
            .split("\n\n")
            .filter(|section| section.starts_with("Most active"))
            .collect();
        let found = ["Ada", "Bob", "Cleo"]
            .iter()
            .filter(|name| active[0].contains(**name));
        assert_eq!(found.count(), names, "{shown}");
        let all = report(&place, &["--top", top, "--format", "csv"]).stdout;
        assert_eq!(all.lines().count(), 1 + 3, "{all}");
    }
}

#[test]
fn errors_have_a_message_and_an_exit_code() {
    let place = small();
    let no_snapshot = "error: no snapshot in nowhere";
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--data-dir", "nowhere"], 5, no_snapshot),
        (
            &["--table", "days"],
            2,
            "error: --table chooses what --format csv prints; other formats print all tables",
        ),
        (
            &["--format", "xml"],
            2,
            "error: invalid value 'xml' for '--format <FORMAT>'",
        ),
        (
            &["--format", "csv", "--table", "all"],
            2,
            "error: invalid value 'all' for '--table <TABLE>'",
        ),
        (&["--top", "-1"], 2, "error: unexpected argument '-1' found"),
        (
            &["--top", "many"],
            2,
            "error: invalid value 'many' for '--top <N>': not a whole number",
        ),
        (
            &["--top", "0"],
            2,
            "error: invalid value '0' for '--top <N>': must be at least 1",
        ),
    ];
    for (args, code, says) in cases {
        let outcome = report(&place, args);
        outcome.assert_code(code);
        assert_eq!((outcome.first_line(), &*outcome.stdout), (says, ""));
    }
    fs::write(place.data_dir().join("posts.json"), "[\n  {\"id\"").expect("damage a file");
    let outcome = report(&place, &[]);
    outcome.assert_code(5);
    let run = place.json("manifest.json")["run"].clone();
    let says = outcome.stderr.replace(run.as_str().expect("a run"), "RUN");
    insta::assert_snapshot!(says, @r"
    error: cannot read data/.snapshots/RUN/posts.json: the JSON array is not closed: it ends after 9 bytes
      try: `activity-tracker verify` shows which files are intact, and `run --fresh` fetches them again
    ");
}

#[test]
fn a_closed_pipe_is_no_error_and_a_full_disk_is_one() {
    let place = small();
    for format in ["table", "json", "csv", "markdown"] {
        Running::assert_heeds_its_reader(|| place.command(&["report", "--format", format]));
    }
}

#[test]
fn the_html_file_is_replaced_atomically() {
    let place = Workplace::new();
    place.run_well(&["sample", "--async"]);
    let outcome = report(&place, &["--html", "report.html"]);
    outcome.assert_code(0);
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr, "Report saved to report.html\n");
    let page = fs::read_to_string(place.path().join("report.html")).expect("the page");
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    assert!(page.contains("Katelyn Daugherty"));
    let beside = |name: &str| name.contains(".new");
    assert!(!contents(place.path()).keys().any(|name| beside(name)));
    let both = report(&place, &["--html", "report.html", "--format", "csv"]);
    both.assert_code(0);
    assert!(both.stdout.starts_with("id,"), "{}", both.stdout);

    let nowhere = report(&place, &["--html", "missing/report.html"]);
    nowhere.assert_code(5);
    assert!(
        nowhere
            .stderr
            .contains("cannot create missing/report.html: "),
        "{}",
        nowhere.stderr
    );
}
