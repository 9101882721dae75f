//! The async flow: fetch as tasks, process on the blocking pool, store.
//!
//! It is independent of the main flow and does not change its files. Blocking work (disk, CPU) runs
//! on the runtime's blocking pool, like `asyncio.to_thread` in Python.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use rustix::io::Errno;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use crate::error::Error;
use crate::fetch::{self, Observer};
use crate::record::Resource;
use crate::settings::Settings;
use crate::storage::{Flow, Output, Slice, Spool};
use activity_tracker_concurrency::{
    STACK, Stop, StopReason, Stopped, available, off_runtime, rethrow,
};

use super::RunOutcome;
use super::flow_spec::FlowSpec;
use super::reducer::Reducer;
use super::repeats::Repeats;
use super::run::{Fetched, Run};
use super::slice_processor::{SliceError, SliceProcessor, SliceResult};

/// What the async flow fetches and stores.
static ASYNC: FlowSpec = FlowSpec {
    flow: Flow::Async,
    resources: &[Resource::Users, Resource::Posts, Resource::Comments],
    outputs: &[
        Output::Users,
        Output::Posts,
        Output::Comments,
        Output::FilteredUsers,
    ],
};

/// The maximum number of slices that wait to be processed.
const WAITING: usize = 64;

/// The observer of an async run.
pub type SharedObserver = Arc<dyn Observer + Send + Sync>;

/// Runs the async flow once, in a new runtime.
///
/// # Errors
/// Any error before the commit; the last snapshot is unchanged then.
pub fn run_async(
    settings: &Settings,
    stop: &Stop,
    observer: &SharedObserver,
) -> Result<RunOutcome, Error> {
    let settings = within_threads(settings)?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        // Tokio panics if it has no thread left and cannot start one.
        .thread_keep_alive(Duration::from_hours(24))
        .thread_stack_size(STACK)
        .build()
        .map_err(Error::start("the async runtime"))?;
    let outcome = runtime.block_on(run(&settings, stop, observer));
    // Work that was started completes, because it may be writing; but a name lookup that hangs must
    // not keep a stopped run from ending.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// The number of threads besides those that receive bodies and process slices: for name lookups and
/// for writing files.
const OTHERS: usize = 4;

/// Limits concurrent requests and slices to the available threads: with too few threads, blocking
/// tasks would wait for tasks that wait for them.
fn within_threads(settings: &Settings) -> Result<Settings, Error> {
    let asked = (settings.policy.concurrency, settings.workers);
    let wanted = asked.0.saturating_add(asked.1.get()).get();
    let found = available(wanted.saturating_add(OTHERS));
    let Some((requests, workers)) = share(found, asked) else {
        let cause = Errno::AGAIN.into();
        return Err(Error::start("the threads of the async flow")(cause));
    };
    let mut settings = settings.clone();
    if (requests, workers) != asked {
        warn!(found, %requests, %workers, "there are few threads to be had: going on with fewer");
    }
    (settings.policy.concurrency, settings.workers) = (requests, workers);
    Ok(settings)
}

/// How many concurrent requests and slices this many threads allow; `None` if not one of each.
fn share(
    threads: usize,
    (requests, workers): (NonZeroUsize, NonZeroUsize),
) -> Option<(NonZeroUsize, NonZeroUsize)> {
    let left = threads.checked_sub(OTHERS)?;
    let workers = workers.min(NonZeroUsize::new(left / 2)?);
    let requests = requests.min(NonZeroUsize::new(left - workers.get())?);
    Some((requests, workers))
}

/// Runs the async flow once, in the runtime of the caller.
///
/// # Errors
/// Any error before the commit; the last snapshot is unchanged then.
pub async fn run(
    settings: &Settings,
    stop: &Stop,
    observer: &SharedObserver,
) -> Result<RunOutcome, Error> {
    let run = off_runtime({
        let (settings, stop) = (settings.clone(), stop.clone());
        let observer = Arc::clone(observer);
        move || Run::begin(&ASYNC, &settings, &stop, &observer)
    })
    .await?;
    let outcome = fetch_and_process(&run, observer).await;
    let outcome = run.stop_or(outcome);
    let observer = Arc::clone(observer);
    off_runtime(move || {
        let outcome =
            outcome.and_then(|(fetched, reduction)| run.store(fetched, reduction, &observer));
        run.end(outcome)
    })
    .await
}

/// Steps 1 to 4, concurrently: pages that have arrived are processed while others are fetched.
async fn fetch_and_process(
    run: &Run,
    observer: &SharedObserver,
) -> Result<(Fetched, Reducer), Error> {
    let bench = Arc::new(run.bench());
    let source = &run.settings.source;
    let mut reduction = run.reduction();
    let fetch = async |spool: &Arc<Spool>| {
        let transport = &run.settings.transport;
        let (sinks, observer) = (Arc::clone(spool), Arc::clone(observer));
        fetch::tasks::fetch(&run.fetch, transport, sinks, &run.stop, observer).await
    };
    let fetched = process(run, &bench, &mut reduction, observer, async |spool| {
        if run.replays() {
            let again = run.again(Repeats::none(source));
            let observer = Arc::clone(observer);
            off_runtime(move || again(&spool, &observer)).await?;
            return Ok(Fetched::Pages);
        }
        fetch(&spool).await?;
        let settle = run.settling();
        off_runtime(move || settle(&spool)).await
    })
    .await?;
    let suspects = reduction.suspects();
    let find = async || {
        let search = run.search(&bench, &suspects);
        off_runtime(move || search.find()).await
    };
    let mut repeats = find().await?;
    let mut looks = 0;
    while run.looks_again(&repeats, &suspects)? {
        looks += 1;
        let mut unused = Reducer::of_pages();
        process(run, &bench, &mut unused, observer, async |spool| {
            fetch(&spool).await?;
            let looked = run.looked();
            off_runtime(move || looked(&spool)).await
        })
        .await?;
        repeats = find().await?;
    }
    if looks > 0 || !repeats.is_empty() {
        reduction = Reducer::of_pages();
        let nobody: SharedObserver = Arc::new(());
        process(run, &bench, &mut reduction, &nobody, async |spool| {
            let again = run.again(repeats);
            off_runtime(move || again(&spool, &())).await
        })
        .await?;
    }
    if let Some(stand_in) = run.stand_in(&mut reduction)? {
        let bench = Arc::new(stand_in.bench.clone());
        process(run, &bench, &mut reduction, observer, async |spool| {
            off_runtime(move || stand_in.put(&spool)).await
        })
        .await?;
    }
    Ok((fetched, reduction))
}

/// A slice and its result.
type Processed = (Slice, Result<SliceResult, SliceError>);

/// Processes on the blocking pool what `produce` puts into a spool, while it does so. If one side
/// fails, the other is dropped.
async fn process<T>(
    run: &Run,
    bench: &Arc<SliceProcessor>,
    reduction: &mut Reducer,
    observer: &SharedObserver,
    produce: impl AsyncFnOnce(Arc<Spool>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (slices_in, slices) = bounded(WAITING);
    let (done_in, done) = mpsc::channel(WAITING);
    let journal = Arc::clone(&run.journal);
    let spool = Spool::new(run.stage.staging(), journal, move |slice| {
        slices_in
            .send(slice)
            .map_err(|_| Stopped(StopReason::Failure).into())
    });
    // Each worker keeps its thread of the pool as long as there are slices. If each slice ran on
    // any free thread, the allocator would keep the memory for a slice in all of them.
    let mut working = JoinSet::new();
    for _ in 0..run.settings.workers.get() {
        let (slices, done) = (slices.clone(), done_in.clone());
        let (bench, staging) = (Arc::clone(bench), run.stage.staging());
        working.spawn_blocking(move || {
            work_off(&bench, &slices, &done);
            // The folder is needed until here, even if the result is no longer needed.
            drop(staging);
        });
    }
    // So that each channel closes when its other side ends.
    drop((slices, done_in));
    let producing = produce(Arc::new(run.prepared(spool)));
    let reducing = async {
        // Moved here, so that it is dropped with this future.
        let mut done = done;
        while let Some((slice, outcome)) = done.recv().await {
            run.reduce(reduction, &slice, outcome, observer)?;
        }
        Ok(())
    };
    let outcome = tokio::try_join!(producing, reducing);
    // Blocking work cannot be cancelled. It ends soon, because its channels close: once every sink
    // has dropped its sender and the last slice is done, nothing is written.
    while let Some(ended) = working.join_next().await {
        ended.unwrap_or_else(rethrow);
    }
    let (produced, ()) = outcome?;
    reduction.settle(|response| run.journal.is_whole(response));
    Ok(produced)
}

/// Step 3 on one thread: slice after slice, until the channel closes.
fn work_off(bench: &SliceProcessor, slices: &Receiver<Slice>, done: &mpsc::Sender<Processed>) {
    let mut room = Vec::new();
    for slice in slices {
        // If the results are no longer needed, slices are received but not processed, so that their
        // sender does not block.
        if !done.is_closed() {
            let outcome = bench.process(&slice, &mut room);
            let _ = done.blocking_send((slice, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_threads_are_shared_between_requests_and_slices() {
        let cases = [
            (13, (5, 4), Some((5, 4))),
            (100, (5, 4), Some((5, 4))),
            (12, (5, 4), Some((4, 4))),
            (9, (5, 1), Some((4, 1))),
            (7, (5, 4), Some((2, 1))),
            (6, (5, 4), Some((1, 1))),
            (5, (5, 4), None),
            (0, (1, 1), None),
        ];
        for (threads, (requests, workers), expected) in cases {
            let number = |n| NonZeroUsize::new(n).unwrap();
            let found = share(threads, (number(requests), number(workers)));
            let found = found.map(|(requests, workers)| (requests.get(), workers.get()));
            assert_eq!(found, expected, "{threads} {requests} {workers}");
        }
    }
}
