//! Whether another thread or process may be started.

/// Fault injection, in debug builds only: with `ACTIVITY_TRACKER_START_FAULT=3` the system appears
/// to allow only three threads and processes.
#[cfg(debug_assertions)]
pub(super) fn allowed() -> std::io::Result<()> {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static LIMIT: LazyLock<Option<u64>> = LazyLock::new(|| {
        std::env::var("ACTIVITY_TRACKER_START_FAULT")
            .ok()?
            .parse()
            .ok()
    });
    static STARTED: AtomicU64 = AtomicU64::new(0);

    match *LIMIT {
        Some(limit) if STARTED.fetch_add(1, Ordering::SeqCst) >= limit => {
            Err(rustix::io::Errno::AGAIN.into())
        }
        _ => Ok(()),
    }
}

#[cfg(not(debug_assertions))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "same signature as the one that fails"
)]
pub(super) fn allowed() -> std::io::Result<()> {
    Ok(())
}
