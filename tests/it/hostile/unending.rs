//! Responses that do not end, or not soon, or not before they have filled a disk.

use std::time::Duration;

use super::Ends::Error;
use super::{check, in_chunks, ok, row};
use crate::support::records::gzip;
use crate::support::server::Reply;

const TOO_LONG: &str = "/users: the response is too long: ";
const TIMED_OUT: &str = "/users: timed out";
const FAILED: &str = "cannot fetch users from http://127.0.0.1";

/// Between two bytes of a slow response: far below any `--timeout` here, so that it is no silence.
const GAP: Duration = Duration::from_millis(10);

#[test]
fn a_response_is_not_longer_than_allowed() {
    check([
        row(
            "an endless body",
            || Reply::json("[").until_close().endlessly(" ".repeat(9999)),
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "10MB"]),
        row(
            "an endless record",
            || Reply::json("[\"").until_close().endlessly("a".repeat(9999)),
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "300MB"]),
        row(
            "chunks without an end",
            || in_chunks("1\r\n[\r\n").endlessly("a\r\n          \r\n".repeat(999)),
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "100kB"]),
        row(
            "a length that is too long, before anything comes",
            || ok("Content-Length: 1000001\r\n\r\n").then_hang(),
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "1MB"]),
        row(
            "gzip of too much",
            || Reply::gzip(gzip(&vec![b' '; 1_100_000])),
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "1MiB"]),
        row(
            "gzip of nothing, without an end",
            || {
                let reply = Reply::gzip("").until_close();
                reply.endlessly(gzip(b"").repeat(99))
            },
            Error(3, TOO_LONG),
        )
        .args(&["--max-body", "100kB"]),
        row(
            "gzip that unfolds to a thousand times as much",
            || Reply::gzip(gzip(&vec![b' '; 65 << 20])),
            Error(3, TOO_LONG),
        ),
        row(
            "gzip with a file name that does not end",
            || {
                let reply = Reply::gzip(b"\x1f\x8b\x08\x08\0\0\0\0\0\0").until_close();
                reply.endlessly("a".repeat(9999))
            },
            Error(3, "/users: the response cannot be decoded: "),
        ),
    ]);
}

#[test]
fn a_response_that_hardly_comes_is_given_up() {
    let impatient = &["--timeout", "500ms"];
    check([
        row(
            "a head, byte by byte",
            || {
                Reply::raw("HTTP/1.1 200 OK\r\n")
                    .drip(1, GAP)
                    .endlessly("X: a\r\n")
            },
            Error(3, TIMED_OUT),
        )
        .args(impatient),
        row(
            "news of a response, again and again",
            || {
                let news = "HTTP/1.1 103 Early Hints\r\n\r\n";
                Reply::raw("").drip(news.len(), GAP).endlessly(news)
            },
            Error(3, TIMED_OUT),
        )
        .args(impatient),
        row(
            "a body, byte by byte",
            || Reply::json("[").until_close().drip(1, GAP).endlessly(" "),
            Error(3, TIMED_OUT),
        )
        .args(impatient),
        row(
            "a body, chunk by chunk",
            || chunked().drip(1, GAP).endlessly("1\r\n \r\n"),
            Error(3, TIMED_OUT),
        )
        .args(impatient),
        row(
            "gzip, byte by byte",
            || Reply::gzip(gzip(&vec![b' '; 1 << 20])).drip(1, GAP),
            Error(3, TIMED_OUT),
        )
        .args(impatient),
        row(
            "a chunk size, byte by byte",
            || chunked().body("1\r\n[\r\n1;").drip(8, GAP).endlessly("a"),
            Error(3, FAILED),
        )
        .args(impatient),
        row(
            "trailers without an end",
            || {
                chunked()
                    .body("2\r\n[]\r\n0\r\n")
                    .endlessly("X: a\r\n".repeat(99))
            },
            Error(3, FAILED),
        )
        .args(impatient),
        row(
            "trailers, byte by byte",
            || {
                let body = "2\r\n[]\r\n0\r\n";
                chunked().body(body).drip(body.len(), GAP).endlessly("X")
            },
            Error(3, TIMED_OUT),
        )
        .args(impatient),
    ]);
}

/// A body in chunks that are its own affair, behind a head that comes at once.
fn chunked() -> Reply {
    Reply::status(200).header("Transfer-Encoding", "chunked")
}
