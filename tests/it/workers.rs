//! Worker processes: none outlives its run, and a run outlives any of its workers.

use activity_tracker::record::Mappings;

use super::support::processes::{NOBODY, signal, until, workers_below};
use super::support::program::{Running, SNAPSHOT, Workplace};
use super::support::records::{compact, posts, stored, users};
use super::support::server::{Gate, Reply, Route, Server};

/// A run that has a worker at hand and waits for its posts.
fn hold(place: &Workplace) -> (Running, Server, Gate, u32) {
    let held = Gate::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::json(compact(&users()))),
        Route::get("/posts").reply(Reply::json(compact(&posts())).after(&held)),
    ]);
    let run = place.start(&[server.url(), "--workers", "1"]);
    server.wait_for_requests(2);
    let worker = until("a worker", || workers_below(place.path()).first().copied());
    (run, server, held, worker)
}

fn wait_for_the_end_of(worker: u32, place: &Workplace) {
    let gone = || (!workers_below(place.path()).contains(&worker)).then_some(());
    until("the worker's end", gone);
}

#[test]
fn a_run_that_is_killed_leaves_no_worker_and_the_next_run_cleans_up() {
    let place = Workplace::with_old_snapshot();
    let (run, server, _held, worker) = hold(&place);
    // The worker begins while the page comes, and only a page that is noted is left.
    let journal = place.data_dir().join(".run-main/spool/journal.ndjson");
    let noted = || {
        std::fs::read_to_string(&journal)
            .unwrap_or_default()
            .lines()
            .count()
            > 1
    };
    until("a page in the journal", || noted().then_some(()));
    run.signal("KILL");
    // This waits for the workers too, for they hold the same stderr.
    let outcome = run.wait();
    assert_eq!(outcome.status.code(), None, "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    wait_for_the_end_of(worker, &place);
    drop(server);

    assert!(place.data_dir().join(".run-main/staging").exists());
    assert_eq!(place.file("users.json"), "old users.json");
    place.run_well(&["sample"]);
    assert_eq!(place.data().len(), SNAPSHOT.len() + 1, "and notes.txt");
    assert!(place.log().contains("found pages of an interrupted run"));
    assert!(!place.data_dir().join(".run-main").exists());
}

#[test]
fn a_worker_that_is_killed_does_not_fail_the_run() {
    let place = Workplace::with_old_snapshot();
    let (run, server, held, worker) = hold(&place);
    signal(worker, "KILL");
    wait_for_the_end_of(worker, &place);
    held.open();
    run.wait().assert_code(0);
    assert_eq!(place.file("users.json"), stored(&users()));
    assert_eq!(place.file("posts.json"), stored(&posts()));
    assert_eq!(place.json("summary.json")["users"], 3);
    assert_eq!(place.data().len(), SNAPSHOT.len() + 1, "and notes.txt");
    let log = place.log();
    assert_eq!(
        log.matches("a worker failed; its task is done again")
            .count(),
        1,
        "{log}"
    );
    server.finish();
}

#[test]
fn a_run_that_is_done_has_no_workers_left() {
    let place = Workplace::new();
    let (run, server, held, _worker) = hold(&place);
    held.open();
    run.wait().assert_code(0);
    assert_eq!(workers_below(place.path()), NOBODY);
    server.finish();
}

#[test]
fn a_run_that_fails_has_no_workers_left() {
    let place = Workplace::with_old_snapshot();
    let held = Gate::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::json(compact(&users()))),
        Route::get("/posts").reply(Reply::status(404).after(&held)),
    ]);
    let run = place.start(&[server.url()]);
    // The worker may be there before the requests are.
    server.wait_for_requests(2);
    until("a worker", || workers_below(place.path()).first().copied());
    held.open();
    run.wait().assert_code(3);
    assert_eq!(workers_below(place.path()), NOBODY);
    assert_eq!(place.data().len(), SNAPSHOT.len() + 1, "and notes.txt");
    server.finish();
}

#[test]
fn a_worker_that_is_told_nonsense_ends() {
    let place = Workplace::new();
    let mappings = serde_json::to_string(&Mappings::placeholder()).expect("JSON");
    let arguments = ["worker", "--email-domain", "biz", "--mappings", &mappings];
    let mut command = place.command(&arguments);
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut writer, b"nonsense\n").expect("write");
    drop(writer);
    let outcome = Running::start(command.stdin(reader)).wait();
    outcome.assert_code(1);
    assert_eq!(outcome.stdout, "");
}
