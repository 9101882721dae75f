//! Pages by offset, each of which begins with the last record of the one before it.

use super::super::support::records::{compact, post};
use super::super::support::server::{Reply, Route, Server};
use super::forum::{FLOWS, Forum};

const OFFSET: &str = "pagination = { offset = 'from', size = { n = 5 } }";
const APART: &str = "pagination = { offset = 'from', size = { n = 5 }, overlap = false }";

fn all(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| post(&id.to_string(), "1")).collect()
}

/// Posts from this one up to that one.
fn page(ids: std::ops::Range<u32>) -> Reply {
    Reply::json(compact(&all(ids)))
}

fn at(offset: u32) -> Route {
    Route::get(&format!("/posts?n=5&from={offset}"))
}

/// A source, and which pages a server of twelve posts gives at which offsets.
type Row = (&'static str, &'static str, fn() -> Vec<Route>);

const ROWS: [Row; 6] = [
    ("pages begin anywhere", OFFSET, || {
        vec![
            at(0).reply(page(0..5)),
            at(4).reply(page(4..9)),
            at(8).reply(page(8..12)),
            at(12).reply(page(0..0)),
        ]
    }),
    ("the offset is rounded down", OFFSET, || {
        let at_four = at(4).reply(page(0..5));
        [vec![at_four], apart()].concat()
    }),
    ("the offset is refused", OFFSET, || {
        let at_four = at(4).reply(Reply::status(400));
        [vec![at_four], apart()].concat()
    }),
    ("there is nothing at the offset", OFFSET, || {
        // Records may have been removed: two looks must agree.
        let first = at(0).reply(page(0..5)).then(page(0..5)).then(page(0..5));
        let at_four = at(4).reply(page(0..0)).then(page(0..0));
        let five = at(5).reply(page(5..10));
        let five = five.then(page(5..10)).then(page(5..10));
        let others = apart().split_off(2);
        [vec![first, at_four, five], others].concat()
    }),
    ("the offset is rounded up", OFFSET, || {
        let at_four = at(4).reply(page(5..10));
        [vec![at_four], apart()].concat()
    }),
    ("the source says no", APART, apart),
];

/// Pages that stand side by side.
fn apart() -> Vec<Route> {
    vec![
        at(0).reply(page(0..5)),
        at(5).reply(page(5..10)),
        at(10).reply(page(10..12)),
        at(15).reply(page(0..0)),
    ]
}

#[test]
fn each_post_is_stored_once_wherever_pages_may_begin() {
    for (name, source, routes) in ROWS {
        for (flow, file) in FLOWS {
            println!("{name} {flow:?}");
            let server = Server::start(routes());
            let forum = Forum::new(server.url(), "", source);
            forum.stores(&[flow, &["--keep-raw"]].concat(), file, &all(0..12));
            let manifest = forum.place.json(&file.replace("posts", "manifest"));
            assert_eq!(manifest["resources"]["posts"]["received"], 12, "{name}");
            server.finish();
            // The pages that were kept say the same.
            forum.stores_again(flow, file, &all(0..12));
        }
    }
}

#[test]
fn one_deleted_and_one_created_between_two_pages_are_noticed() {
    for (flow, file) in FLOWS {
        // Post 0 goes and post 12 comes, behind the first page. No total, and no duplicate.
        let server = Server::start([
            at(0).reply(page(0..5)).then(page(1..6)),
            at(4).reply(page(5..10)).then(page(5..10)),
            at(5).reply(page(6..11)),
            at(8).reply(page(9..13)),
            at(12).reply(page(0..0)),
        ]);
        let forum = Forum::new(server.url(), "", OFFSET);
        forum.stores(flow, file, &all(1..13));
        assert!(forum.place.log().contains("records moved"), "{flow:?}");
        server.finish();
    }
}

#[test]
fn without_another_look_they_are_an_error_or_incomplete() {
    let moved = || {
        Server::start([
            at(0).reply(page(0..5)),
            at(4).reply(page(5..10)),
            at(5).reply(page(6..11)),
            at(10).reply(page(11..13)),
            at(15).reply(page(0..0)),
        ])
    };
    for (flow, _) in FLOWS {
        let server = moved();
        let forum = Forum::new(server.url(), "", OFFSET);
        let once = [flow, &["--retries", "0"]].concat();
        let outcome = forum.run(&once);
        outcome.assert_code(3);
        let line = outcome.first_line();
        assert!(line.contains("records moved"), "{line}");
        assert!(outcome.stderr.contains("overlap = false"), "{outcome:?}");
        server.finish();
        let server = moved();
        let forum = Forum::new(server.url(), "", OFFSET);
        let outcome = forum.run(&[&once[..], &["--allow-moving"]].concat());
        outcome.assert_code(0);
        assert!(
            outcome.stderr.contains("posts: incomplete: "),
            "{outcome:?}"
        );
        server.finish();
    }
}

#[test]
fn a_run_that_was_cut_off_goes_on_with_pages_that_overlap() {
    for (flow, file) in FLOWS {
        let server = Server::start([
            at(0).reply(page(0..5)),
            at(4).reply(page(4..9)),
            at(8).reply(Reply::status(403)).then(page(8..12)),
            at(12).reply(page(0..0)),
        ]);
        let forum = Forum::new(server.url(), "", OFFSET);
        forum
            .run(&[flow, &["--concurrency", "1"]].concat())
            .assert_code(3);
        forum.stores(&[flow, &["--resume"]].concat(), file, &all(0..12));
        server.finish();
    }
}
