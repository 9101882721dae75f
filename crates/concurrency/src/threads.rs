//! I/O-bound fan-out: a thread for each blocking operation.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle};

use tracing::{Span, warn};

use super::start;

/// The stack size of a thread, in bytes.
///
/// The standard library's 2 MiB count in full against a memory limit of the process (`ulimit -d`),
/// even if untouched; 64 concurrent requests would take 128 MiB. No thread here recurses deeply:
/// JSON is read to a depth of 128, and nothing else nests.
pub const STACK: usize = 512 * 1024;

/// Starts a thread, in the caller's span. `std::thread::spawn` would panic if the system allows no
/// more threads.
///
/// # Errors
/// The error of the system.
pub fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start::allowed()?;
    let span = Span::current();
    Builder::new()
        .stack_size(STACK)
        .spawn(move || span.in_scope(work))
}

/// Starts a thread that may borrow, like [`spawn`].
///
/// # Errors
/// The error of the system.
pub fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    start::allowed()?;
    let span = Span::current();
    Builder::new()
        .stack_size(STACK)
        .spawn_scoped(scope, move || span.in_scope(work))
}

/// How many of `wanted` additional threads the system allows now.
#[must_use]
pub fn available(wanted: usize) -> usize {
    let mut all = Vec::new();
    for _ in 0..wanted {
        let (keep, ended) = channel::<()>();
        // It ends when the other end of its channel is dropped.
        match spawn(move || {
            // The result is irrelevant: nothing is sent.
            let _ = ended.recv();
        }) {
            Ok(thread) => all.push((keep, thread)),
            Err(_) => break,
        }
    }
    let found = all.len();
    for (keep, thread) in all {
        drop(keep);
        // The thread cannot panic.
        let _ = thread.join();
    }
    found
}

/// Runs `work` on `width` threads at the same time, and returns their results in order.
///
/// The threads are scoped: they may borrow, and all have ended when this returns. One of them is
/// the caller's, so if the system allows no more threads, that one does all the work.
///
/// # Panics
/// If `work` does, with the same panic.
pub fn fan_out<T: Send>(width: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let mut threads = Vec::new();
        for index in 1..width {
            match spawn_scoped(scope, move || work(index)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    warn!(%error, wanted = width, "going on with {index} threads");
                    break;
                }
            }
        }
        let first = (width > 0).then(|| work(0));
        let others = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        first.into_iter().chain(others).collect()
    })
}

/// Of several outcomes the error that ended the run, if there is one. An echo is the error of a
/// part that was stopped because another one failed.
///
/// # Errors
/// The first error that is not an echo; if all are, one of them.
pub fn first_error<E>(
    outcomes: impl IntoIterator<Item = Result<(), E>>,
    is_echo: impl Fn(&E) -> bool,
) -> Result<(), E> {
    let mut echo = Ok(());
    for outcome in outcomes {
        match outcome {
            Err(ref error) if is_echo(error) => echo = outcome,
            Err(_) => return outcome,
            Ok(()) => {}
        }
    }
    echo
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn all_threads_run_at_the_same_time_and_return_in_order() {
        // Reached only if all threads run at the same time.
        let all_here = Barrier::new(8);
        let responses = fan_out(8, |index| {
            all_here.wait();
            index * 2
        });
        assert_eq!(responses, [0, 2, 4, 6, 8, 10, 12, 14]);
    }

    #[test]
    fn the_first_error_is_one_that_is_no_echo() {
        let first = |outcomes: Vec<Result<(), &'static str>>| {
            first_error(outcomes, |error| *error == "echo")
        };
        assert_eq!(first(vec![Ok(()), Ok(())]), Ok(()));
        assert_eq!(first(vec![Err("echo"), Ok(()), Err("real")]), Err("real"));
        assert_eq!(first(vec![Err("echo"), Ok(())]), Err("echo"));
    }
}
