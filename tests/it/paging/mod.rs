//! Page after page, through both flows, against servers that know what to make of it.

mod credentials;
mod ends;
mod forum;
mod limits;
mod moving;
mod named;
mod seams;
mod twice;

use super::support::processes::until;
use super::support::records::{compact, post, stored};
use super::support::server::{Gate, Reply, Route, Server};
use forum::{FLOWS, Forum, LINK, NEXT, NUMBERED, came, followed, linked, numbered, page, posts};

#[test]
fn pages_that_come_in_a_scrambled_order_are_stored_in_their_own() {
    let posts: Vec<_> = (1..=8).map(|id| post(&format!("{id}"), "1")).collect();
    let reply = |number: usize| {
        Reply::json(compact(&posts[2 * number - 2..2 * number])).header("X-Total", "8")
    };
    for (flow, file) in FLOWS {
        let gates = [2, 3, 4].map(|number| (number, Gate::new()));
        let first = Route::get("/posts?n=2&page=1").reply(reply(1));
        let others = gates.iter().map(|(number, gate)| {
            Route::get(&format!("/posts?n=2&page={number}")).reply(reply(*number).after(gate))
        });
        let server = Server::start(others.chain([first]));
        let forum = Forum::new(server.url(), "", NUMBERED);
        let run = forum.start(&[flow, &["--log-level", "debug"]].concat());
        server.wait_for_requests(4);
        for (number, gate) in gates.iter().rev() {
            gate.open();
            let here = format!("/posts?n=2&page={number} bytes=");
            until(&here, || forum.place.log().contains(&here).then_some(()));
        }
        run.wait().assert_code(0);
        assert_eq!(server.most_at_once(), 3, "{flow:?}");
        assert_eq!(forum.place.file(file), stored(&posts), "{flow:?}");
        server.finish();
    }
}

#[test]
fn no_more_pages_are_asked_for_at_once_than_allowed() {
    for (flow, file) in FLOWS {
        let server = Server::start([
            Route::get("/posts?n=2&page=1").reply(numbered(1)),
            Route::get("/posts?n=2&page=2").reply(numbered(2)),
        ]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        forum.stores(&[flow, &["--concurrency", "1"]].concat(), file, &posts());
        assert_eq!(server.most_at_once(), 1, "{flow:?}");
        server.finish();
    }
}

#[test]
fn links_are_followed_one_by_one_up_to_the_page_without() {
    for (flow, file) in FLOWS {
        let server = Server::start_with(|url| {
            [
                Route::get("/posts").reply(linked(1, "?after=2")),
                Route::get("/posts?after=2").reply(linked(2, &format!("{url}/posts?after=4"))),
                Route::get("/posts?after=4").reply(Reply::json("[]")),
            ]
        });
        Forum::new(server.url(), "", LINK).stores(flow, file, &posts());
        let targets =
            ["/posts", "/posts?after=2", "/posts?after=4"].map(|target| (target.to_owned(), None));
        assert_eq!(came(&server), targets, "{flow:?}");
        assert_eq!(server.most_at_once(), 1, "{flow:?}");
        server.finish();
    }
}

#[test]
fn a_cursor_of_the_body_asks_for_the_next_page() {
    let rows = "records = 'data.posts'\npagination = { cursor = 'after', at = 'meta.next' }";
    let page = |number, cursor| {
        let posts = page(number);
        Reply::json(format!(
            r#"{{"meta":{{"next":{cursor}}},"data":{{"posts":{posts}}}}}"#
        ))
    };
    for end in ["null", r#""""#] {
        for (flow, file) in FLOWS {
            let server = Server::start([
                Route::get("/posts").reply(page(1, r#""a b&c=\u00e9""#)),
                Route::get("/posts?after=a+b%26c%3D%C3%A9").reply(page(2, end)),
            ]);
            Forum::new(server.url(), "", rows).stores(flow, file, &posts());
            server.finish();
        }
    }
}

/// A server that both flows fail at, and what they say; `HOST` stands for its own URL.
struct Fault {
    rows: &'static str,
    routes: fn() -> Vec<Route>,
    says: &'static str,
}

impl Fault {
    #[track_caller]
    fn check(&self) {
        for (flow, _) in FLOWS {
            let server = Server::start((self.routes)());
            let url = server.url();
            let forum = Forum::new(url, "", self.rows);
            forum.fails(flow, &self.says.replace("HOST", url));
            server.finish();
        }
    }
}

/// A numbered page.
fn at(page: usize, reply: Reply) -> Route {
    Route::get(&format!("/posts?n=2&page={page}")).reply(reply)
}

#[test]
fn pages_that_cannot_be_the_whole_are_an_error_and_the_old_snapshot_stands() {
    let faults = [
        Fault {
            rows: NUMBERED,
            routes: || {
                let more = |number| Reply::json(page(number)).header("X-Total", "5");
                let none = Reply::json("[]").header("X-Total", "5");
                let twice = [at(1, more(1)), at(2, more(2)), at(3, none)];
                twice.map(|route| route.times(2)).into()
            },
            says: "cannot fetch all of posts from HOST/posts?n=2&page=1: received 4 of 5 records",
        },
        Fault {
            rows: NUMBERED,
            routes: || {
                let fewer = Reply::json(page(2)).header("X-Total", "3");
                vec![at(1, numbered(1)).times(5), at(2, fewer).times(5)]
            },
            says: "cannot fetch all of posts from HOST/posts?n=2&page=1: records moved between pages during the fetch, each of 5 times (the total went from 4 to 3; received 4 records)",
        },
        Fault {
            rows: NUMBERED,
            routes: || vec![at(1, numbered(1)), at(2, numbered(1))],
            says: "cannot fetch all of posts from HOST/posts?n=2&page=2: page 2 has the same records as an earlier page",
        },
        Fault {
            rows: NEXT,
            routes: || {
                vec![
                    Route::get("/posts").reply(followed(1, "/posts?page=2")),
                    Route::get("/posts?page=2").reply(followed(2, "/posts#again")),
                ]
            },
            says: "cannot fetch all of posts from HOST/posts?page=2: page 2 names a next page that was already fetched",
        },
        Fault {
            rows: NEXT,
            routes: || vec![Route::get("/posts").reply(followed(1, "http://[half"))],
            says: "cannot fetch all of posts from HOST/posts: page 1 has a link to the next page that is not a URL",
        },
    ];
    for fault in &faults {
        fault.check();
    }
}

/// What a server says whose limit is used up until `reset`.
fn used_up(status: u16, reset: &str) -> Reply {
    Reply::status(status)
        .header("X-RateLimit-Remaining", "0")
        .header("X-RateLimit-Reset", reset)
}

#[test]
fn a_server_whose_limit_is_used_up_is_asked_again_after_its_reset() {
    for status in [429, 403, 503] {
        for (flow, file) in FLOWS {
            let server = Server::start([
                at(1, numbered(1)),
                Route::get("/posts?n=2&page=2")
                    .reply(used_up(status, "0"))
                    .times(2)
                    .then(numbered(2)),
            ]);
            Forum::new(server.url(), "", NUMBERED).stores(flow, file, &posts());
            server.finish();
        }
    }
}

#[test]
fn a_reset_further_away_than_allowed_ends_the_run() {
    Fault {
        rows: "",
        routes: || vec![Route::get("/posts").reply(used_up(429, "301"))],
        says: "cannot fetch posts from HOST/posts: the server responded with 429 Too Many Requests and asks to wait 301s, longer than the 300s allowed",
    }
    .check();
    Fault {
        rows: "",
        routes: || vec![Route::get("/posts").reply(Reply::status(403))],
        says: "cannot fetch posts from HOST/posts: the server responded with 403 Forbidden (1 attempt)",
    }
    .check();
}

#[test]
fn a_limit_used_up_by_the_last_response_delays_nothing() {
    for (flow, file) in FLOWS {
        let used_up = |reply: Reply| {
            let reply = reply.header("X-RateLimit-Remaining", "0");
            reply.header("X-RateLimit-Reset", "3600")
        };
        let server = Server::start([at(1, numbered(1)), at(2, used_up(numbered(2)))]);
        Forum::new(server.url(), "", NUMBERED).stores(flow, file, &posts());
        server.finish();
    }
}

#[test]
fn a_total_that_grows_on_the_way_brings_the_further_pages() {
    let more: Vec<_> = (1..=6).map(|id| post(&format!("{id}"), "1")).collect();
    for (flow, file) in FLOWS {
        let grown = |number: usize| {
            let reply = Reply::json(compact(&more[2 * number - 2..2 * number]));
            reply.header("X-Total", "6")
        };
        let server = Server::start([at(1, numbered(1)), at(2, grown(2)), at(3, grown(3))]);
        Forum::new(server.url(), "", NUMBERED).stores(flow, file, &more);
        server.finish();
    }
}

#[test]
fn a_page_that_broke_off_is_stored_once() {
    // Long enough to be cut into slices before it breaks off.
    let text = "y".repeat(2_000);
    let long: Vec<_> = (1..=1_500)
        .map(|id| format!(r#"{{"userId":1,"id":{id},"title":"t","body":"{text}"}}"#))
        .collect();
    for (flow, file) in FLOWS {
        let page = |number: usize| {
            let reply = Reply::json(compact(&long[750 * (number - 1)..750 * number]));
            reply.header("X-Total", "1500")
        };
        let server = Server::start([
            at(1, page(1).cut_short(1_200_000)).then(page(1)),
            at(2, page(2).chunked(10_000).cut_short(1_400_000)).then(page(2)),
        ]);
        let forum = Forum::new(server.url(), "", NUMBERED);
        forum.run(flow).assert_code(0);
        // Compared, not printed: it is long.
        assert!(forum.place.file(file) == stored(&long), "{flow:?}");
        server.finish();
    }
}
