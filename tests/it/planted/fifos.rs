//! A FIFO in place of a file: to open it would block, and to read it might never end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::fault::FLOWS;
use crate::support::program::{Outcome, Running, Workplace};
use crate::support::server::Server;

use super::server;

/// Far longer than it takes, and far shorter than for ever.
const SOON: Duration = Duration::from_secs(20);

const FIFO: &str = "it is a FIFO (pipe), and a regular file is needed: \
    write its contents to a file first";

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("start mkfifo").success());
}

fn command(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(args)).wait_within(SOON)
}

/// A place with a whole snapshot, in which one file is replaced by a FIFO.
fn place_with(server: &Server, name: &str) -> Workplace {
    let place = Workplace::new();
    place.run_well(&[server.url()]);
    plant(&place.data_dir().join(name));
    place
}

fn plant(path: &Path) {
    fs::remove_file(path).expect("remove a file");
    fifo(path);
}

#[test]
fn a_fifo_in_place_of_a_stored_file_is_an_error_of_those_who_read_it() {
    let server = server();
    let cases = [
        ("manifest.json", "report", "cannot read"),
        ("manifest.json", "verify", "cannot read"),
        ("users.json", "report", "cannot open"),
    ];
    for (name, asked, says) in cases {
        let place = Workplace::new();
        place.run_well(&[server.url()]);
        let path = place.stored(name);
        plant(&place.path().join(&path));
        let outcome = command(&place, &[asked]);
        outcome.assert_code(5);
        let says = format!("error: {says} {}: {FIFO}", path.display());
        assert_eq!(outcome.first_line(), says);
    }
}

#[test]
fn a_fifo_in_place_of_a_name_is_told_by_verify_and_in_nobodys_way() {
    let server = server();
    for name in ["manifest.json", "users.json"] {
        let place = place_with(&server, name);
        command(&place, &["report"]).assert_code(0);
        let outcome = command(&place, &["verify"]);
        outcome.assert_code(5);
        let says = format!("\n  damaged or missing: data/{name}\n");
        assert!(outcome.stdout.contains(&says), "{outcome:?}");
    }
}

#[test]
fn a_run_puts_its_files_in_the_place_of_fifos() {
    let server = server();
    for name in ["manifest.json", "users.json", "summary.json"] {
        let place = place_with(&server, name);
        place
            .start(&[server.url()])
            .wait_within(SOON)
            .assert_code(0);
        command(&place, &["verify"]).assert_code(0);
    }
}

#[test]
fn a_fifo_in_a_work_folder_is_an_error_of_the_run() {
    let server = Server::start([]);
    for (name, flow) in ["spool/journal.ndjson", "staging/commit.json"]
        .into_iter()
        .flat_map(|name| FLOWS.map(|flow| (name, flow)))
    {
        let folder = if flow.is_empty() {
            "data/.run-main"
        } else {
            "data/.run-async"
        };
        let place = Workplace::new();
        let path = place.path().join(folder).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        fifo(&path);
        let args = [&[server.url()], flow].concat();
        let outcome = place.start(&args).wait_within(SOON);
        outcome.assert_code(5);
        let says = format!("error: cannot read {folder}/{name}: {FIFO}");
        assert_eq!(outcome.first_line(), says);
    }
    server.finish();
}

#[test]
fn a_fifo_named_on_the_command_line_is_an_error() {
    let place = Workplace::new();
    fs::create_dir(place.path().join("raw")).expect("make a folder");
    for name in ["source.toml", "ca.pem", "raw/journal.ndjson"] {
        fifo(&place.path().join(name));
    }
    let source = "cannot read the source file ./source.toml";
    let ca_file = "cannot use the CA file ca.pem";
    let journal = "cannot read raw/journal.ndjson";
    let cases: [(&[&str], i32, &str); 4] = [
        (&["run", "./source.toml"], 2, source),
        (&["check", "./source.toml"], 2, source),
        (
            &["run", "http://127.0.0.1:9", "--ca-file", "ca.pem"],
            2,
            ca_file,
        ),
        (&["run", "--replay", "raw"], 5, journal),
    ];
    for (args, code, says) in cases {
        let outcome = command(&place, args);
        outcome.assert_code(code);
        assert_eq!(outcome.first_line(), format!("error: {says}: {FIFO}"));
    }
}

#[test]
fn a_process_substitution_as_a_source_is_told_what_is_needed() {
    let place = Workplace::new();
    let mut shell = Command::new("bash");
    let script = "exec \"$0\" run <(echo \"name = 'x'\")";
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_activity-tracker")])
        .current_dir(place.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let outcome = Running::start(&mut shell).wait_within(SOON);
    outcome.assert_code(2);
    assert!(outcome.first_line().ends_with(FIFO), "{outcome:?}");
}
