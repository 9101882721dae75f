//! The power is cut at each call of the file system, in a model of a disk: whatever is there
//! of what was not synced, the next command finds the old snapshot or the new one, whole, and
//! the history of the same run.
//!
//! A run records its calls (`crates/core/src/storage/disk/record.rs`); `power_cuts/disk.rs` says what the
//! model takes for granted. `ACTIVITY_TRACKER_TEST_LONG=1` looks at more images of more scenes,
//! and at SQLite's own calls too, where `strace` is installed. There are too many images to look
//! at all of them: each scene draws some, always the same ones, and prints how many of how many.

mod disk;
mod images;
mod record;
mod recovery;
mod scene;
mod traced;

use activity_tracker::storage::Flow;

use super::crashes::is_long;
use record::Call;
use scene::{Ending, Scene};

/// Whether there is nothing to look at: a release build does not record.
fn is_release() -> bool {
    let release = !cfg!(debug_assertions);
    if release {
        println!("skipped: a release build does not record its calls");
    }
    release
}

#[test]
fn a_power_cut_in_the_first_run_leaves_nothing_or_the_snapshot() {
    if !is_release() {
        for flow in Flow::BOTH {
            Scene::first_run(flow).record(Ending::Done).check();
        }
    }
}

#[test]
fn a_power_cut_in_a_later_run_leaves_the_old_snapshot_or_the_new_one() {
    if !is_release() {
        for flow in Flow::BOTH {
            Scene::later_run(flow).record(Ending::Done).check();
        }
    }
}

#[test]
fn a_power_cut_while_files_of_version_0_are_taken_over_leaves_the_old_snapshot_or_the_new_one() {
    if !is_release() {
        for flow in flows_of_commits() {
            Scene::over_version_0(*flow).record(Ending::Done).check();
        }
    }
}

/// The flows whose commit is cut off in more than one way: they share it.
fn flows_of_commits() -> &'static [Flow] {
    if is_long() {
        &Flow::BOTH
    } else {
        &Flow::BOTH[..1]
    }
}

#[test]
fn a_power_cut_after_a_kill_leaves_the_old_snapshot_or_the_new_one() {
    if is_release() {
        return;
    }
    for flow in flows_of_commits() {
        let scene = Scene::later_run(*flow);
        // In the short form: where it is done, and the disk does not know of it yet.
        for call in scene.calls_of_the_commit(Call::is_commit) {
            scene.record(Ending::KilledThenVerified(call)).check();
        }
    }
}

#[test]
fn a_power_cut_while_a_commit_is_taken_back_leaves_the_old_snapshot_or_the_new_one() {
    if is_release() {
        return;
    }
    for flow in flows_of_commits() {
        let scene = Scene::later_run(*flow);
        // In the short form: where it is done, and its sync fails.
        for call in scene.calls_of_the_commit(Call::is_commit) {
            scene.record(Ending::Failed(call)).check();
        }
    }
}

#[test]
fn a_power_cut_in_a_run_after_a_killed_first_one_leaves_nothing_or_the_snapshot() {
    if is_release() {
        return;
    }
    for flow in flows_of_commits() {
        let scene = Scene::first_run(*flow);
        scene.record(Ending::KilledThenRun(10)).check();
    }
}

#[test]
fn a_power_cut_leaves_the_history_in_step_whatever_sqlite_had_not_synced() {
    if is_release() || !is_long() {
        return;
    }
    if !traced::is_there() {
        println!("skipped: strace is not there, or may not trace");
        return;
    }
    for flow in Flow::BOTH {
        Scene::later_run(flow).record(Ending::Traced).check();
        Scene::first_run(flow).record(Ending::Traced).check();
    }
}
