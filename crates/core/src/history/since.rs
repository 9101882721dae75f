//! Parses the start of the changes to list, as users write it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::query::{ChangeFilter, LoggedRun};

/// The accepted forms.
const EXPECTED: &str = "expected how long ago (7d, 12h, `1h 30m`), a date or time in UTC (2026-11-01, \
                        2026-11-01T08:00:00Z), or a run, by its number or its id";

/// The text has none of the forms of [`Since`], or names a run that the history does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSince(String);

/// The start of the changes to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// Changes that runs found at this time or later.
    Time(Timestamp),
    /// Changes that runs found after this one.
    Run(Box<LoggedRun>),
}

impl Since {
    /// Parses a duration before `now` (`7d`), a date or time, or the id or number of one of these
    /// runs.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn read(text: &str, runs: &[LoggedRun], now: Timestamp) -> Result<Self, InvalidSince> {
        let text = text.trim();
        if let Some(run) = runs.iter().find(|run| run.run == text) {
            return Ok(Self::Run(Box::new(run.clone())));
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return numbered(text, runs);
        }
        if let Some(time) = moment(text) {
            return Ok(Self::Time(time));
        }
        if let Ok(span) = text.parse::<Span>() {
            return back(text, span, now).map(Self::Time);
        }
        if is_run(text) {
            return Err(no_run(text, runs));
        }
        Err(wrong(text))
    }

    /// Limits a filter to changes from here on.
    pub fn narrow(&self, wanted: &mut ChangeFilter) {
        match self {
            Self::Time(time) => wanted.since = Some(*time),
            Self::Run(run) => wanted.behind = Some(run.number),
        }
    }
}

fn numbered(text: &str, runs: &[LoggedRun]) -> Result<Since, InvalidSince> {
    let number: Option<i64> = text.parse().ok();
    let found = runs.iter().find(|run| Some(run.number) == number);
    let run = found.ok_or_else(|| no_run(text, runs))?;
    Ok(Since::Run(Box::new(run.clone())))
}

/// Parses a time with an offset, or one in UTC without an offset.
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    let civil = || {
        let time: DateTime = text.parse().ok()?;
        Some(TimeZone::UTC.to_zoned(time).ok()?.timestamp())
    };
    text.parse().ok().or_else(civil)
}

fn back(text: &str, span: Span, now: Timestamp) -> Result<Timestamp, InvalidSince> {
    // jiff parses `7 days ago` as a negative duration.
    let span = if text.ends_with("ago") {
        span.negate()
    } else {
        span
    };
    if span.is_negative() {
        return Err(wrong(text));
    }
    let then = now.to_zoned(TimeZone::UTC).checked_sub(span);
    // No run is older than the calendar.
    Ok(then.map_or(Timestamp::UNIX_EPOCH, |then| then.timestamp()))
}

/// Whether a text looks like the id of a run: `20261122T234545Z-5665`.
fn is_run(text: &str) -> bool {
    text.split_once("Z-")
        .is_some_and(|(begun, _)| begun.parse::<DateTime>().is_ok())
}

fn wrong(text: &str) -> InvalidSince {
    InvalidSince(format!("cannot read --since {text}: {EXPECTED}"))
}

fn no_run(text: &str, runs: &[LoggedRun]) -> InvalidSince {
    let known = match runs {
        [] => "it has none".to_owned(),
        [only] => format!("its only one is {} ({})", only.number, only.run),
        [first, .., last] => format!(
            "it has those from {} ({}) to {} ({})",
            first.number, first.run, last.number, last.run
        ),
    };
    InvalidSince(format!("there is no run {text} in the history: {known}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn runs() -> Vec<LoggedRun> {
        let run = |number: i64| LoggedRun {
            number,
            run: format!("2026110{number}T000000Z-aaaa"),
            source: "s".to_owned(),
            flow: "main".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            retries: 0,
            unchanged: false,
            resources: BTreeMap::new(),
        };
        (1..=3).map(run).collect()
    }

    #[test]
    fn a_beginning_is_written_in_several_ways() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let times = [
            ("7d", "2026-11-16T12:00:00Z"),
            ("1w", "2026-11-16T12:00:00Z"),
            ("12h", "2026-11-23T00:00:00Z"),
            ("1h 30m", "2026-11-23T10:30:00Z"),
            (" 2 days ago ", "2026-11-21T12:00:00Z"),
            ("1mo", "2026-10-23T12:00:00Z"),
            ("0s", "2026-11-23T12:00:00Z"),
            ("19000y", "1970-01-01T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T08:00", "2026-11-01T08:00:00Z"),
            ("2026-11-01 08:00:30", "2026-11-01T08:00:30Z"),
            ("2026-11-01T08:00:00+02:00", "2026-11-01T06:00:00Z"),
        ];
        for (text, expected) in times {
            let found = Since::read(text, &runs(), now).unwrap();
            assert_eq!(found, Since::Time(expected.parse().unwrap()), "{text}");
        }
        for (text, number) in [("2", 2), ("03", 3), ("20261101T000000Z-aaaa", 1)] {
            let Since::Run(run) = Since::read(text, &runs(), now).unwrap() else {
                panic!("{text} is a run");
            };
            assert_eq!(run.number, number);
        }
    }

    #[test]
    fn what_is_no_beginning_is_told_with_what_may_be_written() {
        let none = "there is no run";
        let cannot = "cannot read --since";
        let cases = [
            ("", cannot),
            ("yesterday", cannot),
            ("-7d", cannot),
            ("2026-13-01", cannot),
            ("2026-11-01T25:00", cannot),
            ("20261101T000000-aaaa", cannot),
            ("1.5 parsecs", cannot),
            ("0", none),
            ("4", none),
            ("20261101", none),
            ("99999999999999999999", none),
            ("20261101T000000Z-aaab", none),
        ];
        for (text, begins) in cases {
            let error = Since::read(text, &runs(), Timestamp::UNIX_EPOCH).unwrap_err();
            assert!(error.to_string().starts_with(begins), "{text}: {error}");
        }
        let error = Since::read("1", &[], Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no run 1 in the history: it has none"
        );
    }
}
