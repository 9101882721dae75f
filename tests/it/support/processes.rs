//! Other processes: finding workers, sending signals, waiting for what cannot be waited for.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long something may take to come about before the test fails in place of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// No processes at all.
pub(crate) const NOBODY: [u32; 0] = [];

/// Looks until there is something to see. For the state of other processes, which tells nobody when it changes.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let given_up = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < given_up, "{what}: not within {PATIENCE:?}");
        thread::yield_now();
    }
}

/// Sends a signal to a process; one that has ended already is left alone.
pub(crate) fn signal(pid: u32, name: &str) {
    let script = format!("kill -{name} {pid} 2>/dev/null");
    let sent = Command::new("sh").args(["-c", &script]).status();
    assert!(sent.is_ok(), "sh cannot be started: {sent:?}");
}

/// The worker processes that live and work below `folder`, as Linux tells.
pub(crate) fn workers_below(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("list the processes");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_worker_below(*pid, folder)).collect()
}

/// Processes come and go while they are looked at: what cannot be read has ended.
fn is_worker_below(pid: u32, folder: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    // A process that was forked and is about to become a worker has its parent's arguments still.
    let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
    here && arguments.split(|byte| *byte == 0).nth(1) == Some(&b"worker"[..])
}
