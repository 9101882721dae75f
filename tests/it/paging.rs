//! Page after page, through both flows, against servers that know what to make of it.

use std::fs;
use std::path::Path;

use super::support::processes::until;
use super::support::program::{Outcome, Running, Workplace};
use super::support::records::{compact, post, stored};
use super::support::server::{Gate, Reply, Request, Route, Server};

const SECRET: &str = "s3cret-0f-the-forum";

/// By a URL that the answer holds for the next.
const NEXT: &str = "records = 'posts'\npagination = { next = 'next' }";
const LINK: &str = "pagination = 'link'";
const NUMBERED: &str =
    "pagination = { page = 'page', size = { n = 2 } }\ntotal = { header = 'X-Total' }";
const BEARER: &str = "auth = { bearer = '${FORUM_KEY}' }";
const QUERY: &str = "auth = { query = { parameter = 'key', value = '${FORUM_KEY}' } }";

/// How to take a flow, and its file of posts.
const FLOWS: [(&[&str], &str); 2] = [(&[], "posts.json"), (&["--async"], "posts_async.json")];

/// Four posts, as two pages.
fn posts() -> Vec<String> {
    (1..=4).map(|id| post(&format!("{id}"), "1")).collect()
}

/// The page of this number, counted from 1, of pages with two posts.
fn page(number: usize) -> String {
    compact(&posts()[2 * number - 2..2 * number])
}

fn numbered(number: usize) -> Reply {
    Reply::json(page(number)).header("X-Total", "4")
}

/// A page that says where the next one is.
fn followed(number: usize, next: &str) -> Reply {
    let posts = page(number);
    Reply::json(format!(r#"{{"posts":{posts},"next":"{next}"}}"#))
}

fn last(number: usize) -> Reply {
    let posts = page(number);
    Reply::json(format!(r#"{{"posts":{posts},"next":null}}"#))
}

fn linked(number: usize, next: &str) -> Reply {
    Reply::json(page(number)).header("Link", format!("<{next}>; rel=\"next\""))
}

/// A folder with a source of posts alone, and an old snapshot.
struct Forum {
    place: Workplace,
}

impl Forum {
    fn new(url: &str, source: &str, posts: &str) -> Self {
        let place = Workplace::with_old_snapshot();
        let text = format!(
            "name = 'forum'\nbase_url = '{url}'\n{source}\n[posts]\npath = '/posts'\n{posts}\n\
             [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n"
        );
        fs::write(place.path().join("forum.toml"), text).expect("write a source file");
        Self { place }
    }

    fn start(&self, args: &[&str]) -> Running {
        let usual = ["run", "forum.toml", "--backoff", "0s", "--workers", "1"];
        let mut command = self.place.command(&[&usual, args].concat());
        Running::start(command.env("FORUM_KEY", SECRET))
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    #[track_caller]
    fn stores(&self, flow: &[&str], file: &str, expected: &[String]) {
        self.run(flow).assert_code(0);
        assert_eq!(self.place.file(file), stored(expected), "{flow:?}");
    }

    /// Fails for a reason that the API has, and leaves the old snapshot as it was.
    #[track_caller]
    fn fails(&self, flow: &[&str], says: &str) {
        let before = self.place.data();
        // One at a time, so that it is not left to chance which page is the last.
        let outcome = self.run(&[flow, &["--concurrency", "1"]].concat());
        assert_eq!(outcome.first_line(), format!("error: {says}"), "{flow:?}");
        outcome.assert_code(3);
        self.place.assert_unchanged(&before);
    }
}

/// What came to a server: target and credentials of each request.
fn came(server: &Server) -> Vec<(String, Option<String>)> {
    let told = |request: &Request| {
        let target = request.to_string().trim_start_matches("GET ").to_owned();
        let header = request.header("authorization");
        let header = header.or_else(|| request.header("x-api-key"));
        (target, header.map(str::to_owned))
    };
    server.requests().iter().map(told).collect()
}

fn with(target: &str, credentials: &str) -> (String, Option<String>) {
    (target.to_owned(), Some(credentials.to_owned()))
}

fn without(target: &str) -> (String, Option<String>) {
    (target.to_owned(), None)
}

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
        let run = forum.start(flow);
        server.wait_for_requests(4);
        for (number, gate) in gates.iter().rev() {
            gate.open();
            let here = format!("/posts?n=2&page={number} status=200");
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
        let targets = ["/posts", "/posts?after=2", "/posts?after=4"].map(without);
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

#[test]
fn a_next_page_on_another_origin_is_an_error_and_is_not_asked_for() {
    for (flow, _) in FLOWS {
        for (rows, reply) in [(NEXT, followed as fn(usize, &str) -> Reply), (LINK, linked)] {
            let other = Server::start([]);
            let next = format!("{}/posts?page=2", other.url());
            let server = Server::start([Route::get("/posts").reply(reply(1, &next))]);
            let (url, elsewhere) = (server.url(), other.url());
            let forum = Forum::new(url, BEARER, rows);
            forum.fails(flow, &format!("cannot fetch all of posts from {url}/posts: page 1 links to {elsewhere} for the next one, which the source does not allow"));
            let bearer = format!("Bearer {SECRET}");
            assert_eq!(came(&server), [with("/posts", &bearer)]);
            server.finish();
            other.finish();
        }
    }
}

/// Ways to send the secret: what the source file says, and where in a request it is then.
const CREDENTIALS: [(&str, &str, Option<&str>); 3] = [
    (BEARER, "", Some("Bearer s3cret-0f-the-forum")),
    (
        "auth = { header = { name = 'X-Api-Key', value = '${FORUM_KEY}' } }",
        "",
        Some("s3cret-0f-the-forum"),
    ),
    (QUERY, "key=s3cret-0f-the-forum", None),
];

/// Every flow with every way to send the secret.
fn credentials() -> impl Iterator<Item = (&'static [&'static str], &'static str, Way)> {
    FLOWS.into_iter().flat_map(|(flow, file)| {
        let ways = CREDENTIALS.into_iter();
        ways.map(move |(auth, query, header)| {
            let way = Way {
                auth,
                query,
                header,
            };
            (flow, file, way)
        })
    })
}

#[derive(Clone, Copy, Debug)]
struct Way {
    auth: &'static str,
    query: &'static str,
    header: Option<&'static str>,
}

impl Way {
    /// A path with the secret behind it, where it goes into the query.
    fn target(self, path: &str) -> String {
        match self.query {
            "" => path.to_owned(),
            query if path.contains('?') => format!("{path}&{query}"),
            query => format!("{path}?{query}"),
        }
    }

    /// The same, as it comes to a server.
    fn asked(self, path: &str) -> (String, Option<String>) {
        (self.target(path), self.header.map(str::to_owned))
    }
}

#[test]
fn an_allowed_origin_gives_pages_and_gets_no_credentials() {
    for (flow, file, way) in credentials() {
        let far = Server::start([Route::get("/more?page=2").reply(last(2))]);
        // The server copies what it was asked with into its link.
        let next = far.url().to_owned() + &way.target("/more?page=2");
        let home = Server::start([Route::get("/posts").reply(followed(1, &next))]);
        let allowed = format!("allowed_origins = ['{}']\n{}", far.url(), way.auth);
        Forum::new(home.url(), &allowed, NEXT).stores(flow, file, &posts());
        assert_eq!(came(&home), [way.asked("/posts")], "{flow:?}");
        assert_eq!(came(&far), [without("/more?page=2")], "{flow:?} {way:?}");
        home.finish();
        far.finish();
    }
}

#[test]
fn a_redirect_to_another_origin_drops_the_credentials() {
    for (flow, file, way) in credentials() {
        let far = Server::start([Route::get("/moved?to=here").reply(last(2))]);
        let target = far.url().to_owned() + &way.target("/moved?to=here");
        let home = Server::start([
            Route::get("/posts").reply(followed(1, "/posts/more")),
            Route::get("/posts/more").reply(Reply::status(307).header("Location", target)),
        ]);
        Forum::new(home.url(), way.auth, NEXT).stores(flow, file, &posts());
        let asked = ["/posts", "/posts/more"].map(|path| way.asked(path));
        assert_eq!(came(&home), asked, "{flow:?}");
        assert_eq!(came(&far), [without("/moved?to=here")], "{flow:?} {way:?}");
        home.finish();
        far.finish();
    }
}

#[test]
fn a_redirect_at_home_keeps_the_credentials_and_has_them_once() {
    for (flow, file, way) in credentials() {
        let server = Server::start([
            Route::get(&way.target("/posts"))
                .reply(Reply::status(302).header("Location", way.target("/v2/posts?a=1"))),
            Route::get(&way.target("/v2/posts?a=1")).reply(Reply::json(compact(&posts()))),
        ]);
        Forum::new(server.url(), way.auth, "").stores(flow, file, &posts());
        let asked = ["/posts", "/v2/posts?a=1"].map(|path| way.asked(path));
        assert_eq!(came(&server), asked, "{flow:?} {way:?}");
        server.finish();
    }
}

/// Files below a folder in which the secret stands. Some may go away while they are looked at.
fn told_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return told_in(&path);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let told = bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET.as_bytes());
        told.then(|| path.display().to_string())
            .into_iter()
            .collect()
    });
    found.collect()
}

/// Runs against a server that copies the secret into its links to the next page, its redirects and its errors.
#[track_caller]
fn is_discreet(rows: &str, reply: fn(usize, &str) -> Reply, end: &str, in_spool: bool) {
    let key = |path: &str| format!("{path}&key={SECRET}");
    // A letter encoded, which makes it the same name.
    let odd = format!("/posts?k%65y={SECRET}&page=3");
    for (status, code) in [(200, 0), (404, 3)] {
        for (flow, _) in FLOWS {
            let held = Gate::new();
            let server = Server::start_with(|url| {
                let next = key(&format!("{url}/posts?page=2"));
                let moved = key("/posts?at=here");
                let end = Reply::json(end).with_status(status);
                [
                    Route::get(&format!("/posts?key={SECRET}")).reply(reply(1, &next)),
                    Route::get(&key("/posts?page=2")).reply(reply(2, &odd).after(&held)),
                    Route::get(&key("/posts?page=3"))
                        .reply(Reply::status(302).header("Location", moved)),
                    Route::get(&key("/posts?at=here")).reply(end.header("X-Key", SECRET)),
                ]
            });
            let forum = Forum::new(server.url(), QUERY, rows);
            let run = forum.start(&[flow, &["--log-level", "trace"]].concat());
            server.wait_for_requests(2);
            if in_spool {
                // The first page is there.
                assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
            }
            held.open();
            let outcome = run.wait();
            outcome.assert_code(code);
            assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
            let printed = outcome.stdout + &outcome.stderr;
            assert!(!printed.contains(SECRET), "{flow:?}: {printed}");
            assert!(forum.place.log().contains("/posts?page=2"), "{flow:?}");
            server.finish();
        }
    }
}

#[test]
fn a_secret_that_comes_back_in_a_link_header_is_told_nowhere() {
    is_discreet(LINK, linked, "[]", true);
}

#[test]
fn a_secret_that_comes_back_in_the_body_is_neither_logged_nor_printed_nor_stored() {
    is_discreet(NEXT, followed, r#"{"posts":[]}"#, false);
}

#[test]
fn a_link_with_a_secret_to_another_origin_is_refused_without_telling_it() {
    for (flow, _) in FLOWS {
        let next = format!("http://elsewhere.invalid/posts?key={SECRET}");
        let server = Server::start([Route::get("/posts").reply(followed(1, &next))]);
        let forum = Forum::new(server.url(), QUERY, NEXT);
        let outcome = forum.run(&[flow, &["--log-level", "trace"]].concat());
        outcome.assert_code(3);
        assert!(
            outcome.stderr.contains("http://elsewhere.invalid"),
            "{outcome:?}"
        );
        assert!(!outcome.stderr.contains(SECRET), "{outcome:?}");
        assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
        server.finish();
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
                vec![at(1, more(1)), at(2, more(2)), at(3, none)]
            },
            says: "cannot fetch all of posts from HOST/posts?n=2&page=3: 4 records came of the 5 that the server speaks of",
        },
        Fault {
            rows: NUMBERED,
            routes: || {
                let fewer = Reply::json(page(2)).header("X-Total", "3");
                vec![at(1, numbered(1)), at(2, fewer)]
            },
            says: "cannot fetch all of posts from HOST/posts?n=2&page=2: 4 records came of the 3 that the server speaks of (it spoke of 4 at first)",
        },
        Fault {
            rows: NUMBERED,
            routes: || vec![at(1, numbered(1)), at(2, numbered(1))],
            says: "cannot fetch all of posts from HOST/posts?n=2&page=2: page 2 holds the same records as one before it",
        },
        Fault {
            rows: NEXT,
            routes: || {
                vec![
                    Route::get("/posts").reply(followed(1, "/posts?page=2")),
                    Route::get("/posts?page=2").reply(followed(2, "/posts#again")),
                ]
            },
            says: "cannot fetch all of posts from HOST/posts?page=2: page 2 names a page as its next that was asked for already",
        },
        Fault {
            rows: NEXT,
            routes: || vec![Route::get("/posts").reply(followed(1, "http://[half"))],
            says: "cannot fetch all of posts from HOST/posts: page 1 links to something that is no URL for the next one",
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
        says: "cannot fetch posts from HOST/posts: the server answered 429 Too Many Requests and asks to wait 301s, longer than the 300s allowed",
    }
    .check();
    Fault {
        rows: "",
        routes: || vec![Route::get("/posts").reply(Reply::status(403))],
        says: "cannot fetch posts from HOST/posts: the server answered 403 Forbidden (1 attempt)",
    }
    .check();
}

#[test]
fn a_limit_used_up_by_the_last_answer_delays_nothing() {
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
