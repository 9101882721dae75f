//! Responses whose data cannot be used, and responses that mean harm to whoever reads of them.

use super::support::fault::Fault;
use super::support::program::Workplace;
use super::support::records::{compact, post, users};
use super::support::server::{Reply, Route, Server};

const DATA: [Fault; 10] = [
    Fault {
        name: "HTML",
        path: "/users",
        responses: |route| route.reply(Reply::json("<!DOCTYPE html><p>Hello</p>")),
        args: &[],
        says: "cannot read users from HOST/users: expected a JSON array, found `<`, which looks like HTML",
    },
    Fault {
        name: "an object",
        path: "/posts",
        responses: |route| route.reply(Reply::json(r#"{"data":[]}"#)),
        args: &[],
        says: "cannot read posts from HOST/posts: expected a JSON array, found an object (`{`)",
    },
    Fault {
        name: "an empty body",
        path: "/posts",
        responses: |route| route.reply(Reply::json("")),
        args: &[],
        says: "cannot read posts from HOST/posts: expected a JSON array, found nothing",
    },
    Fault {
        name: "an array that ends early",
        path: "/posts",
        responses: |route| route.reply(Reply::json(r#"[{"id":1},{"id"#)),
        args: &[],
        says: "cannot read posts from HOST/posts: the JSON array is not closed: it ends after 14 bytes",
    },
    Fault {
        name: "two arrays",
        path: "/users",
        responses: |route| route.reply(Reply::json("[][]")),
        args: &[],
        says: "cannot read users from HOST/users: expected the end of the response at byte 2, found `[`",
    },
    Fault {
        name: "a byte that is no UTF-8",
        path: "/posts",
        responses: |route| {
            let broken = br#"{"id":2,"userId":1,"title":"caf"#
                .iter()
                .chain(b"\xe9\",\"body\":\"\"}]");
            let whole = format!("[{},", post("1", "1"));
            route.reply(Reply::json(
                [whole.as_bytes(), &broken.copied().collect::<Vec<_>>()].concat(),
            ))
        },
        args: &["--strict"],
        says: "posts: record 1: field `.`: expected UTF-8, found byte 0xe9 at byte 31",
    },
    Fault {
        name: "a record without an id",
        path: "/users",
        responses: |route| {
            route.reply(Reply::json(
                r#"[{"name":"A","username":"a","email":"a@x.biz"}]"#,
            ))
        },
        args: &["--strict"],
        says: "users: record 0: required field `id` is missing",
    },
    Fault {
        name: "an id that is an object",
        path: "/posts",
        responses: |route| route.reply(Reply::json(compact(&[post(r#"{"$oid":"5f"}"#, "1")]))),
        args: &["--strict"],
        says: r#"posts: record 0: field `id`: expected a whole number of at most 64 bits or a string, found {"$oid":"5f"}"#,
    },
    Fault {
        name: "an id that is too large",
        path: "/posts",
        responses: |route| route.reply(Reply::json(compact(&[post("18446744073709551616", "1")]))),
        args: &["--strict"],
        says: "posts: record 0: field `id`: expected a whole number of at most 64 bits or a string, found 18446744073709551616",
    },
    Fault {
        name: "a comma too many",
        path: "/users",
        responses: |route| route.reply(Reply::json(format!("[{},]", users()[0]))),
        args: &[],
        says: "cannot read users from HOST/users: expected a record at byte 62, found `]`",
    },
];

#[test]
fn data_that_cannot_be_used_ends_the_run() {
    for fault in DATA {
        fault.check(4);
    }
}

const TEXTS: [Fault; 3] = [
    Fault {
        name: "an id",
        path: "/posts",
        responses: |route| {
            route.reply(Reply::json(compact(&[post(
                "[\"\\u001b[31m\\r\u{202e}\"]",
                "1",
            )])))
        },
        args: &["--strict"],
        says: r#"posts: record 0: field `id`: expected a whole number of at most 64 bits or a string, found ["\u001b[31m\r\u{202e}"]"#,
    },
    Fault {
        name: "a field that is no string",
        path: "/users",
        responses: |route| {
            let name = "{\"\\u001b[2J\":\"\\r\\n\u{9b}\"}";
            route.reply(Reply::json(format!(
                r#"[{{"id":1,"name":{name},"username":"a","email":"a@x.biz"}}]"#
            )))
        },
        args: &["--strict"],
        says: r#"users: record 0: field `name`: expected a string, found {"\u001b[2J":"\r\n\u{9b}"}"#,
    },
    Fault {
        name: "an escape in the place of a response",
        path: "/users",
        responses: |route| route.reply(Reply::json("\u{1b}[31m")),
        args: &[],
        says: "cannot read users from HOST/users: expected a JSON array, found byte 0x1b",
    },
];

#[test]
fn remote_text_in_an_error_is_escaped() {
    for fault in TEXTS {
        fault.check(4);
    }
}

const HEADS: [Fault; 2] = [
    Fault {
        name: "an encoding",
        path: "/posts",
        responses: |route| {
            route.reply(Reply::json("[]").header("Transfer-Encoding", "\u{202e}\u{9b}31m"))
        },
        args: &[],
        says: "cannot fetch posts from HOST/posts: the response cannot be decoded: unknown transfer encoding `\\u{202e}\\u{9b}31m` (1 attempt)",
    },
    Fault {
        name: "a head",
        path: "/posts",
        responses: |route| route.reply(Reply::raw("HTTP/1.1 \u{1b}[31m\r\u{7}\r\n\r\n")),
        args: &["--retries", "0"],
        says: "cannot fetch posts from HOST/posts: the response is not valid HTTP/1.1 (1 attempt)",
    },
];

#[test]
fn remote_text_in_the_head_of_a_response_is_escaped() {
    for fault in HEADS {
        fault.check(3);
    }
}

#[test]
fn a_response_cannot_steer_the_terminal_whatever_it_says() {
    let location = |text: &str| Reply::status(301).header("Location", text);
    let cases = [
        ("a host", 3, location("http://\u{1b}[31m\u{7}[/")),
        ("a scheme", 3, location("javascript:\u{9b}31m\u{202e}")),
        ("a path", 3, location("ftp://host/%1b\u{9b}")),
        ("a record", 4, Reply::json("[{\"id\":\"\u{1b}[31m\r\"}]")),
        (
            "a key",
            4,
            Reply::json(r#"[{"id":1,"\u001b":1,"name":{"\r\u009b":[]}}]"#),
        ),
    ];
    for (name, code, reply) in cases {
        let place = Workplace::new();
        let server = Server::start([
            Route::get("/users").reply(reply),
            Route::get("/posts").reply(Reply::json("[]")).any_times(),
        ]);
        let outcome = place.run(&[server.url(), "--retries", "0"]);
        assert_eq!(outcome.status.code(), Some(code), "{name}: {outcome:?}");
        assert!(outcome.first_line().starts_with("error: "), "{name}");
        let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!outcome.stderr.contains(steers), "{name}: {outcome:?}");
        assert!(!place.log().contains(steers), "{name}: {:?}", place.log());
        server.finish();
    }
}
