//! Where servers name the next page: both flows follow all of them, and `check` knows each.

use super::super::support::program::Running;
use super::super::support::server::{Reply, Route, Server};
use super::forum::{FLOWS, Forum, page, posts};

/// How a server names its next page.
struct Row {
    rows: &'static str,
    /// In order: where it is asked for a page, and what it gives.
    pages: fn() -> Vec<(&'static str, Reply)>,
}

/// Posts with something beside them.
fn with(number: usize, rest: &str) -> Reply {
    let posts = page(number);
    Reply::json(format!(r#"{{{rest}"data":{posts}}}"#))
}

const ROWS: [Row; 6] = [
    // By a field of the last record: an empty page is the end.
    Row {
        rows: "pagination = { cursor = 'since_id', at = { last = 'id' } }",
        pages: || {
            vec![
                ("/posts", Reply::json(page(1))),
                ("/posts?since_id=2", Reply::json(page(2))),
                ("/posts?since_id=4", Reply::json("[]")),
            ]
        },
    },
    // The same, in an object, ended by a flag.
    Row {
        rows: "records = 'data'\npagination = { cursor = 'starting_after', at = { last = 'id' }, while = 'has_more' }",
        pages: || {
            vec![
                ("/posts", with(1, r#""has_more":true,"#)),
                ("/posts?starting_after=2", with(2, r#""has_more":false,"#)),
            ]
        },
    },
    // In a header: a cursor, or a URL.
    Row {
        rows: "pagination = { cursor = 'c', at = { header = 'X-Next-Cursor' } }",
        pages: || {
            let first = Reply::json(page(1)).header("X-Next-Cursor", "b c");
            vec![("/posts", first), ("/posts?c=b+c", Reply::json(page(2)))]
        },
    },
    Row {
        rows: "pagination = { next = { header = 'X-Next-Page' } }",
        pages: || {
            let first = Reply::json(page(1)).header("X-Next-Page", "/posts?page=2");
            let second = Reply::json(page(2)).header("X-Next-Page", "");
            vec![("/posts", first), ("/posts?page=2", second)]
        },
    },
    // In a list of links.
    Row {
        rows: "records = 'data'\npagination = { next = { links = 'links' } }",
        pages: || {
            let links =
                r#""links":[{"rel":"self","href":"/posts"},{"rel":"next","href":"/posts?p=2"}],"#;
            vec![
                ("/posts", with(1, links)),
                ("/posts?p=2", with(2, r#""links":[],"#)),
            ]
        },
    },
    Row {
        rows: "records = 'data'\npagination = { next = { links = 'link', rel = 'older' } }",
        pages: || {
            let links =
                r#""link":[{"relation":"next","url":"/x"},{"relation":"older","url":"?p=2"}],"#;
            vec![
                ("/posts", with(1, links)),
                (
                    "/posts?p=2",
                    with(2, r#""link":[{"relation":"next","url":"/x"}],"#),
                ),
            ]
        },
    },
];

#[test]
fn the_next_page_is_found_wherever_a_server_names_it() {
    for row in &ROWS {
        for (flow, file) in FLOWS {
            let routes = (row.pages)();
            let routes = routes
                .into_iter()
                .map(|(at, reply)| Route::get(at).reply(reply));
            let server = Server::start(routes);
            Forum::new(server.url(), "", row.rows).stores(flow, file, &posts());
            server.finish();
        }
    }
}

#[test]
fn a_run_that_was_cut_off_between_two_of_them_goes_on() {
    for row in &ROWS {
        for (flow, file) in FLOWS {
            let routes = (0..).zip((row.pages)()).map(|(number, (target, reply))| {
                let route = Route::get(target);
                let refused = Reply::status(403);
                if number == 1 {
                    route.reply(refused).then(reply)
                } else {
                    route.reply(reply)
                }
            });
            let server = Server::start(routes);
            let forum = Forum::new(server.url(), "", row.rows);
            forum.run(flow).assert_code(3);
            let resumed = [flow, &["--resume"]].concat();
            forum.stores(&resumed, file, &posts());
            server.finish();
        }
    }
}

#[test]
fn check_knows_a_slip_in_each_before_a_run_is_short() {
    let slips = [
        (
            "pagination = { cursor = 'c', at = { last = 'uid' } }",
            "the last record of page 1 has no text or number at `uid`",
            "there is `body`, `id`, `title`, `userId` (did you mean `id`?)",
        ),
        (
            "records = 'data'\npagination = { next = { links = 'lnks' } }",
            "page 1 has no `lnks`",
            "(did you mean `links`?)",
        ),
        (
            "records = 'data'\npagination = { next = { links = 'meta' } }",
            "page 1 has no list of links with relations at `meta`",
            "whether more pages follow",
        ),
        (
            "records = 'data'\npagination = { cursor = 'c', at = 'meta.nxt' }",
            "page 1 has no `meta.nxt`",
            "(did you mean `meta.next`?)",
        ),
        (
            "records = 'data'\npagination = { cursor = 'c', at = { last = 'id' }, while = 'hasmore' }",
            "page 1 has no `hasmore`",
            "(did you mean `has_more`?)",
        ),
    ];
    for (rows, says, there) in slips {
        for command in [&["check"][..], &["run"], &["run", "--async"]] {
            let list = !rows.contains("records");
            let rest = r#""links":[],"has_more":true,"meta":{"next":"b"},"#;
            let reply = if list {
                Reply::json(page(1))
            } else {
                with(1, rest)
            };
            let server = Server::start([Route::get("/posts").reply(reply)]);
            let forum = Forum::new(server.url(), "", rows);
            let mut command = forum.place.command(&[command, &["./forum.toml"]].concat());
            let outcome = Running::start(&mut command).wait();
            outcome.assert_code(3);
            for part in [says, there] {
                assert!(outcome.stderr.contains(part), "{part}: {outcome:?}");
            }
            server.finish();
        }
    }
}
