//! The command `watch`: run again and again, and tell what changed.

mod exec;
mod line;
mod turns;

use std::num::NonZeroU64;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use activity_tracker::concurrency::Stop;
use activity_tracker::error::{ApiError, Error, StopReason};
use activity_tracker::fetch::Excess;
use activity_tracker::pipeline::{Recorded, Report};
use activity_tracker::settings::{Settings, Start};
use activity_tracker::text::count;
use clap::Args;
use jiff::Zoned;
use tracing::{info, warn};

use crate::cli::progress::Progress;
use crate::cli::run_options::RunOptions;
use crate::cli::values::{duration, positive_duration};
use crate::cli::{logger, printing, signals};

use exec::{Hook, HookError};
use line::Line;
use turns::{Next, Turns};

const AFTER_HELP: &str = "\
Exit codes:
  0    told to stop (Ctrl-C, SIGTERM or SIGHUP), or --runs are done and the last one is well
  2    wrong usage or configuration
  1-5  of the last run, with --runs: see `run --help`
  130  interrupted twice; 143 terminated twice; 129 hung up twice";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct WatchArgs {
    /// Time from the start of one run to the start of the next, with random jitter: 30s, 15min, 1d
    #[arg(long, value_name = "TIME", value_parser = interval)]
    every: Duration,

    /// Stop after this many runs [default: run until stopped]
    #[arg(long, value_name = "N")]
    runs: Option<NonZeroU64>,

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
        time if time < Duration::from_secs(1) => Err("expected at least 1s".to_owned()),
        time => Ok(time),
    }
}

/// Takes turns until it is told to stop, or all that are wanted are done.
///
/// # Errors
/// What no further turn can mend; and where there is no further turn, what the last one failed of.
pub(crate) fn run(args: &WatchArgs) -> Result<(), Error> {
    logger::start(&args.options.log, args.options.readers())?;
    let stop = Stop::new();
    let new_hook = |command: &String| Hook::new(command.clone(), args.exec_timeout);
    let underway = Arc::new(Underway {
        runs: AtomicU64::new(0),
        hook: args.exec.as_ref().map(new_hook),
        giving: AtomicBool::new(false),
        quiet: args.options.quiet,
    });
    signals::watch(&stop, EndOfWatch(Arc::clone(&underway)))?;
    let watch = || {
        let (source, _sample_server) = args.options.source.load()?;
        let settings = args.options.settings(source, Start::Resume)?;
        let mut watch = Watch {
            args,
            settings,
            stop: &stop,
            underway: &underway,
            untold: None,
        };
        watch.take_turns()
    };
    watch().inspect_err(logger::note)
}

/// What the thread that waits for signals has to know.
struct Underway {
    /// How many runs came to an end.
    runs: AtomicU64,
    hook: Option<Hook>,
    /// Whether the changes of a run are on their way to the command.
    giving: AtomicBool,
    quiet: bool,
}

impl Underway {
    fn tell_stopped(&self) {
        let runs = self.runs.load(Ordering::SeqCst);
        info!(runs, "watch stopped");
        if !self.quiet && printing::first_to_tell() {
            let runs = count(runs, "run");
            printing::print_note(&format!("stopped after {runs}"));
        }
    }
}

/// A watch that is told to stop has done what it was told.
struct EndOfWatch(Arc<Underway>);

impl signals::Ending for EndOfWatch {
    fn late(&self, _: StopReason) {
        // The command has limits of its own.
        if !self.0.giving.load(Ordering::SeqCst) {
            self.0.tell_stopped();
            process::exit(0);
        }
    }

    fn at_once(&self, reason: StopReason) -> ! {
        if let Some(hook) = &self.0.hook {
            hook.kill();
        }
        process::exit(Error::Stopped(reason).exit_code().into());
    }
}

/// A watch under way.
struct Watch<'a> {
    args: &'a WatchArgs,
    settings: Settings,
    stop: &'a Stop,
    underway: &'a Underway,
    /// The run whose changes the command could not be given yet.
    untold: Option<String>,
}

/// What came of a turn.
struct Turn {
    done: Option<Report>,
    failed: Option<Error>,
    took: Duration,
}

impl Watch<'_> {
    fn take_turns(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        let mut turns = Turns::new(self.args.every, self.args.runs.map(NonZeroU64::get));
        loop {
            let span = logger::run_span(self.args.options.async_flow);
            let turn = span.in_scope(|| self.take_turn())?;
            if turn.done.is_none() && self.stop.check().is_err() {
                break;
            }
            self.underway.runs.fetch_add(1, Ordering::SeqCst);
            let chance = fastrand::f64();
            span.in_scope(|| {
                self.tell(&turn, turns.next(begun.elapsed(), chance), begun);
                self.give_changes(turn.done.as_ref());
            });
            if self.stop.check().is_err() {
                break;
            }
            let Some(next) = turns.next(begun.elapsed(), chance) else {
                return turn.failed.map_or(Ok(()), Err);
            };
            if next.missed > 0 {
                let missed = next.missed;
                warn!(missed, "turns came due while the last one was under way");
            }
            turns.take(next);
            self.stop.wait(next.at.saturating_sub(begun.elapsed()));
            if self.stop.check().is_err() {
                break;
            }
        }
        self.underway.tell_stopped();
        Ok(())
    }

    /// Takes a run, which goes on with the pages of one that was cut off.
    fn take_turn(&mut self) -> Result<Turn, Error> {
        let begun = Instant::now();
        let mut taken = self.take_run();
        if let (Err(Error::Usage(why)), Start::Resume) = (&taken, &self.settings.start) {
            // Of an older version, or of other resources: no later turn could go on with them.
            warn!("{why}; this one does");
            self.settings.start = Start::Afresh;
            taken = self.take_run();
        }
        let (done, failed) = match taken {
            Ok(done) => {
                let verdict = self.args.options.verdict(&done);
                (Some(done), verdict.err())
            }
            Err(error) if matches!(error, Error::Usage(_) | Error::Source(_)) => return Err(error),
            Err(error) => (None, Some(error)),
        };
        self.settings.start = next_start(failed.as_ref());
        Ok(Turn {
            done,
            failed,
            took: begun.elapsed(),
        })
    }

    fn take_run(&mut self) -> Result<Report, Error> {
        // Tokens are replaced, some every hour.
        self.args.options.source.renew(&mut self.settings.source);
        // What ends one run is no reason to stop the others.
        let (stop, _registration) = self.stop.part();
        let silent = Progress::start(true);
        let options = &self.args.options;
        options.take_run(&self.settings, &stop, silent)
    }

    fn tell(&self, turn: &Turn, next: Option<Next>, begun: Instant) {
        // Where there is no next turn, the error is told as that of the program.
        let failed = turn.failed.as_ref().filter(|_| next.is_some());
        if let Some(error) = failed {
            logger::note(error);
        }
        if failed.is_none() && (self.args.options.quiet || turn.done.is_none()) {
            return;
        }
        let at = Zoned::now();
        let next = next.and_then(|next| {
            let wait = next.at.saturating_sub(begun.elapsed());
            at.checked_add(wait).ok()
        });
        printing::print_line(&Line {
            at,
            done: turn.done.as_ref(),
            failed,
            next,
            took: turn.took,
        });
    }

    /// Gives the command what changed. Where the history could not be asked, once more after
    /// the next run.
    fn give_changes(&mut self, done: Option<&Report>) {
        let (Some(hook), Some(done)) = (&self.underway.hook, done) else {
            return;
        };
        let changed = |it: &&Recorded| it.changes.values().any(|of| of.total() > 0);
        let new = done.recorded.as_ref().filter(changed);
        let before = self.untold.take();
        self.underway.giving.store(true, Ordering::SeqCst);
        for run in before.iter().chain(new.map(|recorded| &recorded.run)) {
            let given = hook.give(run, &self.settings, self.stop);
            let Err(error) = given else { continue };
            warn!(run, %error, "the command failed");
            printing::print_note(&format!("the command failed for the run {run}: {error}"));
            let unknown = matches!(error, HookError::Changes(_) | HookError::NoRun(_));
            if unknown && before.as_ref() != Some(run) {
                self.untold = Some(run.clone());
            }
        }
        self.underway.giving.store(false, Ordering::SeqCst);
    }
}

/// How the next turn begins: with the pages that came, unless they are to blame.
fn next_start(failed: Option<&Error>) -> Start {
    let mut cause = failed;
    while let Some(Error::Unfinished { cause: inner, .. }) = cause {
        cause = Some(inner);
    }
    match cause {
        Some(Error::Data(_)) => Start::Afresh,
        // What is refused once is refused each time, until the pages before it say otherwise.
        Some(Error::Api(cause)) if cause.is_lasting() => Start::Afresh,
        // Too many pages are too many next time; time is what the next turn has more of.
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
    fn a_turn_goes_on_with_pages_unless_they_are_to_blame() {
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
        for (failed, expected) in cases {
            assert_eq!(next_start(failed.as_ref()), expected, "{failed:?}");
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
