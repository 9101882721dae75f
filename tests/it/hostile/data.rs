//! Responses that arrive whole, and what is in them.

use std::time::Duration;

use super::Ends::{Error, Rejected, Users};
use super::{check, row};
use crate::support::fault::FLOWS;
use crate::support::program::{Outcome, Running, Workplace};
use crate::support::records::user;
use crate::support::server::{Reply, Route, Server};

const DEEP: usize = 100_000;

/// A user with something in the place of the name.
fn named(name: &str) -> Reply {
    let ada = user("1", "ADA", "ada@x.biz");
    Reply::json(format!("[{}]", ada.replace("\"ADA\"", name)))
}

/// A user with this id, as JSON.
fn numbered(id: &str) -> Reply {
    Reply::json(format!("[{}]", user(id, "Ada", "ada@x.biz")))
}

/// A user with something more, in a field that no map names.
fn with(more: &str) -> String {
    let ada = user("1", "Ada", "ada@x.biz");
    ada.replace('{', &format!("{{\"more\":{more},"))
}

fn stored(record: &str) -> String {
    format!("[\n  {record}\n]")
}

fn nested() -> String {
    let (open, close) = ("[".repeat(DEEP), "]".repeat(DEEP));
    open + &close
}

#[test]
fn bytes_that_are_no_json_in_utf_8_are_refused() {
    check([
        row(
            "two marks before the JSON",
            || Reply::json("\u{feff}\u{feff}[]"),
            Error(4, "expected a JSON array, found byte 0xef"),
        ),
        row(
            "UTF-16 with its mark",
            || Reply::json(b"\xff\xfe[\0]\0".to_vec()),
            Error(4, "expected a JSON array, found byte 0xff"),
        ),
        row(
            "UTF-16 without",
            || Reply::json(b"\0[\0]".to_vec()),
            Error(4, "expected a JSON array, found byte 0x00"),
        ),
        row(
            "NUL behind the JSON",
            || Reply::json("[]\0"),
            Error(
                4,
                "expected the end of the response at byte 2, found byte 0x00",
            ),
        ),
        row(
            "brackets without an end",
            || Reply::json("[".repeat(DEEP)),
            Error(4, "is not closed: it ends after 100000 bytes"),
        ),
    ]);
}

#[test]
fn a_record_that_cannot_be_read_is_told_with_its_place() {
    const ID: &str = "record 0: field `id`: expected a whole number of at most 64 bits or a string";
    check([
        row(
            "half a character",
            || named(r#""\ud800""#),
            Rejected("record 0: field `name`: expected a string of whole characters"),
        ),
        row(
            "nesting 100,000 deep in the place of a name",
            || named(&nested()),
            Rejected("record 0: field `name`: expected a string, found [[["),
        ),
        row(
            "nesting 100,000 deep in the place of a record",
            || Reply::json(nested()),
            Rejected("record 0: field `.`: expected an object, found [[["),
        ),
        row(
            "NUL in a name",
            || named("\"A\0\""),
            Rejected("record 0: field `.`: expected JSON, found control character"),
        ),
        row(
            "an id of 10,000 digits",
            || numbered(&"9".repeat(10_000)),
            Rejected(ID),
        ),
        row(
            "the id 2^64",
            || numbered("18446744073709551616"),
            Rejected(ID),
        ),
        row("the id 1e400", || numbered("1e400"), Rejected(ID)),
        row(
            "a key twice",
            || Reply::json(format!("[{}]", with("1").replace("more", "id"))),
            Rejected("record 0: field `id`: expected one value, found several"),
        ),
    ]);
}

#[test]
fn what_is_sound_and_strange_is_stored_verbatim() {
    check([
        row(
            "nesting 100,000 deep in a field that nobody reads",
            || Reply::json(format!("[{}]", with(&nested()))),
            Users(|| stored(&with(&nested()))),
        ),
        row(
            "a number of 10,000 digits",
            || Reply::json(format!("[{}]", with(&"9".repeat(10_000)))),
            Users(|| stored(&with(&"9".repeat(10_000)))),
        ),
        row(
            "the number 1e400",
            || Reply::json(format!("[{}]", with("1e400"))),
            Users(|| stored(&with("1e400"))),
        ),
        row(
            "half a character where nobody reads",
            || Reply::json(format!("[{}]", with(r#""\udc00""#))),
            Users(|| stored(&with(r#""\udc00""#))),
        ),
        row(
            "a key twice that nobody reads",
            || Reply::json(format!("[{}]", with("1,\"more\":2"))),
            Users(|| stored(&with("1,\"more\":2"))),
        ),
        row(
            "NUL, escaped",
            || Reply::json(format!("[{}]", user("1", r"A\u0000", "a@x.biz"))),
            Users(|| stored(&user("1", r"A\u0000", "a@x.biz"))),
        ),
    ]);
}

/// So many records that each costs next to nothing to send.
#[test]
fn countless_empty_records_are_held_by_no_process() {
    let reply = if crate::crashes::is_long() {
        || Reply::json(format!("[{}{{}}]", "{},".repeat(9_999_999)))
    } else {
        || Reply::json(format!("[{}{{}}]", "{},".repeat(299_999)))
    };
    let says = "record 0: required field `id` is missing";
    check([row("empty records", reply, Rejected(says))]);
}

/// Runs both flows with one worker, and with 64 MiB of memory for each process; the async flow,
/// which is all in one, has 96.
fn in_little_memory(users: &str) -> [(Workplace, Outcome); 2] {
    let posts = Route::get("/posts").reply(Reply::json("[]")).any_times();
    let comments = Route::get("/comments").reply(Reply::json("[]")).any_times();
    let users = Route::get("/users").reply(Reply::json(users)).any_times();
    let server = Server::start([posts, comments, users]);
    FLOWS.map(|flow| {
        let place = Workplace::new();
        let args = [&["run", server.url(), "--workers", "1"], flow].concat();
        let memory = if flow.is_empty() { 64 << 10 } else { 96 << 10 };
        let run = Running::start(&mut place.bounded_to(memory, &args));
        // So much is slow in a build for development, on a machine that has other things to do.
        (place, run.wait_within(Duration::from_mins(5)))
    })
}

#[test]
fn a_record_that_is_too_long_is_rejected_and_held_by_no_process() {
    let long = user("1", &"a".repeat(70_000_000), "ada@x.biz");
    let says = "record 0: field `.`: expected at most 4194304 bytes (--max-record), found 700";
    for (_, outcome) in in_little_memory(&format!("[{long}]")) {
        outcome.assert_code(4);
        assert!(outcome.first_line().contains(says), "{outcome:#?}");
    }
}

#[test]
fn records_just_as_long_as_allowed_fit_into_little_memory() {
    let name = "a".repeat(4_100_000);
    let users: Vec<_> = (0..18)
        .map(|id| user(&id.to_string(), &name, "ada@x.biz"))
        .collect();
    let runs = in_little_memory(&format!("[{}]", users.join(",")));
    for ((place, outcome), end) in runs.into_iter().zip(["", "_async"]) {
        outcome.assert_code(0);
        let stored = place.file(&format!("users{end}.json"));
        assert!(stored == format!("[\n  {}\n]", users.join(",\n  ")));
        // Of the names, which are in memory together, only the beginnings are kept.
        let summary = place.file(&format!("summary{end}.json"));
        assert!(summary.len() < 30_000, "{}", summary.len());
    }
}

#[test]
fn a_long_id_is_rejected() {
    let says = "record 0: field `id`: expected an id of at most 1024 bytes, found \"777";
    check([row(
        "an id of three million bytes",
        || numbered(&format!("\"{}\"", "7".repeat(3_000_000))),
        Rejected(says),
    )]);
}

#[test]
fn of_a_record_that_is_too_long_its_neighbours_are_stored_and_its_beginning_is_kept() {
    let long = user("2", &"a".repeat(2_000_000), "b@x.biz");
    let (first, last) = (user("1", "Ada", "a@x.biz"), user("3", "Cem", "c@x.biz"));
    let reply = Reply::json(format!("[{first},{long},{last}]"));
    let posts = Route::get("/posts").reply(Reply::json("[]")).any_times();
    let comments = Route::get("/comments").reply(Reply::json("[]")).any_times();
    let server = Server::start([
        posts,
        comments,
        Route::get("/users").reply(reply).any_times(),
    ]);
    for (flow, end) in FLOWS.iter().zip(["", "_async"]) {
        let place = Workplace::new();
        let options = ["run", server.url(), "--max-record", "1MB"];
        let outcome = Running::start(&mut place.command(&[&options, *flow].concat())).wait();
        outcome.assert_code(4);
        let stored = format!("[\n  {first},\n  {last}\n]");
        assert_eq!(place.file(&format!("users{end}.json")), stored);
        let line = place.json(&format!("rejected{end}.ndjson"));
        let length = long.len();
        assert_eq!(
            (&line["index"], &line["truncated_from"]),
            (&1.into(), &length.into())
        );
        assert_eq!(line["expected"], "at most 1000000 bytes (--max-record)");
        assert_eq!(line["found"], format!("{length} bytes"));
        let kept = line["record"].as_str().expect("a text");
        assert!(long.starts_with(kept) && kept.len() == 64 << 10);
    }
}
