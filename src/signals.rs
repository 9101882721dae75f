//! Ctrl-C and SIGTERM: the run is asked to stop, and made to if it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{process, thread};

use activity_tracker::concurrency::{Stop, spawn};
use activity_tracker::error::{Error, StopReason};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{logger, printing};

/// How long a run that was asked to stop may take to end.
const GRACE: Duration = Duration::from_millis(700);

/// Whether the end of the run is being told already.
static TOLD: AtomicBool = AtomicBool::new(false);

/// How the program ends where a request to stop is not enough.
pub(crate) trait Ending: Send + Sync + 'static {
    /// The work has not ended by itself, a moment after it was asked to.
    fn late(&self, reason: StopReason);

    /// A second signal came.
    fn at_once(&self, reason: StopReason) -> ! {
        process::exit(Error::Stopped(reason).exit_code().into());
    }
}

/// A single run: its end is told as an error.
pub(crate) struct EndOfRun;

impl Ending for EndOfRun {
    fn late(&self, reason: StopReason) {
        let error = Error::Stopped(reason);
        logger::note(&error);
        printing::print_error(&error);
        process::exit(error.exit_code().into());
    }
}

/// Lets the first signal stop the work, and the second one end the program.
/// A run that is moving its files into place is let do so: that takes
/// milliseconds, and half of it would be no state to leave.
///
/// A blocked name look-up or connect cannot be woken: after a moment of grace
/// the program ends around it. By then the run's files and workers are gone,
/// for their removal needs nobody but the thread that asks.
///
/// # Errors
/// When there is no thread to be had that waits for signals.
pub(crate) fn watch(stop: &Stop, ending: impl Ending) -> Result<(), Error> {
    // Without a handler a signal ends the program at once, which is what remains to do.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else {
        return Ok(());
    };
    let (stop, ending) = (stop.clone(), Arc::new(ending));
    let waiting = spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            let reason = if signal == SIGTERM {
                StopReason::Terminate
            } else {
                StopReason::Interrupt
            };
            if asked && !stop.is_committing() {
                ending.at_once(reason);
            }
            asked = true;
            stop.request(reason);
            // A run that is committing goes on to its end.
            if !stop.is_committing() {
                let late = {
                    let ending = Arc::clone(&ending);
                    move || {
                        thread::sleep(GRACE);
                        ending.late(reason);
                    }
                };
                if spawn(late.clone()).is_err() {
                    late();
                }
            }
        }
    });
    waiting
        .map(drop)
        .map_err(Error::start("a thread that waits for signals"))
}

/// Gives true to the first who asks: only one tells how the run ended.
pub(crate) fn first_to_tell() -> bool {
    !TOLD.swap(true, Ordering::SeqCst)
}
