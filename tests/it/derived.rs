//! Resources that an API offers only by way of others: children of each record, and authors inside of records.

use std::fs;

use super::support::program::Workplace;
use super::support::records::{compact, stored};
use super::support::server::{Gate, Reply, Route, Server};

const FLOWS: [&[&str]; 2] = [&[], &["--async"]];

fn source(place: &Workplace, url: &str, rest: &str) -> &'static str {
    let text = format!("name = \"forum\"\nbase_url = \"{url}\"\n{rest}");
    fs::write(place.path().join("forum.toml"), text).expect("write the source file");
    "./forum.toml"
}

const CHILDREN: &str = r#"
[posts]
path = "/posts"
[posts.fields]
user_id = { path = "by", optional = true }

[comments]
path = "/posts/{post_id}/comments"
pagination = { page = "page" }
past_end = [404]
[comments.fields]
post_id = "post"
"#;

#[test]
fn children_are_asked_for_by_their_parents_and_stored_in_their_order() {
    let place = Workplace::new();
    let ids = ["2", "\"a/b\"", "1"];
    let records: Vec<_> = ids.iter().map(|id| format!("{{\"id\":{id}}}")).collect();
    let comment = |id: u32| format!("{{\"id\":{id},\"post\":\"x\"}}");
    let page = |ids: &[u32]| {
        Reply::json(compact(
            &ids.iter().map(|id| comment(*id)).collect::<Vec<_>>(),
        ))
    };
    // The first parent's comments come last.
    let last = Gate::opening_at(3);
    let server = Server::start([
        Route::get("/posts").reply(Reply::json(compact(&records))),
        Route::get("/posts/2/comments?page=1").reply(page(&[9, 8]).after(&last)),
        Route::get("/posts/2/comments?page=2").reply(page(&[7])),
        Route::get("/posts/2/comments?page=3").reply(page(&[])),
        Route::get("/posts/a%2Fb/comments?page=1").reply(page(&[6]).after(&last)),
        Route::get("/posts/a%2Fb/comments?page=2").reply(Reply::status(404)),
        Route::get("/posts/1/comments?page=1").reply(page(&[]).after(&last)),
    ]);
    let file = source(&place, server.url(), CHILDREN);
    place.run_well(&[file, "--async"]);
    server.finish();
    let expected: Vec<_> = [9, 8, 7, 6].map(comment).to_vec();
    assert_eq!(place.file("comments_async.json"), stored(&expected));
    assert_eq!(place.file("posts_async.json"), stored(&records));
    assert!(
        !place.data_dir().join("users_async.json").exists(),
        "the source has no users"
    );
}

#[test]
fn an_id_that_would_climb_is_a_rejected_child_and_never_a_request() {
    let ids = [
        "\"..\"",
        "1",
        "\".\"",
        "\"\"",
        "\"%2e%2E\"",
        "\"../../users\"",
    ];
    let records: Vec<_> = ids.iter().map(|id| format!("{{\"id\":{id}}}")).collect();
    let place = Workplace::new();
    // Anything else that is asked for fails the test.
    let server = Server::start([
        Route::get("/posts").reply(Reply::json(compact(&records))),
        Route::get("/posts/1/comments?page=1").reply(Reply::json("[]")),
    ]);
    let file = source(&place, server.url(), CHILDREN);
    let outcome = place.run(&[file, "--async"]);
    outcome.assert_code(4);
    let says = "error: 5 records rejected, more than the 0 allowed; first: comments: \
        record 0: field `id`: expected an id that names one place in a path, not empty, `.` or `..`, \
        found \"..\"";
    assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
    server.finish();
    assert_eq!(place.file("posts_async.json"), stored(&records));
    let manifest = place.json("manifest_async.json");
    let counts = serde_json::json!({"received": 5, "records": 0, "rejects": 5});
    assert_eq!(manifest["resources"]["comments"], counts);
    let lines = place.file("rejected_async.ndjson");
    let lines = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(line["resource"], "comments");
        assert_eq!(line["page"], "posts-0");
        (line["index"].as_u64(), line["found"].to_string())
    });
    let found = lines.map(|(index, found)| {
        (
            index,
            serde_json::from_str::<String>(&found).expect("a string"),
        )
    });
    let expected = [0, 2, 3, 4, 5].map(|at: u64| {
        (
            Some(at),
            ids[usize::try_from(at).expect("small")].to_owned(),
        )
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// In the main flow, posts are what users are asked for by.
#[test]
fn both_flows_reject_the_children_of_an_id_that_climbs() {
    let rest = "[users]\npath = \"/users\"\n[posts]\npath = \"/users/{user_id}/posts\"\n";
    for flow in FLOWS {
        let place = Workplace::new();
        let server = Server::start([
            Route::get("/users").reply(Reply::json("[{\"id\":\"..\"},{\"id\":\"a\\\\b\"}]")),
            Route::get("/users/a%5Cb/posts").reply(Reply::json("[{\"id\":1}]")),
        ]);
        let file = source(&place, server.url(), rest);
        let args = [&[file, "--max-rejects", "1"], flow].concat();
        place.run(&args).assert_code(0);
        server.finish();
        let suffix = if flow.is_empty() { "" } else { "_async" };
        assert_eq!(place.json(&format!("summary{suffix}.json"))["rejected"], 1);
    }
}

#[test]
fn a_variable_that_would_climb_is_refused_before_anything_is_asked_for() {
    let vars = "[vars]\nrepo = { description = \"a repository\", default = \"..\" }\n";
    let rest = format!("{vars}[posts]\npath = \"/repos/{{repo}}/posts\"\n");
    for given in [&[][..], &["--var", "repo=a/%2e%2e"]] {
        let place = Workplace::new();
        let server = Server::start([]);
        let file = source(&place, server.url(), &rest);
        let outcome = place.run(&[&[file], given].concat());
        outcome.assert_code(2);
        let says = "the value of `{repo}` leads out of the path";
        assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
        server.finish();
    }
}

#[test]
fn without_parents_there_are_no_children_to_ask_for() {
    let place = Workplace::new();
    let server = Server::start([Route::get("/posts").reply(Reply::json("[]"))]);
    let file = source(&place, server.url(), CHILDREN);
    place.run_well(&[file, "--async"]);
    server.finish();
    assert_eq!(place.file("comments_async.json"), "[]");
}

#[test]
fn a_child_that_cannot_be_fetched_ends_the_run() {
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    let server = Server::start([
        Route::get("/posts").reply(Reply::json("[{\"id\":1}]")),
        Route::get("/posts/1/comments?page=1").reply(Reply::status(403)),
    ]);
    let file = source(&place, server.url(), CHILDREN);
    let outcome = place.run(&[file, "--async"]);
    outcome.assert_code(3);
    assert!(
        outcome.first_line().contains("/posts/1/comments?page=1"),
        "{}",
        outcome.stderr
    );
    place.assert_unchanged(&before);
}

#[test]
fn authors_become_users_once_each_and_verbatim() {
    let ada = r#"{ "id": 7, "login": "ada", "odd": 1.50 }"#;
    let ben = r#"{"id":"b","login":"ben"}"#;
    let post = |id: u32, author: &str| format!("{{\"id\":{id},\"by\":{author}}}");
    let posts = [post(1, ada), post(2, "null"), post(3, ada), post(4, ben)];
    let rest = r#"
[posts]
path = "/posts"
[posts.fields]
user_id = { path = "by.id", optional = true }
[authors]
posts = "by"
[authors.fields]
username = "login"
"#;
    for flow in FLOWS {
        let place = Workplace::new();
        let server = Server::start([Route::get("/posts").reply(Reply::json(compact(&posts)))]);
        let file = source(&place, server.url(), rest);
        place.run_well(&[&[file], flow].concat());
        server.finish();
        let suffix = if flow.is_empty() { "" } else { "_async" };
        let users = place.file(&format!("users{suffix}.json"));
        assert_eq!(users, stored(&[ada.to_owned(), ben.to_owned()]), "{flow:?}");
        let summary = place.json(&format!("summary{suffix}.json"));
        assert_eq!(summary["users"], 2);
        assert_eq!(summary["posts_per_user"][0]["name"], "ada");
        assert_eq!(summary.get("duplicate_ids"), None);
    }
}

#[test]
fn an_author_that_is_no_user_is_named_as_such() {
    let place = Workplace::new();
    let server = Server::start([
        Route::get("/posts").reply(Reply::json("[{\"id\":1,\"by\":{\"login\":3}}]"))
    ]);
    let rest = "[posts]\npath = \"/posts\"\n[authors]\nposts = \"by\"\n[authors.fields]\nusername = \"login\"\n";
    let file = source(&place, server.url(), rest);
    let outcome = place.run(&[file]);
    outcome.assert_code(4);
    assert!(
        outcome.first_line().starts_with(
            "error: users: the only record was rejected: record 0: required field `id`"
        ),
        "{}",
        outcome.stderr
    );
    assert!(place.data().is_empty());
}
