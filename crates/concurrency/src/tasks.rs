//! Between async tasks and work that blocks.

use std::panic::resume_unwind;

use tokio::task::{JoinError, spawn_blocking};
use tracing::Span;

/// Does blocking work off the runtime's threads, in the caller's span, as `asyncio.to_thread` does
/// in Python.
///
/// # Panics
/// When `work` does, with the same panic.
pub async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = Span::current();
    let work = move || span.in_scope(work);
    spawn_blocking(work).await.unwrap_or_else(rethrow)
}

/// Goes on with the panic that ended a task.
///
/// # Panics
/// Always: a task that is waited for ends otherwise only by being cancelled,
/// which happens together with the one who waits.
#[must_use]
pub fn rethrow<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(cancelled) => resume_unwind(Box::new(cancelled.to_string())),
    }
}
