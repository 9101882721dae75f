//! Ctrl-C, SIGTERM and SIGHUP: the run is asked to stop, and the program ends if it does not.

use std::sync::Arc;
use std::time::Duration;
use std::{fs, process, thread};

use activity_tracker::concurrency::{Stop, spawn};
use activity_tracker::error::{Error, StopReason};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use tracing::info;

/// How long a run may take to stop.
const GRACE: Duration = Duration::from_millis(700);

/// How the program ends when the work does not stop in time.
pub(crate) trait StopHandler: Send + Sync + 'static {
    /// The work is still running some time after it was asked to stop.
    fn on_timeout(&self, reason: StopReason);

    /// A second signal was received.
    fn on_second_signal(&self, reason: StopReason) -> ! {
        process::exit(Error::Stopped(reason).exit_code().into());
    }
}

/// The first signal stops the work, the second one ends the program.
///
/// A run that is committing is not stopped: that takes milliseconds. Adding its changes to the
/// history may take longer; that is interrupted after the grace period or by a second signal, and
/// left to the next command. The run is a success then.
///
/// A blocked DNS lookup or connect cannot be interrupted: the program ends after the grace period
/// regardless. By then the run's files and workers are gone, because the thread that receives the
/// signal removes them.
///
/// # Errors
/// When the thread that waits for signals cannot be started.
pub(crate) fn watch(stop: &Stop, handler: impl StopHandler) -> Result<(), Error> {
    // Without a handler, a signal ends the program at once.
    let hang_up = handles_hangup().then_some(SIGHUP);
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM].into_iter().chain(hang_up)) else {
        return Ok(());
    };
    let (stop, handler) = (stop.clone(), Arc::new(handler));
    let waiting = spawn(move || {
        let mut requested = false;
        for signal in signals.forever() {
            let reason = match signal {
                SIGTERM => StopReason::Terminate,
                SIGHUP => StopReason::HangUp,
                _ => StopReason::Interrupt,
            };
            info!(?reason, "stop requested");
            if requested {
                stop.hurry();
                if !stop.is_committing() {
                    handler.on_second_signal(reason);
                }
            }
            requested = true;
            stop.request(reason);
            let committing = stop.is_committing();
            let after_grace = {
                let (stop, handler) = (stop.clone(), Arc::clone(&handler));
                move || {
                    thread::sleep(GRACE);
                    stop.hurry();
                    if !committing {
                        handler.on_timeout(reason);
                    }
                }
            };
            if spawn(after_grace.clone()).is_err() {
                after_grace();
            }
        }
    });
    waiting
        .map(drop)
        .map_err(Error::start("a thread that waits for signals"))
}

/// Whether SIGHUP is to be handled: `nohup` has it ignored, so that the program outlives its
/// terminal. Where that cannot be determined, SIGHUP keeps its default action and ends the program.
fn handles_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|ignored| ignored & 1 << (SIGHUP - 1) == 0)
}

/// The signals that a process ignores: a bit mask, with signal 1 in the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail, instead of killing the program with
/// SIGXFSZ.
pub(crate) fn survive_file_size_limit() {
    // The flag is not read: the failed write is reported anyway. A handler, unlike an ignored
    // signal, is not inherited by the programs that this one starts.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_parsed_from_proc_status() {
        let status =
            "Name:\tcat\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored(status), Some(0x1001));
        assert_eq!(ignored("SigIgn:\tx\n"), None);
        assert_eq!(ignored(""), None);
    }
}
