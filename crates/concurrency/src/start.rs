//! Whether one more thread or process may be started.

/// Refuses on demand, in builds for development alone: with `ACTIVITY_TRACKER_START_FAULT=3`
/// the system seems to have three threads and processes to give, and no more.
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
    reason = "it has the form of the one that fails"
)]
pub(super) fn allowed() -> std::io::Result<()> {
    Ok(())
}
