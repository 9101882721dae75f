//! Bars for a person at a terminal, a line for each resource. Anywhere else, nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use activity_tracker::activity::Resource;
use activity_tracker::api::{Event, Observer};
use activity_tracker::text::count;
use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows events as they come, and clears itself when dropped.
pub(crate) struct Progress {
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
            bars: MultiProgress::with_draw_target(target),
            lines: Mutex::default(),
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
            bar.enable_steady_tick(Duration::from_millis(100));
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

impl Observer for Progress {
    fn on(&self, event: Event) {
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
            Event::Processed { .. } | Event::Committing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Nothing is lost when a terminal cannot be cleared.
        let _ = self.bars.clear();
    }
}
