//! Users who may not be listed: what stands in their place, and what is said of it.

use std::fs;

use serde_json::{Value, json};

use super::support::program::{Outcome, Running, Workplace};
use super::support::records::{compact, post, stored, user, users};
use super::support::server::{Reply, Route, Server};
use super::values::{FLOWS, POSTS, USERS, command, count, kinds, take, workplace};

/// A post with its author inside.
fn written(id: u32, author: &str) -> String {
    format!(r#"{{"id":{id},"author":{author}}}"#)
}

/// Where the authors are, beside users who are listed.
const AUTHORS: &str = "[authors]\nposts = 'author'\nfields = { name = 'called' }\n";

fn run_with(place: &Workplace, args: &[&str]) -> Outcome {
    let args = [&["run", "./real.toml", "--backoff", "0s"], args].concat();
    let mut command = place.command(&args);
    command
        .env("ACTIVITY_TRACKER_TRUST", "1")
        .env("TOKEN", "s3cret");
    Running::start(&mut command).wait()
}

#[test]
fn a_credential_that_is_refused_is_no_closed_part() {
    let auths = [
        ("", None),
        ("[auth]\nbearer = '${NOT_SET}'\noptional = true\n", None),
        ("[auth]\nbearer = '${TOKEN}'\n", Some("TOKEN")),
        ("[auth]\nbearer = { file = 'token' }\n", Some("token")),
        (
            "[auth]\nbasic = { user = '${TOKEN}', password = '${TOKEN}' }\n",
            Some("TOKEN"),
        ),
        (
            "[auth]\nheader = { name = 'X-Key', value = '${TOKEN}' }\n",
            Some("TOKEN"),
        ),
        (
            "[auth]\nquery = { parameter = 'key', value = '${TOKEN}' }\n",
            Some("TOKEN"),
        ),
    ];
    for (flow, _) in FLOWS {
        for (auth, named) in auths {
            for status in [401, 403, 404] {
                let query = if auth.contains("query") {
                    "?key=s3cret"
                } else {
                    ""
                };
                let server = Server::start([
                    Route::get(&format!("/users{query}")).reply(Reply::status(status)),
                    Route::get(&format!("/posts{query}"))
                        .reply(Reply::json(compact(&[post("1", "1")])))
                        .any_times(),
                ]);
                let place = workplace(&server, &format!("{USERS}{POSTS}{auth}"));
                fs::write(place.path().join("token"), "s3cret\n").expect("write the token");
                let outcome = run_with(&place, flow);
                match named.filter(|_| status == 401) {
                    Some(name) => {
                        outcome.assert_code(3);
                        let hint = outcome.stderr.lines().find(|line| line.contains("try: "));
                        assert!(hint.is_some_and(|hint| hint.contains(name)), "{outcome:#?}");
                    }
                    None => outcome.assert_code(4),
                }
            }
        }
    }
}

#[test]
fn a_token_that_was_replaced_is_read_again_before_users_are_refused() {
    for (flow, suffix) in FLOWS {
        let gate = super::support::server::Gate::new();
        let server = Server::start([
            Route::get("/users")
                .reply(Reply::status(401).after(&gate))
                .then(Reply::json(compact(&users()))),
            Route::get("/posts")
                .reply(Reply::json(compact(&[post("1", "1")])))
                .any_times(),
        ]);
        let auth = "[auth]\nbearer = { file = 'token' }\n";
        let place = workplace(&server, &format!("{USERS}{POSTS}{auth}"));
        let token = place.path().join("token");
        fs::write(&token, "first\n").expect("write the token");
        let args = [&["run", "./real.toml"], flow].concat();
        let mut command = place.command(&args);
        let run = Running::start(command.env("ACTIVITY_TRACKER_TRUST", "1"));
        server.wait_for_requests(1);
        fs::write(&token, "second\n").expect("write the token");
        gate.open();
        run.wait().assert_code(0);
        assert_eq!(count(&place, &format!("users{suffix}.json")), 3);
    }
}

#[test]
fn posts_that_did_not_change_stay_beside_users_who_are_refused() {
    let posts = compact(&[written(1, r#"{"id":7,"called":"Gil"}"#)]);
    let cases = [("", 4, "Ada"), (AUTHORS, 0, "Gil")];
    for (flow, suffix) in FLOWS {
        for (stand_in, code, name) in cases {
            let server = Server::start([
                Route::get("/users")
                    .reply(
                        Reply::json(compact(&[user("7", "Ada", "a@x.biz")]))
                            .header("ETag", "\"u\""),
                    )
                    .then(Reply::status(403)),
                Route::get("/posts")
                    .reply(Reply::json(posts.clone()).header("ETag", "\"p\""))
                    .then(Reply::status(304)),
            ]);
            let fields = "fields = { user_id = 'author.id' }\n";
            let place = workplace(&server, &format!("{USERS}{POSTS}{fields}{stand_in}"));
            take(&place, flow, 0);
            take(&place, flow, code);
            let summary = place.json(&format!("summary{suffix}.json"));
            assert_eq!(summary["posts_per_user"][0]["name"], name, "{stand_in}");
            assert_eq!(count(&place, &format!("posts{suffix}.json")), 1);
            server.finish();
        }
    }
}

/// What happens to the users between two runs, and whether those of the first are kept.
struct Between {
    name: &'static str,
    first: Reply,
    lines: &'static str,
    damage: Option<&'static str>,
    kept: bool,
}

fn between(name: &'static str, first: Reply, kept: bool) -> Between {
    Between {
        name,
        first,
        lines: "",
        damage: None,
        kept,
    }
}

#[test]
fn users_who_were_listed_once_are_kept_while_they_are_refused() {
    let listed = || Reply::json(compact(&users()));
    let rejected = compact(&[users(), vec!["{}".to_owned()]].concat());
    let cases = || {
        [
            between("listed", listed(), true),
            between("with a validator", listed().header("ETag", "\"1\""), true),
            between("with a reject", Reply::json(rejected.clone()), true),
            between("closed before", Reply::status(401), false),
            between("empty", Reply::json("[]"), false),
            Between {
                damage: Some("[]"),
                ..between("damaged since", listed(), false)
            },
            Between {
                lines: "# another description\n",
                ..between("of another description", listed(), false)
            },
        ]
    };
    for (flow, suffix) in FLOWS {
        for case in cases() {
            let server = Server::start([
                Route::get("/users")
                    .reply(case.first)
                    .then(Reply::status(403))
                    .times(2),
                Route::get("/posts")
                    .reply(Reply::json(compact(&[post("1", "1")])))
                    .times(3),
            ]);
            let place = workplace(&server, &format!("{USERS}{POSTS}"));
            let name = |stem: &str| format!("{stem}{suffix}.json");
            run_with(&place, flow);
            let (first, file) = (place.json(&name("manifest")), place.file(&name("users")));
            if let Some(damage) = case.damage {
                fs::write(place.data_dir().join(name("users")), damage).expect("damage the file");
            }
            let source = place.path().join("real.toml");
            let text = fs::read_to_string(&source).expect("read the source");
            fs::write(source, text + case.lines).expect("write the source");
            // Twice: what was kept is kept on.
            for _ in 0..2 {
                let says = take(&place, flow, 4);
                assert!(
                    says.contains("users are missing: "),
                    "{}: {says}",
                    case.name
                );
                let kept = says.contains("users: not fetched, kept from the run of ");
                assert_eq!(kept, case.kept, "{}: {says}", case.name);
                let manifest = place.json(&name("manifest"));
                assert_eq!(manifest["missing"]["users"]["status"], 403, "{}", case.name);
                let from = &manifest["carried"]["users"]["run"];
                let expected = if case.kept {
                    &first["run"]
                } else {
                    &Value::Null
                };
                assert_eq!(from, expected, "{}", case.name);
                assert!(manifest["validators"]["users"].is_null(), "{}", case.name);
                let now = place.file(&name("users"));
                assert_eq!(
                    now,
                    if case.kept {
                        file.clone()
                    } else {
                        "[]".to_owned()
                    }
                );
                let named = &place.json(&name("summary"))["posts_per_user"][0]["name"];
                let ada = if case.kept { json!("Ada") } else { Value::Null };
                assert_eq!(*named, ada, "{}", case.name);
                assert_eq!(kinds(&place), Vec::<String>::new(), "{}", case.name);
            }
            command(&place, &["verify"]).assert_code(0);
            let rejects = place.data_dir().join(format!("rejected{suffix}.ndjson"));
            assert_eq!(rejects.exists(), case.name == "with a reject");
        }
    }
}

#[test]
fn pages_that_were_kept_tell_what_was_refused() {
    for (flow, suffix) in FLOWS {
        let server = Server::start([
            Route::get("/users").reply(Reply::status(403)),
            Route::get("/posts").reply(Reply::json(compact(&[post("1", "1")]))),
        ]);
        let place = workplace(&server, &format!("{USERS}{POSTS}"));
        run_with(&place, &[flow, &["--keep-raw"]].concat()).assert_code(4);
        let folder = fs::read_dir(place.data_dir()).expect("the data directory");
        let mut names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let raw = names.find(|name| name.starts_with("raw-")).expect("pages");
        let args = ["run", "--replay", &format!("data/{raw}")];
        let outcome = Running::start(&mut place.command(&[&args, flow].concat())).wait();
        outcome.assert_code(4);
        let manifest = place.json(&format!("manifest{suffix}.json"));
        assert_eq!(manifest["missing"]["users"]["status"], 403);
    }
}

#[test]
fn authors_stand_in_for_users_who_are_refused_where_the_source_says_so() {
    let posts = [
        written(1, r#"{"id":7,"called":"Gil"}"#),
        written(2, r#"{"id":8,"called":"Hal"}"#),
        written(3, r#"{"id":7,"called":"Gil"}"#),
        written(4, "null"),
    ];
    let authors = [r#"{"id":7,"called":"Gil"}"#, r#"{"id":8,"called":"Hal"}"#].map(str::to_owned);
    let listed = vec![user("7", "Gil Listed", "g@x.biz")];
    let without = [written(1, "null")];
    let all = &posts[..];
    let lines = |authors: &str| {
        let fields = "fields = { user_id = { path = 'author.id', optional = true } }";
        format!("{USERS}{POSTS}{fields}\n{authors}")
    };
    let cases = [
        (200, all, AUTHORS, 0, stored(&listed), Some("Gil Listed")),
        (401, all, AUTHORS, 0, stored(&authors), Some("Gil")),
        (403, all, AUTHORS, 0, stored(&authors), Some("Gil")),
        (404, all, AUTHORS, 0, stored(&authors), Some("Gil")),
        // Nobody is inside of what came.
        (403, &without, AUTHORS, 4, "[]".to_owned(), None),
        (403, all, "", 4, "[]".to_owned(), None),
        (500, all, AUTHORS, 3, String::new(), None),
    ];
    for (flow, suffix) in FLOWS {
        for (status, posts, stand_in, code, expected, name) in &cases {
            let refused = match status {
                200 => Reply::json(compact(&listed)),
                other => Reply::status(*other),
            };
            let server = Server::start([
                Route::get("/users").reply(refused).any_times(),
                Route::get("/posts")
                    .reply(Reply::json(compact(posts)))
                    .any_times(),
            ]);
            let place = workplace(&server, &lines(stand_in));
            let says = take(&place, flow, *code);
            let what = format!("{status} {stand_in}: {says}");
            if *code == 3 {
                continue;
            }
            assert_eq!(
                place.file(&format!("users{suffix}.json")),
                *expected,
                "{what}"
            );
            let warns = says.contains("users: the server refused to list them (");
            assert_eq!(warns, *status != 200 && *code == 0, "{what}");
            let manifest = place.json(&format!("manifest{suffix}.json"));
            let missing = &manifest["missing"]["users"];
            let stands_in = if warns { json!(true) } else { Value::Null };
            assert_eq!(missing["authors"], stands_in, "{what}");
            let report = command(&place, &["report", "--format", "json"]);
            let report: Value = serde_json::from_str(&report.stdout).expect("JSON");
            let found = report["users"][0]["name"].as_str();
            assert_eq!(found, *name, "{what}");
            let strict = run_with(&place, &[flow, &["--strict"]].concat());
            strict.assert_code(*code);
        }
    }
}

#[test]
fn authors_who_stand_in_remove_nobody_from_the_history_and_are_carried_on() {
    for (flow, suffix) in FLOWS {
        let author = |id| format!(r#"{{"id":{id},"name":"N{id}"}}"#);
        let posts = compact(&[written(1, &author(7)), written(2, &author(8))]);
        let fewer = compact(&[written(1, &author(7)), written(3, &author(9))]);
        let listed = compact(&[7, 8, 9].map(author));
        let server = Server::start([
            Route::get("/users")
                .reply(Reply::json(listed.clone()))
                .then(Reply::status(403))
                .then(Reply::status(403))
                .then(Reply::json(listed)),
            Route::get("/posts")
                .reply(Reply::json(posts))
                .then(Reply::json(fewer.clone()))
                .times(4),
        ]);
        let stand_in = "[authors]\nposts = 'author'\nfields = { name = 'name' }\n";
        let place = workplace(&server, &format!("{USERS}{POSTS}{stand_in}"));
        take(&place, flow, 0);
        take(&place, flow, 0);
        take(&place, flow, 0);
        let name = format!("users{suffix}.json");
        let authors = place.file(&name);
        assert_eq!(count(&place, &name), 2);
        // Carried over, they are read as authors still.
        run_with(&place, &[flow, &["--resources", "posts"]].concat()).assert_code(0);
        assert_eq!(place.file(&name), authors);
        let report = command(&place, &["report", "--format", "json"]);
        assert!(report.stdout.contains("\"N9\""), "{report:#?}");
        take(&place, flow, 0);
        assert_eq!(count(&place, &name), 3);
        let users = command(
            &place,
            &["changes", "--resource", "users", "--format", "ndjson"],
        );
        assert_eq!(users.stdout, "");
    }
}

#[test]
fn check_looks_at_authors_where_users_are_refused() {
    let posts = compact(&[written(1, r#"{"id":7,"called":"Gil"}"#)]);
    for (stand_in, code) in [(AUTHORS, 0), ("", 4)] {
        let server = Server::start([
            Route::get("/users").reply(Reply::status(403)),
            Route::get("/posts")
                .reply(Reply::json(posts.clone()))
                .any_times(),
        ]);
        let place = workplace(&server, &format!("{USERS}{POSTS}{stand_in}"));
        let outcome = command(&place, &["check", "./real.toml", "--retries", "0"]);
        outcome.assert_code(code);
        assert_eq!(outcome.stdout.contains("Gil"), code == 0, "{outcome:#?}");
    }
}
