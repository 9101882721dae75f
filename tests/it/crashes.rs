//! The program is ended, or the disk fails, at each call of the file system in
//! turn: the data directory holds the old snapshot or the new one, and no mixture.
//!
//! `ACTIVITY_TRACKER_TEST_LONG=1` takes each call of both flows, and torn writes too.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::Connection;

use super::support::program::{HISTORY, Outcome, Running, SNAPSHOT, Workplace, runs};
use super::support::records::{compact, post, posts, user, users};
use super::support::server::{Reply, Route, Server};

type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn is_long() -> bool {
    std::env::var_os("ACTIVITY_TRACKER_TEST_LONG").is_some()
}

/// A server of an old state of things, and one of a new one.
pub(super) struct World {
    pub(super) old: Server,
    pub(super) new: Server,
    flow: &'static [&'static str],
}

fn serve(users: &[String], posts: &[String]) -> Server {
    let response = |path, body: String| Route::get(path).reply(Reply::json(body)).any_times();
    Server::start([
        response("/users", compact(users)),
        response("/posts", compact(posts)),
        response("/comments", "[]".to_owned()),
    ])
}

impl World {
    pub(super) fn new(flow: &'static [&'static str]) -> Self {
        // The old one has a reject, which the new one's commit is to remove.
        let old_posts = [post("1", "1"), "{}".to_owned()];
        Self {
            old: serve(&[user("1", "Old", "old@x.biz")], &old_posts),
            new: serve(&users(), &posts()),
            flow,
        }
    }

    /// A place with the old snapshot in it.
    fn place(&self) -> Workplace {
        let place = Workplace::new();
        let outcome = self.run(&place, &self.old, None, &[]);
        outcome.assert_code(4);
        place
    }

    /// A run that is bounded to one thing at a time, so that its calls come in one order.
    pub(super) fn run(
        &self,
        place: &Workplace,
        from: &Server,
        fault: Option<&str>,
        more: &[&str],
    ) -> Outcome {
        let usual = ["run", from.url(), "--workers", "1", "--concurrency", "1"];
        let mut command = place.command(&[&usual, self.flow, more].concat());
        if let Some(fault) = fault {
            command.env("ACTIVITY_TRACKER_FAULT", fault);
        }
        Running::start(&mut command).wait()
    }
}

/// The files of a data directory, without what tells one run from another, and without
/// the folder that a killed run leaves.
fn snapshot(place: &Workplace) -> Files {
    let entries = fs::read_dir(place.data_dir()).expect("list the data directory");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let named = files.filter(|path| !path.is_dir()).map(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read(&path).expect("read a file"))
    });
    named
        .filter(|(name, _)| !name.starts_with("manifest") && name != HISTORY)
        .collect()
}

/// Holds the history against the snapshot: both are of the same run.
fn assert_in_step(place: &Workplace, says: &dyn Fn() -> String) {
    let manifests = ["manifest.json", "manifest_async.json"];
    let manifest = manifests.map(|name| fs::read(place.data_dir().join(name)).ok());
    let manifest = manifest.into_iter().flatten().next().expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let history = Connection::open(place.data_dir().join(HISTORY)).expect("a history");
    let last = "SELECT run FROM runs ORDER BY id DESC LIMIT 1";
    let last: String = history
        .query_row(last, [], |row| row.get(0))
        .expect("a run");
    assert_eq!(manifest["run"], *last, "{}", says());
    let intact = "PRAGMA integrity_check";
    let intact: String = history
        .query_row(intact, [], |row| row.get(0))
        .expect("a check");
    assert_eq!(intact, "ok", "{}", says());
}

fn verify(place: &Workplace) -> Outcome {
    let mut command: Command = place.command(&["verify"]);
    Running::start(&mut command).wait()
}

/// Runs `check` for each call of the file system, until a run makes no more of them.
/// Gives how many there are.
fn at_each_call(check: impl Fn(u64) -> bool + Sync) -> u64 {
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let call = next.fetch_add(1, Ordering::SeqCst);
                    if !check(call) {
                        break;
                    }
                }
            });
        }
    });
    next.load(Ordering::SeqCst)
}

/// The flows to try; none where the program was built without the means to fail on demand.
fn flows() -> Vec<&'static [&'static str]> {
    if !cfg!(debug_assertions) {
        println!("skipped: a release build has no faults on demand");
        return Vec::new();
    }
    if is_long() {
        vec![&[], &["--async"]]
    } else {
        vec![&[]]
    }
}

/// Ends the program at each call; the next command finds the old snapshot or the new one, whole.
fn killed(kind: &str, next: &(dyn Fn(&World, &Workplace) + Sync)) {
    for flow in flows() {
        let world = World::new(flow);
        let place = world.place();
        let old = snapshot(&place);
        world.run(&place, &world.new, None, &[]).assert_code(0);
        let new = snapshot(&place);
        assert_ne!(old, new);
        let calls = at_each_call(|call| {
            let place = world.place();
            let outcome = world.run(&place, &world.new, Some(&format!("{kind}:{call}")), &[]);
            if !outcome.stderr.contains("fault: ") {
                outcome.assert_code(0);
                return false;
            }
            assert_eq!(outcome.status.code(), None, "{call}: {outcome:?}");
            next(&world, &place);
            let found = snapshot(&place);
            let says = || format!("{call}: {outcome:?}");
            assert!(
                found == old || found == new,
                "{}: {:?}",
                says(),
                found.keys()
            );
            verify(&place).assert_code(0);
            assert_in_step(&place, &says);
            // Whatever is left, the next run puts right.
            world
                .run(&place, &world.new, None, &["--resume"])
                .assert_code(0);
            assert_eq!(snapshot(&place), new, "{}", says());
            assert!(!place.data_dir().join(".run-main").exists(), "{}", says());
            assert_eq!(runs(&place.data_dir()).len(), 2, "{}", says());
            true
        });
        println!("{kind} {flow:?}: {calls} calls");
        assert!(calls > 40, "{calls}");
    }
}

#[test]
fn a_kill_at_any_call_leaves_one_snapshot_for_whoever_verifies() {
    killed("kill", &|_, place| verify(place).assert_code(0));
}

#[test]
fn a_write_torn_by_a_kill_leaves_one_snapshot_for_the_next_run() {
    if is_long() {
        killed("tear", &|world, place| {
            // The old data again: the next run commits, or finds that it stands.
            let outcome = world.run(place, &world.old, None, &[]);
            outcome.assert_code(4);
        });
    }
}

#[test]
fn a_disk_that_fails_at_any_call_leaves_the_old_snapshot() {
    let errors: &[i32] = if is_long() { &[5, 28] } else { &[28] };
    for (flow, error) in flows()
        .into_iter()
        .flat_map(|flow| errors.iter().map(move |e| (flow, e)))
    {
        let world = World::new(flow);
        let place = world.place();
        let old = snapshot(&place);
        world.run(&place, &world.new, None, &[]).assert_code(0);
        let new = snapshot(&place);
        let calls = at_each_call(|call| {
            let place = world.place();
            let outcome = world.run(&place, &world.new, Some(&format!("{error}:{call}")), &[]);
            if !outcome.stderr.contains("fault: ") {
                outcome.assert_code(0);
                return false;
            }
            let says = || format!("{call}: {outcome:?}");
            verify(&place).assert_code(0);
            assert_in_step(&place, &says);
            match outcome.status.code() {
                // Only what is left to clear up may fail without a word.
                Some(0) => assert!(snapshot(&place) == new, "{}", says()),
                Some(5) => assert!(snapshot(&place) == old, "{}", says()),
                _ => panic!("{}", says()),
            }
            world.run(&place, &world.new, None, &[]).assert_code(0);
            assert_eq!(snapshot(&place), new, "{}", says());
            let left = place.data_dir().join(".run-main");
            assert!(!left.exists(), "{}", says());
            assert_eq!(runs(&place.data_dir()).len(), 2, "{}", says());
            true
        });
        println!("error {error} {flow:?}: {calls} calls");
    }
}

#[test]
fn a_worker_whose_disk_fails_leaves_the_old_snapshot() {
    let Some(flow) = flows().first().copied() else {
        return;
    };
    let world = World::new(flow);
    for call in 1..=3 {
        let place = world.place();
        let before = snapshot(&place);
        let mut command = place.command(&["run", world.new.url(), "--workers", "1"]);
        command.env("ACTIVITY_TRACKER_WORKER_FAULT", format!("28:{call}"));
        let outcome = Running::start(&mut command).wait();
        outcome.assert_code(5);
        assert!(
            outcome.stderr.contains("No space left on device"),
            "{outcome:?}"
        );
        assert_eq!(snapshot(&place), before);
        assert_eq!(place.data().len(), SNAPSHOT.len() + 1, "and the rejects");
    }
}
