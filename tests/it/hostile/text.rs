//! Remote text on its way to a terminal and a log.

use crate::support::fault::FLOWS;
use crate::support::program::Workplace;
use crate::support::records::user;
use crate::support::server::{Reply, Route, Server};

/// Colours, a new line with a forged event in it, and a turn of the reading direction.
const EVIL: &str = r"\u001b[31m\r\n1970-01-01T00:00:00Z ERROR forged\u009b2J\u202etxt\u2066";

fn steers(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n')
}

#[test]
fn neither_terminal_nor_log_take_orders_from_a_server() {
    let redirect = |to: &str| Reply::status(302).header("Location", to);
    let record = |id: &str, name: &str| Reply::json(format!("[{}]", user(id, name, "a@x.biz")));
    let evil_head = "HTTP/1.1 404 \u{1b}[31m\u{202e}\u{9b}2J\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        ("a reason", 3, Reply::raw(evil_head)),
        (
            "a header",
            3,
            Reply::status(503).header("Retry-After", "\u{9b}31m\u{202e}"),
        ),
        ("a place to go", 3, redirect("http://[\u{9b}31m\u{202e}")),
        ("a scheme", 3, redirect("javascript:\u{202e}\u{9b}31m")),
        ("a path", 3, redirect("/users?\u{202e}\u{9b}31m#\u{85}")),
        (
            "a tag",
            0,
            record("1", "A").header("ETag", "\"\u{202e}\u{9b}31m\""),
        ),
        ("a name", 0, record("1", EVIL)),
        ("an id", 0, record(&format!("\"{EVIL}\""), "A")),
        (
            "a value",
            4,
            record(&format!("[\"{EVIL}\u{202e}\u{9b}\"]"), "A"),
        ),
        (
            "an encoding",
            0,
            Reply::json("[]").header("Content-Encoding", "\u{9b}31m\u{202e}"),
        ),
        (
            "a transfer encoding",
            3,
            Reply::json("[]").header("Transfer-Encoding", "\u{9b}31m"),
        ),
        (
            "a length",
            3,
            Reply::json("[]").header("Content-Length", "\u{9b}31m\u{202e}"),
        ),
    ];
    for (name, code, reply) in cases {
        for flow in FLOWS {
            for format in ["text", "json"] {
                let others = ["/posts", "/comments"];
                let others =
                    others.map(|path| Route::get(path).reply(Reply::json("[]")).any_times());
                let users = Route::get("/users").reply(reply.clone()).any_times();
                let server = Server::start(others.into_iter().chain([users]));
                let place = Workplace::new();
                let usual = [server.url(), "--retries", "0", "--log-level", "trace"];
                let outcome = place.run(&[&usual[..], &["--log-format", format], flow].concat());
                assert_eq!(outcome.status.code(), Some(code), "{name}: {outcome:#?}");
                let log = place.log();
                for shown in [&outcome.stderr, &outcome.stdout, &log] {
                    assert!(!shown.contains(steers), "{name} {flow:?}: {shown:?}");
                    let forged = |line: &str| line.starts_with("1970-");
                    assert!(!shown.lines().any(forged), "{name} {flow:?}: {shown}");
                }
                server.finish();
            }
        }
    }
}
