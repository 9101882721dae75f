//! What does not last: cursors of a run that was cut off, and tokens.

use std::fs;

use crate::support::fault::FLOWS;
use crate::support::program::{Running, Workplace};
use crate::support::records::{compact, post, stored, users};
use crate::support::server::{Reply, Route, Server};

use super::file;

fn records() -> Vec<String> {
    (1..=4).map(|id| post(&id.to_string(), "1")).collect()
}

fn page(range: std::ops::Range<usize>, next: &str) -> Reply {
    let records = compact(&records()[range]);
    Reply::json(format!(r#"{{"items": {records}, "next": {next}}}"#))
}

fn save_source(place: &Workplace, url: &str, more: &str, fields: &str) {
    let text = format!(
        "name = 'api'\nbase_url = '{url}'\n{more}\n[posts]\npath = '/posts'\nrecords = 'items'\n\
         pagination = {{ cursor = 'after', at = 'next' }}\n\
         [posts.fields]\n{fields}\ntitle = 'title'\nbody = 'body'\n"
    );
    fs::write(place.path().join("api.toml"), text).expect("write a source file");
}

const FIELDS: &str = "user_id = 'userId'";

#[test]
fn a_cursor_that_expired_starts_the_run_again_from_the_first_page() {
    for status in [400, 404, 410, 422] {
        for flow in FLOWS {
            let server = Server::start([
                Route::get("/posts")
                    .reply(page(0..2, "\"old\""))
                    .then(page(0..2, "\"new\"")),
                Route::get("/posts?after=old")
                    .reply(Reply::status(503))
                    .then(Reply::status(status).body(r#"{"error": "the cursor has expired"}"#)),
                Route::get("/posts?after=new").reply(page(2..4, "null")),
            ]);
            let place = Workplace::new();
            save_source(&place, server.url(), "", FIELDS);
            let usual = ["api.toml", "--retries", "0"];
            place.run(&[&usual, flow].concat()).assert_code(3);
            let outcome = place.run_well(&[&["api.toml", "--resume"], flow].concat());
            let says = "the cursor has expired; the state of the interrupted run has expired: starting over from the first page";
            assert!(
                outcome.stderr.contains(says),
                "{status} {flow:?}: {outcome:#?}"
            );
            assert_eq!(place.file(file(flow)), stored(&records()));
            server.finish();
        }
    }
}

#[test]
fn a_cursor_that_is_refused_when_it_is_new_ends_the_run() {
    for flow in FLOWS {
        let server = Server::start([
            Route::get("/posts").reply(page(0..2, "\"bad\"")),
            Route::get("/posts?after=bad").reply(Reply::status(400)),
        ]);
        let place = Workplace::new();
        save_source(&place, server.url(), "", FIELDS);
        place.run(&[&["api.toml"], flow].concat()).assert_code(3);
        server.finish();
    }
}

#[test]
fn a_token_that_was_replaced_during_a_run_is_read_again_once() {
    for flow in FLOWS {
        let place = Workplace::new();
        let token = place.path().join("token");
        fs::write(&token, "first\n").expect("write the token");
        let gate = crate::support::server::Gate::new();
        let refused = Reply::status(401).after(&gate);
        let server = Server::start([
            Route::get("/posts").reply(page(0..2, "\"n\"")),
            Route::get("/posts?after=n")
                .reply(refused)
                .then(page(2..4, "null")),
        ]);
        let auth = "[auth]\nbearer = { file = 'token' }";
        save_source(&place, server.url(), auth, FIELDS);
        let mut command = place.command(&[&["run", "api.toml"], flow].concat());
        let run = Running::start(command.env("ACTIVITY_TRACKER_TRUST", "1"));
        server.wait_for_requests(2);
        fs::write(&token, "second\n").expect("write the token");
        gate.open();
        let outcome = run.wait();
        outcome.assert_code(0);
        assert_eq!(place.file(file(flow)), stored(&records()));
        let requests = server.requests();
        let sent = requests
            .iter()
            .map(|request| request.header("authorization"));
        let sent: Vec<_> = sent.flatten().collect();
        assert_eq!(
            sent,
            ["Bearer first", "Bearer first", "Bearer second"],
            "{flow:?}"
        );
        server.finish();
    }
}

#[test]
fn a_token_that_is_as_it_was_is_refused_once() {
    for flow in FLOWS {
        let place = Workplace::new();
        fs::write(place.path().join("token"), "first\n").expect("write the token");
        let server = Server::start([Route::get("/posts").reply(Reply::status(401))]);
        let auth = "[auth]\nbearer = { file = 'token' }";
        save_source(&place, server.url(), auth, FIELDS);
        let mut command = place.command(&[&["run", "api.toml"], flow].concat());
        let outcome = Running::start(command.env("ACTIVITY_TRACKER_TRUST", "1")).wait();
        outcome.assert_code(3);
        server.finish();
    }
}

#[test]
fn a_run_goes_on_when_the_mistake_was_mended_that_the_hint_named() {
    for flow in FLOWS {
        let server = Server::start([
            Route::get("/posts").reply(page(0..2, "\"n\"")),
            Route::get("/posts?after=n").reply(page(2..4, "null")),
        ]);
        let place = Workplace::new();
        save_source(&place, server.url(), "", "user_id = 'user'");
        let outcome = place.run(&[&["api.toml"], flow].concat());
        outcome.assert_code(4);
        let advice =
            "check the fields of the source; 2 pages are kept; --resume continues from them";
        assert!(outcome.stderr.contains(advice), "{outcome:#?}");
        save_source(&place, server.url(), "", FIELDS);
        place.run_well(&[&["api.toml", "--resume"], flow].concat());
        assert_eq!(place.file(file(flow)), stored(&records()));
        server.finish();
    }
}

#[test]
fn resuming_is_advised_only_where_it_helps() {
    let cases = [
        (Reply::status(404), false),
        (Reply::status(422), false),
        (Reply::status(401), true),
        (Reply::status(403), true),
        (Reply::status(503), true),
    ];
    for (reply, advised) in cases {
        for flow in FLOWS {
            let server = Server::start([
                Route::get("/users").reply(Reply::json(compact(&users()[..1]))),
                Route::get("/users/1/posts").reply(reply.clone()),
            ]);
            let place = Workplace::new();
            let text = format!(
                "name = 'api'\nbase_url = '{}'\n[users]\npath = '/users'\n[users.fields]\nname = 'name'\n\
                 username = 'username'\nemail = 'email'\n[posts]\npath = '/users/{{user_id}}/posts'\n\
                 [posts.fields]\nuser_id = 'userId'\ntitle = 'title'\nbody = 'body'\n",
                server.url()
            );
            fs::write(place.path().join("api.toml"), text).expect("write a source file");
            let usual = ["api.toml", "--retries", "0"];
            let outcome = place.run(&[&usual, flow].concat());
            outcome.assert_code(3);
            let said = outcome.stderr.contains("--resume");
            assert_eq!(said, advised, "{flow:?} {outcome:#?}");
        }
    }
}

#[test]
fn pages_that_were_cut_by_another_path_are_fetched_again() {
    for flow in FLOWS {
        // The authors are records too, and none of them is a post.
        let authors = r#""authors": [{"id": 1}], "#;
        let both = compact(&records());
        let page = format!(r#"{{{authors}"items": {both}, "next": null}}"#);
        let server = Server::start([Route::get("/posts").reply(Reply::json(page)).times(2)]);
        let place = Workplace::new();
        save_source(&place, server.url(), "", FIELDS);
        let path = place.path().join("api.toml");
        let right = fs::read_to_string(&path).expect("the source file");
        fs::write(&path, right.replace("'items'", "'authors'")).expect("write a source file");
        let outcome = place.run(&[&["api.toml"], flow].concat());
        outcome.assert_code(4);
        assert!(outcome.stderr.contains("--resume"), "{outcome:#?}");
        fs::write(&path, right).expect("write a source file");
        place.run_well(&[&["api.toml", "--resume"], flow].concat());
        assert_eq!(place.file(file(flow)), stored(&records()));
        server.finish();
    }
}

#[test]
fn a_watch_reads_a_token_before_each_turn() {
    let place = Workplace::new();
    let token = place.path().join("token");
    fs::write(&token, "first\n").expect("write the token");
    let server = Server::start([Route::get("/posts").reply(page(0..4, "null")).times(2)]);
    let auth = "[auth]\nbearer = { file = 'token' }";
    save_source(&place, server.url(), auth, FIELDS);
    let usual = ["watch", "--every", "1s", "--runs", "2", "api.toml"];
    let mut command = place.command(&usual);
    let run = Running::start(command.env("ACTIVITY_TRACKER_TRUST", "1"));
    server.wait_for_requests(1);
    fs::write(&token, "second\n").expect("write the token");
    run.wait().assert_code(0);
    let requests = server.requests();
    let sent = requests
        .iter()
        .map(|request| request.header("authorization"));
    let sent: Vec<_> = sent.flatten().collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
    server.finish();
}
