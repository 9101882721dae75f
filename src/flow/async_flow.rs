//! The async flow: fetch as tasks, process on the blocking pool, store.
//!
//! It stands beside the main flow and leaves its files alone. Whatever blocks
//! (disk, CPU) is handed to the runtime's blocking pool, which is what
//! `asyncio.to_thread` is in Python.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::activity::Resource;
use crate::api::{self, Observer};
use crate::concurrency::{Stop, off_runtime, rethrow};
use crate::error::{Error, StopReason};
use crate::settings::Settings;
use crate::storage::{Flow, Output, Slice, Spool};

use super::authors;
use super::reduction::Reduction;
use super::work::{Done, Refusal, Workbench};
use super::{Fetched, Report, Run, Shape};

/// What the async flow fetches and stores.
static ASYNC: Shape = Shape {
    flow: Flow::Async,
    resources: &[Resource::Users, Resource::Posts, Resource::Comments],
    outputs: &[
        Output::Users,
        Output::Posts,
        Output::Comments,
        Output::FilteredUsers,
    ],
};

/// Slices that wait to be processed.
const WAITING: usize = 64;

/// Who watches an async run.
pub type SharedObserver = Arc<dyn Observer + Send + Sync>;

/// Runs the async flow once, on a runtime of its own.
///
/// # Errors
/// Whatever ends the run before its commit; the data directory is as it was then.
pub fn run_async(
    settings: &Settings,
    stop: &Stop,
    observer: &SharedObserver,
) -> Result<Report, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let outcome = runtime.block_on(run(settings, stop, observer));
    // Work that was begun ends, for it may be writing; a name look-up that hangs
    // must not keep a stopped run from ending.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// Runs the async flow once, in the runtime of the caller.
///
/// # Errors
/// Whatever ends the run before its commit; the data directory is as it was then.
pub async fn run(
    settings: &Settings,
    stop: &Stop,
    observer: &SharedObserver,
) -> Result<Report, Error> {
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

/// Steps 1 to 4, all under way at once: pages that are there are processed
/// while others are on their way.
async fn fetch_and_process(
    run: &Run,
    observer: &SharedObserver,
) -> Result<(Fetched, Reduction), Error> {
    let bench = Arc::new(run.bench());
    let mut reduction = Reduction::default();
    let fetched = process(run, &bench, &mut reduction, observer, async |spool| {
        if run.replays() {
            let observer = Arc::clone(observer);
            let (carried, source) = (run.carried.clone(), run.settings.source.clone());
            off_runtime(move || {
                spool.replay(&observer)?;
                carried.restore(&source, &spool)
            })
            .await?;
            return Ok(Fetched::Pages);
        }
        let transport = &run.settings.transport;
        let (sinks, observer) = (Arc::clone(&spool), Arc::clone(observer));
        api::tasks::fetch(&run.fetch, transport, sinks, &run.stop, observer).await?;
        let settle = run.settling();
        off_runtime(move || settle(&spool)).await
    })
    .await?;
    let source = &run.settings.source;
    if source.authors.is_some() {
        let found = reduction.take(Output::Authors);
        process(run, &bench, &mut reduction, observer, async |spool| {
            let (source, bench) = (source.clone(), Arc::clone(&bench));
            let gather = move || {
                let mapping = bench.mappings.of(Resource::Users);
                authors::gather(&found, &source, mapping, &spool)
            };
            off_runtime(gather).await
        })
        .await?;
    }
    Ok((fetched, reduction))
}

/// A slice, what came of it, and the room that it took.
type Processed = (Slice, Result<Done, Refusal>, Vec<u8>);

/// Processes on the blocking pool what `produce` puts into a spool, while it
/// does. When one side fails, the other is dropped.
async fn process<T>(
    run: &Run,
    bench: &Arc<Workbench>,
    reduction: &mut Reduction,
    observer: &SharedObserver,
    produce: impl AsyncFnOnce(Arc<Spool>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (slices_in, mut slices) = mpsc::channel(WAITING);
    let mut working = JoinSet::new();
    let journal = Arc::clone(&run.journal);
    let spool = Spool::new(run.stage.staging(), journal, move |slice| {
        slices_in
            .blocking_send(slice)
            .map_err(|_| Error::Stopped(StopReason::Failure))
    });
    let producing = produce(Arc::new(run.prepared(spool)));
    let reducing = work_off(run, bench, &mut slices, &mut working, |slice, outcome| {
        run.reduce(reduction, slice, outcome, observer)
    });
    let outcome = tokio::try_join!(producing, reducing);
    // Blocking work cannot be dropped. It ends soon, for its other side is gone: once every sink
    // has let go of its sender and the last slice is done, nobody writes any more.
    while slices.recv().await.is_some() {}
    while working.join_next().await.is_some() {}
    let (produced, ()) = outcome?;
    reduction.settle(|answer| run.journal.is_whole(answer));
    Ok(produced)
}

/// Steps 3 and 4: a few slices at a time on the blocking pool, each reduced when it is done.
async fn work_off(
    run: &Run,
    bench: &Arc<Workbench>,
    slices: &mut mpsc::Receiver<Slice>,
    working: &mut JoinSet<Processed>,
    mut reduce: impl FnMut(&Slice, Result<Done, Refusal>) -> Result<(), Error>,
) -> Result<(), Error> {
    // Threads of the pool come and go, and each would keep room of its own.
    let mut rooms = Vec::new();
    loop {
        tokio::select! {
            Some(slice) = slices.recv(), if working.len() < run.settings.workers.get() => {
                let (bench, staging) = (Arc::clone(bench), run.stage.staging());
                let mut room = rooms.pop().unwrap_or_default();
                working.spawn_blocking(move || {
                    let outcome = bench.process(&slice, &mut room);
                    // The folder is needed up to here, whether or not anybody waits still.
                    drop(staging);
                    (slice, outcome, room)
                });
            }
            Some(done) = working.join_next() => {
                let (slice, outcome, room) = done.unwrap_or_else(rethrow);
                rooms.push(room);
                reduce(&slice, outcome)?;
            }
            else => return Ok(()),
        }
    }
}
