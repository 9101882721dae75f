//! Records that are on two pages, since others came in front of them in between.

use std::fs;

use serde_json::Value;

use super::super::support::records::{compact, post, stored};
use super::super::support::server::{Reply, Route, Server};
use super::forum::{FLOWS, Forum};

const PAGES: &str = "records = 'posts'\npagination = { page = 'page' }";
const TOLD: &str = "records = 'posts'\npagination = { page = 'page' }\ntotal = { body = 'total' }";
const CURSOR: &str = "records = 'posts'\npagination = { cursor = 'page', at = 'next' }";

/// As `TOLD`, of a server whose total is one less in the first response.
const GROWS: &str = "records = 'posts'\npagination = { page = 'page' }\ntotal = { body = 'grows' }";
const MOVED: &str = "records moved between pages during the fetch";

/// What each look at the pages gives.
type Looks = &'static [&'static [&'static [u32]]];

struct Row {
    name: &'static str,
    source: &'static str,
    looks: Looks,
    args: &'static [&'static str],
    ends: Ends,
}

enum Ends {
    /// These are stored, and so many came again.
    Stored(&'static [u32], u64),
    /// The same, marked as incomplete.
    Incomplete(&'static [u32], u64),
    Fails(&'static str),
}

use Ends::{Fails, Incomplete, Stored};

const ROWS: [Row; 10] = [
    Row {
        name: "the next look finds all at rest",
        source: PAGES,
        looks: &[
            &[&[4, 3], &[3, 2], &[1], &[]],
            &[&[5, 4], &[3, 2], &[1], &[]],
        ],
        args: &[],
        ends: Stored(&[5, 4, 3, 2, 1], 0),
    },
    Row {
        name: "two looks agree",
        source: PAGES,
        looks: &[
            &[&[4, 3], &[3, 2], &[1], &[]],
            &[&[4, 3], &[3, 2], &[1], &[]],
        ],
        args: &[],
        ends: Stored(&[4, 3, 2, 1], 1),
    },
    Row {
        name: "the server counts those that came twice",
        source: TOLD,
        looks: &[&[&[4, 3], &[3, 2], &[2, 1]], &[&[4, 3], &[3, 2], &[2, 1]]],
        args: &["--retries", "1"],
        ends: Fails(MOVED),
    },
    Row {
        name: "the total grew by the one in front of the others",
        source: GROWS,
        looks: &[&[&[3, 2], &[2, 1]], &[&[3, 2], &[2, 1]]],
        args: &[],
        ends: Stored(&[3, 2, 1], 1),
    },
    Row {
        name: "a record is on three pages",
        source: PAGES,
        looks: &[
            &[&[4, 3], &[3, 2], &[3, 1], &[]],
            &[&[4, 3], &[3, 2], &[3, 1], &[]],
        ],
        args: &[],
        ends: Stored(&[4, 2, 3, 1], 2),
    },
    Row {
        name: "each look finds others",
        source: PAGES,
        looks: &[
            &[&[4, 3], &[3, 2], &[1], &[]],
            &[&[5, 4], &[4, 3], &[2, 1], &[]],
        ],
        args: &["--retries", "1"],
        ends: Incomplete(&[5, 4, 3, 2, 1], 1),
    },
    Row {
        name: "there is no further look",
        source: PAGES,
        looks: &[&[&[4, 3], &[3, 2], &[1], &[]]],
        args: &["--retries", "0"],
        ends: Incomplete(&[4, 3, 2, 1], 1),
    },
    Row {
        name: "one is missing for the one that came twice",
        source: TOLD,
        looks: &[&[&[4, 3], &[3, 1]], &[&[4, 3], &[3, 1]]],
        args: &["--retries", "1"],
        ends: Fails(MOVED),
    },
    Row {
        name: "one is missing, with leave",
        source: TOLD,
        looks: &[&[&[4, 3], &[3, 1]]],
        args: &["--retries", "0", "--allow-moving"],
        ends: Incomplete(&[4, 3, 1], 1),
    },
    Row {
        name: "pages that name the next are not fetched again",
        source: CURSOR,
        looks: &[&[&[4, 3], &[3, 2], &[1]]],
        args: &[],
        ends: Stored(&[4, 3, 2, 1], 1),
    },
];

fn posts(ids: &[u32]) -> Vec<String> {
    ids.iter().map(|id| post(&id.to_string(), "1")).collect()
}

/// A server that gives these looks at its pages, one after the other.
fn serve(row: &Row) -> Server {
    let mut routes: Vec<_> = (1..=row.looks[0].len())
        .map(|number| match (number, row.source) {
            (1, CURSOR) => Route::get("/posts"),
            _ => Route::get(&format!("/posts?page={number}")),
        })
        .collect();
    for look in row.looks {
        let total: usize = look.iter().map(|page| page.len()).sum();
        for (number, ids) in look.iter().enumerate() {
            let is_last = number + 1 == look.len();
            let next = if is_last {
                Value::Null
            } else {
                (number + 2).into()
            };
            let body = format!(
                r#"{{"posts":{},"total":{total},"grows":{},"next":{next}}}"#,
                compact(&posts(ids)),
                total - usize::from(number == 0)
            );
            let route = std::mem::replace(&mut routes[number], Route::get("/"));
            routes[number] = route.reply(Reply::json(body));
        }
    }
    Server::start(routes)
}

fn manifest(forum: &Forum, flow: &[&str]) -> Value {
    let end = if flow.is_empty() { "" } else { "_async" };
    forum.place.json(&format!("manifest{end}.json"))["resources"]["posts"].clone()
}

#[test]
fn a_record_that_came_twice_is_stored_once_and_none_is_missed() {
    for row in ROWS {
        for (flow, file) in FLOWS {
            let server = serve(&row);
            let forum = Forum::new(server.url(), "", row.source);
            let args = [flow, row.args].concat();
            let name = format!("{} {flow:?}", row.name);
            let (ids, count, incomplete) = match row.ends {
                Stored(ids, count) => (ids, count, false),
                Incomplete(ids, count) => (ids, count, true),
                Fails(says) => {
                    let before = forum.place.data();
                    let outcome = forum.run(&args);
                    outcome.assert_code(3);
                    assert!(outcome.first_line().contains(says), "{name}: {outcome:#?}");
                    forum.place.assert_unchanged(&before);
                    server.finish();
                    continue;
                }
            };
            let outcome = forum.run(&args);
            outcome.assert_code(0);
            assert_eq!(forum.place.file(file), stored(&posts(ids)), "{name}");
            let counts = manifest(&forum, flow);
            assert_eq!(counts["records"], ids.len(), "{name}");
            assert_eq!(counts["received"], ids.len() as u64 + count, "{name}");
            assert_eq!(counts["repeated"].as_u64().unwrap_or(0), count, "{name}");
            assert_eq!(
                counts["incomplete"].as_bool().unwrap_or(false),
                incomplete,
                "{name}"
            );
            assert_eq!(
                outcome.stderr.contains("appeared again"),
                count > 0,
                "{name}: {outcome:?}"
            );
            assert!(
                !outcome.stderr.contains("with a duplicate id"),
                "{name}: {outcome:?}"
            );
            server.finish();
        }
    }
}

fn rewrite(forum: &Forum, change: impl FnOnce(String) -> String) {
    let path = forum.place.path().join("forum.toml");
    let text = fs::read_to_string(&path).expect("read the source file");
    fs::write(path, change(text)).expect("write the source file");
}

/// Serves these pages of posts and comments below them, once each.
fn pages(pages: &[(&str, &[String])]) -> Server {
    let route = |(target, records): &(&str, &[String])| {
        Route::get(target).reply(Reply::json(format!(r#"{{"posts":{}}}"#, compact(records))))
    };
    Server::start(pages.iter().map(route))
}

#[test]
fn of_a_record_that_changed_in_between_the_later_page_counts() {
    for (flow, file) in FLOWS {
        let (old, new) = (post("2", "1"), post("2", "7"));
        let server = pages(&[
            ("/posts?page=1", &[post("3", "1"), old]),
            ("/posts?page=2", &[new.clone(), post("1", "1")]),
            ("/posts?page=3", &[]),
        ]);
        let forum = Forum::new(server.url(), "", PAGES);
        let args = [flow, &["--retries", "0"]].concat();
        forum.run(&args).assert_code(0);
        let expected = stored(&[post("3", "1"), new, post("1", "1")]);
        assert_eq!(forum.place.file(file), expected, "{flow:?}");
        server.finish();
    }
}

#[test]
fn what_is_no_id_costs_no_record() {
    // What the source takes for the id is the author's.
    let one_page = [post("3", "1"), post("2", "1"), post("1", "2")];
    let two_pages = [
        post("1", "1"),
        post("2", "2"),
        post("3", "1"),
        post("4", "2"),
    ];
    for records in [&one_page[..], &two_pages[..]] {
        for (flow, file) in FLOWS {
            let (first, second) = records.split_at(2);
            let server = pages(&[
                ("/posts?page=1", first),
                ("/posts?page=2", second),
                ("/posts?page=3", &[]),
            ]);
            let forum = Forum::new(server.url(), "", PAGES);
            rewrite(&forum, |text| {
                text.replace("[posts.fields]", "[posts.fields]\nid = 'userId'")
            });
            let outcome = forum.run(&[flow, &["--retries", "0"]].concat());
            outcome.assert_code(0);
            assert_eq!(forum.place.file(file), stored(records), "{flow:?}");
            assert!(
                outcome.stderr.contains("with a duplicate id"),
                "{outcome:?}"
            );
            server.finish();
        }
    }
}

#[test]
fn children_of_a_parent_that_came_twice_are_stored_once() {
    let comment =
        |id: u32| format!(r#"{{"id":{id},"postId":1,"name":"n","email":"e@x.biz","body":"b"}}"#);
    let server = Server::start([
        Route::get("/posts?page=1").reply(Reply::json(format!(
            r#"{{"posts":{}}}"#,
            compact(&posts(&[3, 2]))
        ))),
        Route::get("/posts?page=2").reply(Reply::json(format!(
            r#"{{"posts":{}}}"#,
            compact(&posts(&[2, 1]))
        ))),
        Route::get("/posts?page=3").reply(Reply::json(r#"{"posts":[]}"#)),
        Route::get("/posts/3/comments").reply(Reply::json(compact(&[comment(1)]))),
        // The ids of comments are those within their post.
        Route::get("/posts/2/comments")
            .reply(Reply::json(compact(&[comment(1), comment(2)])))
            .times(2),
        Route::get("/posts/1/comments").reply(Reply::json(compact(&[comment(1)]))),
    ]);
    let forum = Forum::new(server.url(), "", PAGES);
    rewrite(&forum, |text| {
        text + "[comments]\npath = '/posts/{post_id}/comments'\n[comments.fields]\nname = 'name'\nemail = 'email'\nbody = 'body'\n"
    });
    forum.run(&["--async"]).assert_code(0);
    assert_eq!(
        forum.place.file("posts_async.json"),
        stored(&posts(&[3, 2, 1]))
    );
    let comments = [comment(1), comment(1), comment(2), comment(1)];
    assert_eq!(forum.place.file("comments_async.json"), stored(&comments));
    server.finish();
}

#[test]
fn kept_pages_are_stored_alike_when_they_are_taken_again() {
    for (flow, file) in FLOWS {
        let server = pages(&[
            ("/posts?page=1", &posts(&[3, 2])),
            ("/posts?page=2", &posts(&[2, 1])),
            ("/posts?page=3", &[]),
        ]);
        let forum = Forum::new(server.url(), "", PAGES);
        let args = [flow, &["--retries", "0", "--keep-raw"]].concat();
        forum.run(&args).assert_code(0);
        server.finish();
        forum.stores_again(flow, file, &posts(&[3, 2, 1]));
        assert_eq!(
            forum.place.file(file),
            stored(&posts(&[3, 2, 1])),
            "{flow:?}"
        );
    }
}
