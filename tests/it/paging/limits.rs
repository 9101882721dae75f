//! Well-formed pages without an end, and a disk that they would fill.

use super::forum::{FLOWS, Forum, NUMBERED};
use crate::support::program::Running;
use crate::support::records::{compact, post, stored};
use crate::support::server::{Reply, Route, Server};

/// By number, where the server says how many pages there are.
const COUNTED: &str = "pagination = { page = 'page' }\npages = { header = 'X-Pages' }";

/// By number, where nobody says how many there are.
const UNCOUNTED: &str = "pagination = { page = 'page' }";

fn all() -> Vec<String> {
    (1..=12).map(|id| post(&id.to_string(), "1")).collect()
}

/// Gives as many pages as anybody asks for in these tests, of two new posts each.
fn endless(headers: &[(&str, &str)]) -> Server {
    let posts = all();
    let sized = ["", "n=2&"];
    let pages = posts.chunks(2).enumerate().flat_map(|(index, posts)| {
        let reply = Reply::json(compact(posts));
        let with = |reply: Reply, (name, value): &(&str, &str)| reply.header(name, *value);
        let reply = headers.iter().fold(reply, with);
        sized.map(|size| {
            let target = format!("/posts?{size}page={}", index + 1);
            Route::get(&target).reply(reply.clone()).any_times()
        })
    });
    Server::start(pages)
}

#[test]
fn pages_without_an_end_end_at_each_limit() {
    let cases = [
        (
            ["--max-pages", "3"],
            "more than 3 pages, the limit of --max-pages",
        ),
        (
            ["--max-records", "5"],
            "more than 5 records in one run, the limit of --max-records",
        ),
        (
            ["--max-total", "400B"],
            "more than 400 bytes in one run, the limit of --max-total",
        ),
        (
            ["--max-time", "1ns"],
            "not done after 1ns, the limit of --max-time",
        ),
    ];
    for (option, says) in cases {
        for (flow, _) in FLOWS {
            let server = endless(&[]);
            let forum = Forum::new(server.url(), "", UNCOUNTED);
            let before = forum.place.data();
            let outcome = forum.run(&[flow, &option, &["--concurrency", "1"]].concat());
            outcome.assert_code(3);
            let told = outcome.first_line();
            let what = format!("error: cannot fetch all of posts from {}", server.url());
            assert!(told.starts_with(&what) && told.ends_with(says), "{told}");
            forum.place.assert_unchanged(&before);
            server.finish();
        }
    }
}

#[test]
fn numbers_of_pages_and_records_that_no_machine_could_hold_are_refused_at_once() {
    let huge = u64::MAX.to_string();
    let cases = [
        (
            COUNTED,
            "X-Pages",
            "the server declares 18446744073709551615 pages, more than --max-pages 1000000 allows",
        ),
        (
            NUMBERED,
            "X-Total",
            "the server declares 9223372036854775808 pages, more than --max-pages 1000000 allows",
        ),
    ];
    for (rows, header, says) in cases {
        for (flow, _) in FLOWS {
            let server = endless(&[(header, &huge)]);
            let forum = Forum::new(server.url(), "", rows);
            let one = [flow, &["--concurrency", "1"]].concat();
            let outcome = Running::start(&mut forum.bounded(&one)).wait();
            outcome.assert_code(3);
            assert!(outcome.first_line().ends_with(says), "{outcome:?}");
            assert_eq!(server.requests().len(), 1);
            server.finish();
        }
    }
}

#[test]
fn a_run_that_met_a_limit_is_resumed_with_a_higher_one() {
    for (flow, file) in FLOWS {
        let server = endless(&[("X-Pages", "6")]);
        let forum = Forum::new(server.url(), "", COUNTED);
        let outcome = forum.run(&[flow, &["--max-records", "7", "--concurrency", "1"]].concat());
        outcome.assert_code(3);
        let kept = "3 pages are kept; --resume continues from them";
        assert!(outcome.stderr.contains(kept), "{}", outcome.stderr);
        // The pages that are there count as well.
        let outcome = forum.run(&[flow, &["--max-records", "7", "--resume"]].concat());
        outcome.assert_code(3);
        let outcome = forum.run(&[flow, &["--resume"]].concat());
        outcome.assert_code(0);
        assert_eq!(forum.place.file(file), stored(&all()), "{flow:?}");
        server.finish();
    }
}

#[test]
#[cfg(debug_assertions)]
fn a_run_ends_before_the_disk_is_full() {
    for (flow, _) in FLOWS {
        let server = endless(&[("X-Pages", "6")]);
        let forum = Forum::new(server.url(), "", COUNTED);
        let before = forum.place.data();
        let mut command = forum.command(flow);
        command.env("ACTIVITY_TRACKER_FAULT", "free:2000");
        let outcome = Running::start(&mut command).wait();
        outcome.assert_code(5);
        let told = outcome.first_line();
        let says = ": 2,000 bytes free on the disk, and ";
        assert!(
            told.contains("error: cannot store more in ") && told.contains(says),
            "{told}"
        );
        forum.place.assert_unchanged(&before);
    }
}
