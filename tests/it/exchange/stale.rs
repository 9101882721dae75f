//! Connections that died while they were idle: what is sent over them is sent once more.

use crate::support::fault::FLOWS;
use crate::support::program::Workplace;
use crate::support::records::{compact, post, stored};
use crate::support::server::{Reply, Route, Server};

const PAGES: usize = 4;

fn records() -> Vec<String> {
    (1..=PAGES).map(|id| post(&id.to_string(), "1")).collect()
}

fn page(number: usize) -> Reply {
    Reply::json(compact(&records()[number - 1..number])).header("X-Pages", PAGES.to_string())
}

fn save_source(place: &Workplace, url: &str) {
    let text = format!(
        "name = 'api'\nbase_url = '{url}'\n[posts]\npath = '/posts'\n\
         pagination = {{ page = 'page' }}\npages = {{ header = 'X-Pages' }}\n\
         [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n"
    );
    std::fs::write(place.path().join("api.toml"), text).expect("write a source file");
}

/// A run without retries, one request after the other, in which page 3 is answered like this first.
fn run(flow: &[&str], third: Route) -> (Workplace, crate::support::program::Outcome, Server) {
    let others =
        [1, 2, 4].map(|number| Route::get(&format!("/posts?page={number}")).reply(page(number)));
    let server = Server::start(others.into_iter().chain([third]));
    let place = Workplace::new();
    save_source(&place, server.url());
    let usual = ["api.toml", "--retries", "0", "--concurrency", "1"];
    let outcome = place.run(&[&usual, flow].concat());
    (place, outcome, server)
}

#[test]
fn what_is_sent_over_a_dead_connection_is_sent_once_more_and_costs_no_retry() {
    for reply in [Reply::close(), Reply::reset()] {
        for flow in FLOWS {
            let third = Route::get("/posts?page=3")
                .reply(reply.clone())
                .then(page(3));
            let (place, outcome, server) = run(flow, third);
            assert_eq!(outcome.status.code(), Some(0), "{flow:?}: {outcome:#?}");
            let file = if flow.is_empty() {
                "posts.json"
            } else {
                "posts_async.json"
            };
            assert_eq!(place.file(file), stored(&records()));
            server.finish();
        }
    }
}

#[test]
fn what_fails_otherwise_costs_a_retry() {
    let half = || Reply::raw("HTTP/1.1 200 OK\r\nContent-Le");
    let broken = || page(3).cut_short(3);
    // A second time, over a new connection, is no matter of idleness; nor is half a response.
    let cases: [(&str, Route, &str); 5] = [
        (
            "twice",
            Route::get("/posts?page=3").reply(Reply::close()).times(2),
            "connection closed while waiting for the response",
        ),
        (
            "twice, reset",
            Route::get("/posts?page=3").reply(Reply::reset()).times(2),
            "connection reset while waiting for the response",
        ),
        (
            "half a head",
            Route::get("/posts?page=3").reply(half()),
            "connection closed while waiting for the response",
        ),
        (
            "half a body",
            Route::get("/posts?page=3").reply(broken()),
            "connection closed while reading the body after 3 of ",
        ),
        (
            "silence",
            Route::get("/posts?page=3").reply(Reply::hang()),
            "timed out after 0.4 s while waiting for the response",
        ),
    ];
    for (name, route, says) in cases {
        // reqwest does not tell whether a part of a head came.
        let flows = if name == "half a head" {
            &FLOWS[..1]
        } else {
            &FLOWS[..]
        };
        for flow in flows.iter().copied() {
            let others = [1, 2]
                .map(|number| Route::get(&format!("/posts?page={number}")).reply(page(number)));
            let server = Server::start(others.into_iter().chain([route.clone()]));
            let place = Workplace::new();
            save_source(&place, server.url());
            let usual = ["api.toml", "--retries", "0", "--concurrency", "1"];
            let outcome = place.run(&[&usual[..], &["--timeout", "400ms"], flow].concat());
            outcome.assert_code(3);
            let first = outcome.first_line();
            assert!(first.contains(says), "{name} {flow:?}: {first}");
            server.finish();
        }
    }
}

#[test]
fn a_new_connection_that_dies_is_a_failure() {
    for flow in FLOWS {
        let server = Server::start([Route::get("/posts?page=1").reply(Reply::close())]);
        let place = Workplace::new();
        save_source(&place, server.url());
        let outcome = place.run(&[&["api.toml", "--retries", "0"], flow].concat());
        outcome.assert_code(3);
        server.finish();
    }
}
