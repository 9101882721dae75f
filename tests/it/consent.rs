//! Credentials that a source file names are sent only where somebody allowed it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::support::program::{Outcome, Running, Workplace};
use super::support::records::{compact, post};
use super::support::server::{Reply, Route, Server};

const VARIABLE: &str = "bearer = '${FORUM_KEY}'";
const FILE: &str = "bearer = { file = 'key.txt' }";
const OUTSIDE: &str = "bearer = { file = '../key.txt' }";
const SECRET: &str = "s3cret-0f-the-forum";

/// Every command that sends requests.
const COMMANDS: [&[&str]; 4] = [
    &["run"],
    &["run", "--async"],
    &["check"],
    &["watch", "--every", "1h", "--runs", "1"],
];

/// A folder `source` with a source file and a key, and a key beside it.
fn place(server: &Server, auth: &str) -> Workplace {
    let place = Workplace::new();
    let folder = place.path().join("source");
    fs::create_dir(&folder).expect("make a folder");
    write_source(&place, server, auth, "forum");
    for key in [folder.join("key.txt"), place.path().join("key.txt")] {
        fs::write(&key, format!("{SECRET}\n")).expect("write a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("close it");
    }
    place
}

fn write_source(place: &Workplace, server: &Server, auth: &str, name: &str) {
    let url = server.url();
    let text = format!(
        "name = '{name}'\nbase_url = '{url}'\nauth = {{ {auth} }}\n[posts]\npath = '/posts'\n"
    );
    fs::write(place.path().join("source/forum.toml"), text).expect("write a source file");
}

/// A server that is asked for posts as often as this.
fn forum(times: usize) -> Server {
    let posts = || Reply::json(compact(&[post("1", "1")]));
    Server::start((times > 0).then(|| Route::get("/posts").reply(posts()).times(times)))
}

/// Takes a command without the trust that other tests give.
fn take(place: &Workplace, command: &[&str], more: &[&str]) -> Outcome {
    let args = [command, &["source/forum.toml"], more].concat();
    let mut command = place.command(&args);
    command
        .env_remove("ACTIVITY_TRACKER_TRUST")
        .env("FORUM_KEY", SECRET);
    Running::start(&mut command).wait()
}

#[test]
fn without_a_grant_no_command_sends_anything_and_each_names_what_to_type() {
    for command in COMMANDS {
        for (auth, named, flag) in [
            (VARIABLE, "the environment variable `FORUM_KEY`", "--trust"),
            (FILE, "source/key.txt`", "--trust"),
            (
                OUTSIDE,
                "key.txt`, which is outside its folder,",
                "--trust-file",
            ),
            (
                "basic = { user = '${FORUM_KEY}', password = '${FORUM_KEY}' }",
                "FORUM_KEY",
                "--trust",
            ),
            (
                "query = { parameter = 'k', value = '${FORUM_KEY}' }",
                "FORUM_KEY",
                "--trust",
            ),
            (
                "header = { name = 'x-k', value = '${FORUM_KEY}' }",
                "FORUM_KEY",
                "--trust",
            ),
        ] {
            let server = forum(0);
            let place = place(&server, auth);
            let outcome = take(&place, command, &[]);
            outcome.assert_code(2);
            let typed = format!(
                "activity-tracker {} source/forum.toml {flag}",
                command.join(" ")
            );
            for words in [named, server.url(), &typed] {
                assert!(outcome.stderr.contains(words), "{words}: {outcome:#?}");
            }
            assert!(!outcome.stderr.contains(SECRET), "{outcome:#?}");
            server.finish();
        }
    }
}

#[test]
fn what_was_granted_once_is_asked_no_more_even_if_the_rest_of_the_file_changes() {
    for command in COMMANDS {
        let server = forum(3);
        let place = place(&server, VARIABLE);
        take(&place, command, &["--trust"]).assert_code(0);
        take(&place, command, &[]).assert_code(0);
        write_source(&place, &server, VARIABLE, "another name");
        take(&place, command, &[]).assert_code(0);
        server.finish();
    }
}

#[test]
fn another_origin_or_another_credential_is_asked_for_again() {
    let (server, other) = (forum(1), forum(0));
    let place = place(&server, VARIABLE);
    take(&place, &["run"], &["--trust"]).assert_code(0);
    write_source(&place, &other, VARIABLE, "forum");
    take(&place, &["run"], &[]).assert_code(2);
    write_source(&place, &server, FILE, "forum");
    take(&place, &["run"], &[]).assert_code(2);
    server.finish();
    other.finish();
}

#[test]
fn a_file_outside_the_folder_is_granted_by_its_path_alone() {
    let server = forum(2);
    let place = place(&server, OUTSIDE);
    take(&place, &["run"], &["--trust"]).assert_code(2);
    take(&place, &["run"], &["--trust-file", "source/key.txt"]).assert_code(2);
    take(&place, &["run"], &["--trust-file", "key.txt"]).assert_code(0);
    take(&place, &["run"], &["--fresh"]).assert_code(0);
    server.finish();
}

#[test]
fn the_variable_for_containers_grants_and_leaves_nothing_behind() {
    let server = forum(1);
    let place = place(&server, VARIABLE);
    let mut command = place.command(&["run", "source/forum.toml"]);
    command.env("FORUM_KEY", SECRET);
    Running::start(&mut command).wait().assert_code(0);
    take(&place, &["run"], &[]).assert_code(2);
    server.finish();
}

#[test]
fn an_argument_that_is_not_unicode_does_not_end_the_refusal_in_a_panic() {
    let server = forum(0);
    let place = place(&server, VARIABLE);
    let mut command = place.command(&["run", "source/forum.toml", "--data-dir"]);
    command
        .arg(OsStr::from_bytes(b"d\xff"))
        .env_remove("ACTIVITY_TRACKER_TRUST")
        .env("FORUM_KEY", SECRET);
    let outcome = Running::start(&mut command).wait();
    outcome.assert_code(2);
    let typed = r"run source/forum.toml --data-dir $'d\377' --trust";
    assert!(outcome.stderr.contains(typed), "{outcome:#?}");
    server.finish();
}

#[test]
fn a_state_file_that_others_can_write_to_or_that_is_damaged_allows_nothing_and_is_named() {
    let server = forum(1);
    let place = place(&server, VARIABLE);
    take(&place, &["run"], &["--trust"]).assert_code(0);
    let state = place.path().join("state/activity-tracker/trusted.ndjson");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o666)).expect("open it");
    let outcome = take(&place, &["run"], &[]);
    outcome.assert_code(2);
    let words = "other users can write to it";
    assert!(outcome.stderr.contains(words), "{outcome:#?}");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o600)).expect("close it");
    fs::write(&state, "{\"credential\":\n").expect("damage it");
    let outcome = take(&place, &["run"], &[]);
    outcome.assert_code(2);
    let words = "ignored 1 damaged line in";
    assert!(outcome.stderr.contains(words), "{outcome:#?}");
    server.finish();
}

#[test]
fn a_credential_file_of_several_lines_is_not_sent() {
    let server = forum(0);
    let place = place(&server, FILE);
    fs::write(
        place.path().join("source/key.txt"),
        "root:x:0:0\nalice:x:1:1\n",
    )
    .expect("a file");
    let outcome = take(&place, &["run"], &["--trust"]);
    outcome.assert_code(2);
    assert!(
        outcome.stderr.contains("more than one line"),
        "{outcome:#?}"
    );
    server.finish();
}

#[test]
fn a_credential_file_that_others_can_open_is_a_warning() {
    let server = forum(1);
    let place = place(&server, FILE);
    let key = place.path().join("source/key.txt");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("open it");
    let outcome = take(&place, &["run"], &["--trust"]);
    outcome.assert_code(0);
    assert!(
        outcome.stderr.contains("warning: other users"),
        "{outcome:#?}"
    );
    server.finish();
}

#[test]
fn a_credential_that_the_server_refuses_is_named_and_not_shown() {
    for (status, flow) in [(401, &["run"][..]), (403, &["run", "--async"])] {
        for (auth, named) in [
            (VARIABLE, "the environment variable `FORUM_KEY` was sent"),
            (FILE, "the file `key.txt` was sent"),
        ] {
            let server = Server::start([Route::get("/posts").reply(Reply::status(status))]);
            let place = place(&server, auth);
            let outcome = take(&place, flow, &["--trust"]);
            outcome.assert_code(3);
            assert!(outcome.stderr.contains(named), "{outcome:#?}");
            assert!(!outcome.stderr.contains(SECRET), "{outcome:#?}");
            server.finish();
        }
    }
}
