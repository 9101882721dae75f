//! Servers that mean harm, or are as broken as if they did. `tests/README.md` lists them.
//!
//! What is common among broken servers stands in `faults.rs`, `data_faults.rs` and `parity.rs`.

mod data;
mod private;
mod text;
mod tls;
mod unending;
mod wire;

use std::time::Duration;

use super::support::fault::FLOWS;
use super::support::program::{Running, Workplace};
use super::support::server::{Reply, Route, Server};

/// How long any of these runs may take before it counts as held.
fn patience() -> Duration {
    Duration::from_secs(if super::crashes::is_long() { 900 } else { 240 })
}

/// One way to response those who ask for users, and how a run ends that did.
struct Row {
    name: &'static str,
    reply: fn() -> Reply,
    args: &'static [&'static str],
    ends: Ends,
}

#[derive(Clone, Copy)]
enum Ends {
    /// With this exit code, and an error that holds these words.
    Error(i32, &'static str),
    /// As a response does with a record that does not map, for this reason.
    Rejected(&'static str),
    /// Well, with this in the file of users.
    Users(fn() -> String),
}

fn row(name: &'static str, reply: fn() -> Reply, ends: Ends) -> Row {
    Row {
        name,
        reply,
        args: &[],
        ends,
    }
}

impl Row {
    fn args(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }

    /// Runs both flows against it, with bounded memory.
    #[track_caller]
    fn check(&self) {
        let reply = (self.reply)();
        for flow in FLOWS {
            let others = ["/posts", "/comments"];
            let others = others.map(|path| Route::get(path).reply(Reply::json("[]")).any_times());
            let users = Route::get("/users").reply(reply.clone());
            let server = Server::start(others.into_iter().chain([users]));
            let place = Workplace::with_old_snapshot();
            let usual = ["run", server.url(), "--retries", "0"];
            let args = [&usual, flow, self.args].concat();
            self.check_run(&place, &args, flow);
            server.finish();
        }
    }

    #[track_caller]
    fn check_run(&self, place: &Workplace, args: &[&str], flow: &[&str]) {
        let name = [&[self.name], flow].concat().join(" ");
        let before = place.data();
        let outcome = Running::start(&mut place.bounded(args)).wait_within(patience());
        let (code, says) = match self.ends {
            Ends::Error(code, says) => (code, says),
            Ends::Rejected(says) => (4, says),
            Ends::Users(_) => (0, ""),
        };
        assert_eq!(outcome.status.code(), Some(code), "{name}: {outcome:#?}");
        let told = outcome.first_line();
        assert!(told.contains(says), "{name}: {outcome:#?}");
        match self.ends {
            Ends::Error(..) => place.assert_unchanged(&before),
            Ends::Rejected(_) => assert_rejected(place, &before),
            Ends::Users(expected) => {
                let file = if flow.is_empty() {
                    "users.json"
                } else {
                    "users_async.json"
                };
                assert!(place.file(file) == expected(), "{name}: other users");
            }
        }
    }
}

/// What a run leaves that had a record which does not map.
#[track_caller]
fn assert_rejected(place: &Workplace, before: &std::collections::BTreeMap<String, Vec<u8>>) {
    place.assert_unchanged(before);
}

#[track_caller]
fn check(rows: impl IntoIterator<Item = Row>) {
    for row in rows {
        row.check();
    }
}

/// A response verbatim: a status line, and what stands behind it.
fn ok(rest: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{rest}"))
}

/// A body verbatim, in chunks that are its own affair.
fn in_chunks(body: &str) -> Reply {
    ok(&format!("Transfer-Encoding: chunked\r\n\r\n{body}"))
}
