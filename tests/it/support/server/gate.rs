//! Something to wait at, so that a test of overlap needs no sleep.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A gate, shut at first, that responses wait at; once open it stays open. Clones are the same gate.
///
/// Stopping a server opens the gates of its script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    came: usize,
    opens_at: Option<usize>,
}

impl Gate {
    /// A gate that the test opens.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A gate that opens by itself once `count` responses wait at it: for a caller that blocks the
    /// test's own thread. If fewer come, the server's patience ends and the test fails.
    pub(crate) fn opening_at(count: usize) -> Self {
        let gate = Self::new();
        gate.state().opens_at = Some(count);
        gate
    }

    /// Lets everyone through, now and later.
    pub(crate) fn open(&self) {
        self.state().open = true;
        self.0.1.notify_all();
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.state().open
    }

    /// Waits until the gate is open, or for `limit`; tells whether it opened.
    pub(crate) fn pass(&self, limit: Duration) -> bool {
        let mut state = self.state();
        state.came += 1;
        if state.opens_at.is_some_and(|count| state.came >= count) {
            state.open = true;
            self.0.1.notify_all();
        }
        let (state, _) = self
            .0
            .1
            .wait_timeout_while(state, limit, |state| !state.open)
            .unwrap_or_else(PoisonError::into_inner);
        state.open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
