//! A history that somebody else was at: nothing of it is followed or run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::super::support::program::{HISTORY, Outcome, Running, Workplace};
use super::super::support::records::post;
use super::ends::cut_off;
use super::{history, last, rows, run, serve, titled};

fn command(place: &Workplace, args: &[&str]) -> Outcome {
    Running::start(&mut place.command(args)).wait()
}

/// The files that runs put out of the way.
pub(super) fn set_aside(place: &Workplace) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.data_dir()).expect("the data directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_aside = |path: &PathBuf| path.to_string_lossy().contains(".damaged-");
    paths.filter(is_aside).collect()
}

#[test]
fn what_was_planted_in_a_history_never_runs_and_is_out_of_the_way_after_a_run() {
    let endless = "WITH RECURSIVE up (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM up)
                   SELECT n AS id, 'r' AS run, 's' AS source, 'main' AS flow, '' AS started_at,
                          '' AS finished_at, 0 AS retries, 0 AS unchanged FROM up";
    let plants = [
        (
            "CREATE TRIGGER planted AFTER INSERT ON runs BEGIN DELETE FROM changes; END".to_owned(),
            "its trigger planted is not the program's",
        ),
        (
            format!("ALTER TABLE runs RENAME TO old; CREATE VIEW runs AS {endless}"),
            "is not the program's",
        ),
        (
            format!("DROP VIEW seen; CREATE VIEW seen AS {endless}"),
            "its view seen is not the program's",
        ),
        ("DROP VIEW seen".to_owned(), "it lacks the view seen"),
        (
            "CREATE TABLE theirs (x)".to_owned(),
            "its table theirs is not the program's",
        ),
        (
            "CREATE INDEX theirs ON changes (length(zeroblob(1000000000)))".to_owned(),
            "its index theirs is not the program's",
        ),
    ];
    for (plant, says) in plants {
        let server = serve(&[vec![post("1", "1")], vec![post("2", "1")]]);
        let place = Workplace::new();
        run(&place, &server, &[]);
        history(&place).execute_batch(&plant).expect("a plant");
        let planted = fs::read(place.data_dir().join(HISTORY)).expect("the history");
        for args in [
            &["verify"][..],
            &["verify", "--full"],
            &["report"],
            &["changes"],
        ] {
            let outcome = command(&place, args);
            outcome.assert_code(5);
            assert!(outcome.stderr.contains(says), "{args:?} {outcome:?}");
        }
        assert_eq!(set_aside(&place), Vec::<PathBuf>::new());
        let outcome = place.run_well(&[server.url(), "--fresh"]);
        assert!(
            outcome.stderr.contains("the history was damaged"),
            "{outcome:?}"
        );
        assert!(place.log().contains("the history was damaged"));
        let [kept] = &set_aside(&place)[..] else {
            panic!("one file is kept");
        };
        assert!(fs::read(kept).expect("what was kept") == planted);
        assert_eq!(rows(&place, "SELECT id, unchanged FROM runs"), ["1 0"]);
        command(&place, &["verify"]).assert_code(0);
        server.finish();
    }
}

#[test]
fn statistics_that_somebody_had_made_are_no_plant() {
    let server = serve(&[vec![post("1", "1")], vec![post("2", "1")]]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    history(&place)
        .execute_batch("ANALYZE")
        .expect("statistics");
    command(&place, &["verify"]).assert_code(0);
    run(&place, &server, &[]);
    assert_eq!(set_aside(&place), Vec::<PathBuf>::new());
    assert_eq!(last(&place).len(), 2);
    server.finish();
}

#[test]
fn what_is_no_file_is_named_and_neither_followed_nor_waited_for() {
    type Plant = fn(&std::path::Path, &std::path::Path);
    let plants: [(Plant, &str); 4] = [
        (
            |at, elsewhere| symlink(elsewhere, at).expect("a link"),
            "a symbolic link",
        ),
        (
            |at, elsewhere| symlink(elsewhere.with_file_name("there"), at).expect("a link"),
            "a symbolic link",
        ),
        (
            |at, _| {
                assert!(
                    Command::new("mkfifo")
                        .arg(at)
                        .status()
                        .expect("mkfifo")
                        .success()
                );
            },
            "a named pipe",
        ),
        (
            |at, _| fs::create_dir(at).expect("a directory"),
            "a directory",
        ),
    ];
    for name in [HISTORY, "history.db-journal", "history.db-wal"] {
        for (plant, kind) in plants {
            let server = serve(&[vec![post("1", "1")], vec![post("2", "1")]]);
            let place = Workplace::new();
            run(&place, &server, &[]);
            let at = place.data_dir().join(name);
            let _ = fs::remove_file(&at);
            let (nowhere, there) = (place.path().join("nowhere"), place.path().join("there"));
            fs::write(&there, "theirs").expect("a file");
            plant(&at, &nowhere);
            let says = format!("cannot use data/{name}: expected a regular file, found {kind}");
            for args in [
                &["run", server.url()][..],
                &["verify"],
                &["report"],
                &["changes"],
            ] {
                let outcome = command(&place, args);
                outcome.assert_code(5);
                assert!(outcome.stderr.contains(&says), "{args:?} {outcome:?}");
            }
            assert!(!nowhere.exists());
            assert_eq!(fs::read(&there).expect("their file"), b"theirs");
            run(&place, &server, &["--no-history"]);
            server.finish();
        }
    }
}

#[test]
fn a_planted_step_is_kept_and_the_history_goes_on_without_it() {
    let plants: [&[u8]; 2] = [b"no database", b""];
    for plant in plants {
        let server = serve(&[vec![post("1", "1")], vec![post("2", "1")]]);
        let place = Workplace::new();
        run(&place, &server, &[]);
        fs::write(place.data_dir().join(".history-next.db"), plant).expect("a plant");
        let outcome = command(&place, &["changes"]);
        outcome.assert_code(5);
        let told =
            "error: cannot use the changes of the last run in data/.history-next.db: damaged";
        assert!(outcome.stderr.starts_with(told), "{outcome:?}");
        assert!(
            outcome
                .stderr
                .contains("the history continues without that run"),
            "{outcome:?}"
        );
        let outcome = command(&place, &["verify"]);
        outcome.assert_code(5);
        assert!(
            outcome
                .stdout
                .contains("\nhistory.db: ok, 1 run\n.history-next.db: damaged: "),
            "{outcome:?}"
        );
        assert!(outcome.stderr.starts_with(told), "{outcome:?}");
        let outcome = command(&place, &["report"]);
        outcome.assert_code(0);
        assert!(
            outcome
                .stderr
                .contains("the history does not include that run"),
            "{outcome:?}"
        );
        let outcome = place.run_well(&[server.url(), "--fresh"]);
        assert!(
            outcome.stderr.contains("the changes of a run were damaged"),
            "{outcome:?}"
        );
        let [kept] = &set_aside(&place)[..] else {
            panic!("one file is kept");
        };
        assert_eq!(fs::read(kept).expect("what was kept"), plant);
        assert_eq!(last(&place).len(), 2);
        server.finish();
    }
}

#[test]
fn a_journal_that_names_another_file_removes_nothing() {
    let server = serve(&[vec![post("1", "1")], vec![post("2", "1")]]);
    let place = Workplace::new();
    run(&place, &server, &[]);
    let history = place.data_dir().join(HISTORY);
    cut_off(&history);
    let victim = place.path().join("victim");
    fs::write(&victim, "theirs").expect("a file");
    let name = victim.to_str().expect("UTF-8");
    let sum = name
        .bytes()
        .fold(0, |sum: u32, byte| sum.wrapping_add(byte.into()));
    let length = u32::try_from(name.len()).expect("a short name");
    let path = place.data_dir().join("history.db-journal");
    let mut journal = fs::read(&path).expect("a journal");
    journal.extend(0xffff_ffff_u32.to_be_bytes());
    journal.extend(name.bytes());
    journal.extend(length.to_be_bytes());
    journal.extend(sum.to_be_bytes());
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    fs::write(&path, journal).expect("write it");
    let outcome = command(&place, &["changes"]);
    outcome.assert_code(5);
    assert!(
        outcome.stderr.contains("its journal names another file"),
        "{outcome:?}"
    );
    let outcome = place.run_well(&[server.url(), "--fresh"]);
    assert!(
        outcome.stderr.contains("the history was damaged"),
        "{outcome:?}"
    );
    assert!(victim.exists());
    command(&place, &["verify"]).assert_code(0);
    server.finish();
}

#[test]
fn a_data_directory_may_have_any_name_and_be_reached_by_a_link() {
    for name in ["file:x", "file:x?mode=memory", "a b%20c#d", "-x", "linked"] {
        let server = serve(&[vec![titled("1", "a")], vec![titled("1", "b")]]);
        let place = Workplace::new();
        if name == "linked" {
            fs::create_dir(place.path().join("real")).expect("a directory");
            symlink("real", place.path().join(name)).expect("a link");
        }
        let data_dir = format!("--data-dir={name}");
        for _ in 0..2 {
            place.run_well(&[server.url(), "--fresh", &data_dir]);
        }
        assert!(place.path().join(name).join(HISTORY).is_file(), "{name}");
        assert!(
            !place.path().join(name).join(".history-next.db").exists(),
            "{name}"
        );
        let outcome = command(&place, &["changes", "--format", "csv", &data_dir]);
        outcome.assert_code(0);
        assert_eq!(
            outcome.stdout.matches(",changed,").count(),
            1,
            "{outcome:?}"
        );
        server.finish();
    }
}
