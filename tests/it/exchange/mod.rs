//! The exchange with a server: refusals that pass, the words of those that do not, and
//! connections that died while they were idle.

mod expired;
mod proxies;
mod stale;

use std::fs;

use super::support::fault::FLOWS;
use super::support::program::{Outcome, Workplace};
use super::support::records::{compact, posts, stored, users};
use super::support::server::{Reply, Route, Server};

fn closing(records: &[String]) -> Reply {
    Reply::json(compact(records)).header("Connection", "close")
}

/// A run of either flow in which `/posts` is answered like this, and the others well.
fn run(flow: &[&str], posts: Route, args: &[&str]) -> (Workplace, Outcome, Server) {
    let others = [
        Route::get("/users").reply(closing(&users())).any_times(),
        Route::get("/comments").reply(closing(&[])).any_times(),
    ];
    let server = Server::start(others.into_iter().chain([posts]));
    let place = Workplace::new();
    let outcome = place.run(&[&[server.url(), "--backoff", "1ms"], args, flow].concat());
    (place, outcome, server)
}

fn file(flow: &[&str]) -> &'static str {
    if flow.is_empty() {
        "posts.json"
    } else {
        "posts_async.json"
    }
}

#[test]
fn a_refusal_that_passes_is_waited_out() {
    let limit = r#"{"message": "You have exceeded a secondary rate limit."}"#;
    let cases: [(&str, Reply); 14] = [
        ("not made yet", Reply::status(202)),
        (
            "a limit, told by a header",
            Reply::status(403).header("Retry-After", "0"),
        ),
        (
            "a fraction",
            Reply::status(429).header("Retry-After", "0.01"),
        ),
        (
            "a date of another kind",
            Reply::status(503).header("Retry-After", "2001-01-01T00:00:00Z"),
        ),
        (
            "a limit, told in words",
            Reply::status(403)
                .header("X-RateLimit-Remaining", "4000")
                .header("X-RateLimit-Reset", "9999999999")
                .body(limit),
        ),
        (
            "a bad request, by its words a limit",
            Reply::status(400).body("Too many requests"),
        ),
        (
            "RFC 3339",
            Reply::status(429)
                .header("X-RateLimit-Remaining", "0")
                .header("X-RateLimit-Reset", "2001-01-01T00:00:00.000Z"),
        ),
        (
            "another spelling",
            Reply::status(429)
                .header("X-Rate-Limit-Remaining", "0")
                .header("X-Rate-Limit-Reset", "0"),
        ),
        (
            "several policies",
            Reply::status(429).header("RateLimit", "\"burst\";r=0;t=0, \"day\";r=9;t=80000"),
        ),
        (
            "no word of what remains",
            Reply::status(403).header("X-RateLimit-Reset", "0"),
        ),
        ("520", Reply::status(520)),
        ("522", Reply::status(522).body("<html>")),
        ("529", Reply::status(529)),
        ("530", Reply::status(530)),
    ];
    for (name, reply) in cases {
        for flow in FLOWS {
            let route = Route::get("/posts").reply(reply.clone().header("Connection", "close"));
            // Of a limit of which only its existence is told, no more is waited than is allowed.
            let args = ["--max-wait", "10ms"];
            let (place, outcome, server) = run(flow, route.then(closing(&posts())), &args);
            assert_eq!(
                outcome.status.code(),
                Some(0),
                "{name} {flow:?}: {outcome:#?}"
            );
            assert_eq!(place.file(file(flow)), stored(&posts()), "{name}");
            server.finish();
        }
    }
}

#[test]
fn what_does_not_pass_is_not_asked_for_again() {
    for status in [400, 405, 422, 501, 505] {
        for flow in FLOWS {
            let route = Route::get("/posts").reply(Reply::status(status));
            let (_, outcome, server) = run(flow, route, &[]);
            outcome.assert_code(3);
            server.finish();
        }
    }
}

#[test]
fn a_refusal_is_told_in_the_servers_own_words() {
    let cases = [
        (
            Reply::status(400).body(r#"{"message": "per_page is too large\u001b[31m"}"#),
            "responded with 400 Bad Request (1 attempt): per_page is too large\\u{1b}[31m",
        ),
        (
            Reply::status(401)
                .body(r#"{"error": {"message": "bad\ncredentials"}}"#)
                .header("X-Request-Id", "r-7"),
            "responded with 401 Unauthorized (1 attempt): bad credentials [x-request-id: r-7]",
        ),
        (
            Reply::status(403)
                .body("Forbidden for you\nand more")
                .header("CF-Ray", "9-FRA"),
            "responded with 403 Forbidden (1 attempt): Forbidden for you [cf-ray: 9-FRA]",
        ),
        (
            Reply::status(404)
                .body(r#"{"title": "Not Found", "detail": "no such list"}"#)
                .chunked(7),
            "responded with 404 Not Found (1 attempt): Not Found: no such list",
        ),
        (
            Reply::status(422)
                .body(r#"{"errors": ["a", "b"]}"#)
                .until_close(),
            "responded with 422 Unprocessable Entity (1 attempt): a; b",
        ),
        (
            Reply::status(409)
                .body(super::support::records::gzip(br#"{"detail": "locked"}"#))
                .header("Content-Encoding", "gzip"),
            "responded with 409 Conflict (1 attempt): locked",
        ),
        (
            Reply::status(418).body("<!doctype html><title>Short and stout</title>"),
            "responded with 418 I'm a teapot (1 attempt): an HTML page titled \"Short and stout\"",
        ),
        // What is wrong with the body itself is not what it is about.
        (
            Reply::status(400).body("cut off").cut_short(3),
            "responded with 400 Bad Request (1 attempt): cut",
        ),
    ];
    for (reply, says) in cases {
        for flow in FLOWS {
            let (place, outcome, server) =
                run(flow, Route::get("/posts").reply(reply.clone()), &[]);
            outcome.assert_code(3);
            assert!(
                outcome.first_line().ends_with(says),
                "{flow:?}: {outcome:#?}"
            );
            assert!(place.log().contains(says), "{}", place.log());
            server.finish();
        }
    }
}

#[test]
fn a_refusal_whose_body_does_not_end_is_told_all_the_same() {
    for flow in FLOWS {
        let endless = Reply::status(404)
            .body("no\n")
            .until_close()
            .endlessly("x".repeat(999));
        let silent = Reply::status(404)
            .body("no such list")
            .cut_short(4)
            .then_hang();
        for reply in [endless, silent] {
            let route = Route::get("/posts").reply(reply);
            let (_, outcome, _server) = run(flow, route, &["--timeout", "300ms"]);
            outcome.assert_code(3);
            let says = "responded with 404 Not Found (1 attempt): no";
            assert!(outcome.first_line().contains(says), "{outcome:#?}");
        }
    }
}

/// A source of posts alone, with this in it.
fn save_source(place: &Workplace, url: &str, more: &str) {
    let text = format!(
        "name = 'api'\nbase_url = '{url}'\n{more}\n[posts]\npath = '/posts'\nrecords = 'items'\n\
         [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n"
    );
    fs::write(place.path().join("api.toml"), text).expect("write a source file");
}

#[test]
fn a_body_that_says_that_it_is_an_error_is_one() {
    let slack = "error = { at = 'ok', when = false, message = 'error' }";
    let present = "error = 'error'";
    let code = "error = { at = '/status/code', when = 'FAILED' }";
    let cases = [
        (
            slack,
            r#"{"ok": false, "error": "not_authed"}"#,
            Some(": not_authed"),
        ),
        (
            slack,
            r#"{"ok": false, "error": "x", "items": []}"#,
            Some(": x"),
        ),
        (slack, r#"{"ok": true, "error": "x", "items": []}"#, None),
        (slack, r#"{"items": []}"#, None),
        (present, r#"{"error": {"message": "no"}}"#, Some(": no")),
        (present, r#"{"error": true, "items": []}"#, Some("")),
        (present, r#"{"error": null, "items": []}"#, None),
        (present, r#"{"error": "", "items": []}"#, None),
        (present, r#"{"error": 0, "items": []}"#, None),
        (
            code,
            r#"{"items": [], "status": {"code": "FAILED"}, "message": "m"}"#,
            Some(": m"),
        ),
        (code, r#"{"items": [], "status": {"code": "FINE"}}"#, None),
    ];
    for (error, body, says) in cases {
        for flow in FLOWS {
            let server = Server::start([Route::get("/posts").reply(Reply::json(body))]);
            let place = Workplace::new();
            save_source(&place, server.url(), error);
            let outcome = place.run(&[&["api.toml"], flow].concat());
            match says {
                Some(says) => {
                    let url = server.url();
                    let expected = format!(
                        "error: cannot fetch posts from {url}/posts: the body reports an error (1 attempt){says}"
                    );
                    let first = outcome.first_line();
                    assert!(first.starts_with(&expected), "{body} {flow:?}: {first}");
                    outcome.assert_code(3);
                }
                None => outcome.assert_code(0),
            }
            server.finish();
        }
    }
}

#[test]
fn a_limit_in_a_body_and_a_wait_that_it_asks_for_are_heeded() {
    let one = |more: &str| Reply::json(format!(r#"{{{more}"items": {}}}"#, compact(&posts())));
    for flow in FLOWS {
        let limited = Reply::json(r#"{"ok": false, "error": "ratelimited"}"#);
        let route = Route::get("/posts")
            .reply(limited)
            .then(one(r#""ok": true, "#));
        let server = Server::start([route]);
        let place = Workplace::new();
        save_source(&place, server.url(), "error = { at = 'ok', when = false }");
        let usual = ["api.toml", "--max-wait", "10ms", "--backoff", "1ms"];
        place.run_well(&[&usual, flow].concat());
        assert_eq!(place.file(file(flow)), stored(&posts()));
        server.finish();
        // A wait that is longer than allowed, before the second of two pages.
        let route = Route::get("/posts").reply(one(r#""backoff": 900, "pages": 2, "#));
        let server = Server::start([route]);
        save_source(&place, server.url(), "error = 'error'");
        let text = fs::read_to_string(place.path().join("api.toml")).expect("the source");
        let paged = "records = 'items'\npagination = { page = 'page' }\npages = { body = 'pages' }";
        let text = text.replace("records = 'items'", paged);
        fs::write(place.path().join("api.toml"), text).expect("write a source file");
        let outcome = place.run(&[&["api.toml", "--fresh"], flow].concat());
        outcome.assert_code(3);
        let says = "asks to wait 900s, longer than the 300s allowed";
        assert!(outcome.first_line().ends_with(says), "{outcome:#?}");
    }
}

#[test]
fn a_body_that_came_by_way_of_a_changing_proxy_is_read_and_an_empty_one_is_told() {
    for flow in FLOWS {
        let route = Route::get("/posts").reply(closing(&posts()).with_status(203));
        let (place, outcome, server) = run(flow, route, &[]);
        outcome.assert_code(0);
        assert_eq!(place.file(file(flow)), stored(&posts()));
        server.finish();
        let route = Route::get("/posts").reply(Reply::json(""));
        let (_, outcome, server) = run(flow, route, &[]);
        outcome.assert_code(4);
        let says = "/posts: expected a JSON array, found nothing";
        assert!(outcome.first_line().ends_with(says), "{outcome:#?}");
        server.finish();
    }
}

#[test]
fn a_server_that_speaks_something_else_gets_a_hint_that_fits() {
    let cases: [(&[u8], &str); 4] = [
        // An alert of TLS, and the settings of HTTP/2.
        (
            b"\x15\x03\x01\0\x02\x02\x46",
            "start the base URL with https://",
        ),
        (
            b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05",
            "only speak HTTP/2",
        ),
        (b"220 mail.test ESMTP\r\n", "check the port"),
        (b"HTTP/3.0 200 Yes\r\n\r\n", "check the port"),
    ];
    for (bytes, hint) in cases {
        for flow in FLOWS {
            let route = Route::get("/posts").reply(Reply::raw(bytes));
            let (_, outcome, server) = run(flow, route, &["--retries", "0"]);
            outcome.assert_code(3);
            let says = "/posts: the response is not valid HTTP/1.1 (1 attempt)";
            assert!(
                outcome.first_line().ends_with(says),
                "{flow:?} {outcome:#?}"
            );
            assert!(outcome.stderr.contains(hint), "{flow:?} {outcome:#?}");
            server.finish();
        }
    }
}

#[test]
fn a_body_that_is_lost_is_told_with_how_much_of_it_came() {
    let body = compact(&posts());
    let whole = || Reply::json(body.clone());
    let cases = [
        (
            whole().cut_short(40).then_close(),
            format!("after 40 of {} bytes", body.len()),
        ),
        // Whether the system tells of a reset depends on who is faster.
        (
            whole().cut_short(40).then_reset(),
            "while reading the body after ".to_owned(),
        ),
        (
            whole().chunked(30).cut_short(20),
            "connection closed while reading the body after 16 bytes".to_owned(),
        ),
        (
            whole().cut_short(0),
            format!(
                "connection closed while reading the body after 0 of {} bytes",
                body.len()
            ),
        ),
        (
            whole().cut_short(40).then_hang(),
            format!(
                "timed out after 0.3 s while reading the body after 40 of {} bytes",
                body.len()
            ),
        ),
    ];
    for (reply, says) in cases {
        for flow in FLOWS {
            let route = Route::get("/posts").reply(reply.clone());
            let args = ["--retries", "0", "--timeout", "300ms"];
            let (_, outcome, server) = run(flow, route, &args);
            outcome.assert_code(3);
            assert!(
                outcome.first_line().contains(&says),
                "{flow:?} {says}: {outcome:#?}"
            );
            server.finish();
        }
    }
}
