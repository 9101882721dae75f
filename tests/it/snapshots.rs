//! The folder of snapshots: what is kept, what can be asked of it, what is taken over, and what
//! somebody may have planted there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::support::fault::FLOWS;
use super::support::program::{Outcome, Running, SNAPSHOT, Workplace, runs, to_version_0};
use super::support::records::{compact, stored, user, users};
use super::support::server::{Reply, Route, Server};

/// A server that has one more user each time.
fn growing(times: usize) -> Server {
    let all: Vec<_> = (1..=times)
        .map(|id| user(&id.to_string(), &format!("User {id}"), "a@x.biz"))
        .collect();
    let users = (1..=times).fold(Route::get("/users"), |route, count| {
        route.reply(Reply::json(compact(&all[..count])))
    });
    let others = ["/posts", "/comments"].map(|path| {
        let route = Route::get(path).reply(Reply::json("[]"));
        route.any_times()
    });
    Server::start([users].into_iter().chain(others))
}

fn ask(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(args)).wait()
}

fn count_of_users(outcome: &Outcome) -> u64 {
    outcome.assert_code(0);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    report["totals"]["users"].as_u64().expect("a number")
}

#[test]
fn a_report_of_an_earlier_run_or_date_is_made_of_what_was_kept() {
    for flow in FLOWS {
        let place = Workplace::new();
        let server = growing(4);
        let mut all = Vec::new();
        for _ in 1..=4 {
            place.run_well(&[&[server.url(), "--keep-snapshots", "2"], flow].concat());
            let name = if flow.is_empty() {
                "manifest.json"
            } else {
                "manifest_async.json"
            };
            let manifest = place.json(name);
            let text = |key: &str| manifest[key].as_str().expect("a text").to_owned();
            all.push((text("run"), text("finished_at")));
        }
        let report = |at: &str| ask(&place, &["report", "--format", "json", "--at", at]);
        for (index, (run, finished)) in all.iter().enumerate().skip(1) {
            let expected = index as u64 + 1;
            let outcome = report(run);
            assert_eq!(count_of_users(&outcome), expected);
            let told: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
            let history = told["history"].as_array().expect("a history");
            assert_eq!(
                history.len() as u64,
                expected,
                "what came later is not told"
            );
            assert_eq!(count_of_users(&report(finished)), expected);
        }
        assert_eq!(
            count_of_users(&report(&all[3].1[..10])),
            4,
            "a day has its end"
        );
        let gone = report(&all[0].0);
        gone.assert_code(2);
        assert!(gone.stderr.contains(&all[1].0), "{gone:?}");
        let too_old = report("2020-01-01");
        too_old.assert_code(2);
        assert!(
            too_old.stderr.contains("--keep-snapshots keeps more"),
            "{too_old:?}"
        );
        server.finish();
    }
}

#[test]
fn earlier_snapshots_are_checked_by_their_lengths_or_as_a_whole() {
    let place = Workplace::new();
    let server = growing(2);
    place.run_well(&[server.url()]);
    place.run_well(&[server.url()]);
    server.finish();
    let whole = ask(&place, &["verify", "--full"]);
    whole.assert_code(0);
    let earlier = &runs(&place.data_dir())[0];
    let says = |state: &str| format!(".snapshots/{earlier}: {state}, 5 files\n");
    assert!(whole.stdout.contains(&says("ok")), "{whole:?}");
    let kept = ask(&place, &["verify"]);
    assert!(
        kept.stdout.contains(&says("kept, checksums not checked")),
        "{kept:?}"
    );
    let file = place
        .data_dir()
        .join(".snapshots")
        .join(earlier)
        .join("users.json");
    let other = fs::read_to_string(&file).expect("a file").replace('1', "2");
    fs::write(&file, other).expect("damage a file");
    ask(&place, &["verify"]).assert_code(0);
    ask(&place, &["verify", "--full"]).assert_code(5);
    fs::write(&file, "").expect("damage a file");
    let damaged = ask(&place, &["verify"]);
    damaged.assert_code(5);
    assert!(damaged.stdout.contains(&says("damaged")), "{damaged:?}");
    ask(&place, &["report"]).assert_code(0);
}

#[test]
fn a_run_that_finds_nothing_new_keeps_as_many_snapshots_as_it_is_told() {
    let place = Workplace::new();
    let tagged = |body: String, tag: &str| Reply::json(body).header("ETag", tag);
    let all: Vec<_> = ["1", "2"].map(|id| user(id, "Ada", "a@x.biz")).into();
    let server = Server::start([
        Route::get("/users")
            .reply(tagged(compact(&all[..1]), "\"1\""))
            .reply(tagged(compact(&all), "\"2\""))
            .reply(Reply::status(304)),
        Route::get("/posts")
            .reply(tagged("[]".to_owned(), "\"1\""))
            .reply(Reply::status(304))
            .reply(Reply::status(304)),
    ]);
    place.run_well(&[server.url()]);
    place.run_well(&[server.url()]);
    assert_eq!(runs(&place.data_dir()).len(), 2);
    place
        .run(&[
            "http://127.0.0.1:9",
            "--keep-snapshots",
            "0",
            "--retries",
            "0",
        ])
        .assert_code(3);
    assert_eq!(
        runs(&place.data_dir()).len(),
        2,
        "a run that fails removes nothing"
    );
    let outcome = place.run_well(&[server.url(), "--keep-snapshots", "0"]);
    assert!(outcome.stderr.starts_with("Up to date: "), "{outcome:?}");
    assert_eq!(runs(&place.data_dir()).len(), 1);
    server.finish();
}

#[test]
fn files_of_version_0_and_copies_without_links_are_taken_over_and_lost_in_no_way() {
    for flow in FLOWS {
        let place = Workplace::new();
        let server = growing(3);
        let args = [&[server.url(), "--keep-snapshots", "3"], flow].concat();
        place.run_well(&args);
        place.run_well(&args);
        // As `cp -rL` does: the link of the flow is a folder then.
        let copy = place.path().join("copy");
        let copied = Command::new("cp")
            .arg("-rL")
            .args([place.data_dir(), copy.clone()])
            .status();
        assert!(copied.expect("start cp").success());
        to_version_0(&place.data_dir());
        let old = place.data();
        let here = ask(&place, &["report", "--format", "json"]);
        assert_eq!(count_of_users(&here), 2);
        for data_dir in ["data", "copy"] {
            ask(&place, &["verify", "--data-dir", data_dir]).assert_code(0);
            let there = ask(
                &place,
                &["report", "--format", "json", "--data-dir", data_dir],
            );
            assert_eq!(there.stdout, here.stdout);
        }
        place.run_well(&args);
        ask(&place, &["verify"]).assert_code(0);
        assert_eq!(runs(&place.data_dir()).len(), 2);
        let earlier = place
            .data_dir()
            .join(".snapshots")
            .join(&runs(&place.data_dir())[0]);
        for (name, bytes) in old {
            let kept = fs::read(earlier.join(&name)).ok();
            assert!(name == "history.db" || kept == Some(bytes), "{name}");
        }
        server.finish();
        let server = growing(1);
        let copy = [
            "run",
            server.url(),
            "--data-dir",
            "copy",
            "--keep-snapshots",
            "9",
        ];
        ask(&place, &[&copy[..], flow].concat()).assert_code(0);
        ask(&place, &["verify", "--full", "--data-dir", "copy"]).assert_code(0);
        let name = if flow.is_empty() {
            "users.json"
        } else {
            "users_async.json"
        };
        assert!(place.path().join("copy").join(name).is_symlink());
        server.finish();
    }
}

#[test]
fn a_commit_of_version_0_that_was_cut_off_is_finished_and_then_taken_over() {
    let place = Workplace::new();
    let server = growing(3);
    place.run_well(&[server.url()]);
    let old = place.data();
    place.run_well(&[server.url()]);
    to_version_0(&place.data_dir());
    // One file is in place, the others and the manifest are staged.
    let staging = place.data_dir().join(".run-main/staging");
    fs::create_dir_all(&staging).expect("make a folder");
    let mut changes = Vec::new();
    for name in SNAPSHOT {
        let path = place.data_dir().join(name);
        if name != "users.json" {
            fs::rename(&path, staging.join(name)).expect("move a file");
            fs::write(&path, &old[name]).expect("write an old file");
        }
        fs::write(staging.join(format!("{name}.old")), &old[name]).expect("keep an old file");
        changes.push(serde_json::json!({ "name": name, "new": true, "old": true }));
    }
    let record = serde_json::json!({ "run": "1", "changes": changes, "spool_to": null });
    fs::write(staging.join("commit.json"), record.to_string()).expect("write a record");
    let outcome = ask(&place, &["report", "--format", "json"]);
    assert_eq!(count_of_users(&outcome), 2);
    assert!(!place.data_dir().join(".run-main").exists());
    place.run_well(&[server.url()]);
    server.finish();
    ask(&place, &["verify"]).assert_code(0);
    assert_eq!(runs(&place.data_dir()).len(), 2);
}

#[test]
fn a_file_system_without_symbolic_links_is_told_before_anything_is_asked_for() {
    if !cfg!(debug_assertions) {
        return;
    }
    let server = Server::start([]);
    for number in 1.. {
        let place = Workplace::new();
        let mut command = place.command(&["run", server.url()]);
        command.env("ACTIVITY_TRACKER_FAULT", format!("1:{number}"));
        let outcome = Running::start(&mut command).wait();
        if !outcome.stderr.contains("fault: link ") {
            assert!(outcome.stderr.contains("fault: "), "it was never linked");
            continue;
        }
        outcome.assert_code(5);
        let says = "error: cannot store a snapshot in data: its file system has no symbolic links\n  \
                    try: use a directory on another file system with --data-dir\n";
        assert!(outcome.stderr.ends_with(says), "{outcome:?}");
        assert!(!place.data_dir().exists());
        break;
    }
    server.finish();
}

#[test]
fn a_folder_in_place_of_a_name_ends_the_run_and_the_last_snapshot_stands() {
    let place = Workplace::new();
    let server = growing(2);
    place.run_well(&[server.url()]);
    let users = place.data_dir().join("users.json");
    fs::remove_file(&users).expect("remove a link");
    fs::create_dir(&users).expect("make a folder");
    let outcome = place.run(&[server.url()]);
    outcome.assert_code(5);
    assert!(
        outcome
            .first_line()
            .contains("put in place data/users.json"),
        "{outcome:?}"
    );
    assert!(
        outcome
            .stderr
            .contains("a directory has the name of a file"),
        "{outcome:?}"
    );
    assert_eq!(runs(&place.data_dir()).len(), 1);
    fs::remove_dir(&users).expect("it is left alone");
    assert_eq!(
        count_of_users(&ask(&place, &["report", "--format", "json"])),
        1
    );
    server.finish();
}

#[test]
fn planted_links_to_elsewhere_are_neither_followed_nor_cleared_through() {
    let theirs_in = |place: &Workplace| {
        let theirs = place.path().join("theirs");
        fs::create_dir(&theirs).expect("make a folder");
        for name in ["users.json", "manifest.json", "notes.txt"] {
            fs::write(theirs.join(name), "theirs").expect("write a file");
        }
        theirs
    };
    let assert_untouched = |theirs: &Path| {
        for name in ["users.json", "manifest.json", "notes.txt"] {
            let text = fs::read_to_string(theirs.join(name)).expect("their file");
            assert_eq!(text, "theirs");
        }
        assert_eq!(fs::read_dir(theirs).expect("their folder").count(), 3);
    };
    // In place of the folder of snapshots.
    let place = Workplace::new();
    let theirs = theirs_in(&place);
    fs::create_dir(place.data_dir()).expect("make the data directory");
    symlink(&theirs, place.data_dir().join(".snapshots")).expect("plant a link");
    let server = Server::start([]);
    let outcome = place.run(&[server.url()]);
    outcome.assert_code(5);
    assert!(
        outcome.stderr.contains("it is a symbolic link"),
        "{outcome:?}"
    );
    ask(&place, &["report"]).assert_code(5);
    server.finish();
    assert_untouched(&theirs);
    // In place of the link of the flow, and of an earlier snapshot.
    let place = Workplace::new();
    let theirs = theirs_in(&place);
    let snapshots = place.data_dir().join(".snapshots");
    fs::create_dir_all(&snapshots).expect("make a folder");
    symlink(&theirs, snapshots.join("main")).expect("plant a link");
    symlink(&theirs, snapshots.join("20200101T000000Z-0000")).expect("plant a link");
    ask(&place, &["report"]).assert_code(5);
    let server = growing(3);
    for _ in 0..3 {
        place.run_well(&[server.url(), "--keep-snapshots", "0"]);
    }
    assert_untouched(&theirs);
    assert_eq!(runs(&place.data_dir()).len(), 1);
    server.finish();
    // As a name that the new snapshot does not have, and as one that it has.
    let place = Workplace::new();
    let theirs = theirs_in(&place);
    fs::create_dir(place.data_dir()).expect("make the data directory");
    let planted = ["comments.json", "users.json", "notes.txt"];
    for name in planted {
        symlink(theirs.join("notes.txt"), place.data_dir().join(name)).expect("plant a link");
    }
    let server = Server::for_main_flow(Reply::json(compact(&users())), Reply::json("[]"));
    place.run_well(&[server.url()]);
    assert_untouched(&theirs);
    assert_eq!(place.file("users.json"), stored(&users()));
    for name in ["comments.json", "notes.txt"] {
        let link = fs::read_link(place.data_dir().join(name)).expect("it is left alone");
        assert_eq!(link, theirs.join("notes.txt"));
    }
}

#[test]
fn somebody_elses_file_in_an_earlier_snapshot_stays_and_is_in_nobodys_way() {
    let place = Workplace::new();
    let server = growing(4);
    place.run_well(&[server.url()]);
    let folder = place
        .data_dir()
        .join(".snapshots")
        .join(&runs(&place.data_dir())[0]);
    fs::write(folder.join("notes.txt"), "mine").expect("write a file");
    for _ in 0..3 {
        place.run_well(&[server.url()]);
    }
    server.finish();
    assert_eq!(
        fs::read_to_string(folder.join("notes.txt")).expect("it stays"),
        "mine"
    );
    assert!(place.log().contains("`notes.txt`, not made by a run"));
    ask(&place, &["verify"]).assert_code(0);
}

#[test]
fn pages_that_are_kept_are_there_to_resume_from_when_the_commit_does_not_come() {
    if !cfg!(debug_assertions) {
        return;
    }
    let answer = |path, body: &str| Route::get(path).reply(Reply::json(body)).any_times();
    let server = Server::start([answer("/users", &compact(&users())), answer("/posts", "[]")]);
    let usual = ["run", server.url(), "--keep-raw", "--workers", "1"];
    let args = [&usual[..], &["--concurrency", "1"]].concat();
    let run = |place: &Workplace, fault: &str, more: &[&str]| {
        let mut command = place.command(&[&args[..], more].concat());
        command.env("ACTIVITY_TRACKER_FAULT", fault);
        command.env("ACTIVITY_TRACKER_RECORD", place.path().join("calls"));
        Running::start(&mut command).wait()
    };
    let place = Workplace::new();
    run(&place, &format!("kill:{}", u64::MAX), &[]).assert_code(0);
    let calls = fs::read_to_string(place.path().join("calls")).expect("a record");
    let mut calls = calls
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a call"));
    let commit = calls.find(|call| {
        let from = call["paths"][0].as_str().unwrap_or_default();
        call["call"] == "rename" && from.ends_with("staging/current")
    });
    let number = commit.expect("a commit")["number"]
        .as_u64()
        .expect("a number");
    let raw = |place: &Workplace| {
        let entries = fs::read_dir(place.data_dir()).expect("list the data directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("raw-"))
            .count()
    };
    // At the rename, and behind it.
    for (call, kept) in [(number, 0), (number + 1, 1)] {
        let place = Workplace::new();
        let outcome = run(&place, &format!("kill:{call}"), &[]);
        assert_eq!(outcome.status.code(), None, "{outcome:?}");
        assert_eq!(raw(&place), 1, "they were moved before");
        let asked = server.requests().len();
        let verified = ask(&place, &["verify"]);
        verified.assert_code(if kept == 1 { 0 } else { 5 });
        assert_eq!(raw(&place), kept);
        if kept == 0 {
            run(&place, "", &["--resume"]).assert_code(0);
            assert_eq!(
                server.requests().len(),
                asked,
                "all pages came out of the spool"
            );
            assert_eq!(raw(&place), 1);
        }
        assert_eq!(place.file("users.json"), stored(&users()));
    }
}
