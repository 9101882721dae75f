//! Faults that were found once, by people and by chance, and must not come back.

use std::fs;

use super::support::fault::Fault;
use super::support::full_queue::FullQueue;
use super::support::processes::until;
use super::support::program::{Running, Workplace};
use super::support::server::{Reply, Route, Server};

/// A commit that fails half-way leaves new records under the old manifest, and says the last snapshot stands.
#[test]
fn a_commit_that_fails_leaves_the_last_snapshot() {
    let place = Workplace::with_old_snapshot();
    fs::remove_file(place.data_dir().join("summary.json")).expect("remove");
    fs::create_dir(place.data_dir().join("summary.json")).expect("put something in the way");
    let before = place.data();
    place.run(&["sample"]).assert_code(5);
    assert_eq!(place.data(), before);
}

/// An unknown host is told as "the exchange failed ... try again later".
#[test]
fn a_host_name_that_does_not_resolve_is_told_as_such() {
    let host = format!("{}.invalid", "a".repeat(64)); // no resolver takes a label this long
    let place = Workplace::new();
    let outcome = place.run(&[&format!("http://{host}"), "--retries", "0"]);
    outcome.assert_code(3);
    let says = "the host name cannot be resolved (1 attempt)";
    assert!(outcome.first_line().ends_with(says), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("check the host name"),
        "{}",
        outcome.stderr
    );
}

/// A full disk below the log: a line of noise for each event on stderr, --quiet or not.
#[test]
fn a_log_that_cannot_be_written_to_does_not_flood_the_terminal() {
    let place = Workplace::new();
    let outcome = place.run(&["sample", "--quiet", "--log-file", "/dev/full"]);
    assert!(outcome.stderr.lines().count() <= 1, "{}", outcome.stderr);
}

/// An interrupt that ends by the grace period leaves the data directory that was made for the run (main flow only).
#[test]
fn a_data_directory_made_for_a_run_goes_with_it_even_when_a_connect_blocks() {
    let queue = FullQueue::new();
    let place = Workplace::new();
    let run = place.start(&[&queue.url, "--log-level", "debug"]);
    let asked = || (place.log().matches("requesting").count() == 2).then_some(());
    until("two requests in the log", asked);
    run.signal("INT");
    run.wait().assert_code(130);
    assert!(!place.data_dir().exists());
}

/// A response shorter than a gzip header that is no gzip is retried as if it had broken off.
#[test]
fn a_short_body_that_is_no_gzip_is_not_asked_for_again() {
    Fault {
        name: "short",
        path: "/users",
        responses: |route| route.reply(Reply::gzip("[]")),
        args: &[],
        says: "cannot fetch users from HOST/users: the response cannot be decoded: the body is not gzip (1 attempt)",
    }
    .check(3);
}

/// stdout is full: the hint says to use --data-dir and that the last snapshot stands; the new one was committed.
#[test]
fn a_full_stdout_is_not_told_as_a_full_data_directory() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json("[]"), Reply::json("[]"));
    let command = place.command(&["run", server.url(), "--json"]);
    let outcome = Running::on_a_full_disk(command).expect("/dev/full");
    assert!(!outcome.stderr.contains("--data-dir"), "{}", outcome.stderr);
}

/// A file (not a folder) named `.staging-…` in the data directory stops every run.
#[test]
fn a_stray_file_with_a_staging_name_does_not_stop_a_run() {
    let place = Workplace::new();
    fs::create_dir(place.data_dir()).expect("make the data directory");
    fs::write(place.data_dir().join(".staging-x"), "").expect("write");
    place.run_well(&["sample"]);
}

/// A Location with bytes outside ASCII was told as if there were none; it is encoded and followed.
#[test]
fn a_location_outside_of_ascii_is_followed() {
    let place = Workplace::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::json("[]")),
        Route::get("/posts").reply(Reply::status(301).header("Location", "/caf\u{e9}")),
        Route::get("/caf%C3%A9").reply(Reply::json("[]")),
    ]);
    place.run_well(&[server.url()]);
    server.finish();
}

/// The async flow removes its staging folder while blocking-pool tasks still create files in it.
/// A race that a loaded machine lost a few times in a thousand.
#[test]
fn an_async_run_that_fails_leaves_no_staging_folder() {
    for _ in 0..20 {
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let server = Server::start([
            Route::get("/users").reply(Reply::json("[]")).any_times(),
            Route::get("/posts").reply(Reply::status(404)).any_times(),
            Route::get("/comments").reply(Reply::json("[]")).any_times(),
        ]);
        place.run(&[server.url(), "--async"]).assert_code(3);
        assert_eq!(
            place.data().keys().collect::<Vec<_>>(),
            before.keys().collect::<Vec<_>>()
        );
    }
}
