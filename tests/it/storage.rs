//! What goes wrong at this side: data directories, logs and standard output that cannot be written to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::processes::until;
use super::support::program::{Running, SNAPSHOT, Workplace, contents, fill_with_old_snapshot};
use super::support::records::{compact, posts, stored, user, users};
use super::support::server::{Gate, Reply, Route, Server};

#[test]
fn a_place_that_cannot_hold_the_data_is_told_before_anything_is_asked_for() {
    let place = Workplace::new();
    let file = place.path().join("file");
    fs::write(&file, "mine").expect("write a file");
    let under = file.join("data");
    let says = "error: cannot create";
    let cases = [
        (
            file.as_path(),
            format!("{says} {}: File exists (os error 17)", file.display()),
        ),
        (
            under.as_path(),
            format!("{says} {}: Not a directory (os error 20)", under.display()),
        ),
        (
            Path::new("/proc/activity"),
            format!("{says} /proc/activity: No such file or directory (os error 2)"),
        ),
    ];
    let server = Server::start([Route::get("/users"), Route::get("/posts")]);
    for (data_dir, says) in cases {
        let data_dir = data_dir.to_str().expect("UTF-8");
        let outcome = place.run(&[server.url(), "--data-dir", data_dir]);
        outcome.assert_code(5);
        assert_eq!(outcome.first_line(), says);
        assert!(place.log().contains(says.trim_start_matches("error: ")));
        assert_eq!(fs::read_to_string(&file).expect("the file"), "mine");
    }
    server.finish();
}

#[test]
fn a_log_that_cannot_be_opened_ends_the_run_before_anything_is_asked_for() {
    let server = Server::start([Route::get("/users"), Route::get("/posts")]);
    let place = Workplace::with_old_snapshot();
    let before = place.data();
    for (log, says) in [
        (
            "data",
            "error: cannot open the log file data: Is a directory (os error 21)",
        ),
        (
            "data/users.json/log",
            "error: cannot create the log folder data/users.json: File exists (os error 17)",
        ),
    ] {
        let outcome = place.run(&[server.url(), "--log-file", log]);
        outcome.assert_code(5);
        assert_eq!(outcome.first_line(), says);
        assert_eq!(place.data(), before);
    }
    server.finish();
}

#[test]
fn a_second_run_on_the_same_data_directory_is_turned_away() {
    let place = Workplace::with_old_snapshot();
    let held = Gate::new();
    let server = Server::start([
        Route::get("/users").reply(Reply::json(compact(&users())).after(&held)),
        Route::get("/posts").reply(Reply::json(compact(&posts()))),
    ]);
    let first = place.start(&[server.url()]);
    server.wait_for_requests(2);
    let second = place.run(&[server.url()]);
    second.assert_code(5);
    insta::assert_snapshot!(second.stderr, @r"
    error: cannot use data: another run is writing to it
      try: wait for it with --wait, or use another directory with --data-dir
    ");
    assert_eq!(place.file("users.json"), "old users.json");
    held.open();
    first.wait().assert_code(0);
    assert_eq!(place.file("users.json"), stored(&users()));
    assert_eq!(place.data().len(), SNAPSHOT.len() + 1);
    server.finish();
}

/// A small disk of its own at a folder; taken off again when dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where the test may not mount anything.
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).expect("make the folder");
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(folder)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(folder.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // At once, whoever looks at it still: it would be in the way of the temporary folder's removal.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_ends_the_run_and_the_last_snapshot_stands() {
    // Half of the disk is taken by the old snapshot, a page of memory for each of its small files.
    let cases = [
        (80_000, "users-0.page"),
        (24_000, ".segments"),
        (8_000, "users.json"),
    ];
    for (length, file) in cases {
        let place = Workplace::new();
        let Some(_disk) = Disk::mount(&place.data_dir(), "64k") else {
            println!("skipped: this needs to mount a small disk, which is not allowed here");
            return;
        };
        fill_with_old_snapshot(&place.data_dir());
        let before = place.data();
        let users = [user("1", &"x".repeat(length), "a@x.com")];
        // The posts find their room first, so that there is one way only to run out of it.
        let held = Gate::new();
        let server = Server::start([
            Route::get("/users").reply(Reply::json(compact(&users)).after(&held)),
            Route::get("/posts").reply(Reply::json("[]")),
        ]);
        let run = place.start(&[server.url(), "--log-level", "debug"]);
        let fetched = || {
            let log = place.log();
            log.contains("page fetched resource=posts").then_some(())
        };
        until("the posts", fetched);
        held.open();
        let outcome = run.wait();
        outcome.assert_code(5);
        let says = outcome.first_line();
        assert!(
            says.starts_with("error: cannot write data/.run-main/"),
            "{says}"
        );
        let full = format!("{file}: No space left on device (os error 28)");
        assert!(says.ends_with(&full), "{says}");
        let hint = "  try: free disk space, or use another directory with --data-dir; the previous snapshot is intact";
        let last = outcome.stderr.lines().last();
        assert!(last.is_some_and(|last| last.starts_with(hint)), "{last:?}");
        assert_eq!(place.data(), before, "{length}");
        server.finish();
    }
}

#[test]
fn a_reader_of_stdout_that_leaves_early_is_no_error() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json("[]"), Reply::json("[]"));
    let outcome = Running::unread(place.command(&["run", server.url(), "--json", "--quiet"]));
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "");
    assert_eq!(place.data().len(), SNAPSHOT.len());
}

#[test]
fn a_summary_that_cannot_be_printed_is_an_error_and_the_snapshot_is_there() {
    let place = Workplace::new();
    let server = Server::for_main_flow(Reply::json("[]"), Reply::json("[]"));
    let command = place.command(&["run", server.url(), "--json"]);
    let Some(outcome) = Running::on_a_full_disk(command) else {
        return;
    };
    outcome.assert_code(1);
    let says = "error: cannot print the summary to stdout: \
        No space left on device (os error 28); the snapshot is stored";
    assert_eq!(outcome.first_line(), says);
    assert_eq!(contents(&place.data_dir()).len(), SNAPSHOT.len());
}

#[test]
fn a_limit_on_the_length_of_files_ends_the_run_with_words() {
    // In blocks of 512 bytes. What is longer comes of records, through worker and flow alike.
    for flow in [&[][..], &["--async"]] {
        let place = Workplace::with_old_snapshot();
        let before = place.data();
        let users = [user("1", &"x".repeat(100_000), "a@x.com")];
        let response = |path, body: String| Route::get(path).reply(Reply::json(body)).any_times();
        let server = Server::start([
            response("/users", compact(&users)),
            response("/posts", "[]".to_owned()),
            response("/comments", "[]".to_owned()),
        ]);
        let args = [&["run", server.url()], flow].concat();
        let mut shell = place.limited("ulimit -f 64", &args);
        let outcome = Running::start(&mut shell).wait();
        outcome.assert_code(5);
        let says = outcome.first_line();
        assert!(says.ends_with("File too large (os error 27)"), "{says}");
        assert!(outcome.stderr.contains("ulimit -f"), "{outcome:?}");
        place.assert_unchanged(&before);
    }
}
