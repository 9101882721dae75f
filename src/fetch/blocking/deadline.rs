//! A deadline for one call into the client, whatever it does in there.
//!
//! The client limits each read from a socket. That is no limit for a call that
//! reads on and on without anything for its caller: one byte of a TLS record at
//! a time, or trailers behind the last chunk that do not end.

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    /// The client works on the thread that calls it, so this needs no way through it.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Does something with the client, in which it waits for bytes for so long at most, all in all.
pub(super) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    DEADLINE.set(Instant::now().checked_add(limit));
    let done = work();
    DEADLINE.set(None);
    done
}

/// How much of it is left, where there is one.
pub(super) fn left() -> Option<Duration> {
    let deadline = DEADLINE.get()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}
