//! Ctrl-C, SIGTERM and SIGHUP: the run is asked to stop, and made to if it does not.

use std::sync::Arc;
use std::time::Duration;
use std::{fs, process, thread};

use activity_tracker::concurrency::{Stop, spawn};
use activity_tracker::error::{Error, StopReason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use tracing::info;

/// How long a run that was asked to stop may take to end.
const GRACE: Duration = Duration::from_millis(700);

/// How the program ends where a request to stop is not enough.
pub(crate) trait Ending: Send + Sync + 'static {
    /// The work has not ended by itself, a moment after it was asked to.
    fn late(&self, reason: StopReason);

    /// A second signal came.
    fn at_once(&self, reason: StopReason) -> ! {
        process::exit(Error::Stopped(reason).exit_code().into());
    }
}

/// Lets the first signal stop the work, and the second one end the program.
/// A run that is moving its files into place is let do so: that takes
/// milliseconds, and half of it would be no state to leave. What the history
/// then takes in may take longer. It is interrupted after the moment of grace,
/// or by a second signal, and left to the next command; the run is a success.
///
/// A blocked name look-up or connect cannot be woken: after a moment of grace
/// the program ends around it. By then the run's files and workers are gone,
/// for their removal needs nobody but the thread that asks.
///
/// # Errors
/// When there is no thread to be had that waits for signals.
pub(crate) fn watch(stop: &Stop, ending: impl Ending) -> Result<(), Error> {
    // Without a handler a signal ends the program at once, which is what remains to do.
    let hang_up = hears_hang_up().then_some(SIGHUP);
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up)) else {
        return Ok(());
    };
    let (stop, ending) = (stop.clone(), Arc::new(ending));
    let waiting = spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            let reason = match signal {
                SIGTERM => StopReason::Terminate,
                SIGHUP => StopReason::HangUp,
                _ => StopReason::Interrupt,
            };
            info!(?reason, "stop requested");
            if asked {
                stop.hurry();
                if !stop.is_committing() {
                    ending.at_once(reason);
                }
            }
            asked = true;
            stop.request(reason);
            // A run that is committing goes on to its end.
            let committing = stop.is_committing();
            let late = {
                let (stop, ending) = (stop.clone(), Arc::clone(&ending));
                move || {
                    thread::sleep(GRACE);
                    stop.hurry();
                    if !committing {
                        ending.late(reason);
                    }
                }
            };
            if spawn(late.clone()).is_err() {
                late();
            }
        }
    });
    waiting
        .map(drop)
        .map_err(Error::start("a thread that waits for signals"))
}

/// Whether SIGHUP is for this program: one that `nohup` started is to go on without its
/// terminal. Where the system does not say, the signal keeps its usual meaning: the end.
fn hears_hang_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|ignored| ignored & 1 << (SIGHUP - 1) == 0)
}

/// The signals that a process ignores, a bit for each, from the first one up.
fn ignored(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Has a write beyond the limit on the length of files (`ulimit -f`) fail, rather than end
/// the program without a word.
pub(crate) fn outlive_long_files() {
    // Where this cannot be had, the program ends as it would without it. What the handler
    // notes is of no use: the write that failed tells. A program that this one starts is
    // without the handler.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_what_the_system_says() {
        let status =
            "Name:\tcat\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("SigIgn:\tx\n"), None);
        assert_eq!(ignored(""), None);
    }
}
