//! Where credentials go, and where they are never told.

use std::fs;
use std::path::Path;

use super::forum::{
    BEARER, FLOWS, Forum, LINK, NEXT, QUERY, SECRET, came, followed, last, linked, posts,
};
use crate::support::records::compact;
use crate::support::server::{Gate, Reply, Route, Server};

fn with(target: &str, credentials: &str) -> (String, Option<String>) {
    (target.to_owned(), Some(credentials.to_owned()))
}

fn without(target: &str) -> (String, Option<String>) {
    (target.to_owned(), None)
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
            forum.fails(flow, &format!("cannot fetch all of posts from {url}/posts: page 1 links to {elsewhere} for the next page, which the source does not allow"));
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

#[test]
fn a_secret_that_comes_back_in_the_body_is_not_in_the_spool() {
    is_discreet(NEXT, followed, r#"{"posts":[]}"#, true);
}

#[test]
fn a_secret_in_a_path_is_followed_in_a_redirect_and_refused_in_a_link_and_told_in_neither() {
    for (flow, _) in FLOWS {
        let moved = format!("/by/{SECRET}/posts");
        let server = Server::start([
            Route::get("/posts").reply(Reply::status(302).header("Location", &moved)),
            Route::get(&moved).reply(Reply::json("[]")),
        ]);
        let forum = Forum::new(server.url(), BEARER, LINK);
        let outcome = forum.run(&[flow, &["--log-level", "trace"]].concat());
        outcome.assert_code(0);
        assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
        assert!(
            forum.place.log().contains("/by/[redacted]/posts"),
            "{flow:?}"
        );
        server.finish();

        let server = Server::start([Route::get("/posts").reply(linked(1, &moved))]);
        let forum = Forum::new(server.url(), BEARER, LINK);
        let outcome = forum.run(&[flow, &["--log-level", "trace"]].concat());
        outcome.assert_code(3);
        let says = "page 1 has a link to the next page that contains the credential";
        assert!(outcome.stderr.contains(says), "{outcome:?}");
        assert!(!outcome.stderr.contains(SECRET), "{outcome:?}");
        assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
        server.finish();
    }
}

#[test]
fn a_secret_that_comes_back_as_the_cursor_or_a_validator_is_told_nowhere() {
    let cursor = "pagination = { cursor = 'after', at = 'next' }\nrecords = 'posts'";
    for (flow, _) in FLOWS {
        let first = format!(r#"{{"posts":[],"next":"{SECRET}"}}"#);
        let server = Server::start([Route::get("/posts").reply(Reply::json(first))]);
        let forum = Forum::new(server.url(), BEARER, cursor);
        let outcome = forum.run(&[flow, &["--log-level", "trace"]].concat());
        outcome.assert_code(3);
        assert!(!outcome.stderr.contains(SECRET), "{outcome:?}");
        assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
        server.finish();

        let tagged = Reply::json(compact(&posts())).header("ETag", format!("\"{SECRET}\""));
        let server = Server::start([Route::get("/posts").reply(tagged)]);
        let forum = Forum::new(server.url(), BEARER, "");
        let outcome = forum.run(&[flow, &["--log-level", "trace", "--keep-raw"]].concat());
        outcome.assert_code(0);
        assert_eq!(told_in(forum.place.path()), [""; 0], "{flow:?}");
        server.finish();
    }
}
