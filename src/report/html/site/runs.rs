//! The runs of a data directory, newest first.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::figure::{Tile, Tiles};
use super::super::table::{Cell, Column, Table};
use super::super::words::{Shown, counted, moment, number, took};
use super::super::{LISTED, Section};
use super::Content;
use crate::history::{FoundOf, LoggedRun};

/// Where this page is.
const PATH: Option<&str> = Some("/runs");

/// All runs: the last ones, and what is said of all together.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Newest first, as many as are listed.
    listed: Vec<LoggedRun>,
    all: u64,
    unchanged: u64,
    retries: u64,
    longest: SignedDuration,
    sources: BTreeSet<String>,
}

impl Runs {
    /// Adds a run that is older than those before.
    pub(crate) fn add(&mut self, run: LoggedRun) {
        self.all += 1;
        self.unchanged += u64::from(run.unchanged);
        self.retries = self.retries.saturating_add(run.retries);
        self.longest = self.longest.max(lasted(&run));
        if !self.sources.contains(&run.source) {
            self.sources.insert(run.source.clone());
        }
        if self.listed.len() < LISTED {
            self.listed.push(run);
        }
    }
}

/// A page of all runs, newest first. `behind` says why the last one may be missing.
pub(crate) fn runs_page(runs: &Runs, behind: Option<&str>) -> String {
    let mut content = Content::new("Activity Tracker", Shown::new("Runs"));
    content.warning =
        behind.map(|reason| Shown::new(&format!("The last run may be missing: {reason}")));
    let Some(last) = runs.listed.first() else {
        let says = "No run is known yet. `activity-tracker run` keeps a history of what \
                        changed, unless told --no-history.";
        says.clone_into(&mut content.lead.text);
        return content.page(PATH);
    };
    let of = match runs.sources.len() {
        1 => Shown::new(&last.source).text,
        several => counted(several as u64, "source"),
    };
    let (all, at) = (counted(runs.all, "run"), moment(last.finished_at));
    content.lead.text = format!("{all} of {of}; the last was finished {at}.");
    content.tiles = tiles(runs, last);
    content.sections.push(section(runs));
    content.page(PATH)
}

fn tiles(runs: &Runs, last: &LoggedRun) -> Tiles {
    let noted = if runs.retries == 0 {
        "no request was sent again"
    } else {
        "requests sent again"
    };
    let tile = |name, value, note| Tile { name, value, note };
    let tiles = vec![
        tile(
            "Runs",
            number(runs.all),
            format!("the server had nothing new in {}", number(runs.unchanged)),
        ),
        tile(
            "Last run took",
            took(lasted(last)),
            format!("{} flow", last.flow),
        ),
        tile("Longest run", took(runs.longest), "of all runs".to_owned()),
        tile("Retries", number(runs.retries), noted.to_owned()),
    ];
    Tiles { tiles }
}

fn longest(runs: &[LoggedRun]) -> SignedDuration {
    runs.iter().map(lasted).max().unwrap_or_default()
}

fn lasted(run: &LoggedRun) -> SignedDuration {
    run.finished_at.duration_since(run.started_at)
}

fn section(runs: &Runs) -> Section {
    let listed = &runs.listed;
    let longest = longest(listed).as_secs_f64().max(0.001);
    // One source has nothing to be told from.
    let sources = runs.sources.len() > 1;
    let mut columns = vec![
        Column::times("Run").sorted("descending"),
        Column::text("Flow"),
    ];
    if sources {
        columns.push(Column::text("Source"));
    }
    columns.extend(
        [
            "Duration", "Records", "Rejects", "Retries", "Added", "Changed", "Removed",
        ]
        .map(Column::numbers),
    );
    let rows = listed.iter().map(|run| row(run, sources, longest));
    let table = Table {
        label: "Runs, newest first",
        columns,
        rows: rows.collect(),
        class: "changes",
    };
    let mut notes = vec!["Newest first, in UTC. Where the server said that nothing had changed, nothing was counted.".to_owned()];
    if (listed.len() as u64) < runs.all {
        notes.push(format!(
            "The last {} of {} are listed.",
            number(listed.len() as u64),
            number(runs.all)
        ));
    }
    Section {
        id: "runs",
        title: "All runs",
        notes,
        parts: vec![table.to_string()],
    }
}

fn row(run: &LoggedRun, sources: bool, longest: f64) -> Vec<Cell> {
    let sum = |count: fn(&FoundOf) -> u64| {
        let all = || run.resources.values().map(count).sum();
        Cell::count((!run.unchanged).then(all))
    };
    let finished = Cell::measure(moment(run.finished_at), run.finished_at.as_millisecond());
    let mut under = vec![Shown::new(&run.run)];
    if run.unchanged {
        under.push(Shown::new("nothing had changed"));
    }
    let lasted = lasted(run);
    let part = lasted.as_secs_f64().max(0.0) / longest * 100.0;
    let duration = Cell {
        bar: Some(((part * 10.0).round() / 10.0, "posts")),
        ..Cell::measure(took(lasted), lasted.as_millis())
    };
    let mut row = vec![Cell { under, ..finished }, Cell::text(&run.flow)];
    if sources {
        row.push(Cell::text(&run.source));
    }
    row.extend([
        duration,
        sum(|found| found.counts.records),
        sum(|found| found.counts.rejects),
        Cell::count(Some(run.retries)),
        sum(|found| found.changes.added),
        sum(|found| found.changes.changed),
        sum(|found| found.changes.removed),
    ]);
    row
}
