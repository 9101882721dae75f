//! A deadline for one call into the client, whatever the client does.
//!
//! The client limits each read from a socket. That does not bound a call that keeps reading without
//! returning anything: one byte of a TLS record at a time, or endless trailers after the last
//! chunk.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// Thread-local because the client works on the thread that calls it and passes no context.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Calls the client with a bound on the total time that it waits for bytes.
pub(super) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    DEADLINE.set(Instant::now().checked_add(limit));
    let done = work();
    DEADLINE.set(None);
    done
}

/// The time left, if there is a deadline.
pub(super) fn left() -> Option<Duration> {
    let deadline = DEADLINE.get()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}
