//! I/O-bound fan-out: a thread for each thing that waits.

use std::panic::resume_unwind;
use std::thread;

use crate::error::{Error, StopReason};

/// Does `work` on `width` threads at the same time, and gives what each returned, in order.
///
/// The threads are scoped: they may borrow, and all have ended when this returns.
///
/// # Panics
/// When `work` does, with the same panic.
pub fn fan_out<T: Send>(width: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..width)
            .map(|index| scope.spawn(move || work(index)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// Of several outcomes the error that ended the run, if one did.
///
/// # Errors
/// The first error that is more than the echo of another one.
pub fn first_error(outcomes: impl IntoIterator<Item = Result<(), Error>>) -> Result<(), Error> {
    let mut echo = Ok(());
    for outcome in outcomes {
        match outcome {
            Err(Error::Stopped(StopReason::Failure)) => echo = outcome,
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
    fn all_threads_run_at_the_same_time_and_answer_in_order() {
        // Nobody passes the barrier unless all are there at once.
        let all_here = Barrier::new(8);
        let answers = fan_out(8, |index| {
            all_here.wait();
            index * 2
        });
        assert_eq!(answers, [0, 2, 4, 6, 8, 10, 12, 14]);
    }

    #[test]
    fn the_error_that_came_first_is_told_and_not_its_echo() {
        let echo = || Err(Error::Stopped(StopReason::Failure));
        let real = || Err(Error::Usage("real".to_owned()));
        let told =
            |outcomes: Vec<Result<(), Error>>| first_error(outcomes).map_err(|e| e.to_string());
        assert_eq!(told(vec![Ok(()), Ok(())]), Ok(()));
        assert_eq!(told(vec![echo(), Ok(()), real()]), Err("real".to_owned()));
        assert!(told(vec![echo(), Ok(())]).is_err());
    }
}
