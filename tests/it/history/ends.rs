//! Ids at both ends of the numbers, and what releases left that could not count up to them.

use std::collections::BTreeSet;
use std::fs;

use rusqlite::Connection;

use super::super::support::program::{HISTORY, Running, Workplace};
use super::super::support::records::{compact, post, user};
use super::super::support::server::{Reply, Route, Server};
use super::{last, rows, run};

/// Numbers next to the ends, spans that touch them, and gaps.
const IDS: [&str; 12] = [
    "-9223372036854775808",
    "-9223372036854775807",
    "-9223372036854775805",
    "-1",
    "0",
    "1",
    "4294967295",
    "4294967296",
    "9223372036854775804",
    "9223372036854775805",
    "9223372036854775806",
    "9223372036854775807",
];

fn serve(ids: &[&[&str]]) -> Server {
    let users = |ids: &[&str]| {
        let users: Vec<_> = ids.iter().map(|id| user(id, "A", "a@x.biz")).collect();
        Reply::json(compact(&users))
    };
    let posts = |ids: &[&str]| {
        let posts: Vec<_> = ids.iter().map(|id| post(id, id)).collect();
        Reply::json(compact(&posts))
    };
    let users = ids.iter().map(|ids| users(ids));
    let posts = ids.iter().map(|ids| posts(ids));
    Server::start([
        users.fold(Route::get("/users"), Route::reply),
        posts.fold(Route::get("/posts"), Route::reply),
        Route::get("/comments")
            .reply(Reply::json("[]".to_owned()))
            .any_times(),
    ])
}

#[test]
fn ids_at_both_ends_of_the_numbers_are_known_from_the_first_run_on() {
    for flow in [&[][..], &["--async"]] {
        let server = serve(&[&IDS, &IDS[1..11], &IDS]);
        let place = Workplace::new();
        run(&place, &server, flow);
        let known = "SELECT id FROM records WHERE collection = 2 ORDER BY id";
        assert_eq!(rows(&place, known), IDS);
        run(&place, &server, flow);
        let ends = |kind: &str| BTreeSet::from([IDS[0], IDS[11]].map(|id| format!("{kind} {id}")));
        assert_eq!(last(&place), ends("removed"));
        run(&place, &server, flow);
        assert_eq!(last(&place), ends("added"));
        assert_eq!(rows(&place, known), IDS);
        for command in ["verify", "report", "changes"] {
            let outcome = Running::start(&mut place.command(&[command])).wait();
            outcome.assert_code(0);
        }
        server.finish();
    }
}

#[test]
fn each_end_alone_is_an_id_like_any_other_and_what_lies_beyond_is_rejected() {
    for id in [IDS[0], IDS[11]] {
        let server = serve(&[&[id]]);
        let place = Workplace::new();
        run(&place, &server, &[]);
        assert_eq!(rows(&place, "SELECT DISTINCT id FROM records"), [id]);
        server.finish();
    }
    for beyond in ["18446744073709551616", "-9223372036854775809"] {
        let server = serve(&[&["1", beyond]]);
        let place = Workplace::new();
        run(&place, &server, &["--max-rejects", "2"]);
        assert_eq!(rows(&place, "SELECT DISTINCT id FROM records"), ["1"]);
        server.finish();
    }
}

#[test]
fn a_step_that_never_ended_and_what_it_left_are_healed_by_the_next_command() {
    let place = Workplace::new();
    let server = serve(&[&IDS]);
    run(&place, &server, &[]);
    server.finish();
    let file = place.data_dir().join(HISTORY);
    let step = place.data_dir().join(".history-next.db");
    into_step(&file, &step);
    cut_off(&file);
    let journal = place.data_dir().join("history.db-journal");
    assert!(journal.exists() && step.exists());
    let large = fs::metadata(&file).expect("a file").len();
    let outcome = Running::start(&mut place.command(&["verify"])).wait();
    outcome.assert_code(0);
    assert!(!journal.exists() && !step.exists());
    assert!(fs::metadata(&file).expect("a file").len() < large);
    let known = "SELECT id FROM records WHERE collection = 2 ORDER BY id";
    assert_eq!(rows(&place, known), IDS);
}

#[test]
fn where_the_history_cannot_be_written_to_it_is_read_as_it_is_and_that_is_said() {
    let place = Workplace::new();
    let server = serve(&[&IDS]);
    run(&place, &server, &[]);
    server.finish();
    let step = place.data_dir().join(".history-next.db");
    into_step(&place.data_dir().join(HISTORY), &step);
    for command in ["verify", "report", "changes"] {
        let mut full = place.limited("ulimit -f 0", &[command]);
        let outcome = Running::start(&mut full).wait();
        outcome.assert_code(0);
        let says =
            "warning: the history may be one run behind; it is repaired by the next command: ";
        assert!(outcome.stderr.starts_with(says), "{outcome:?}");
        assert!(step.exists(), "{command}");
    }
    let outcome = Running::start(&mut place.command(&["changes"])).wait();
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    assert!(!step.exists());
}

/// Turns a history of one run into the step of that run, as it was before it was taken in.
fn into_step(history: &std::path::Path, step: &std::path::Path) {
    let tables = include_str!("../../../crates/core/src/history/schema/step.sql");
    let made = Connection::open(step).expect("a file");
    made.execute_batch(tables).expect("its tables");
    made.pragma_update(None, "foreign_keys", false)
        .expect("a pragma");
    made.execute("ATTACH ?1 AS old", [history.to_str().expect("UTF-8")])
        .expect("the history");
    let spans: Vec<String> = [
        "(-9223372036854775808, -9223372036854775807)",
        "(-9223372036854775805, -9223372036854775805)",
        "(-1, 1)",
        "(4294967295, 4294967296)",
        "(9223372036854775804, 9223372036854775807)",
    ]
    .iter()
    .flat_map(|span| ["users", "posts"].map(|of| span.replace('(', &format!("('{of}', "))))
    .collect();
    made.execute_batch(&format!(
        "INSERT INTO run SELECT run, source, flow, started_at, finished_at, retries, 0 FROM old.runs;
         INSERT INTO collections
         SELECT c.resource, c.blake3, r.received, r.records, r.rejects, 1, 1, 0, 0, 0
         FROM old.run_collections r JOIN old.collections c ON c.id = r.collection;
         INSERT INTO entries
         SELECT c.resource, e.block, e.entries
         FROM old.entries e JOIN old.collections c ON c.id = e.collection;
         INSERT INTO spans VALUES {};
         DELETE FROM old.runs; DELETE FROM old.collections; DELETE FROM old.run_collections;
         DELETE FROM old.entries; DELETE FROM old.records; DETACH old",
        spans.join(", ")
    ))
    .expect("a step");
}

/// Leaves a history as a program does that is killed while it writes much.
pub(super) fn cut_off(history: &std::path::Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join(HISTORY);
    fs::copy(history, &copy).expect("a copy");
    let open = Connection::open(&copy).expect("a history");
    open.execute_batch(
        "PRAGMA cache_size = 10; PRAGMA cache_spill = 1; PRAGMA foreign_keys = OFF; BEGIN;
         INSERT INTO records
         WITH RECURSIVE up (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM up WHERE n < 200000)
         SELECT 7, n, 1, NULL FROM up;",
    )
    .expect("many rows");
    for end in ["", "-journal"] {
        let mut from = copy.clone().into_os_string();
        from.push(end);
        let mut to = history.as_os_str().to_owned();
        to.push(end);
        fs::copy(from, to).expect("what it left");
    }
}
