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
    credentials: none required

    users  http://HOST/users
      plan: one request (the source declares no pagination)
      3 records in a single response
      Ada (@u) <ada@april.biz>
      Bob (@u) <bob@melissa.tv>
      Cleo (@u) <Cleo@May.BIZ>
      absent in all 3 records: `address`, `phone`, `website`, `company`

    posts  http://HOST/posts
      plan: one request (the source declares no pagination)
      10 records in a single response
      post 1 by user 3: t
      post 2 by user 1: t
      post 3 by user 3: t

    comments  http://HOST/comments
      plan: one request (the source declares no pagination)
      0 records in a single response
    ");
    server.finish();
}

/// A topic of the source with pages.
fn topic(id: u64) -> String {
    format!(
        r#"{{"id":{id},"author":7,"subject":{{"text":"t{id}"}},"who":{{"id":7,"username":"ann"}}}}"#
    )
}

fn topics(ids: impl IntoIterator<Item = u64>, total: u64) -> Reply {
    let topics: Vec<_> = ids.into_iter().map(topic).collect();
    let data = compact(&topics);
    Reply::json(format!(r#"{{"data":{data},"meta":{{"total":{total}}}}}"#))
}

fn reply(id: u64) -> String {
    format!(r#"{{"id":{id},"author":7,"by":{{"user":{{"id":8,"username":"bob"}}}}}}"#)
}

#[test]
fn two_pages_and_what_is_below_the_first_three_parents_are_looked_at() {
    let replies = |ids: &[u64]| {
        let replies: Vec<_> = ids.iter().map(|id| reply(*id)).collect();
        Reply::json(compact(&replies))
    };
    let server = Server::start([
        Route::get("/v1/topics?per_page=4&page=1").reply(topics(1..=4, 41)),
        Route::get("/v1/topics?per_page=4&page=2").reply(topics(5..=8, 41)),
        Route::get("/v1/topics/1/replies").reply(replies(&[11, 12])),
        Route::get("/v1/topics/2/replies").reply(replies(&[])),
        Route::get("/v1/topics/3/replies").reply(replies(&[31])),
    ]);
    let place = with_source(PAGED, &server);
    let outcome = check(&place, &["forum.toml"], None);
    outcome.assert_code(0);
    insta::assert_snapshot!(told(&outcome, &server), @"
    forum  http://HOST/v1
    credentials: none found (optional): the environment variable `FORUM_TOKEN` is not set

    users  no request: extracted from `who` of each post and `by.user` of each comment
      user 7 (@ann)
      user 8 (@bob)

    posts  http://HOST/v1/topics?per_page=4&page=1
      plan: 4 per page by ?page=, 41 in total according to `meta.total`, so 11 requests
      4 records on page 1, 4 on page 2, more pages follow
      post 1 by user 7: t1
      post 2 by user 7: t2
      post 3 by user 7: t3

    comments  http://HOST/v1/topics/{post_id}/replies
      plan: one request per post
      http://HOST/v1/topics/1/replies: 2 records
      http://HOST/v1/topics/2/replies: 0 records
      http://HOST/v1/topics/3/replies: 1 record
      comment 11 by user 7
      comment 12 by user 7
      comment 31 by user 7

    note: reports cannot show unanswered posts: the source does not map `post_id` of comments
    ");
    server.finish();
}

/// One way to come from page to page, and what two pages say in it.
struct Paged {
    source: &'static str,
    /// Behind `/v1/topics`, and what comes; `HOST` is the server.
    pages: &'static [(&'static str, &'static str)],
    code: i32,
    /// What is printed on either side.
    says: &'static [&'static str],
}

const BY_PAGE: &str = r#"pagination = { page = "p" }"#;
const BY_OFFSET: &str = r#"pagination = { offset = "from", size = { limit = 2 } }
total = { body = "n" }"#;
const BY_CURSOR: &str = r#"pagination = { cursor = "c", at = "next" }"#;
const BY_KEY: &str = r#"pagination = { cursor = "after", at = { last = "id" } }"#;
const BY_URL: &str = r#"pagination = { next = "next" }"#;
const BY_LINKS: &str = r#"pagination = { next = { links = "links", rel = "next" } }"#;

const WELL: &[Paged] = &[
    Paged {
        source: BY_PAGE,
        pages: &[("?p=1", r#"{"d":[1,2]}"#), ("?p=2", r#"{"d":[3,4]}"#)],
        code: 0,
        says: &[
            "plan: page by page by ?p=, until a page is empty\n",
            "2 records on page 1, 2 on page 2, more pages follow\n",
        ],
    },
    Paged {
        source: BY_PAGE,
        pages: &[("?p=1", r#"{"d":[1,2]}"#), ("?p=2", r#"{"d":[]}"#)],
        code: 0,
        says: &["2 records on page 1, none on page 2, the end\n"],
    },
    Paged {
        source: BY_OFFSET,
        pages: &[
            ("?limit=2&from=0", r#"{"d":[1,2],"n":5}"#),
            ("?limit=2&from=2", r#"{"d":[3,4],"n":5}"#),
        ],
        code: 0,
        says: &["plan: 2 per page by ?from=, 5 in total according to `n`, so 3 requests\n"],
    },
    Paged {
        source: BY_CURSOR,
        pages: &[
            ("", r#"{"d":[1,2],"next":"b"}"#),
            ("?c=b", r#"{"d":[3],"next":null}"#),
        ],
        code: 0,
        says: &[
            "plan: page by page by ?c= with the cursor in `next`, so 2 requests\n",
            "1 on page 2, the last page\n",
        ],
    },
    Paged {
        source: BY_KEY,
        pages: &[("", r#"{"d":[1,2]}"#), ("?after=2", r#"{"d":[3,4]}"#)],
        code: 0,
        says: &[
            "plan: page by page by ?after= with `id` of the last record, until a page is empty\n",
        ],
    },
    Paged {
        source: BY_URL,
        pages: &[
            ("", r#"{"d":[1,2],"next":"/v1/topics?x=2"}"#),
            ("?x=2", r#"{"d":[3,4],"next":"/v1/topics?x=3"}"#),
        ],
        code: 0,
        says: &["plan: page by page by the URL in `next`, until there is no next page\n"],
    },
    Paged {
        source: BY_LINKS,
        pages: &[
            ("", r#"{"d":[1,2],"links":[{"rel":"next","href":"?x=2"}]}"#),
            ("?x=2", r#"{"d":[3,4],"links":[]}"#),
        ],
        code: 0,
        says: &["plan: page by page by the link `next` in `links`, so 2 requests\n"],
    },
];

const BADLY: &[Paged] = &[
    // The parameter is not heeded.
    Paged {
        source: BY_PAGE,
        pages: &[("?p=1", r#"{"d":[1,2]}"#), ("?p=2", r#"{"d":[1,2]}"#)],
        code: 3,
        says: &[
            "page 2 has the same records as an earlier page",
            "try: the server seems to ignore the page parameter",
            "2 records on page 1; page 2 failed",
        ],
    },
    Paged {
        source: BY_OFFSET,
        pages: &[
            ("?limit=2&from=0", r#"{"d":[1,2],"n":5}"#),
            ("?limit=2&from=2", r#"{"d":[1,2],"n":5}"#),
        ],
        code: 3,
        says: &["page 2 has the same records as an earlier page"],
    },
    // The total cannot be one.
    Paged {
        source: BY_OFFSET,
        pages: &[
            ("?limit=2&from=0", r#"{"d":[1,2],"n":3}"#),
            ("?limit=2&from=2", r#"{"d":[3,4],"n":3}"#),
        ],
        code: 3,
        says: &["received 4 of 3 records"],
    },
    Paged {
        source: BY_CURSOR,
        pages: &[
            ("", r#"{"d":[1,2],"next":"b"}"#),
            ("?c=b", r#"{"d":[3,4],"next":"b"}"#),
        ],
        code: 3,
        says: &["page 2 names a next page that was already fetched"],
    },
    Paged {
        source: BY_CURSOR,
        pages: &[("", r#"{"d":[1,2],"next_cursor":"b"}"#)],
        code: 3,
        says: &[
            "page 1 has no `next`, which should name the next page; there is `d`, `next_cursor`",
        ],
    },
    Paged {
        source: BY_URL,
        pages: &[
            ("", r#"{"d":[1,2],"next":"/v1/topics?x=2"}"#),
            ("?x=2", r#"{"error":"no"}"#),
        ],
        code: 4,
        says: &[
            "cannot read posts from http://HOST/v1/topics?x=2",
            "2 records on page 1; page 2 failed",
        ],
    },
    Paged {
        source: BY_KEY,
        pages: &[
            ("", r#"{"d":[1,2]}"#),
            ("?after=2", r#"{"d":[3,{"id":{}}]}"#),
        ],
        code: 3,
        says: &["the last record of page 2 has no text or number at `id`"],
    },
    // A record of the second page does not map.
    Paged {
        source: BY_PAGE,
        pages: &[("?p=1", r#"{"d":[1,2]}"#), ("?p=2", r#"{"d":[3,{}]}"#)],
        code: 4,
        says: &[
            "1 of 4 records rejected:\n    page 2, record 1: required field `id` is missing\n",
            "error: posts: record 1: required field `id` is missing",
        ],
    },
    // No failure, and likely wrong all the same.
    Paged {
        source: BY_PAGE,
        pages: &[("?p=1", r#"{"d":[1,2,3]}"#), ("?p=2", r#"{"d":[3,2,4]}"#)],
        code: 0,
        says: &["likely wrong: 2 of the 3 records on page 2 were on page 1 already"],
    },
    Paged {
        source: BY_OFFSET,
        pages: &[
            ("?limit=2&from=0", r#"{"d":[1],"n":5}"#),
            ("?limit=2&from=1", r#"{"d":[2],"n":6}"#),
        ],
        code: 0,
        says: &[
            "likely wrong: `limit` requests 2 records per page, but the page has 1",
            "likely wrong: the total was 5 on page 1 and 6 on page 2",
        ],
    },
    Paged {
        source: BY_OFFSET,
        pages: &[("?limit=2&from=0", r#"{"d":[1,2],"n":2}"#)],
        code: 0,
        says: &["likely wrong: the total of 2 is the size of a page"],
    },
];

/// Puts a record with this id in the place of each number in a list.
fn with_records(body: &str) -> String {
    let Some((before, rest)) = body.split_once(r#""d":["#) else {
        return body.to_owned();
    };
    let (list, behind) = rest.split_once(']').expect("a list");
    let records = list.split(',').map(|it| match it.parse::<u64>() {
        Ok(id) => format!(r#"{{"id":{id}}}"#),
        Err(_) => it.to_owned(),
    });
    let records: Vec<_> = records.collect();
    format!(r#"{before}"d":{}{behind}"#, compact(&records))
}

/// A server of these pages, and a folder with the source.
fn serve_pages(paged: &Paged, often: bool) -> (Server, Workplace) {
    let source = format!(
        "name = \"forum\"\nbase_url = \"HOST/v1\"\n[posts]\npath = \"/topics\"\nrecords = \"d\"\nfields = {{}}\n{}\n",
        paged.source
    );
    let routes = paged.pages.iter().map(|(query, body)| {
        let target = format!("/v1/topics{query}");
        let route = Route::get(&target).reply(Reply::json(with_records(body)));
        if often { route.any_times() } else { route }
    });
    // A run asks for further pages, too.
    let further = Route::get("/v1/topics")
        .reply(Reply::status(404))
        .any_times();
    let server = Server::start(routes.chain(often.then_some(further)));
    let place = with_source(&source, &server);
    (server, place)
}

/// What `check` ends with, and all that it prints.
fn look_at(paged: &Paged) -> (Outcome, String) {
    let (server, place) = serve_pages(paged, false);
    let outcome = check(&place, &["forum.toml", "--retries", "0"], None);
    let all = told(&outcome, &server) + &outcome.stderr.replace(server.url(), "http://HOST");
    server.finish();
    (outcome, all)
}

#[test]
fn each_kind_of_pagination_is_followed_to_the_second_page() {
    for paged in WELL {
        let (outcome, all) = look_at(paged);
        outcome.assert_code(paged.code);
        for says in paged.says {
            assert!(all.contains(says), "{says}\n{all}");
        }
        assert!(!all.contains("likely wrong"), "{all}");
    }
}

#[test]
fn what_is_wrong_with_two_pages_is_said_and_fails_as_a_run_does() {
    for paged in BADLY {
        let (outcome, all) = look_at(paged);
        for says in paged.says {
            assert!(all.contains(says), "{says}\n{all}");
        }
        outcome.assert_code(paged.code);
        if paged.code != 0 {
            let (_server, place) = serve_pages(paged, true);
            place
                .run(&["forum.toml", "--retries", "0"])
                .assert_code(paged.code);
        }
    }
}

/// Sources whose first page leaves in doubt whether it is all, and what is said of it.
const DOUBTFUL: &[(&str, &str, Option<&str>, &str)] = &[
    (
        r#"total = { body = "n" }"#,
        r#"{"d":[1],"n":null}"#,
        None,
        "`n` cannot be used as the total: it is `null`; completeness is not checked",
    ),
    (
        r#"total = { body = "n" }"#,
        r#"{"d":[1],"n":-1}"#,
        None,
        "`n` cannot be used as the total: it is `-1`",
    ),
    (
        r#"total = { body = "n" }"#,
        r#"{"d":[1],"n":"\u001b[31mlots"}"#,
        None,
        r#"`n` cannot be used as the total: it is `"\u001b[31mlots"`"#,
    ),
    (
        r#"total = { body = "meta.n" }"#,
        r#"{"d":[1],"meta":{"count":1,"N":1}}"#,
        None,
        "`meta.n` cannot be used as the total: it is absent; there is `meta.N`, `meta.count` (did you mean `meta.N`?)",
    ),
    (
        r#"total = { header = "X-Total" }"#,
        r#"{"d":[1]}"#,
        Some("X-Count: 1"),
        "the header `x-total` cannot be used as the total: there is no such header",
    ),
    (
        r#"total = { header = "X-Total" }"#,
        r#"{"d":[1]}"#,
        Some("X-Total: about 7"),
        "the header `x-total` cannot be used as the total: it is `about 7`",
    ),
    (
        r#"pagination = "link""#,
        r#"{"d":[1]}"#,
        None,
        "no response had a Link header, which should name the next page: one page is taken to be all",
    ),
    (
        "",
        r#"{"d":[1]}"#,
        Some("Link: <?page=2>; rel=next"),
        "a Link header names a next page, which is not fetched: the source has no pagination",
    ),
];

#[test]
fn what_nobody_can_tell_is_said_once_by_check_and_by_either_flow() {
    for (key, body, header, says) in DOUBTFUL {
        let source = format!(
            "name = \"forum\"\nbase_url = \"HOST\"\n[posts]\npath = \"/posts\"\nrecords = \"d\"\nfields = {{}}\n{key}\n"
        );
        let reply = Reply::json(with_records(body));
        let reply = match header.and_then(|header| header.split_once(": ")) {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        };
        let server = Server::start([Route::get("/posts").reply(reply).times(3)]);
        let place = with_source(&source, &server);
        let checked = check(&place, &["forum.toml"], None);
        checked.assert_code(0);
        let likely = format!("\n  likely wrong: {says}");
        assert_eq!(checked.stdout.matches(&likely).count(), 1, "{checked:#?}");
        for flow in [&["forum.toml"][..], &["forum.toml", "--async"]] {
            let ran = place.run(flow);
            ran.assert_code(0);
            let warning = format!("\nposts: {says}");
            assert_eq!(ran.stderr.matches(&warning).count(), 1, "{ran:#?}");
        }
        server.finish();
    }
}

#[test]
fn what_is_wrong_below_a_parent_is_found_before_a_run() {
    let good = |id| Reply::json(compact(&[reply(id)]));
    let stray = r#"{"data":[{"id":"..","author":7,"subject":{"text":"t"}}],"meta":{"total":1}}"#;
    let cases = [
        (
            topics(1..=1, 1),
            vec![Reply::json(r#"{"replies":[]}"#)],
            4,
            "error: cannot read comments from http://HOST/v1/topics/1/replies: expected a JSON array",
        ),
        (
            topics(1..=3, 3),
            vec![good(1), Reply::status(404), good(3)],
            4,
            "missing: 1 parent record gone, and what belongs to it; the first: 404 from http://HOST/v1/topics/2/replies",
        ),
        (
            topics(1..=2, 2),
            vec![Reply::status(404), Reply::status(404)],
            3,
            "error: cannot fetch comments from http://HOST/v1/topics/",
        ),
        (
            topics(1..=1, 1),
            vec![Reply::status(403)],
            3,
            "error: cannot fetch comments from http://HOST/v1/topics/1/replies: the server responded with 403",
        ),
        (
            topics(1..=2, 2),
            vec![good(1), Reply::json(r#"[{"author":7}]"#)],
            4,
            "1 of 2 records rejected:\n    page 2, record 0: required field `id` is missing\n",
        ),
        (
            Reply::json(stray),
            vec![],
            4,
            "1 parent rejected:\n    record 0: field `id`: expected an id that names one place in a path",
        ),
        (
            topics([], 0),
            vec![],
            0,
            "one request per post\n  no request: there is no post\n",
        ),
    ];
    for (parents, children, code, says) in cases {
        let children = (1..).zip(children).map(|(id, reply): (u64, _)| {
            Route::get(&format!("/v1/topics/{id}/replies")).reply(reply)
        });
        let parents = Route::get("/v1/topics?per_page=4&page=1").reply(parents);
        let server = Server::start([parents].into_iter().chain(children));
        let place = with_source(PAGED, &server);
        let outcome = check(&place, &["forum.toml", "--retries", "0"], None);
        let all = told(&outcome, &server) + &outcome.stderr.replace(server.url(), "http://HOST");
        assert!(all.contains(says), "{says}\n{all}");
        outcome.assert_code(code);
    }
}

#[test]
fn fields_that_are_not_always_there_are_counted_over_both_pages() {
    let source = r#"
name = "forum"
base_url = "HOST"

[posts]
path = "/posts"
pagination = { page = "p" }
[posts.fields]
user_id = { path = "author", optional = true }
title = { path = "titel", optional = true }
created_at = { path = "made", optional = true }
updated_at = { path = "changed_at", optional = true }
body = { path = "text", optional = true }
"#;
    let server = Server::start([
        Route::get("/posts?p=1").reply(Reply::json(
            r#"[{"id":1,"author":1,"title":"a","made":"","body":{"text":"x"}},
                {"id":2,"title":"b","made":"2024-05-01T10:00:00Z"}]"#,
        )),
        Route::get("/posts?p=2").reply(Reply::json(
            r#"[{"id":3,"author":null,"made":"0000-00-00"},{"id":4,"author":3,"made":null}]"#,
        )),
    ]);
    let place = with_source(source, &server);
    let outcome = check(&place, &["forum.toml"], None);
    outcome.assert_code(0);
    insta::assert_snapshot!(told(&outcome, &server), @"
    forum  http://HOST
    credentials: none required

    posts  http://HOST/posts?p=1
      plan: page by page by ?p=, until a page is empty
      2 records on page 1, 2 on page 2, more pages follow
      post 1 by user 1
      post 2
      post 3
      absent in all 4 records: `titel`, `text`, `changed_at`
      `author`: absent in 1, null in 1 of 4 records
      `made`: null in 1, empty in 2 of 4 records
      likely wrong: no record has `titel`: did you mean `title`?
      likely wrong: no record has `text`: did you mean `body.text`?
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
      plan: 4 per page by ?page=, 0 in total according to `meta.total`, so 1 request
      0 records on 1 page
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
    credentials: none required

    users  http://HOST/users
      plan: one request (the source declares no pagination)
      1 record in a single response
      \u{1b}]0;Ada\u{7} (@u) <ada@x.biz>
      absent in the record: `address`, `phone`, `website`, `company`

    posts  http://HOST/posts
      plan: one request (the source declares no pagination)
      3 records in a single response
      post 2 by user 7: \u{1b}[31m\u{202e}
      2 of 3 records rejected:
        record 0: field `title`: expected a string, found null
        record 2: field `userId`: expected a whole number of at most 64 bits or a string, found {}

    comments  http://HOST/comments
      plan: one request (the source declares no pagination)
      1 record in a single response
      the only record rejected:
        record 0: field `.`: expected an object, found "\u001b[31m"
    "#);
    assert_eq!(
        outcome.first_line(),
        "error: posts: record 0: field `title`: expected a string, found null"
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
            "error: cannot fetch posts from http://HOST/posts: the server responded with 404 Not Found (1 attempt)",
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
        assert!(
            outcome
                .stdout
                .ends_with("/posts\n  no usable page: see the error below\n"),
            "{outcome:#?}"
        );
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
            .contains("\n  3 records in a single response\n  Ada (@u)"),
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
            "\n  the only record rejected:\n    record 0: required field `username` is missing\n",
        ),
        (
            r#"{"id":1,"author":7,"subject":{"text":"t"}}"#,
            0,
            "\n  none in the records fetched\n",
        ),
    ];
    for (record, code, says) in cases {
        let body = format!(r#"{{"data":[{record}],"meta":{{"total":1}}}}"#);
        let server = Server::start([
            Route::get("/v1/topics").reply(Reply::json(body)),
            Route::get("/v1/topics/1/replies").reply(Reply::json("[]")),
        ]);
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
