//! I/O-bound fan-out: a thread for each thing that waits.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::thread::{self, Builder, JoinHandle, Scope, ScopedJoinHandle};

use tracing::{Span, warn};

use super::start;

/// The stack of a thread, in bytes.
///
/// The standard library's 2 MiB count in full against a limit on a process's memory
/// (`ulimit -d`), though nobody touches them; 64 requests at a time would take 128 MiB. No
/// thread here goes deep: JSON is read to a depth of 128, and nothing else nests.
pub const STACK: usize = 512 * 1024;

/// Starts a thread, in the caller's span. `std::thread::spawn` would panic where the system has
/// none left to give.
///
/// # Errors
/// What the system said.
pub fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start::allowed()?;
    let span = Span::current();
    Builder::new()
        .stack_size(STACK)
        .spawn(move || span.in_scope(work))
}

/// Starts a thread that may borrow, as [`spawn`] does.
///
/// # Errors
/// What the system said.
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

/// How many of `wanted` threads the system has to give now, besides those that there are.
#[must_use]
pub fn available(wanted: usize) -> usize {
    let mut all = Vec::new();
    for _ in 0..wanted {
        let (keep, ended) = channel::<()>();
        // It ends when the other end of its channel is let go of.
        match spawn(move || {
            // It has nothing to say: nobody sends.
            let _ = ended.recv();
        }) {
            Ok(thread) => all.push((keep, thread)),
            Err(_) => break,
        }
    }
    let found = all.len();
    for (keep, thread) in all {
        drop(keep);
        // It does nothing that could panic.
        let _ = thread.join();
    }
    found
}

/// Does `work` on `width` threads at the same time, and gives what each returned, in order.
///
/// The threads are scoped: they may borrow, and all have ended when this returns. One of
/// them is the caller's, so where the system has no further ones to give, that one does it all.
///
/// # Panics
/// When `work` does, with the same panic.
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

/// Of several outcomes the error that ended the run, if one did. An echo is an error of a part
/// that was stopped because another one failed.
///
/// # Errors
/// The first error that is no echo; where all are, one of them.
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
        // Nobody passes the barrier unless all are there at once.
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
