//! The line that a watch prints for each run.

use std::fmt;
use std::time::Duration;

use activity_tracker::error::{Error, chain};
use activity_tracker::pipeline::RunOutcome;
use activity_tracker::text::{Printable, count};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::run_summary;

const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default();

/// A run of a watch as a person reads it. Times are in UTC.
pub(crate) struct StatusLine<'a> {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// What was stored; `None` if it failed before that.
    pub(crate) report: Option<&'a RunOutcome>,
    /// Why it failed, if it did.
    pub(crate) error: Option<&'a Error>,
    /// When the next run starts, if there is one.
    pub(crate) next: Option<Timestamp>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

impl fmt::Display for StatusLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", self.at.strftime("%H:%M:%S UTC"))?;
        if let Some(error) = self.error {
            write!(f, "{BAD}failed{BAD:#}: {}", chain(error))?;
        }
        if let Some(report) = self.report {
            if self.error.is_some() {
                f.write_str("; ")?;
            }
            write_report(f, report)?;
        }
        match (self.error, &self.next) {
            (Some(_), Some(next)) => {
                let date = |time: &Timestamp| time.to_zoned(TimeZone::UTC).date();
                let format = if date(next) == date(&self.at) {
                    "%H:%M:%S UTC"
                } else {
                    "%Y-%m-%d %H:%M:%S UTC"
                };
                write!(f, "; next attempt at {}", next.strftime(format))
            }
            (Some(_), None) => Ok(()),
            (None, _) => write!(f, " ({:.2} s)", self.elapsed.as_secs_f64()),
        }
    }
}

fn write_report(f: &mut fmt::Formatter<'_>, report: &RunOutcome) -> fmt::Result {
    let changes = report.recorded.as_ref().map(|recorded| &recorded.changes);
    match changes {
        _ if report.unchanged => f.write_str("no changes")?,
        Some(changes) if !changes.is_empty() => f.write_str(&run_summary::changed(changes))?,
        Some(_) => write!(f, "first run: {}", run_summary::found(report))?,
        None => f.write_str(&run_summary::found(report))?,
    }
    let rejects = report.rejects.total();
    if rejects > 0 {
        let records = count(rejects, "record");
        write!(f, "; {WARN}{records} rejected{WARN:#}")?;
    }
    for resource in &report.incomplete {
        write!(f, "; {WARN}{resource} incomplete{WARN:#}")?;
    }
    for (resource, missing) in &report.missing {
        let what = if missing.is_lacking() {
            "missing"
        } else {
            "not listed: authors only"
        };
        write!(f, "; {WARN}{resource} {what}{WARN:#}")?;
    }
    for aside in report.recorded.iter().flat_map(|it| &it.set_aside) {
        let aside = aside.to_string();
        write!(f, "; {WARN}{}{WARN:#}", Printable(&aside))?;
    }
    for run in report.recorded.iter().filter_map(|it| it.lacks.as_ref()) {
        write!(
            f,
            "; {WARN}history{WARN:#}: {}",
            run_summary::lacks_run(run)
        )?;
    }
    let behind = report.recorded.as_ref().and_then(|it| it.behind.as_ref());
    if let Some(reason) = behind {
        let reason = Printable(reason);
        write!(f, "; {WARN}history{WARN:#} one run behind: {reason}")?;
    }
    Ok(())
}
