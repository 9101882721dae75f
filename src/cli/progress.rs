//! Progress on a terminal, a line for each resource. Elsewhere, only notes are printed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_tracker::concurrency::available;
use activity_tracker::fetch::{Event, Observer};
use activity_tracker::record::Resource;
use activity_tracker::text::{count, grouped};
use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::printing;

/// Shows events as they happen; the bars are cleared when this is dropped.
pub(crate) struct Progress {
    quiet: bool,
    bars: MultiProgress,
    lines: Mutex<HashMap<Resource, Line>>,
}

struct Line {
    bar: ProgressBar,
    bytes: u64,
    records: u64,
}

impl Progress {
    /// Shows progress on stderr if that is a terminal, and nothing at all if `quiet`.
    pub(crate) fn start(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            quiet,
            bars: MultiProgress::with_draw_target(target),
            lines: Mutex::default(),
        }
    }

    /// Prints a note above the bars, whether or not there is a terminal.
    pub(crate) fn note(&self, note: &str) {
        if !self.quiet {
            self.bars.suspend(|| printing::print_note(note));
        }
    }

    fn show(&self, resource: Resource, change: impl FnOnce(&mut Line) -> String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.entry(resource).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:8} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(resource.name());
            // indicatif panics if it cannot start a thread.
            if available(1) == 1 {
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Line {
                bar,
                bytes: 0,
                records: 0,
            }
        });
        let message = change(line);
        line.bar.set_message(message);
    }
}

/// The note that an event is worth, if any.
fn note(event: Event) -> Option<String> {
    match event {
        Event::Queueing => Some("Waiting for another run to finish".to_owned()),
        Event::Unfinished {
            started_at,
            pages,
            planned,
            resumed,
        } => {
            let now = Timestamp::now().to_zoned(TimeZone::UTC);
            let started = started_at.to_zoned(TimeZone::UTC);
            let format = if started.date() == now.date() {
                "%H:%M UTC"
            } else {
                "%Y-%m-%d %H:%M UTC"
            };
            let started = started.strftime(format);
            let (pages, planned) = (grouped(pages), count(planned.max(pages), "page"));
            let run = format!("interrupted run of {started} ({pages} of ~{planned} done)");
            Some(if resumed {
                format!("Resuming the {run}")
            } else {
                format!("Starting a new run, and discarding the {run}; --resume continues one")
            })
        }
        _ => None,
    }
}

impl Observer for Progress {
    fn on(&self, event: Event) {
        if let Some(note) = note(event) {
            self.note(&note);
        }
        if self.bars.is_hidden() {
            return;
        }
        match event {
            Event::Arrived { resource, bytes } => self.show(resource, |line| {
                line.bytes += bytes;
                format!("{} fetched", DecimalBytes(line.bytes))
            }),
            Event::Waiting { resource, delay } => {
                self.show(resource, |_| {
                    format!("failed, retrying in {:.1} s", delay.as_secs_f64())
                });
            }
            Event::Fetched { resource, records } => self.show(resource, |line| {
                line.records += records;
                let bytes = DecimalBytes(line.bytes);
                format!("{bytes} fetched, {}", count(line.records, "record"))
            }),
            Event::Processed { .. }
            | Event::Committing
            | Event::Queueing
            | Event::Unfinished { .. } => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A terminal that cannot be cleared is no failure of the run.
        let _ = self.bars.clear();
    }
}
