//! Between async tasks and blocking work.

use std::panic::resume_unwind;

use tokio::task::{JoinError, spawn_blocking};
use tracing::Span;

/// Runs blocking work off the runtime's threads, in the caller's span, like Python's
/// `asyncio.to_thread`.
///
/// # Panics
/// If `work` does, with the same panic.
pub async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = Span::current();
    let work = move || span.in_scope(work);
    spawn_blocking(work).await.unwrap_or_else(rethrow)
}

/// Resumes the panic that ended a task.
///
/// # Panics
/// Always: otherwise an awaited task ends with an error only if it is cancelled, which happens
/// together with the task that awaits it.
#[must_use]
pub fn rethrow<T>(error: JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(cancelled) => resume_unwind(Box::new(cancelled.to_string())),
    }
}
