//! Who may read what runs write.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::server;
use crate::support::fault::FLOWS;
use crate::support::program::{Running, Workplace};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("look at a file").mode() & 0o777
}

/// The permissions of a folder and of all that is in it.
fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    found.push((folder.display().to_string(), mode(folder)));
    for entry in fs::read_dir(folder).expect("list a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            modes(&path, found);
        } else {
            found.push((path.display().to_string(), mode(&path)));
        }
    }
}

#[test]
fn files_are_for_their_owner_alone_unless_the_person_says_otherwise() {
    let server = server();
    let cases: [(&[&str], u32, u32); 4] = [
        (&[], 0o700, 0o600),
        (&["--readable-by", "owner"], 0o700, 0o600),
        (&["--readable-by", "group"], 0o750, 0o640),
        (&["--readable-by", "all"], 0o755, 0o644),
    ];
    for flow in FLOWS {
        for (args, folder, file) in cases {
            let place = Workplace::new();
            let args = [&[server.url(), "--keep-raw"], flow, args].concat();
            // The second run has files of the first to replace, and finds nothing new.
            for _ in 0..2 {
                place.run_well(&args);
                let mut found = Vec::new();
                modes(&place.data_dir(), &mut found);
                modes(&place.path().join("logs"), &mut found);
                assert!(found.iter().any(|(path, _)| path.ends_with("history.db")));
                assert!(found.iter().any(|(path, _)| path.ends_with("-0.page")));
                for (path, mode) in found {
                    let is_folder = Path::new(&path).is_dir();
                    let expected = if is_folder { folder } else { file };
                    assert_eq!(mode, expected, "{path}: {mode:o} with {args:?}");
                }
            }
        }
    }
}

#[test]
fn a_data_directory_that_is_there_keeps_its_permissions() {
    let server = server();
    for mode_before in [0o700, 0o775] {
        let place = Workplace::new();
        fs::create_dir(place.data_dir()).expect("make the data directory");
        let permissions = fs::Permissions::from_mode(mode_before);
        fs::set_permissions(place.data_dir(), permissions).expect("set permissions");
        place.run_well(&[server.url(), "--readable-by", "all"]);
        assert_eq!(mode(&place.data_dir()), mode_before);
        assert_eq!(mode(&place.data_dir().join("users.json")), 0o644);
    }
}

#[test]
fn a_report_keeps_the_permissions_of_the_page_that_it_replaces() {
    let place = Workplace::new();
    place.run_well(&[server().url()]);
    let page = place.path().join("page.html");
    for expected in [0o600, 0o644] {
        fs::write(&page, "old").expect("write a file");
        let permissions = fs::Permissions::from_mode(expected);
        fs::set_permissions(&page, permissions).expect("set permissions");
        let args = ["report", "--html", "page.html"];
        Running::start(&mut place.command(&args))
            .wait()
            .assert_code(0);
        assert_eq!(mode(&page), expected);
    }
}

/// The calls of a run that keeps its pages, each of which failed once.
fn calls(place: &Workplace, url: &str) -> Vec<String> {
    let mut calls = Vec::new();
    for number in 1.. {
        let args = [
            "run",
            url,
            "--keep-raw",
            "--workers",
            "1",
            "--concurrency",
            "1",
        ];
        let mut command = place.command(&args);
        command.env("ACTIVITY_TRACKER_FAULT", format!("5:{number}"));
        let outcome = Running::start(&mut command).wait();
        let fault = outcome
            .stderr
            .lines()
            .find(|line| line.starts_with("fault: "));
        let Some(fault) = fault else { break };
        if fault.starts_with("fault: sync ") && fault.contains("spool") {
            outcome.assert_code(5);
        }
        calls.push(fault.trim_start_matches("fault: ").to_owned());
    }
    calls
}

#[test]
fn pages_that_are_kept_are_on_the_disk_before_the_commit_is_decided_on() {
    if !cfg!(debug_assertions) {
        return;
    }
    let (place, server) = (Workplace::new(), server());
    let calls = calls(&place, server.url());
    let spool = "data/.run-main/spool";
    let at = |call: &str| {
        let found = calls.iter().position(|made| made == call);
        found.unwrap_or_else(|| panic!("{call}: {calls:#?}"))
    };
    let decided = at("put in place data/.snapshots/main");
    for name in ["", "/users-0.page", "/posts-0.page", "/journal.ndjson"] {
        assert!(at(&format!("sync {spool}{name}")) < decided, "{name}");
    }
}
