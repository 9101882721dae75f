//! Machines that have no thread or process left to give.

use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;
use std::{fs, path};

use super::support::fault::FLOWS;
use super::support::program::{Outcome, Running, Workplace};
use super::support::records::{compact, posts, stored, users};
use super::support::server::{Reply, Route, Server};

const USUAL: [&str; 5] = ["--workers", "3", "--concurrency", "3", "--quiet"];

fn server() -> Server {
    let comments = Route::get("/comments").reply(Reply::json("[]")).any_times();
    Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .any_times(),
        Route::get("/posts")
            .reply(Reply::json(compact(&posts())))
            .any_times(),
        comments,
    ])
}

/// Ends well, or with the error that there is nothing to be started; never in a panic.
#[track_caller]
fn assert_told(outcome: &Outcome, place: &Workplace, flow: &[&str]) -> bool {
    if outcome.status.code() == Some(0) {
        let file = ["users.json", "users_async.json"][flow.len()];
        assert_eq!(place.file(file), stored(&users()), "{flow:?}");
        return true;
    }
    outcome.assert_code(1);
    let told = outcome.first_line();
    let says = told.ends_with(": Resource temporarily unavailable (os error 11)");
    assert!(
        told.starts_with("error: cannot start ") && says,
        "{outcome:#?}"
    );
    let hint =
        "  try: too many processes or threads, or too little memory: stop some, raise the limit";
    assert!(outcome.stderr.contains(hint), "{outcome:#?}");
    false
}

#[test]
#[cfg(debug_assertions)]
fn a_run_that_may_start_only_so_much_does_with_less_or_says_so() {
    let server = server();
    for flow in FLOWS {
        let mut done = 0;
        for limit in 0..24 {
            let place = Workplace::new();
            let args = [&["run", server.url()], &USUAL[..], flow].concat();
            let mut command = place.command(&args);
            command.env("ACTIVITY_TRACKER_START_FAULT", limit.to_string());
            let outcome = Running::start(&mut command).wait();
            let well = assert_told(&outcome, &place, flow);
            assert!(well || done == 0, "{limit} {flow:?}: {outcome:#?}");
            done += usize::from(well);
        }
        // In the end there was enough.
        assert!(done > 0, "{flow:?}");
    }
    server.finish();
}

/// Root has no limit, so another user must be found whom nothing belongs to.
#[test]
fn a_user_without_processes_left_is_told_so() {
    const USER: u32 = 54_321;
    let able = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let place = Workplace::new();
    let theirs = chown(place.path(), Some(USER), Some(USER)).is_ok();
    let program = path::Path::new(env!("CARGO_BIN_EXE_activity-tracker"));
    let readable = program.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    });
    if !(theirs && readable && able("setpriv") && able("prlimit")) {
        println!("skipped: this needs root, `setpriv` and `prlimit`");
        return;
    }
    let server = server();
    let id = USER.to_string();
    for flow in FLOWS {
        for limit in [1, 2, 3, 4, 6, 9, 40] {
            let nproc = format!("--nproc={limit}");
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "prlimit"]);
            command.args([
                &nproc,
                program.to_str().expect("UTF-8"),
                "run",
                server.url(),
            ]);
            command.args([&USUAL[..], flow].concat());
            place.prepare(&mut command);
            let outcome = Running::start(&mut command).wait();
            let well = assert_told(&outcome, &place, flow);
            assert!(well || limit <= 9, "{limit}: {outcome:#?}");
        }
    }
}
