//! Ctrl-C, SIGTERM and SIGHUP at any time: told in a line, soon, and as if the run had never begun.

use std::time::Duration;

use super::support::full_queue::FullQueue;
use super::support::processes::{NOBODY, signal, until, workers_below};
use super::support::program::{Running, Workplace};
use super::support::records::{compact, posts, users};
use super::support::server::{Gate, Reply, Route, Server};

/// Far longer than it takes, and far shorter than any timeout of the run that would end it too.
const SOON: Duration = Duration::from_secs(20);

const SIGNALS: [(&str, i32, &str); 3] = [
    (
        "INT",
        130,
        "error: interrupted; nothing in the data directory was changed\n",
    ),
    (
        "TERM",
        143,
        "error: terminated; nothing in the data directory was changed\n",
    ),
    (
        "HUP",
        129,
        "error: hung up: the terminal was closed; nothing in the data directory was changed\n",
    ),
];

/// Interrupts a run in a place with an old snapshot, and expects nothing to be left of it.
#[track_caller]
fn interrupt(run: Running, place: &Workplace, (name, code, says): (&str, i32, &str)) {
    run.signal(name);
    let outcome = run.wait_within(SOON);
    outcome.assert_code(code);
    let rest = outcome.stderr.strip_prefix(says).unwrap_or(&outcome.stderr);
    let kept = rest.starts_with("  try: ") && rest.ends_with(" --resume continues from it\n")
        || rest.ends_with(" --resume continues from them\n");
    assert!(rest.is_empty() || kept, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    assert_eq!(workers_below(place.path()), NOBODY);
    place.assert_unchanged(&Workplace::with_old_snapshot().data());
    let told = says.trim_start_matches("error: ").trim_end();
    let log = place.log();
    assert_eq!(log.matches(" ERROR ").count(), 1, "{log}");
    assert!(log.contains(&format!(": {told} exit_code={code}")), "{log}");
}

/// A server of the async flow's three resources, all answered alike.
fn serve_alike(reply: &Reply) -> Server {
    let paths = ["/users", "/posts", "/comments"];
    Server::start(paths.map(|path| Route::get(path).reply(reply.clone())))
}

#[test]
fn a_run_that_waits_for_responses_is_stopped() {
    for signal in SIGNALS {
        let place = Workplace::with_old_snapshot();
        let server = Server::for_main_flow(Reply::hang(), Reply::hang());
        let run = place.start(&[server.url()]);
        server.wait_for_requests(2);
        interrupt(run, &place, signal);
        server.finish();
    }
}

#[test]
fn a_run_in_the_middle_of_a_body_is_stopped() {
    let half = || {
        let page = compact(&users());
        let cut = page.len() / 2;
        Reply::json(page).cut_short(cut).then_hang()
    };
    let place = Workplace::with_old_snapshot();
    let server = Server::for_main_flow(half(), half());
    let run = place.start(&[server.url()]);
    server.wait_for_requests(2);
    interrupt(run, &place, SIGNALS[0]);
    server.finish();
}

#[test]
fn a_run_that_waits_to_ask_again_is_stopped() {
    let later = || Reply::status(503).header("Retry-After", "60");
    for signal in SIGNALS {
        let place = Workplace::with_old_snapshot();
        let server = Server::for_main_flow(later(), later());
        let run = place.start(&[server.url()]);
        let waits = || (place.log().matches("retrying").count() == 2).then_some(());
        until("two waits in the log", waits);
        interrupt(run, &place, signal);
        server.finish();
    }
}

#[test]
fn a_run_with_workers_is_stopped_with_them() {
    for signal in SIGNALS {
        let place = Workplace::with_old_snapshot();
        let server = Server::for_main_flow(Reply::json(compact(&users())), Reply::hang());
        let run = place.start(&[server.url()]);
        server.wait_for_requests(2);
        let workers = || workers_below(place.path()).first().copied();
        until("a worker", workers);
        interrupt(run, &place, signal);
        server.finish();
    }
}

#[test]
fn a_run_whose_worker_is_stuck_is_stopped() {
    let place = Workplace::with_old_snapshot();
    let held = Gate::new();
    let server = Server::for_main_flow(
        Reply::json(compact(&users())),
        Reply::json(compact(&posts())).after(&held),
    );
    let run = place.start(&[server.url(), "--workers", "1", "--log-level", "debug"]);
    let workers = || workers_below(place.path()).first().copied();
    let worker = until("a worker", workers);
    signal(worker, "STOP");
    held.open();
    let fetched = || {
        let log = place.log();
        log.contains("page fetched resource=posts").then_some(())
    };
    until("all fetched", fetched);
    interrupt(run, &place, SIGNALS[0]);
    server.finish();
}

#[test]
fn the_async_flow_is_stopped_wherever_it_waits() {
    let half = Reply::json(compact(&users())).cut_short(40).then_hang();
    let later = Reply::status(503).header("Retry-After", "60");
    for signal in SIGNALS {
        for reply in [&Reply::hang(), &half, &later] {
            let place = Workplace::with_old_snapshot();
            let server = serve_alike(reply);
            let run = place.start(&[server.url(), "--async"]);
            server.wait_for_requests(3);
            interrupt(run, &place, signal);
            server.finish();
        }
    }
}

#[test]
fn a_run_that_waits_for_a_connection_is_stopped() {
    let queue = FullQueue::new();
    for (signal, flow) in SIGNALS.into_iter().zip([&[][..], &["--async"]]) {
        let place = Workplace::with_old_snapshot();
        let run = place.start(&[&[queue.url.as_str(), "--log-level", "debug"], flow].concat());
        let asked = || (place.log().matches("requesting").count() >= 2).then_some(());
        until("the requests in the log", asked);
        interrupt(run, &place, signal);
    }
}

#[test]
fn a_data_directory_that_was_made_for_the_run_goes_with_it() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::hang(), Reply::hang());
    let run = place.start(&[server.url(), "--data-dir", "deep/data"]);
    server.wait_for_requests(2);
    run.signal("INT");
    run.wait_within(SOON).assert_code(130);
    assert!(!place.path().join("deep").exists());
    server.finish();
}

#[test]
fn quiet_and_json_change_nothing_about_an_interrupt() {
    let place = Workplace::with_old_snapshot();
    let server = Server::for_main_flow(Reply::hang(), Reply::hang());
    let run = place.start(&[server.url(), "--quiet", "--json"]);
    server.wait_for_requests(2);
    interrupt(run, &place, SIGNALS[0]);
    server.finish();
}

#[test]
fn a_run_that_nohup_started_outlives_its_terminal() {
    let place = Workplace::new();
    let held = Gate::new();
    let users = Reply::json(compact(&users())).after(&held);
    let server = Server::for_main_flow(users, Reply::json(compact(&posts())));
    let program = place.command(&[]).get_program().to_owned();
    let mut nohup = std::process::Command::new("nohup");
    nohup
        .arg(program)
        .args(["run", server.url()])
        .current_dir(place.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let run = Running::start(&mut nohup);
    server.wait_for_requests(2);
    run.signal("HUP");
    held.open();
    run.wait_within(SOON).assert_code(0);
    server.finish();
}
