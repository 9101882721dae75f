//! Bars for a person at a terminal, a line for each resource. Anywhere else, nothing.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_tracker::concurrency::available;
use activity_tracker::fetch::{Event, Observer};
use activity_tracker::record::Resource;
use activity_tracker::text::count;
use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Zoned;
use jiff::tz::TimeZone;

/// Shows events as they come, and clears itself when dropped.
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
    /// On stderr, where that is a terminal and the person wants to see something.
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

    /// Says something that stays, terminal or not.
    pub(crate) fn tell(&self, note: &str) {
        if !self.quiet {
            self.bars.suspend(|| {
                // stderr may be closed, and there is nobody to tell then.
                let _ = writeln!(anstream::stderr().lock(), "{note}");
            });
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
            // It would panic without a thread to be had; a bar can stand still as well.
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

/// What a person is told, apart from how far things are.
fn note(event: Event) -> Option<String> {
    match event {
        Event::Queueing => Some("waiting for another run to finish".to_owned()),
        Event::Unfinished {
            started_at,
            pages,
            planned,
            resumed,
        } => {
            let began = Zoned::now().with_time_zone(TimeZone::system());
            let (today, began) = (began.date(), started_at.to_zoned(TimeZone::system()));
            let form = if began.date() == today {
                "%H:%M"
            } else {
                "%Y-%m-%d %H:%M"
            };
            let (began, planned) = (began.strftime(form), planned.max(pages));
            let held = format!("{pages} of about {}", count(planned, "page"));
            Some(if resumed {
                format!("going on with the unfinished run of {began}, which holds {held}")
            } else {
                format!(
                    "an unfinished run of {began} holds {held}; this run starts afresh (--resume goes on with one)"
                )
            })
        }
        _ => None,
    }
}

impl Observer for Progress {
    fn on(&self, event: Event) {
        if let Some(note) = note(event) {
            self.tell(&note);
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
                    format!("failed, asking again in {:.1} s", delay.as_secs_f64())
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
        // Nothing is lost when a terminal cannot be cleared.
        let _ = self.bars.clear();
    }
}
