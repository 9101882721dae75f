//! What a watch says of a turn: one line.

use std::fmt;
use std::time::Duration;

use activity_tracker::error::{Error, chain};
use activity_tracker::pipeline::Report;
use activity_tracker::text::{Printable, count};
use anstyle::{AnsiColor, Style};
use jiff::Zoned;

use crate::cli::printing;

const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default();

/// A turn, as a person is told of it.
pub(crate) struct Line<'a> {
    /// When it was over.
    pub(crate) at: Zoned,
    /// What was stored; none where it failed before that.
    pub(crate) done: Option<&'a Report>,
    /// Why it counts as failed, if it does.
    pub(crate) failed: Option<&'a Error>,
    /// When the next one is.
    pub(crate) next: Option<Zoned>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", self.at.strftime("%H:%M:%S"))?;
        if let Some(error) = self.failed {
            write!(f, "{BAD}failed{BAD:#}: {}", chain(error))?;
        }
        if let Some(done) = self.done {
            if self.failed.is_some() {
                f.write_str("; ")?;
            }
            write_done(f, done)?;
        }
        match (self.failed, &self.next) {
            (Some(_), Some(next)) => {
                let same_day = next.date() == self.at.date();
                let form = if same_day {
                    "%H:%M:%S"
                } else {
                    "%Y-%m-%d %H:%M:%S"
                };
                write!(f, "; tried again at {}", next.strftime(form))
            }
            (Some(_), None) => Ok(()),
            (None, _) => write!(f, " ({:.2} s)", self.took.as_secs_f64()),
        }
    }
}

fn write_done(f: &mut fmt::Formatter<'_>, done: &Report) -> fmt::Result {
    let changes = done.recorded.as_ref().map(|recorded| &recorded.changes);
    match changes {
        _ if done.unchanged => f.write_str("nothing changed")?,
        Some(changes) if !changes.is_empty() => f.write_str(&printing::changed(changes))?,
        Some(_) => write!(f, "{} for the first time", printing::found(done))?,
        None => f.write_str(&printing::found(done))?,
    }
    let rejects = done.rejects.total();
    if rejects > 0 {
        let records = count(rejects, "record");
        write!(f, "; {WARN}{records} rejected{WARN:#}")?;
    }
    for resource in &done.incomplete {
        write!(f, "; {WARN}{resource} incomplete{WARN:#}")?;
    }
    for (resource, missing) in &done.missing {
        let what = if missing.is_lacking() {
            "missing"
        } else {
            "authors, not listed"
        };
        write!(f, "; {WARN}{resource} are {what}{WARN:#}")?;
    }
    for aside in done.recorded.iter().flat_map(|it| &it.set_aside) {
        let aside = aside.to_string();
        write!(f, "; {WARN}{}{WARN:#}", Printable(&aside))?;
    }
    for run in done.recorded.iter().filter_map(|it| it.lacks.as_ref()) {
        write!(f, "; the {WARN}history{WARN:#}: {}", printing::lacking(run))?;
    }
    let behind = done.recorded.as_ref().and_then(|it| it.behind.as_ref());
    if let Some(reason) = behind {
        let reason = Printable(reason);
        write!(f, "; the {WARN}history{WARN:#} is a run behind: {reason}")?;
    }
    Ok(())
}
