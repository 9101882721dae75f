//! Links and other people's files where runs work: nothing is removed or made through
//! a link, and what no run made stays where it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::server;
use crate::support::fault::FLOWS;
use crate::support::program::{Running, Workplace};
use crate::support::records::{stored, users};
use crate::support::served::Served;
use crate::support::server::Server;

/// A place, a folder of somebody else in it with a file of each name that runs use too,
/// and the work folder of a flow.
fn place(flow: &[&str]) -> (Workplace, PathBuf, PathBuf) {
    let place = Workplace::new();
    let theirs = place.path().join("theirs");
    for folder in ["", "spool", "staging"] {
        let folder = theirs.join(folder);
        fs::create_dir_all(&folder).expect("make a folder");
        for name in ["users.json", "users-0.page", "journal.ndjson", "notes.txt"] {
            fs::write(folder.join(name), "theirs").expect("write a file");
        }
    }
    fs::create_dir(place.data_dir()).expect("make the data directory");
    let name = if flow.is_empty() {
        ".run-main"
    } else {
        ".run-async"
    };
    let root = place.data_dir().join(name);
    (place, theirs, root)
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("list a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(
                path.clone(),
                fs::read_to_string(&path).expect("read a file"),
            );
        }
    }
    all
}

#[test]
fn a_link_in_place_of_a_work_folder_is_an_error_and_what_it_leads_to_stays() {
    for flow in FLOWS {
        for name in ["", "spool", "staging"] {
            let (place, theirs, root) = place(flow);
            let link = if name.is_empty() {
                root
            } else {
                root.join(name)
            };
            fs::create_dir_all(link.parent().expect("a folder")).expect("make a folder");
            symlink(&theirs, &link).expect("plant a link");
            let before = files(&theirs);
            let server = Server::start([]);
            let outcome = place.run(&[&[server.url()], flow].concat());
            outcome.assert_code(5);
            let link = link
                .strip_prefix(place.path())
                .expect("a place in the data directory");
            let says = format!(
                "error: cannot use {}: it is a symbolic link, expected a folder",
                link.display()
            );
            assert_eq!(outcome.first_line(), says);
            assert_eq!(files(&theirs), before, "{says}");
            server.finish();
        }
    }
}

#[test]
fn a_run_that_was_killed_is_not_finished_through_a_link() {
    let (place, theirs, root) = place(&[]);
    symlink(&theirs, root).expect("plant a link");
    let commit =
        r#"{"run":"1","changes":[{"name":"users.json","new":true,"old":false}],"spool_to":null}"#;
    fs::write(theirs.join("staging/commit.json"), commit).expect("plant a record");
    let before = files(&theirs);
    for asked in ["verify", "report", "changes"] {
        let outcome = Running::start(&mut place.command(&[asked])).wait();
        outcome.assert_code(5);
        assert!(
            outcome.stderr.contains("it is a symbolic link"),
            "{outcome:?}"
        );
        assert_eq!(files(&theirs), before);
    }
    assert!(!place.data_dir().join("users.json").exists());
}

#[test]
fn a_link_in_place_of_a_file_goes_and_what_it_leads_to_stays() {
    let server = server();
    for flow in FLOWS {
        let (place, theirs, root) = place(flow);
        let notes = theirs.join("notes.txt");
        let ours = [
            "spool/users-0.page",
            "staging/users.json",
            "staging/users.json.old",
        ];
        for name in ours {
            let link = root.join(name);
            fs::create_dir_all(link.parent().expect("a folder")).expect("make a folder");
            symlink(&notes, link).expect("plant a link");
        }
        let async_name = if flow.is_empty() { "" } else { "_async" };
        let names = ["users", "manifest", "summary"].map(|name| format!("{name}{async_name}.json"));
        for name in &names {
            symlink(&notes, place.data_dir().join(name)).expect("plant a link");
        }
        let before = files(&theirs);
        place.run_well(&[&[server.url()], flow].concat());
        assert_eq!(files(&theirs), before);
        assert_eq!(place.file(&names[0]), stored(&users()));
        for name in names {
            let flow = if flow.is_empty() { "main" } else { "async" };
            let ours = Path::new(".snapshots").join(flow).join(&name);
            assert_eq!(fs::read_link(place.data_dir().join(name)).ok(), Some(ours));
        }
        assert!(!root.exists());
    }
}

#[test]
fn what_no_run_made_is_named_and_left_alone() {
    let server = Server::start([]);
    for flow in FLOWS {
        for inner in ["", "spool", "staging"] {
            let (place, _, root) = place(flow);
            let folder = root.join(inner);
            fs::create_dir_all(folder.join("photos")).expect("make a folder");
            fs::write(folder.join("notes.txt"), "mine").expect("write a file");
            fs::write(folder.join("photos/one"), "mine").expect("write a file");
            let outcome = place.run(&[&[server.url()], flow].concat());
            outcome.assert_code(5);
            let shown = folder
                .strip_prefix(place.path())
                .expect("a place in the data directory");
            let says = format!(
                "error: cannot clear {}: it contains `notes.txt` and 1 other, not made by a run",
                shown.display().to_string().trim_end_matches('/')
            );
            assert_eq!(outcome.first_line(), says);
            assert_eq!(files(&root).len(), 2, "{says}");
        }
    }
    server.finish();
}

#[test]
fn a_data_directory_may_be_a_link() {
    let server = server();
    let place = Workplace::new();
    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("make a folder");
    symlink(&elsewhere, place.data_dir()).expect("make a link");
    for flow in FLOWS {
        place.run_well(&[&[server.url()], flow].concat());
    }
    assert!(elsewhere.join("users.json").is_file());
    assert!(!elsewhere.join(".run-main").exists());
    Running::start(&mut place.command(&["verify"]))
        .wait()
        .assert_code(0);
}

#[test]
fn a_link_in_place_of_a_stored_file_is_not_followed() {
    let server = server();
    let cannot = |operation: &str, path: &Path| {
        let path = path.display();
        format!("cannot {operation} {path}: it is a symbolic link, and a regular file")
    };
    for flow in FLOWS {
        let end = if flow.is_empty() { "" } else { "_async" };
        let place = Workplace::new();
        place.run_well(&[&[server.url()], flow].concat());
        for (name, reads, verifies) in [
            ("manifest", "read", Some("read")),
            ("users", "open", None),
            ("posts", "open", None),
        ] {
            let name = format!("{name}{end}.json");
            let shown = place.stored(&name);
            let (path, theirs) = (place.path().join(&shown), place.path().join("theirs"));
            // What it leads to is whole: that it is elsewhere is what is wrong.
            fs::rename(&path, &theirs).expect("move a file");
            symlink(&theirs, &path).expect("plant a link");
            let ask = |command: &str| Running::start(&mut place.command(&[command])).wait();
            let report = ask("report");
            report.assert_code(5);
            assert!(report.stdout.is_empty(), "{report:?}");
            let says = cannot(reads, &shown);
            assert!(report.first_line().contains(&says), "{report:?}");
            let verify = ask("verify");
            verify.assert_code(5);
            let says = verifies.map_or(name.clone(), |operation| cannot(operation, &shown));
            let said = [verify.stdout.as_str(), &verify.stderr].concat();
            assert!(said.contains(&says), "{said}");
            let page = Served::start(&place, &[]).get("/");
            assert_eq!(page.status, 500, "{name}");
            assert!(page.body.contains("it is a symbolic link"), "{page:?}");
            fs::rename(&theirs, &path).expect("move it back");
            ask("report").assert_code(0);
        }
    }
}

#[test]
fn a_report_writes_through_no_link_and_makes_no_folder() {
    let (place, theirs, _) = place(&[]);
    place.run_well(&[server().url()]);
    let notes = theirs.join("notes.txt");
    for name in ["page.html", "page.html.new", ".page.html.new"] {
        symlink(&notes, place.path().join(name)).expect("plant a link");
    }
    let before = files(&theirs);
    let report =
        |file: &str| Running::start(&mut place.command(&["report", "--html", file])).wait();
    report("page.html").assert_code(0);
    assert_eq!(files(&theirs), before);
    let page = place.path().join("page.html");
    assert!(page.is_file() && !page.is_symlink());
    for file in ["new/folder/page.html", "theirs", "theirs/spool/..", "/"] {
        report(file).assert_code(5);
    }
    assert_eq!(files(&theirs), before);
    assert!(!place.path().join("new").exists());
    let names = fs::read_dir(place.path()).expect("list the folder");
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = names
        .filter(|name| name.to_string_lossy().ends_with(".new"))
        .collect();
    assert_eq!(left.len(), 2, "the planted ones alone: {left:?}");
}
