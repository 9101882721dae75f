//! Whoever reads while runs commit sees one run, always: a reader who resolves the link of the
//! flow once, and our own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{Error, StorageError};
use activity_tracker::report::ActivityReport;
use activity_tracker::source::Source;
use activity_tracker::storage::{
    Chunks, Flow, Manifest, NewSnapshot, Readers, Stage, StoredSnapshot, is_whole, write_json,
};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use tempfile::TempDir;

const COMMITS: u32 = 1000;

/// In memory where the system has such a place: each commit is synced.
fn scratch() -> TempDir {
    let made = tempfile::tempdir_in("/dev/shm");
    made.or_else(|_| tempfile::tempdir())
        .expect("a temporary folder")
}

fn run(number: u32) -> String {
    format!("20261128T{number:06}Z-0000")
}

/// Commits a snapshot in whose files the number of its run is everywhere. Every other one has a
/// file more.
fn commit(data_dir: &Path, source: &Source, number: u32, keep_snapshots: usize) {
    let stop = Stop::new();
    let whose = (Flow::Main, Readers::Owner);
    // Another test's child has our lock, too, from when it is forked until it is another program.
    let wait: Option<&dyn Fn()> = Some(&|| ());
    let stage = Stage::open(data_dir, whose, wait, &stop).expect("a hold on the directory");
    let new_files = stage.new_files();
    let records = |name: &str| {
        let text = number.to_string();
        let records = json!([{
            "id": number, "userId": number, "postId": number, "name": text, "username": text,
            "email": "a@x.biz", "title": text, "body": text,
        }]);
        let mut file = write_json(&new_files, name.to_owned(), &records).expect("write a file");
        file.records = Some(1);
        file
    };
    let mut names = vec!["users.json", "posts.json"];
    names.extend((number % 2 == 1).then_some("comments.json"));
    let files: Vec<_> = names.into_iter().map(records).collect();
    let at = Timestamp::UNIX_EPOCH
        .checked_add(i64::from(number).seconds())
        .expect("a time");
    let manifest = Manifest {
        run: run(number),
        flow: Flow::Main,
        source: source.name.clone(),
        started_at: at,
        finished_at: at,
        email_domain: None,
        definition: source.fingerprint(),
        source_definition: Some(source.definition.clone()),
        validators: BTreeMap::new(),
        resources: BTreeMap::new(),
        missing: BTreeMap::new(),
        carried: BTreeMap::new(),
        in_history: false,
        files: files.clone(),
    };
    let manifest = write_json(&new_files, "manifest.json".to_owned(), &manifest);
    let new = NewSnapshot {
        run: &run(number),
        files: &files,
        manifest: &manifest.expect("write the manifest"),
        beside: None,
        keep_raw: false,
        keep_snapshots,
    };
    stage.commit(new, &stop).expect("a commit");
}

fn source() -> Source {
    Source::jsonplaceholder().expect("the source that is built in")
}

/// The folder of the current snapshot, by the link of the flow alone.
fn resolve(data_dir: &Path) -> io::Result<PathBuf> {
    data_dir.join(".snapshots/main").canonicalize()
}

/// The run that a file is of, by its contents.
fn run_of(path: &Path) -> io::Result<u64> {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
    let number = match &value["run"] {
        serde_json::Value::String(run) => run[9..15].parse().ok(),
        _ => value[0]["id"].as_u64(),
    };
    Ok(number.expect("the number of a run"))
}

/// What a reader makes of the files of one folder: the run that all of them are of. An error
/// where the folder went meanwhile.
fn read_folder(folder: &Path) -> io::Result<u64> {
    let run = run_of(&folder.join("manifest.json"))?;
    let names = ["users.json", "posts.json", "comments.json"];
    let there = if run % 2 == 1 {
        &names[..]
    } else {
        &names[..2]
    };
    for name in there {
        assert_eq!(run_of(&folder.join(name))?, run, "two runs are mixed");
    }
    Ok(run)
}

/// No name leads to nothing, and each leads to the current run.
fn assert_names(data_dir: &Path, number: u32) {
    for entry in fs::read_dir(data_dir).expect("list the data directory") {
        let path = entry.expect("an entry").path();
        if !path.ends_with(".snapshots") {
            assert!(path.is_symlink(), "{}", path.display());
            assert_eq!(
                run_of(&path).expect("it leads to a file"),
                u64::from(number)
            );
        }
    }
    let comments = data_dir.join("comments.json");
    assert_eq!(comments.exists(), number % 2 == 1);
}

/// By what was resolved before a commit, one file is read before it and the others after it: no
/// timing is worse.
#[test]
fn a_reader_who_resolved_the_link_before_a_commit_sees_the_run_of_then() {
    let place = scratch();
    let (data_dir, source) = (place.path(), source());
    commit(data_dir, &source, 0, 1);
    for number in 1..=COMMITS {
        let before = u64::from(number - 1);
        let folder = resolve(data_dir).expect("a link");
        let ours = StoredSnapshot::last(data_dir, Flow::Main).expect("a snapshot");
        assert_eq!(run_of(&folder.join("users.json")).expect("a file"), before);
        commit(data_dir, &source, number, 1);
        assert_eq!(read_folder(&folder).expect("it is kept"), before);
        for file in &ours.manifest.files {
            assert!(is_whole(&ours.folder, file).expect("it can be read"));
            for chunk in Chunks::open(&ours.folder, file).expect("it can be read") {
                let chunk = chunk.expect("it can be read");
                let text = String::from_utf8_lossy(chunk.records());
                assert!(text.contains(&format!("\"id\": {before},")), "{text}");
            }
        }
        assert_names(data_dir, number);
    }
}

/// The same without any order between readers and runs.
#[test]
fn readers_in_a_loop_never_see_two_runs_mixed() {
    let place = scratch();
    let (data_dir, source) = (place.path(), source());
    commit(data_dir, &source, 0, 1);
    let done = AtomicBool::new(false);
    // Looks again and again, and once more when all is done: so each has seen something.
    let look = |read: &dyn Fn() -> Option<u64>| {
        let (mut seen, mut last) = (0, 0);
        loop {
            let is_last = done.load(Ordering::SeqCst);
            if let Some(run) = read() {
                assert!(run >= last, "{run} behind {last}");
                (seen, last) = (seen + 1, run);
            }
            if is_last {
                assert_eq!(last, u64::from(COMMITS));
                return seen;
            }
        }
    };
    thread::scope(|scope| {
        let by_link = scope.spawn(|| {
            // One that is slower than two runs finds its folder gone, and looks again.
            look(&|| read_folder(&resolve(data_dir).ok()?).ok())
        });
        let by_us = scope.spawn(|| {
            look(&|| {
                let report = match ActivityReport::of(data_dir, 10) {
                    // One that was slower than two runs, three times.
                    Err(Error::Storage(StorageError::Io { cause, .. }))
                        if cause.kind() == io::ErrorKind::NotFound =>
                    {
                        return None;
                    }
                    report => report.expect("a report"),
                };
                let runs: Vec<_> = report.snapshots.values().map(|taken| &taken.run).collect();
                assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{runs:?}");
                let with_comments = report.snapshots.len() == 3;
                let run: u64 = runs[0][9..15].parse().expect("a number");
                assert_eq!(with_comments, run % 2 == 1);
                assert_eq!(
                    report.users[0].id.as_ref().map(ToString::to_string),
                    Some(run.to_string())
                );
                Some(run)
            })
        });
        for number in 1..=COMMITS {
            commit(data_dir, &source, number, 1);
        }
        done.store(true, Ordering::SeqCst);
        let looks = [by_link, by_us].map(|reader| reader.join().expect("a reader"));
        println!("{looks:?} looks during {COMMITS} commits");
    });
}

#[test]
fn earlier_snapshots_are_kept_as_they_were_and_older_ones_go() {
    let place = scratch();
    let (data_dir, source) = (place.path(), source());
    for (number, keep, kept) in [
        (0, 2, 0),
        (1, 2, 1),
        (2, 2, 2),
        (3, 2, 2),
        (4, 1, 1),
        (5, 0, 0),
    ] {
        commit(data_dir, &source, number, keep);
        let earlier = StoredSnapshot::earlier(data_dir).expect("a list");
        assert_eq!(earlier.len(), kept, "{number}");
        for (index, stored) in (1..).zip(&earlier) {
            let then = u64::from(number - index);
            assert_eq!(read_folder(&stored.folder).expect("its files"), then);
        }
    }
}
