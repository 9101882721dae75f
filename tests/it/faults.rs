//! An API that fails: how it is told, that nothing is changed by it, and what is waited out.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::support::fault::Fault;
use super::support::program::Workplace;
use super::support::records::{compact, gzip, posts, stored, users};
use super::support::server::{Reply, Route, Server};

const STATUSES: [Fault; 6] = [
    Fault {
        name: "nothing there",
        path: "/posts",
        responses: |route| route.reply(Reply::status(404)),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server responded with 404 Not Found (1 attempt)",
    },
    Fault {
        name: "not allowed",
        path: "/posts",
        responses: |route| route.reply(Reply::status(401).body("<html>")),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server responded with 401 Unauthorized (1 attempt): an HTML page",
    },
    Fault {
        name: "a response that is to be asked for anew by hand",
        path: "/posts",
        responses: |route| route.reply(Reply::status(205)),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server responded with 205 Reset Content (1 attempt)",
    },
    Fault {
        name: "trouble that does not pass",
        path: "/users",
        responses: |route| route.reply(Reply::status(500)).times(5),
        args: &[],
        says: "cannot fetch users from HOST/users: the server responded with 500 Internal Server Error (5 attempts)",
    },
    Fault {
        name: "fewer retries",
        path: "/posts",
        responses: |route| route.reply(Reply::status(429)).times(2),
        args: &["--retries", "1"],
        says: "cannot fetch posts from HOST/posts: the server responded with 429 Too Many Requests (2 attempts)",
    },
    Fault {
        name: "a longer wait than allowed",
        path: "/posts",
        responses: |route| route.reply(Reply::status(429).header("Retry-After", "61")),
        args: &["--max-wait", "1min"],
        says: "cannot fetch posts from HOST/posts: the server responded with 429 Too Many Requests and asks to wait 61s, longer than the 60s allowed",
    },
];

#[test]
fn a_status_that_is_no_success_ends_the_run() {
    for fault in STATUSES {
        fault.check(3);
    }
}

const CONNECTIONS: [Fault; 3] = [
    Fault {
        name: "a connection closed without a response",
        path: "/users",
        responses: |route| route.reply(Reply::close()).times(5),
        args: &[],
        says: "cannot fetch users from HOST/users: connection closed while waiting for the response (5 attempts)",
    },
    Fault {
        name: "a connection reset without a response",
        path: "/posts",
        responses: |route| route.reply(Reply::reset()).times(5),
        args: &[],
        says: "cannot fetch posts from HOST/posts: connection reset while waiting for the response (5 attempts)",
    },
    Fault {
        name: "no HTTP at all",
        path: "/users",
        responses: |route| route.reply(Reply::raw("SSH-2.0-OpenSSH_9.6\r\n")),
        args: &["--retries", "0"],
        says: "cannot fetch users from HOST/users: the response is not valid HTTP/1.1 (1 attempt)",
    },
];

#[test]
fn a_connection_that_fails_ends_the_run() {
    for fault in CONNECTIONS {
        fault.check(3);
    }
}

const BODIES: [Fault; 5] = [
    Fault {
        name: "a body cut short of its length",
        path: "/posts",
        responses: |route| {
            let page = Reply::json(r#"[{"id":1,"userId":1,"title":"","body":""}] "#);
            route.reply(page.cut_short(42)).times(5)
        },
        args: &[],
        says: "cannot fetch posts from HOST/posts: connection closed while reading the body after 42 of 43 bytes (5 attempts)",
    },
    Fault {
        name: "a body cut short in its chunks",
        path: "/users",
        responses: |route| {
            let page = Reply::json("[]").chunked(1);
            // `1\r\n[\r\n1\r\n]\r\n` is the whole array, and not the end of the body.
            route.reply(page.cut_short(12)).times(2)
        },
        args: &["--retries", "1"],
        says: "cannot fetch users from HOST/users: connection closed while reading the body after 2 bytes (2 attempts)",
    },
    Fault {
        name: "gzip that ends early",
        path: "/users",
        responses: |route| {
            let packed = gzip(compact(&users()).as_bytes());
            route
                .reply(Reply::gzip(&packed[..packed.len() - 3]))
                .times(2)
        },
        args: &["--retries", "1"],
        says: "cannot fetch users from HOST/users: the gzip stream of the body ends early, after 122 bytes (2 attempts)",
    },
    Fault {
        name: "gzip that is none",
        path: "/users",
        responses: |route| route.reply(Reply::gzip(compact(&users()))),
        args: &[],
        says: "cannot fetch users from HOST/users: the response cannot be decoded: the body is not gzip (1 attempt)",
    },
    Fault {
        name: "an encoding that was not asked for",
        path: "/posts",
        responses: |route| route.reply(Reply::json("[]").header("Content-Encoding", "br")),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the response cannot be decoded: unknown content encoding `br` (1 attempt)",
    },
];

#[test]
fn a_body_that_does_not_come_whole_ends_the_run() {
    for fault in BODIES {
        fault.check(3);
    }
}

const REDIRECTS: [Fault; 5] = [
    Fault {
        name: "redirects in a circle",
        path: "/users",
        responses: |route| {
            route
                .reply(Reply::status(302).header("Location", "/users"))
                .times(11)
        },
        args: &[],
        says: "cannot fetch users from HOST/users: more than 10 redirects in a row",
    },
    Fault {
        name: "a redirect to a file",
        path: "/users",
        responses: |route| route.reply(Reply::status(302).header("Location", "file:///etc/passwd")),
        args: &[],
        says: "cannot fetch users from HOST/users: the server redirects from http to file:, which is not followed",
    },
    Fault {
        name: "a redirect to nowhere",
        path: "/posts",
        responses: |route| route.reply(Reply::status(301)),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server responded with 301 Moved Permanently without a place to go to",
    },
    Fault {
        name: "a redirect to what is no URL",
        path: "/posts",
        responses: |route| route.reply(Reply::status(301).header("Location", "http://[")),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server redirects to `http://[`, which is no URL: invalid IPv6 address",
    },
    Fault {
        name: "a redirect that carries a password",
        path: "/posts",
        responses: |route| route.reply(Reply::status(301).header("Location", "http://a:b@host/")),
        args: &[],
        says: "cannot fetch posts from HOST/posts: the server redirects to a URL with credentials, which is not followed",
    },
];

#[test]
fn a_redirect_that_leads_nowhere_good_ends_the_run() {
    for fault in REDIRECTS {
        fault.check(3);
    }
}

#[test]
fn trouble_that_passes_is_waited_out() {
    let page = || Reply::json(compact(&users()));
    let route = || Route::get("/users");
    let cases = [
        ("503 once", route().reply(Reply::status(503)).then(page())),
        (
            "429 with no wait",
            route()
                .reply(Reply::status(429).header("Retry-After", "0"))
                .then(page()),
        ),
        (
            "a date that has passed",
            route()
                .reply(Reply::status(503).header("Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"))
                .then(page()),
        ),
        (
            "a wait that cannot be read",
            route()
                .reply(Reply::status(503).header("Retry-After", "soon"))
                .then(page()),
        ),
        (
            "four failures of four kinds",
            route()
                .reply(Reply::reset())
                .then(Reply::status(502))
                .then(page().cut_short(30))
                .then(Reply::close())
                .then(page()),
        ),
    ];
    for (name, users_route) in cases {
        let place = Workplace::with_old_snapshot();
        let server = Server::start([
            users_route,
            Route::get("/posts").reply(Reply::json(compact(&posts()))),
        ]);
        let outcome = place.run(&[server.url(), "--backoff", "0s"]);
        assert_eq!(outcome.status.code(), Some(0), "{name}: {outcome:?}");
        assert_eq!(place.file("users.json"), stored(&users()), "{name}");
        assert_eq!(place.file("posts.json"), stored(&posts()), "{name}");
        server.finish();
    }
}

#[test]
fn trouble_behind_a_redirect_is_asked_for_anew_from_the_beginning() {
    let place = Workplace::new();
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::status(307).header("Location", "/other"))
            .times(2),
        Route::get("/other")
            .reply(Reply::status(500))
            .then(Reply::json(compact(&users()))),
        Route::get("/posts").reply(Reply::json("[]")),
    ]);
    place.run_well(&[server.url(), "--backoff", "0s"]);
    assert_eq!(place.file("users.json"), stored(&users()));
    server.finish();
}

#[test]
fn a_server_that_falls_silent_is_given_up_after_the_timeout() {
    let half = Reply::json("[1, 2, 3]").cut_short(4).then_hang();
    let waits = [
        (Reply::hang(), "waiting for the response"),
        (half, "reading the body after 4 of 9 bytes"),
    ];
    for (reply, waits) in waits {
        for flow in [&[][..], &["--async"]] {
            // All of them: on a busy machine no response at all is sure to come in so short a time.
            let routes = ["/users", "/posts", "/comments"]
                .map(|path| Route::get(path).reply(reply.clone()).any_times());
            let server = Server::start(routes);
            let place = Workplace::with_old_snapshot();
            let before = place.data();
            let args = [server.url(), "--timeout", "200ms", "--retries", "0"];
            let outcome = place.run(&[&args, flow].concat());
            outcome.assert_code(3);
            // Whichever is first has the word.
            let told = outcome.first_line().replace("posts", "users");
            let told = told.replace("comments", "users");
            let url = server.url();
            let expected = format!(
                "error: cannot fetch users from {url}/users: timed out after 0.2 s while {waits} (1 attempt)"
            );
            assert_eq!(told, expected, "{flow:?}");
            place.assert_unchanged(&before);
            server.finish();
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_told_with_a_hint() {
    // Bound and not listening: nobody else gets the port, and whoever connects is refused.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).expect("bind a free port");
    let address = socket.local_addr().expect("its address").as_socket();
    let url = format!("http://{}", address.expect("an IP address"));
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    let outcome = place.run(&[&url, "--backoff", "0s", "--retries", "1"]);
    outcome.assert_code(3);
    // Both requests fail; whichever is first has the word.
    let told = outcome
        .stderr
        .replace(&url, "URL")
        .replace("posts", "users");
    insta::assert_snapshot!(told, @r"
    error: cannot fetch users from URL/users: connection refused (2 attempts)
      try: check that the server is running and reachable
    ");
    assert_eq!(place.data(), before);
    assert_eq!(place.log().matches(" ERROR ").count(), 1, "{}", place.log());
}

#[test]
fn a_host_that_nobody_knows_is_an_api_error() {
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    // RFC 6761 keeps this name from ever being one. What a resolver says of it is the network's
    // choice, and so are the words of the cause.
    let outcome = place.run(&[
        "http://nonexistent.invalid",
        "--retries",
        "0",
        "--timeout",
        "20s",
    ]);
    outcome.assert_code(3);
    let told = outcome.first_line().replace("posts", "users");
    let expected = "error: cannot fetch users from http://nonexistent.invalid/users: ";
    assert!(
        told.starts_with(expected) && told.ends_with("(1 attempt)"),
        "{told}"
    );
    assert_eq!(place.data(), before);
}
