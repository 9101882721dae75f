//! Selects the snapshots for a report of an earlier time.

use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use activity_tracker_core::error::{Error, StorageError};
use activity_tracker_core::history::moment;
use activity_tracker_core::storage::{Flow, StoredSnapshot};

/// The snapshots that were current at some time, the newest one first.
#[derive(Debug)]
pub(super) struct Then {
    pub(super) snapshots: Vec<StoredSnapshot>,
    /// Anything that finished later is ignored.
    pub(super) until: Timestamp,
}

impl Then {
    /// Finds the snapshots of a time: when a run finished (`text` is its id), the end of a day, or
    /// a moment.
    ///
    /// # Errors
    /// If `text` is none of these, no snapshot is that old, or the snapshots cannot be listed.
    pub(super) fn find(data_dir: &Path, text: &str) -> Result<Self, Error> {
        let all = all(data_dir)?;
        let text = text.trim();
        let run = all.iter().find(|stored| stored.manifest.run == text);
        let until = run.map(|stored| stored.manifest.finished_at);
        let until = until
            .or_else(|| time(text))
            .ok_or_else(|| no_such(text, &all))?;
        // The newest one of each flow, because `all` is sorted.
        let newest = Flow::BOTH.into_iter().filter_map(|flow| {
            let mut of_flow = all.iter().filter(|stored| stored.manifest.flow == flow);
            of_flow.find(|stored| stored.manifest.finished_at <= until)
        });
        let mut snapshots: Vec<_> = newest.cloned().collect();
        if snapshots.is_empty() {
            return Err(none_as_old(text, &all));
        }
        snapshots.sort_by_key(|stored| std::cmp::Reverse(stored.manifest.finished_at));
        Ok(Self { snapshots, until })
    }
}

/// All snapshots that can be read, the newest one first.
fn all(data_dir: &Path) -> Result<Vec<StoredSnapshot>, Error> {
    let mut all = StoredSnapshot::earlier(data_dir)?;
    let current = Flow::BOTH.map(|flow| StoredSnapshot::last(data_dir, flow));
    all.extend(current.into_iter().flatten());
    if all.is_empty() {
        return Err(StorageError::NoSnapshot(data_dir.to_owned()).into());
    }
    all.sort_by_key(|stored| std::cmp::Reverse(stored.manifest.finished_at));
    Ok(all)
}

/// A day means its end, in UTC.
fn time(text: &str) -> Option<Timestamp> {
    // Longer forms contain a time, too.
    if text.len() == "2026-11-28".len()
        && let Ok(day) = text.parse::<Date>()
    {
        let next = day.checked_add(1.day()).ok()?;
        let begins = TimeZone::UTC.to_zoned(next.at(0, 0, 0, 0)).ok()?;
        return begins.timestamp().checked_sub(1.nanosecond()).ok();
    }
    moment(text)
}

fn no_such(text: &str, all: &[StoredSnapshot]) -> Error {
    Error::Usage(format!(
        "cannot read --at {text}: expected a date or time in UTC (2026-11-01, 2026-11-01T08:00:00Z), \
         or a run whose snapshot is kept: {}",
        known(all)
    ))
}

fn none_as_old(text: &str, all: &[StoredSnapshot]) -> Error {
    let known = known(all);
    Error::Usage(format!(
        "no snapshot is as old as {text}: kept are {known}; --keep-snapshots keeps more"
    ))
}

/// The runs with a snapshot, and when they finished.
fn known(all: &[StoredSnapshot]) -> String {
    let told = all.iter().map(|stored| {
        let finished = stored.manifest.finished_at.strftime("%Y-%m-%d %H:%M:%S");
        format!("{} ({finished})", stored.manifest.run)
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_to_its_end_and_a_moment_is_one() {
        let cases = [
            ("2026-11-28", "2026-11-28T23:59:59.999999999Z"),
            ("2026-11-28T08:00", "2026-11-28T08:00:00Z"),
            ("2026-11-28T08:00:00+02:00", "2026-11-28T06:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text), expected.parse().ok(), "{text}");
        }
        for text in ["", "yesterday", "2026-11-31", "7d", "9999-12-31"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
