//! One way to stop everything that is running.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

type Call = Box<dyn FnOnce() + Send>;

/// Why the program stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// Ctrl-C (SIGINT).
    #[error("interrupted")]
    Interrupt,
    /// SIGTERM.
    #[error("terminated")]
    Terminate,
    /// SIGHUP: the terminal was closed.
    #[error("hung up: the terminal was closed")]
    HangUp,
    /// Another part of the run failed first; its error is the one to report.
    #[error("cancelled")]
    Failure,
}

impl StopReason {
    /// Whether the stop was requested, rather than caused by another failure.
    #[must_use]
    pub fn is_wish(self) -> bool {
        self != Self::Failure
    }
}

/// A stop was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(pub StopReason);

/// A request to stop, shared by all parts of a run.
///
/// CPU-bound parts poll it ([`check`](Stop::check)); blocked parts register a callback
/// ([`on_request`](Stop::on_request)) that closes a socket or kills a child. Once a run has started
/// to commit it can no longer be stopped: it is nearly done, and must not stop with half a commit.
/// Work after the commit that the next command can do as well is interrupted if the user is in a
/// hurry ([`hurry`](Stop::hurry)).
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    reason: Option<StopReason>,
    committing: bool,
    hurried: bool,
    calls: Vec<(u64, Call)>,
    parts: Vec<Weak<Mutex<State>>>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").finish_non_exhaustive()
    }
}

impl Stop {
    /// Not requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests everything to stop. The first reason is kept; later calls do nothing, and neither
    /// does a call while the run is committing.
    pub fn request(&self, reason: StopReason) {
        let calls = {
            let mut state = self.lock();
            if state.committing || state.reason.is_some() {
                return;
            }
            state.reason = Some(reason);
            std::mem::take(&mut state.calls)
        };
        // In reverse order of registration, as in a stack.
        for (_, call) in calls.into_iter().rev() {
            call();
        }
    }

    /// Returns an error if a stop was requested.
    ///
    /// # Errors
    /// The reason to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        self.lock()
            .reason
            .map_or(Ok(()), |reason| Err(Stopped(reason)))
    }

    /// Interrupts work that is still running some time after the request to stop, and that a later
    /// command can do: reading the history, or writing to it after a commit.
    pub fn hurry(&self) {
        let parts = {
            let mut state = self.lock();
            state.hurried = true;
            state.parts.clone()
        };
        for part in parts.iter().filter_map(Weak::upgrade) {
            Self(part).hurry();
        }
    }

    /// Whether [`hurry`](Stop::hurry) was called.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        self.lock().hurried
    }

    /// Marks the commit: from now on the run can no longer be stopped.
    ///
    /// # Errors
    /// The reason to stop, if that was requested before.
    pub fn begin_commit(&self) -> Result<(), Stopped> {
        let mut state = self.lock();
        if let Some(reason) = state.reason {
            return Err(Stopped(reason));
        }
        state.committing = true;
        Ok(())
    }

    /// Whether this run, or one of its parts, is committing or has committed.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        let parts = {
            let state = self.lock();
            if state.committing {
                return true;
            }
            state.parts.clone()
        };
        let mut parts = parts.iter().filter_map(Weak::upgrade);
        parts.any(|part| Self(part).is_committing())
    }

    /// A stop for one run of several: it may fail or commit without affecting the others. It is
    /// requested together with this one as long as the registration lives.
    #[must_use]
    pub fn part(&self) -> (Self, Registration) {
        let part = Self::new();
        {
            let mut state = self.lock();
            state.parts.retain(|part| part.strong_count() > 0);
            state.parts.push(Arc::downgrade(&part.0));
        }
        let registration = self.on_request({
            let (whole, part) = (self.clone(), part.clone());
            move || {
                if let Err(Stopped(reason)) = whole.check() {
                    part.request(reason);
                }
            }
        });
        (part, registration)
    }

    /// Waits for this time, or until a stop is requested.
    pub fn wait(&self, time: Duration) {
        let (sender, requested) = channel();
        let _registration = self.on_request(move || {
            // The waiting thread may already have returned.
            let _ = sender.send(());
        });
        // Either way the wait is over.
        let _ = requested.recv_timeout(time);
    }

    /// Registers a callback for a request to stop, or calls it now if a stop was already requested.
    ///
    /// It is called at most once, on the thread that requests the stop, and not after the
    /// registration was dropped.
    #[must_use]
    pub fn on_request(&self, call: impl FnOnce() + Send + 'static) -> Registration {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        if state.reason.is_some() {
            drop(state);
            call();
        } else {
            state.calls.push((id, Box::new(call)));
        }
        Registration {
            stop: self.clone(),
            id,
        }
    }
}

/// Keeps a callback registered as long as it lives.
pub struct Registration {
    stop: Stop,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.stop.lock().calls.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_first_reason_stands_and_calls_are_made_once_last_one_first() {
        let stop = Stop::new();
        let (sender, called) = mpsc::channel();
        let call = |name| {
            let sender = sender.clone();
            stop.on_request(move || sender.send(name).unwrap())
        };
        let _kept = [call("first"), call("second")];
        drop(call("dropped"));
        assert!(stop.check().is_ok());
        stop.request(StopReason::Interrupt);
        stop.request(StopReason::Terminate);
        assert!(matches!(stop.check(), Err(Stopped(StopReason::Interrupt))));
        let _late = call("late");
        assert_eq!(
            called.try_iter().collect::<Vec<_>>(),
            ["second", "first", "late"]
        );
    }

    #[test]
    fn a_run_that_commits_is_not_stopped_and_a_stopped_run_does_not_commit() {
        let stop = Stop::new();
        stop.begin_commit().unwrap();
        stop.request(StopReason::Interrupt);
        assert!(stop.check().is_ok());

        let stop = Stop::new();
        stop.request(StopReason::Terminate);
        assert!(stop.begin_commit().is_err());
    }

    #[test]
    fn a_part_stops_with_the_whole_and_fails_by_itself() {
        let whole = Stop::new();
        let (failed, _kept) = whole.part();
        failed.request(StopReason::Failure);
        assert!(whole.check().is_ok());

        let (committed, _kept) = whole.part();
        committed.begin_commit().unwrap();
        assert!(whole.is_committing());
        let (running, _kept) = whole.part();
        whole.request(StopReason::Terminate);
        assert!(committed.check().is_ok());
        assert!(matches!(
            running.check(),
            Err(Stopped(StopReason::Terminate))
        ));
        let (late, _kept) = whole.part();
        assert!(late.check().is_err());
    }

    #[test]
    fn a_hurry_reaches_every_part_and_does_not_stop_a_commit() {
        let whole = Stop::new();
        let (part, _kept) = whole.part();
        part.begin_commit().unwrap();
        whole.request(StopReason::Interrupt);
        assert!(!part.is_hurried() && !whole.is_hurried());
        whole.hurry();
        assert!(part.is_hurried() && whole.is_hurried());
        assert!(part.check().is_ok());
    }

    #[test]
    fn nobody_waits_any_longer_when_a_stop_is_requested() {
        let stop = Stop::new();
        stop.wait(Duration::ZERO);
        stop.request(StopReason::Interrupt);
        stop.wait(Duration::from_hours(1));
    }
}
