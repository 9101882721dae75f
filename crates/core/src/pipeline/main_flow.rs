//! The main flow: fetch on threads, process in worker processes, store.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::bounded;

use crate::error::Error;
use crate::fetch::{self, Observer};
use crate::record::Resource;
use crate::settings::Settings;
use crate::storage::{Flow, Output, Spool};
use activity_tracker_concurrency::{Pool, Stop, StopReason, Stopped, first_error, spawn_scoped};

use super::RunOutcome;
use super::flow_spec::FlowSpec;
use super::reducer::Reducer;
use super::repeats::Repeats;
use super::run::{Fetched, Run};
use super::slice_processor::{SliceError, SliceProcessor, SliceResult};

/// What the main flow fetches and stores.
static MAIN: FlowSpec = FlowSpec {
    flow: Flow::Main,
    resources: &[Resource::Users, Resource::Posts],
    outputs: &[
        Output::Users,
        Output::Posts,
        Output::FilteredUsers,
        Output::UserNames,
    ],
};

/// The maximum number of slices that wait for a worker: enough to keep all workers busy, and few
/// enough to keep in memory.
const WAITING: usize = 64;

/// The maximum number of results that wait to be merged: they are larger than the descriptions of
/// slices, and merged faster than a slice is processed.
const DONE: usize = 2;

/// Runs the main flow once, from the API to committed files. Each worker is a process that runs the
/// `worker` command of `worker_program`.
///
/// # Errors
/// Any error before the commit; the last snapshot is unchanged then.
pub fn run(
    settings: &Settings,
    worker_program: &Path,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<RunOutcome, Error> {
    let run = Run::begin(&MAIN, settings, stop, observer)?;
    let workers = Workers {
        run: &run,
        program: worker_program,
    };
    let outcome = fetch_and_process(&workers, observer)
        .and_then(|(fetched, reduction)| run.store(fetched, reduction, observer));
    run.end(outcome)
}

/// Steps 1 to 4, concurrently: pages that have arrived are processed while others are fetched.
fn fetch_and_process(
    workers: &Workers<'_>,
    observer: &dyn Observer,
) -> Result<(Fetched, Reducer), Error> {
    let run = workers.run;
    let bench = run.bench();
    let source = &run.settings.source;
    let mut reduction = run.reduction();
    let fetch = |spool: &Spool| {
        let transport = &run.settings.transport;
        fetch::blocking::fetch(&run.fetch, transport, spool, &run.stop, observer)
    };
    let fetched = workers.process(&bench, &mut reduction, observer, |spool| {
        if run.replays() {
            run.again(Repeats::none(source))(spool, observer)?;
            return Ok(Fetched::Pages);
        }
        fetch(spool)?;
        run.settling()(spool)
    })?;
    let suspects = reduction.suspects();
    let mut repeats = run.search(&bench, &suspects).find()?;
    let mut looks = 0;
    while run.looks_again(&repeats, &suspects)? {
        looks += 1;
        workers.process(&bench, &mut Reducer::of_pages(), observer, |spool| {
            fetch(spool)?;
            run.looked()(spool)
        })?;
        repeats = run.search(&bench, &suspects).find()?;
    }
    if looks > 0 || !repeats.is_empty() {
        reduction = Reducer::of_pages();
        workers.process(&bench, &mut reduction, &(), |spool| {
            run.again(repeats)(spool, &())
        })?;
    }
    if let Some(stand_in) = run.stand_in(&mut reduction)? {
        let bench = &stand_in.bench;
        workers.process(bench, &mut reduction, observer, |spool| stand_in.put(spool))?;
    }
    Ok((fetched, reduction))
}

/// Starts worker processes.
struct Workers<'a> {
    run: &'a Run,
    program: &'a Path,
}

impl Workers<'_> {
    /// Processes in worker processes what `produce` puts into a spool, while it does so.
    fn process<T: Send>(
        &self,
        bench: &SliceProcessor,
        reduction: &mut Reducer,
        observer: &dyn Observer,
        produce: impl FnOnce(&Spool) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let run = self.run;
        let (slices_in, slices) = bounded(WAITING);
        let (done_in, done) = bounded(DONE);
        // This fails only for a time zone without a name.
        let mappings = serde_json::to_string(&bench.mappings).map_err(|error| {
            Error::Usage(format!("cannot tell workers the field maps: {error}"))
        })?;
        thread::scope(|scope| {
            // The pool starts first: without it, nothing receives what is produced.
            spawn_scoped(scope, || {
                let (slices, done_in) = (slices, done_in);
                let pool = Pool {
                    command: &|| self.command(&mappings),
                    size: run.settings.workers.get(),
                    at_once: run.is_first(),
                    stop: &run.stop,
                };
                pool.run::<_, Result<SliceResult, SliceError>>(&slices, &done_in);
            })
            .map_err(Error::start("a thread for worker processes"))?;
            let producing = spawn_scoped(scope, || {
                let journal = Arc::clone(&run.journal);
                let spool = Spool::new(run.stage.staging(), journal, move |slice| {
                    // The receiver is gone if the run has failed elsewhere.
                    slices_in
                        .send(slice)
                        .map_err(|_| Stopped(StopReason::Failure).into())
                });
                produce(&run.prepared(spool))
            })
            .map_err(Error::start("a thread to fetch in"))?;
            // If reducing fails, dropping the receiver stops the pool, and the stop request the
            // producer.
            let reduced = done.into_iter().try_for_each(|(slice, outcome)| {
                let outcome =
                    outcome.map_err(|failed| Error::of_worker(failed, slice.to_string()))?;
                run.reduce(reduction, &slice, outcome, observer)
            });
            if reduced.is_err() && run.stop.check().is_ok() {
                run.stop.request(StopReason::Failure);
            }
            let produced = producing
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic));
            let (produced, echo) = match produced {
                Ok(produced) => (Some(produced), Ok(())),
                Err(error) => (None, Err(error)),
            };
            run.stop_or(first_error([echo, reduced], Error::is_echo))?;
            reduction.settle(|response| run.journal.is_whole(response));
            produced.ok_or(Error::Stopped(StopReason::Failure))
        })
    }

    /// The command line of a worker process, which runs in the folder that places are relative to.
    fn command(&self, mappings: &str) -> Command {
        let run = self.run;
        let mut command = Command::new(self.program);
        command.args([
            "worker",
            "--email-domain",
            run.settings.email_domain.as_str(),
            "--mappings",
            mappings,
        ]);
        if run.settings.keeps_history() {
            command.arg("--history");
        }
        command.current_dir(run.stage.folder());
        command
    }
}
