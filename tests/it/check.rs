//! The command `check`: one page of each resource, told on stdout, and nothing left behind.

use std::collections::BTreeMap;
use std::fs;

use super::support::program::{Outcome, Running, Workplace, contents};
use super::support::records::{compact, post, posts, user, users};
use super::support::server::{Reply, Route, Server};

/// A source with pages by number, and a credential that may be absent.
const PAGED: &str = r#"
name = "forum"
base_url = "HOST/v1"
auth = { bearer = "${FORUM_TOKEN}", optional = true }

[posts]
path = "/topics"
records = "data"
pagination = { page = "page", size = { per_page = 4 } }
total = { body = "meta.total" }
fields = { user_id = "author", title = "subject.text" }

[comments]
path = "/topics/{post_id}/replies"
fields = { user_id = "author" }

[authors]
posts = "who"
comments = "by.user"
fields = { username = "username" }
"#;

/// Runs `check`; whatever it finds, it must leave the folder as it was.
#[track_caller]
fn check(place: &Workplace, args: &[&str], env: Option<(&str, &str)>) -> Outcome {
    let before = contents(place.path());
    let mut command = place.command(&[&["check"], args].concat());
    command.env_remove("FORUM_TOKEN").envs(env);
    let outcome = Running::start(&mut command).wait();
    assert_eq!(contents(place.path()), before, "{outcome:#?}");
    outcome
}

fn with_source(text: &str, server: &Server) -> Workplace {
    let place = Workplace::new();
    let text = text.replace("HOST", server.url());
    fs::write(place.path().join("forum.toml"), text).expect("write the source file");
    place
}

/// What was printed, with the server's own port out of it.
fn told(outcome: &Outcome, server: &Server) -> String {
    outcome.stdout.replace(server.url(), "http://HOST")
}

fn serve(users: Reply, posts: Reply, comments: Reply) -> Server {
    Server::start([
        Route::get("/users").reply(users),
        Route::get("/posts").reply(posts),
        Route::get("/comments").reply(comments),
    ])
}

#[test]
fn a_person_reads_what_is_there_and_how_its_first_records_map() {
    let mut many = posts();
    many.extend((4..=10).map(|id| post(&id.to_string(), "1")));
    let server = serve(
        Reply::json(compact(&users())),
        Reply::json(compact(&many)),
        Reply::json("[]"),
    );
    let place = Workplace::new();
    let outcome = check(&place, &[server.url()], None);
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    assert_eq!(contents(place.path()), BTreeMap::new());
    insta::assert_snapshot!(told(&outcome, &server), @"
    http://HOST
    credentials: none wanted

    users  http://HOST/users
      3 records, all in one answer
      Ada (@u) <ada@april.biz>
      Bob (@u) <bob@melissa.tv>
      Cleo (@u) <Cleo@May.BIZ>

    posts  http://HOST/posts
      10 records, all in one answer
      post 1 by user 3: t
      post 2 by user 1: t
      post 3 by user 3: t

    comments  http://HOST/comments
      0 records, all in one answer
    ");
    server.finish();
}

#[test]
fn only_the_first_page_is_asked_for_and_the_others_are_counted() {
    let records: Vec<_> = (1..=4)
        .map(|id| format!(r#"{{"id":{id},"author":7,"subject":{{"text":"t{id}"}},"who":{{"id":7,"username":"ann"}}}}"#))
        .collect();
    let body = format!(r#"{{"data":{},"meta":{{"total":41}}}}"#, compact(&records));
    let server = Server::start([
        Route::get("/v1/topics?per_page=4&page=1").reply(Reply::json(body)),
        // Without their parents there is nothing to ask for.
        Route::get("/v1/topics/1/replies"),
    ]);
    let place = with_source(PAGED, &server);
    let outcome = check(&place, &["forum.toml"], None);
    outcome.assert_code(0);
    insta::assert_snapshot!(told(&outcome, &server), @"
    forum  http://HOST/v1
    credentials: none found, and none needed: the environment variable `FORUM_TOKEN` is not set

    users  not asked for: taken from `who` of each post and `by.user` of each comment
      user 7 (@ann)

    posts  http://HOST/v1/topics?per_page=4&page=1
      4 records on the first page, 41 in 11 pages
      post 1 by user 7: t1
      post 2 by user 7: t2
      post 3 by user 7: t3

    comments  http://HOST/v1/topics/{post_id}/replies
      asked for by post: one request for each

    note: a report will not tell which posts have an answer: the source maps no `post_id` of comments
    ");
    server.finish();
}

#[test]
fn a_credential_that_was_found_is_told_and_never_shown() {
    let body = r#"{"data":[],"meta":{"total":0}}"#;
    let server = Server::start([Route::get("/v1/topics").reply(Reply::json(body))]);
    let place = with_source(PAGED, &server);
    let args = ["forum.toml", "--resources", "posts"];
    let outcome = check(&place, &args, Some(("FORUM_TOKEN", "hunter2")));
    outcome.assert_code(0);
    assert!(!outcome.stdout.contains("hunter2"), "{outcome:#?}");
    insta::assert_snapshot!(told(&outcome, &server), @"
    forum  http://HOST/v1
    credentials: bearer token found

    posts  http://HOST/v1/topics?per_page=4&page=1
      0 records, all on one page
    ");
    let [request] = &server.requests()[..] else {
        panic!("one request")
    };
    assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
    server.finish();
}

#[test]
fn records_that_do_not_map_are_told_after_all_else_with_exit_code_4() {
    let wrong = r#"[{"id":1,"userId":7,"title":null,"body":"b"},
        {"id":2,"userId":7,"title":"\u001b[31m\u202e","body":"b"},
        {"id":3,"userId":{},"title":"t","body":"b"}]"#;
    let server = serve(
        Reply::json(compact(&[user("1", "\\u001b]0;Ada\\u0007", "ada@x.biz")])),
        Reply::json(wrong),
        Reply::json(r#"["\u001b[31m"]"#),
    );
    let place = Workplace::new();
    let outcome = check(&place, &[server.url()], None);
    outcome.assert_code(4);
    insta::assert_snapshot!(told(&outcome, &server), @r#"
    http://HOST
    credentials: none wanted

    users  http://HOST/users
      1 record, all in one answer
      \u{1b}]0;Ada\u{7} (@u) <ada@x.biz>

    posts  http://HOST/posts
      3 records, all in one answer
      post 2 by user 7: \u{1b}[31m\u{202e}
      2 of the first 3 did not map:
        record 0, field `title`: expected a string, found null
        record 2, field `userId`: expected a whole number of at most 64 bits or a string, found {}

    comments  http://HOST/comments
      1 record, all in one answer
      the first record did not map:
        record 0, field `.`: expected an object, found "\u001b[31m"
    "#);
    assert_eq!(
        outcome.first_line(),
        "error: cannot map posts: record 0, field `title`: expected a string, found null"
    );
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!outcome.stdout.contains(raw) && !outcome.stderr.contains(raw));
    server.finish();
}

#[test]
fn a_resource_that_cannot_be_fetched_or_read_is_named_as_by_a_run() {
    let cases = [
        (
            Reply::status(404),
            3,
            "error: cannot fetch posts from http://HOST/posts: the server answered 404 Not Found (1 attempt)",
        ),
        (
            Reply::close(),
            3,
            "error: cannot fetch posts from http://HOST/posts: connection closed while waiting for the response (1 attempt)",
        ),
        (
            Reply::json("<html>"),
            4,
            "error: cannot read posts from http://HOST/posts: expected a JSON array, found `<`, which looks like HTML",
        ),
    ];
    for (reply, code, says) in cases {
        let server = Server::start([Route::get("/posts").reply(reply)]);
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let args = [server.url(), "--resources", "posts", "--retries", "0"];
        let outcome = check(&place, &args, None);
        let first = outcome.first_line().replace(server.url(), "http://HOST");
        assert_eq!(first, says, "{outcome:#?}");
        outcome.assert_code(code);
        assert_eq!(outcome.stdout, "");
        place.assert_unchanged(&before);
        server.finish();
    }
}

#[test]
fn a_request_that_failed_in_passing_is_sent_again() {
    let server = Server::start([Route::get("/users")
        .reply(Reply::json("[{},").cut_short(3))
        .then(Reply::json(compact(&users())))]);
    let args = [server.url(), "--resources", "users", "--retries", "1"];
    let outcome = check(&Workplace::new(), &args, None);
    outcome.assert_code(0);
    assert!(
        outcome
            .stdout
            .contains("\n  3 records, all in one answer\n  Ada (@u)"),
        "{outcome:#?}"
    );
    server.finish();
}

#[test]
fn authors_that_do_not_map_or_are_not_there_are_told() {
    let cases = [
        (
            r#"{"id":1,"author":7,"subject":{"text":"t"},"who":{"id":7}}"#,
            4,
            "\n  the first record did not map:\n    record 0, field `username`: expected a value, found nothing\n",
        ),
        (
            r#"{"id":1,"author":7,"subject":{"text":"t"}}"#,
            0,
            "\n  none in the records that were looked at\n",
        ),
    ];
    for (record, code, says) in cases {
        let body = format!(r#"{{"data":[{record}],"meta":{{"total":1}}}}"#);
        let server = Server::start([Route::get("/v1/topics").reply(Reply::json(body))]);
        let place = with_source(PAGED, &server);
        let outcome = check(&place, &["forum.toml"], None);
        outcome.assert_code(code);
        assert!(outcome.stdout.contains(says), "{outcome:#?}");
        server.finish();
    }
}

#[test]
fn what_check_cannot_do_is_wrong_usage() {
    let place = Workplace::new();
    for args in [
        &["sample", "--data-dir", "x"][..],
        &["forum.toml"],
        &["sample", "--var", "x=1"],
        &["http://127.0.0.1:1", "--resources", "likes"],
    ] {
        check(&place, args, None).assert_code(2);
    }
}
