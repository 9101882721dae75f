//! The command `watch`: scheduled runs, each of which reports its changes.

mod exec;
mod schedule;
mod status_line;

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{ApiError, Error, StopReason};
use activity_tracker::fetch::Excess;
use activity_tracker::pipeline::{Recorded, RunOutcome};
use activity_tracker::settings::{Settings, Start};
use activity_tracker::text::count;
use clap::Args;
use jiff::Timestamp;
use tracing::{info, warn};

use crate::cli::progress::Progress;
use crate::cli::run_options::RunOptions;
use crate::cli::values::{duration, positive, positive_duration};
use crate::cli::{help, logger, printing, signals};

use exec::{Hook, HookError};
use schedule::{NextRun, Schedule};
use status_line::StatusLine;

const EXAMPLES: &str = "\
activity-tracker watch --every 15min
activity-tracker watch --every 1d --runs 7 github --var repo=rust-lang/cargo
activity-tracker watch --every 15min --exec 'jq -c \".[]\" >> changes.ndjson'";

const EXIT_CODES: &str = "\
0    stopped (Ctrl-C, SIGTERM or SIGHUP), or the last of --runs succeeded
2    wrong usage or configuration
1-5  exit code of the last of --runs: see `run --help`
129  hung up twice
130  interrupted twice
143  terminated twice";

#[derive(Debug, Args)]
#[command(after_help = help::sections([("Examples", EXAMPLES), ("Exit codes", EXIT_CODES)]))]
pub(crate) struct WatchArgs {
    /// Time from the start of one run to the start of the next, with random jitter: 30s, 15min, 1d
    #[arg(long, value_name = "TIME", value_parser = interval)]
    every: Duration,

    /// Stop after this many runs [default: run until stopped]
    #[arg(long, value_name = "N", value_parser = positive)]
    runs: Option<u64>,

    /// Shell command to run after a run that found changes; it gets them as a JSON array on stdin
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_history")]
    exec: Option<String>,

    /// Timeout of that command
    #[arg(long, value_name = "TIME", default_value = "5min", requires = "exec", value_parser = positive_duration)]
    exec_timeout: Duration,

    #[command(flatten)]
    options: RunOptions,
}

fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time < Duration::from_secs(1) => Err("must be at least 1s".to_owned()),
        time => Ok(time),
    }
}

/// Executes scheduled runs until a signal or the last of `--runs`.
///
/// # Errors
/// When a run fails in a way that no later run can repair, or the last of `--runs` fails.
pub(crate) fn run(args: &WatchArgs) -> Result<(), Error> {
    logger::start(&args.options.log, args.options.readers())?;
    let stop = Stop::new();
    let new_hook = |command: &String| Hook::new(command.clone(), args.exec_timeout);
    let state = Arc::new(WatchState {
        runs: AtomicU64::new(0),
        hook: args.exec.as_ref().map(new_hook),
        hook_running: AtomicBool::new(false),
        quiet: args.options.quiet,
    });
    signals::watch(&stop, StopWatch(Arc::clone(&state)))?;
    let watch = || {
        let (source, _sample_server) = args.options.source.load()?;
        let settings = args.options.settings(source, Start::Resume)?;
        let mut watch = Watch {
            args,
            settings,
            stop: &stop,
            state: &state,
            pending_run: None,
        };
        watch.execute()
    };
    watch().inspect_err(logger::log_error)
}

/// State shared with the thread that handles signals.
struct WatchState {
    /// How many runs have ended.
    runs: AtomicU64,
    hook: Option<Hook>,
    /// Whether the command of `--exec` is running.
    hook_running: AtomicBool,
    quiet: bool,
}

impl WatchState {
    fn report_stop(&self) {
        let runs = self.runs.load(Ordering::SeqCst);
        info!(runs, "watch stopped");
        if !self.quiet && printing::first_to_print_end() {
            let runs = count(runs, "run");
            printing::print_note(&format!("Stopped after {runs}"));
        }
    }
}

/// Ends a watch that a signal stopped, which is a success.
struct StopWatch(Arc<WatchState>);

impl signals::StopHandler for StopWatch {
    fn on_timeout(&self, _: StopReason) {
        // The command has its own grace period.
        if !self.0.hook_running.load(Ordering::SeqCst) {
            self.0.report_stop();
            process::exit(0);
        }
    }

    fn on_second_signal(&self, reason: StopReason) -> ! {
        if let Some(hook) = &self.0.hook {
            hook.kill();
        }
        process::exit(Error::Stopped(reason).exit_code().into());
    }
}

/// A watch in progress.
struct Watch<'a> {
    args: &'a WatchArgs,
    settings: Settings,
    stop: &'a Stop,
    state: &'a WatchState,
    /// A run whose changes could not be read for the command yet.
    pending_run: Option<String>,
}

/// The result of a scheduled run. A run with too many rejected records has both a report and an
/// error.
struct RunResult {
    report: Option<RunOutcome>,
    error: Option<Error>,
    elapsed: Duration,
}

impl Watch<'_> {
    fn execute(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        let mut schedule = Schedule::new(self.args.every, self.args.runs);
        loop {
            let span = logger::run_span(self.args.options.async_flow);
            let result = span.in_scope(|| self.run_scheduled())?;
            if result.report.is_none() && self.stop.check().is_err() {
                break;
            }
            self.state.runs.fetch_add(1, Ordering::SeqCst);
            let random = fastrand::f64();
            span.in_scope(|| {
                self.print(&result, schedule.next(started.elapsed(), random), started);
                self.run_hook(result.report.as_ref());
            });
            if self.stop.check().is_err() {
                break;
            }
            let Some(next) = schedule.next(started.elapsed(), random) else {
                return result.error.map_or(Ok(()), Err);
            };
            if next.missed > 0 {
                let missed = next.missed;
                warn!(
                    missed,
                    "skipped scheduled runs: the previous run was still in progress"
                );
            }
            schedule.advance(next);
            self.stop.wait(next.at.saturating_sub(started.elapsed()));
            if self.stop.check().is_err() {
                break;
            }
        }
        self.state.report_stop();
        Ok(())
    }

    /// Executes one scheduled run, which resumes an interrupted one.
    fn run_scheduled(&mut self) -> Result<RunResult, Error> {
        let started = Instant::now();
        let mut outcome = self.run_once();
        if let (Err(Error::Usage(reason)), Start::Resume) = (&outcome, &self.settings.start) {
            // Its pages belong to another version or other resources: no later run could use them.
            warn!("{reason}; starting a new run");
            self.settings.start = Start::Afresh;
            outcome = self.run_once();
        }
        let (report, error) = match outcome {
            Ok(report) => {
                let checked = self.args.options.check_limits(&report);
                (Some(report), checked.err())
            }
            Err(error) if matches!(error, Error::Usage(_) | Error::Source(_)) => return Err(error),
            Err(error) => (None, Some(error)),
        };
        self.settings.start = next_start(error.as_ref());
        Ok(RunResult {
            report,
            error,
            elapsed: started.elapsed(),
        })
    }

    fn run_once(&mut self) -> Result<RunOutcome, Error> {
        // Token files are replaced, some every hour.
        self.args.options.source.renew(&mut self.settings.source);
        // A failure of this run must not stop the next ones.
        let (stop, _registration) = self.stop.part();
        let silent = Progress::start(true);
        let options = &self.args.options;
        options.execute(&self.settings, &stop, silent)
    }

    fn print(&self, result: &RunResult, next: Option<NextRun>, started: Instant) {
        // The error of the last run is printed as that of the program.
        let error = result.error.as_ref().filter(|_| next.is_some());
        if let Some(error) = error {
            logger::log_error(error);
        }
        if error.is_none() && (self.args.options.quiet || result.report.is_none()) {
            return;
        }
        let at = Timestamp::now();
        let next = next.and_then(|next| {
            let wait = next.at.saturating_sub(started.elapsed());
            at.checked_add(wait).ok()
        });
        printing::print_line(&StatusLine {
            at,
            report: result.report.as_ref(),
            error,
            next,
            elapsed: result.elapsed,
        });
    }

    /// Runs the command of `--exec` if there are changes. If they cannot be read, once more after
    /// the next run.
    fn run_hook(&mut self, report: Option<&RunOutcome>) {
        let (Some(hook), Some(report)) = (&self.state.hook, report) else {
            return;
        };
        let changed = |it: &&Recorded| it.changes.values().any(|of| of.total() > 0);
        let new = report.recorded.as_ref().filter(changed);
        let pending = self.pending_run.take();
        self.state.hook_running.store(true, Ordering::SeqCst);
        for run in pending.iter().chain(new.map(|recorded| &recorded.run)) {
            let Err(error) = hook.run(run, &self.settings, self.stop) else {
                continue;
            };
            warn!(run, %error, "the command failed");
            printing::print_note(&format!("--exec failed for run {run}: {error}"));
            let unread = matches!(error, HookError::Changes(_) | HookError::NoRun(_));
            if unread && pending.as_ref() != Some(run) {
                self.pending_run = Some(run.clone());
            }
        }
        self.state.hook_running.store(false, Ordering::SeqCst);
    }
}

/// How the next run starts: with the pages fetched so far, unless they caused the failure.
fn next_start(error: Option<&Error>) -> Start {
    let mut cause = error;
    while let Some(Error::Unfinished { cause: inner, .. }) = cause {
        cause = Some(inner);
    }
    match cause {
        Some(Error::Data(_)) => Start::Afresh,
        // The same requests would be refused again.
        Some(Error::Api(cause)) if cause.is_lasting() => Start::Afresh,
        // The next run would exceed the same limit, except for the time.
        Some(Error::Api(ApiError::Excess { cause, .. })) if !matches!(cause, Excess::Time(_)) => {
            Start::Afresh
        }
        _ => Start::Resume,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_tracker::error::{DataProcessingError, StorageError};
    use activity_tracker::fetch::RequestTarget;
    use activity_tracker::record::Resource;

    #[test]
    fn the_next_run_resumes_unless_the_pages_caused_the_failure() {
        let data = || {
            Error::Data(DataProcessingError::Worker {
                task: String::new(),
                reason: String::new(),
            })
        };
        let unfinished = |cause| Error::Unfinished {
            cause: Box::new(cause),
            pages: 1,
        };
        let excess = |cause| {
            Error::Api(ApiError::Excess {
                subject: Box::new(RequestTarget {
                    resource: Resource::Posts,
                    url: "http://api.test/posts".parse().unwrap(),
                }),
                cause,
            })
        };
        let locked = || Error::Storage(StorageError::Locked("data".into()));
        let cases = [
            (None, Start::Resume),
            (Some(locked()), Start::Resume),
            (Some(unfinished(locked())), Start::Resume),
            (Some(data()), Start::Afresh),
            (Some(unfinished(data())), Start::Afresh),
            (Some(excess(Excess::Pages(3))), Start::Afresh),
            (Some(unfinished(excess(Excess::Bytes(3)))), Start::Afresh),
            (
                Some(unfinished(excess(Excess::Time(Duration::ZERO)))),
                Start::Resume,
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(next_start(error.as_ref()), expected, "{error:?}");
        }
    }

    #[test]
    fn an_interval_is_a_second_at_least() {
        for right in ["1s", "15min", "1d"] {
            assert!(interval(right).is_ok(), "{right}");
        }
        for wrong in ["0", "0s", "999ms", "15"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
