//! A disk that loses a page, a program that is killed half-way: the history is healed or put
//! aside, never silently wrong, and the snapshot is stored.

use std::collections::BTreeSet;
use std::fs;

use super::super::support::program::{HISTORY, Outcome, Running, Workplace};
use super::super::support::records::{compact, users};
use super::super::support::server::{Reply, Route, Server};
use super::ends::cut_off;
use super::planted::set_aside;
use super::{last, rows, run, serve, titled};

const PAGE: usize = 16 * 1024;

fn command(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(args)).wait()
}

/// Posts with long bodies, so that the history has pages of each kind.
fn posts(title: &str) -> Vec<String> {
    let title = format!("{title} {}", "long ".repeat(100));
    (0..200).map(|id| titled(&id.to_string(), &title)).collect()
}

#[test]
fn any_page_may_be_damaged_and_the_snapshot_is_stored_and_the_history_whole_again() {
    let response = |title| Reply::json(compact(&posts(title)));
    let server = Server::start([
        Route::get("/users")
            .reply(Reply::json(compact(&users())))
            .any_times(),
        Route::get("/posts")
            .reply(response("a"))
            .reply(response("b"))
            .reply(response("c"))
            .any_times(),
    ]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    run(&place, &server, &[]);
    let path = place.data_dir().join(HISTORY);
    let sound = fs::read(&path).expect("the history");
    let pages = sound.len() / PAGE;
    assert!(pages > 8, "{pages}");
    let mut put_aside = 0;
    for page in 0..pages {
        let mut damaged = sound.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0x5a);
        fs::write(&path, &damaged).expect("write it");
        let outcome = command(&place, &["verify"]);
        outcome.assert_code(5);
        assert!(
            outcome.stdout.contains("history.db: damaged: "),
            "{outcome:?}"
        );
        assert!(
            outcome.stderr.contains("to do that now, move it away"),
            "{outcome:?}"
        );
        // All posts are others than the history says: each table is written to.
        let outcome = place.run_well(&[server.url(), "--fresh"]);
        let aside = set_aside(&place);
        let told = outcome.stderr.contains("the history was damaged");
        assert_eq!(aside.len(), usize::from(told), "{page}: {outcome:?}");
        if told {
            put_aside += 1;
            assert!(
                fs::read(&aside[0]).expect("what was kept") == damaged,
                "{page}"
            );
            fs::remove_file(&aside[0]).expect("remove it");
            command(&place, &["verify"]).assert_code(0);
            // A new history begins with this run, and the next one is compared with it.
            place.run_well(&[server.url(), "--fresh"]);
            let known = "SELECT count(*), max(first_run) FROM records WHERE collection = 2";
            assert_eq!(rows(&place, known), ["200 1"], "{page}");
            assert_eq!(last(&place), BTreeSet::new(), "{page}");
        }
    }
    assert!(put_aside > 4, "{put_aside} of {pages}");
    server.finish();
}

#[test]
fn a_damaged_history_is_told_even_to_who_wants_it_quiet() {
    let server = serve(&[vec![titled("1", "a")], vec![titled("1", "b")]]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    fs::write(place.data_dir().join(HISTORY), "garbage".repeat(999)).expect("write it");
    let outcome = place.run_well(&[server.url(), "--fresh", "--quiet"]);
    assert!(
        outcome.stderr.starts_with("warning: the history was damaged (file is not a database): it is kept as data/history.db.damaged-"),
        "{outcome:?}"
    );
    assert_eq!(rows(&place, "SELECT count(*) FROM runs"), ["1"]);
    server.finish();
}

#[test]
fn a_history_that_was_emptied_or_is_of_another_directory_is_told() {
    let other = Workplace::new();
    other.run_well(&["sample"]);
    let foreign = fs::read(other.data_dir().join(HISTORY)).expect("a history");
    for (flow, manifest) in [
        (&[][..], "manifest.json"),
        (&["--async"], "manifest_async.json"),
    ] {
        for planted in [&b""[..], &foreign] {
            let place = Workplace::new();
            let args = [&["sample"], flow].concat();
            place.run_well(&args);
            let last = place.json(manifest)["run"].as_str().map(str::to_owned);
            let last = last.expect("a run");
            fs::write(place.data_dir().join(HISTORY), planted).expect("write it");
            let outcome = command(&place, &["verify"]);
            outcome.assert_code(5);
            assert!(
                outcome
                    .stdout
                    .ends_with(&format!("\n  missing: run {last}\n")),
                "{outcome:?}"
            );
            let told = format!(
                "error: cannot use the history data/history.db: the last run, {last}, is missing\n"
            );
            assert!(outcome.stderr.starts_with(&told), "{outcome:?}");
            let told =
                format!("the last run, {last}, is missing: it was emptied or belongs to another");
            let outcome = place.run_well(&[&args[..], &["--quiet"]].concat());
            assert!(outcome.stderr.contains(&told), "{outcome:?}");
            // It goes on with that one, and there is no more to say.
            command(&place, &["verify"]).assert_code(0);
            assert_eq!(
                place.run_well(&[&args[..], &["--quiet"]].concat()).stderr,
                ""
            );
        }
    }
}

#[test]
fn a_history_that_was_not_to_have_the_last_run_lacks_nothing() {
    let place = Workplace::new();
    place.run_well(&["sample"]);
    place.run_well(&["sample", "--fresh", "--no-history"]);
    command(&place, &["verify"]).assert_code(0);
    place.run_well(&["sample", "--async"]);
    fs::write(place.data_dir().join(HISTORY), "garbage".repeat(999)).expect("write it");
    // A new history begins with a run that may find nothing new, and lacks those before.
    let outcome = place.run_well(&["sample"]);
    assert!(
        outcome.stderr.contains("the history was damaged"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("it lacks"), "{outcome:?}");
    command(&place, &["verify"]).assert_code(0);
}

#[test]
fn what_a_killed_program_left_half_done_is_undone_by_whoever_reads() {
    for args in [
        &["changes"][..],
        &["report"],
        &["verify"],
        &["verify", "--full"],
    ] {
        let server = serve(&[vec![titled("1", "a")]]);
        let place = Workplace::new();
        run(&place, &server, &[]);
        cut_off(&place.data_dir().join(HISTORY));
        command(&place, args).assert_code(0);
        assert!(!place.data_dir().join("history.db-journal").exists());
        assert_eq!(
            rows(&place, "SELECT count(*) FROM records WHERE collection = 2"),
            ["1"]
        );
        server.finish();
    }
}
