//! What is no HTTP, or HTTP that says two things at once.

use super::Ends::{Error, Users};
use super::{check, in_chunks, ok, row};
use crate::support::server::Reply;

const FAILED: &str = "cannot fetch users from http://127.0.0.1";
const EXCHANGE: &str = "/users: the response is not valid HTTP/1.1 (1 attempt)";
const BROKEN: &str = "/users: malformed chunks while reading the body after";
const CLOSED: &str = "/users: connection closed while reading the body after 2 bytes (1 attempt)";
const RESET: &str = "/users: connection reset while waiting for the response (1 attempt)";
const TOO_LONG: &str = "/users: the response is too long: its headers (1 attempt)";
const UNDECODED: &str = "/users: the response cannot be decoded: unknown transfer encoding";

fn none() -> String {
    "[]".to_owned()
}

#[test]
fn a_head_that_is_none_is_refused() {
    check([
        row(
            "reset in the head",
            || ok("Content-Le").then_reset(),
            Error(3, RESET),
        ),
        row(
            "another version of HTTP",
            || Reply::raw("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "a status of two digits",
            || Reply::raw("HTTP/1.1 42 OK\r\nContent-Length: 2\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "a part of the response",
            || {
                let head = "Content-Length: 2\r\nContent-Range: bytes 0-1/9\r\n\r\n";
                Reply::raw(format!("HTTP/1.1 206 Partial Content\r\n{head}[]"))
            },
            Error(
                3,
                "the server responded with 206 Partial Content (1 attempt)",
            ),
        ),
        row(
            "nothing to show, with content",
            || Reply::raw("HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\n[]"),
            Error(3, "the server responded with 205 Reset Content (1 attempt)"),
        ),
        row(
            "another protocol from here on",
            || Reply::raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"),
            Error(3, FAILED),
        ),
    ]);
}

#[test]
fn a_head_is_not_longer_than_64_kib() {
    check([
        row(
            "60 kB",
            || Reply::json("[]").header("X-Long", "a".repeat(60_000)),
            Users(none),
        ),
        row(
            "100 kB",
            || Reply::json("[]").header("X-Long", "a".repeat(100_000)),
            Error(3, TOO_LONG),
        ),
        row(
            "2 MB",
            || Reply::json("[]").header("X-Long", "a".repeat(2_000_000)),
            Error(3, TOO_LONG),
        ),
        row(
            "120 headers",
            || (0..120).fold(Reply::json("[]"), |reply, _| reply.header("X", "a")),
            Users(none),
        ),
        row(
            "200 headers",
            || (0..200).fold(Reply::json("[]"), |reply, _| reply.header("X", "a")),
            Error(3, TOO_LONG),
        ),
        row(
            "headers without an end",
            || ok("").endlessly("X-Filler: a\r\n".repeat(99)),
            Error(3, TOO_LONG),
        ),
        row(
            "a header without an end",
            || ok("X-Filler: ").endlessly("a".repeat(9999)),
            Error(3, TOO_LONG),
        ),
    ]);
}

#[test]
fn a_length_is_one_number() {
    check([
        row(
            "two lengths",
            || ok("Content-Length: 2\r\nContent-Length: 3\r\n\r\n[] "),
            Error(3, EXCHANGE),
        ),
        row(
            "two lengths in one line",
            || ok("Content-Length: 2, 3\r\n\r\n[] "),
            Error(3, EXCHANGE),
        ),
        row(
            "a word",
            || ok("Content-Length: two\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "a sign",
            || ok("Content-Length: +2\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "less than nothing",
            || ok("Content-Length: -2\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "nothing at all",
            || ok("Content-Length: \r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "2^64",
            || ok("Content-Length: 18446744073709551616\r\n\r\n[]"),
            Error(3, EXCHANGE),
        ),
        row(
            "the same length twice",
            || ok("Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]"),
            Users(none),
        ),
    ]);
}

#[test]
fn a_body_ends_where_its_framing_says() {
    check([
        row(
            "a body longer than its length",
            || ok("Content-Length: 2\r\n\r\n[]garbage"),
            Users(none),
        ),
        row(
            "another response behind the body, for whoever asks next",
            || ok("Content-Length: 2\r\n\r\n[]HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
            Users(none),
        )
        .args(&["--concurrency", "1"]),
        row(
            "a length beside chunks",
            || {
                let chunks = "2\r\n[]\r\n0\r\n\r\n";
                ok(&format!(
                    "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
                ))
            },
            Users(none),
        ),
        row(
            "garbage behind the last chunk",
            || in_chunks("2\r\n[]\r\n0\r\n\r\ngarbage"),
            Users(none),
        ),
        row(
            "no last chunk",
            || in_chunks("2\r\n[]\r\n"),
            Error(3, CLOSED),
        ),
        row(
            "a chunk size that is none",
            || in_chunks("zz\r\n[]\r\n0\r\n\r\n"),
            Error(3, BROKEN),
        ),
        row(
            "a chunk of less than nothing",
            || in_chunks("-2\r\n[]\r\n0\r\n\r\n"),
            Error(3, BROKEN),
        ),
        row(
            "a chunk of 2^68 bytes",
            || in_chunks("fffffffffffffffff\r\n[]\r\n0\r\n\r\n"),
            Error(3, BROKEN),
        ),
        row(
            "a chunk longer than its size",
            || in_chunks("1\r\n[]\r\n0\r\n\r\n"),
            Error(3, BROKEN),
        ),
        row(
            "another transfer encoding",
            || ok("Transfer-Encoding: gzip\r\n\r\n[]"),
            Error(3, UNDECODED),
        ),
        row(
            "chunks inside of another transfer encoding",
            || ok("Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n[]\r\n0\r\n\r\n"),
            Error(3, UNDECODED),
        ),
    ]);
}

#[test]
fn http_1_0_is_understood() {
    check([
        row(
            "to the end of the connection",
            || Reply::raw("HTTP/1.0 200 OK\r\n\r\n[]"),
            Users(none),
        ),
        row(
            "with a length",
            || Reply::raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
            Users(none),
        ),
        row(
            "in chunks, which it does not know",
            || {
                let chunks = "2\r\n[]\r\n0\r\n\r\n";
                Reply::raw(format!(
                    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
                ))
            },
            Error(3, EXCHANGE),
        ),
    ]);
}
