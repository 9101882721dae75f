//! The two flows, held together: the same requests, and the same records or the same error.
//!
//! Each row of the table is a server that misbehaves in one way. Both flows are run against it,
//! each against its own, and what they asked and how they ended is compared. Users are what goes
//! wrong; posts, and the comments that only the async flow wants, are fine.

mod pair;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use activity_tracker::fetch::USER_AGENT;

use super::support::server::{Reply, Route, Server};
use pair::{Asked, Expected, Flow, POSTS, USERS, hold_together, observe, row, run};

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain.as_bytes()).expect("compress");
    encoder.finish().expect("compress")
}

fn redirect(to: &str) -> Reply {
    Reply::status(302).header("Location", to)
}

#[test]
fn both_flows_send_the_same_headers_and_no_others() {
    let row = row("plain", [Reply::json(USERS)], Expected::Users(USERS));
    for flow in [Flow::Main, Flow::Async] {
        let asked = observe(flow, &row).users;
        let expected = [
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("host", "{host}"),
            ("user-agent", USER_AGENT),
        ];
        let expected = Asked {
            line: "GET /users".to_owned(),
            headers: expected
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        assert_eq!(asked, [expected], "{flow:?}");
    }
}

#[test]
fn both_flows_ask_for_everything_before_anything_is_answered() {
    let row = row("plain", [Reply::json(USERS)], Expected::Users(USERS));
    for (flow, width) in [(Flow::Main, 2), (Flow::Async, 3)] {
        let place = tempfile::tempdir().expect("a folder");
        let server = Server::start(row.routes(flow));
        run(flow, server.url(), place.path(), &row).expect("a run");
        assert_eq!(server.most_at_once(), width, "{flow:?}");
        server.finish();
    }
}

#[test]
fn both_flows_read_whole_responses_alike() {
    let fine = |name, reply| row(name, [reply], Expected::Users(USERS));
    hold_together([
        fine("plain", Reply::json(USERS)),
        fine(
            "slow",
            Reply::json(USERS).drip(20, Duration::from_millis(1)),
        ),
        fine("chunked", Reply::json(USERS).chunked(7)),
        fine(
            "until the connection closes",
            Reply::json(USERS).until_close(),
        ),
        fine("gzip", Reply::gzip(gzip(USERS))),
        fine(
            "gzip in two members",
            Reply::gzip([gzip(&USERS[..9]), gzip(&USERS[9..])].concat()),
        ),
        fine("gzip in chunks", Reply::gzip(gzip(USERS)).chunked(5)),
        fine(
            "another content type",
            Reply::status(200)
                .header("Content-Type", "text/plain")
                .body(USERS),
        ),
        row(
            "an empty array",
            [Reply::json(" [ ] ")],
            Expected::Users("[]"),
        ),
    ]);
}

#[test]
fn both_flows_try_again_alike() {
    let then_fine = |name, reply| row(name, [reply, Reply::json(USERS)], Expected::Users(USERS));
    hold_together([
        then_fine("429", Reply::status(429).header("Retry-After", "0")),
        then_fine("503 and a wait", Reply::status(503)).backoff(Duration::from_millis(20)),
        then_fine("503 that closes", Reply::status(503).then_close()),
        then_fine("a truncated body", Reply::json(USERS).cut_short(60)),
        then_fine(
            "a chunk cut short",
            Reply::json(USERS).chunked(50).cut_short(70),
        ),
        then_fine(
            "chunks without an end",
            Reply::json(USERS).chunked(50).cut_short(USERS.len() + 12),
        ),
        then_fine("a truncated gzip stream", Reply::gzip(&gzip(USERS)[..60])),
        then_fine("closed without a response", Reply::close()),
        then_fine("reset without a response", Reply::reset()),
        then_fine("not HTTP", Reply::raw("220 mail.test ESMTP\r\n")),
        then_fine("half a head", Reply::raw("HTTP/1.1 200 OK\r\nContent-Le")),
        then_fine("silence", Reply::hang()).impatient(),
    ]);
}

#[test]
fn both_flows_give_up_alike() {
    let five = |reply| vec![reply; 5];
    let fails = |name, replies, message| row(name, replies, Expected::Failure(3, message));
    hold_together([
        fails(
            "503 five times",
            five(Reply::status(503)),
            "cannot fetch users from {url}/users: the server responded with 503 Service Unavailable (5 attempts)",
        ),
        fails(
            "405",
            vec![Reply::status(405).body("{}")],
            "cannot fetch users from {url}/users: the server responded with 405 Method Not Allowed (1 attempt)",
        ),
        fails(
            "405 in the middle of another response",
            vec![Reply::status(405)],
            "cannot fetch users from {url}/users: the server responded with 405 Method Not Allowed (1 attempt)",
        )
        .posts(Reply::json(POSTS).cut_short(20).then_hang()),
        fails(
            "205",
            vec![Reply::status(205)],
            "cannot fetch users from {url}/users: the server responded with 205 Reset Content (1 attempt)",
        ),
        fails(
            "a wait longer than allowed",
            vec![Reply::status(429).header("Retry-After", "301")],
            "cannot fetch users from {url}/users: the server responded with 429 Too Many Requests and asks to wait 301s, longer than the 300s allowed",
        ),
        fails(
            "a truncated body five times",
            five(Reply::json(USERS).cut_short(60)),
            "cannot fetch users from {url}/users: connection closed while reading the body after 60 of 149 bytes (5 attempts)",
        ),
        fails(
            "a chunk cut short five times",
            five(Reply::json(USERS).chunked(50).cut_short(70)),
            "cannot fetch users from {url}/users: connection closed while reading the body after 60 bytes (5 attempts)",
        ),
        fails(
            "a truncated gzip stream five times",
            five(Reply::gzip(&gzip(USERS)[..60])),
            "cannot fetch users from {url}/users: the gzip stream of the body ends early, after 60 bytes (5 attempts)",
        ),
        fails(
            "an unknown encoding",
            vec![Reply::json(USERS).header("Content-Encoding", "br")],
            "cannot fetch users from {url}/users: the response cannot be decoded: unknown content encoding `br` (1 attempt)",
        ),
        fails(
            "gzip that is none",
            vec![Reply::gzip(USERS)],
            "cannot fetch users from {url}/users: the response cannot be decoded: the body is not gzip (1 attempt)",
        ),
        fails(
            "closed without a response five times",
            five(Reply::close()),
            "cannot fetch users from {url}/users: connection closed while waiting for the response (5 attempts)",
        ),
        fails(
            "not HTTP five times",
            five(Reply::raw("220 mail.test ESMTP\r\n")),
            "cannot fetch users from {url}/users: the response is not valid HTTP/1.1 (5 attempts)",
        ),
        fails(
            "silence",
            vec![Reply::hang()],
            "cannot fetch users from {url}/users: timed out after 0.5 s while waiting for the response (1 attempt)",
        )
        .impatient()
        .retries(0),
        fails(
            "silence in the body",
            vec![Reply::json(USERS).cut_short(60).then_hang()],
            "cannot fetch users from {url}/users: timed out after 0.5 s while reading the body after 60 of 149 bytes (1 attempt)",
        )
        .impatient()
        .retries(0),
    ]);
}

#[test]
fn both_flows_follow_redirects_alike() {
    let fails = |name, replies, message| row(name, replies, Expected::Failure(3, message));
    let fine = Route::get("/v2/users").reply(Reply::json(USERS));
    hold_together([
        row(
            "a redirect",
            [redirect("/v2/users")],
            Expected::Users(USERS),
        )
        .moved(fine),
        row(
            "a redirect with a query",
            [redirect("v2/users?all=1#top")],
            Expected::Users(USERS),
        )
        .moved(Route::get("/v2/users?all=1").reply(Reply::json(USERS))),
        fails(
            "a redirect loop",
            vec![redirect("/users"); 11],
            "cannot fetch users from {url}/users: more than 10 redirects in a row",
        ),
        fails(
            "a redirect to a file",
            vec![redirect("file:///etc/passwd")],
            "cannot fetch users from {url}/users: the server redirects from http to file:, which is not followed",
        ),
        fails(
            "a redirect to nowhere",
            vec![Reply::status(302)],
            "cannot fetch users from {url}/users: the server responded with 302 Found without a place to go to",
        ),
    ]);
}

/// A port that is taken and refuses connections: bound, but nobody listens.
fn refusing_port() -> io::Result<(socket2::Socket, u16)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    let port = address.ok_or(io::ErrorKind::AddrNotAvailable)?.port();
    Ok((socket, port))
}

#[test]
fn both_flows_tell_a_refused_connection_from_an_unknown_host() {
    let (_taken, port) = refusing_port().expect("a port");
    let dead = redirect(&format!("http://127.0.0.1:{port}/users"));
    let unknown = redirect(&format!("http://{}.invalid/users", "a".repeat(64)));
    let refused = "cannot fetch users from {url}/users: connection refused (5 attempts)";
    let unresolved =
        "cannot fetch users from {url}/users: the host name cannot be resolved (2 attempts)";
    hold_together([
        row(
            "a refused connection",
            vec![dead; 5],
            Expected::Failure(3, refused),
        ),
        row(
            "an unknown host",
            vec![unknown; 2],
            Expected::Failure(3, unresolved),
        )
        .retries(1),
    ]);
}

#[test]
fn both_flows_refuse_data_that_is_no_records_alike() {
    let fails =
        |name, body: &str, message| row(name, [Reply::json(body)], Expected::Failure(4, message));
    hold_together([
        fails(
            "an object",
            r#"{"users":[]}"#,
            "cannot read users from {url}/users: expected a JSON array, found an object (`{`)",
        ),
        fails(
            "no JSON",
            "<!doctype html>",
            "cannot read users from {url}/users: expected a JSON array, found `<`, which looks like HTML",
        ),
        fails(
            "nothing",
            "",
            "cannot read users from {url}/users: expected a JSON array, found nothing",
        ),
        fails(
            "an array that does not end",
            r#"[{"id":1}"#,
            "cannot read users from {url}/users: the JSON array is not closed: it ends after 9 bytes",
        ),
        fails(
            "something behind the array",
            "[] []",
            "cannot read users from {url}/users: expected the end of the response at byte 3, found `[`",
        ),
        fails(
            "a record that does not map",
            r#"[{"id":1}]"#,
            "users: the only record was rejected: record 0: required field `name` is missing",
        ),
    ]);
}
