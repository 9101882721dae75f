//! The page with the runs in the history.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::super::figure::{Tile, Tiles};
use super::super::format::{Shown, count, elapsed, number, time};
use super::super::table::{HtmlCell, HtmlColumn, HtmlTable};
use super::super::{HtmlSection, MAX_LISTED};
use super::Content;
use crate::report::Zone;
use activity_tracker_core::history::{FoundOf, LoggedRun};

/// The path of this page.
const PATH: Option<&str> = Some("/runs");

/// The latest runs, and totals over all runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Newest first, up to the maximum.
    listed: Vec<LoggedRun>,
    all: u64,
    unchanged: u64,
    retries: u64,
    longest: SignedDuration,
    sources: BTreeSet<String>,
}

impl Runs {
    /// Adds a run; runs come newest first.
    pub(crate) fn add(&mut self, run: LoggedRun) {
        self.all += 1;
        self.unchanged += u64::from(run.unchanged);
        self.retries = self.retries.saturating_add(run.retries);
        self.longest = self.longest.max(run_time(&run));
        if !self.sources.contains(&run.source) {
            self.sources.insert(run.source.clone());
        }
        if self.listed.len() < MAX_LISTED {
            self.listed.push(run);
        }
    }
}

/// The page with all runs, newest first. `behind` says why the last run may be missing.
pub(crate) fn runs_page(runs: &Runs, behind: Option<&str>) -> String {
    let mut content = Content::new("Activity Tracker", Shown::new("Runs"));
    content.warning =
        behind.map(|reason| Shown::new(&format!("The last run may be missing: {reason}")));
    let Some(last) = runs.listed.first() else {
        "No runs yet. `activity-tracker run` records them, except with --no-history."
            .clone_into(&mut content.lead.text);
        return content.page(PATH);
    };
    let of = match runs.sources.len() {
        1 => Shown::new(&last.source).text,
        several => count(several as u64, "source"),
    };
    let all = count(runs.all, "run");
    let finished = time(last.finished_at, &Zone::default());
    content.lead.text = format!("{all} of {of}. Last run: {finished}.");
    content.tiles = tiles(runs, last);
    content.sections.push(section(runs));
    content.page(PATH)
}

fn tiles(runs: &Runs, last: &LoggedRun) -> Tiles {
    let tile = |name, value, note| Tile { name, value, note };
    let tiles = vec![
        tile(
            "Runs",
            number(runs.all),
            format!("{} unchanged", number(runs.unchanged)),
        ),
        tile(
            "Last run",
            elapsed(run_time(last)),
            format!("{} flow", last.flow),
        ),
        tile(
            "Longest run",
            elapsed(runs.longest),
            "of all runs".to_owned(),
        ),
        tile("Retries", number(runs.retries), "in all runs".to_owned()),
    ];
    Tiles { tiles }
}

fn longest(runs: &[LoggedRun]) -> SignedDuration {
    runs.iter().map(run_time).max().unwrap_or_default()
}

fn run_time(run: &LoggedRun) -> SignedDuration {
    run.finished_at.duration_since(run.started_at)
}

fn section(runs: &Runs) -> HtmlSection {
    let listed = &runs.listed;
    let longest = longest(listed).as_secs_f64().max(0.001);
    let with_source = runs.sources.len() > 1;
    let mut columns = vec![
        HtmlColumn::times("Run").sorted("descending"),
        HtmlColumn::text("Flow"),
    ];
    if with_source {
        columns.push(HtmlColumn::text("Source"));
    }
    columns.extend(
        [
            "Duration", "Records", "Rejected", "Retries", "Added", "Changed", "Removed",
        ]
        .map(HtmlColumn::numbers),
    );
    let rows = listed.iter().map(|run| row(run, with_source, longest));
    let table = HtmlTable {
        label: "Runs, newest first",
        columns,
        rows: rows.collect(),
        class: "changes",
    };
    let mut notes = vec!["Newest first; times in UTC. Unchanged runs have no counts.".to_owned()];
    if (listed.len() as u64) < runs.all {
        notes.push(format!(
            "Showing the last {} of {}.",
            number(listed.len() as u64),
            number(runs.all)
        ));
    }
    HtmlSection {
        id: "runs",
        title: "All runs",
        notes,
        parts: vec![table.to_string()],
    }
}

fn row(run: &LoggedRun, with_source: bool, longest: f64) -> Vec<HtmlCell> {
    let sum = |count: fn(&FoundOf) -> u64| {
        let all = || run.resources.values().map(count).sum();
        HtmlCell::count((!run.unchanged).then(all))
    };
    let finished = HtmlCell::measure(
        time(run.finished_at, &Zone::default()),
        run.finished_at.as_millisecond(),
    );
    let mut details = vec![Shown::new(&run.run)];
    if run.unchanged {
        details.push(Shown::new("unchanged"));
    }
    let run_time = run_time(run);
    let part = run_time.as_secs_f64().max(0.0) / longest * 100.0;
    let duration = HtmlCell {
        bar: Some(((part * 10.0).round() / 10.0, "posts")),
        ..HtmlCell::measure(elapsed(run_time), run_time.as_millis())
    };
    let mut row = vec![
        HtmlCell {
            details,
            ..finished
        },
        HtmlCell::text(&run.flow),
    ];
    if with_source {
        row.push(HtmlCell::text(&run.source));
    }
    row.extend([
        duration,
        sum(|found| found.counts.records),
        sum(|found| found.counts.rejects),
        HtmlCell::count(Some(run.retries)),
        sum(|found| found.changes.added),
        sum(|found| found.changes.changed),
        sum(|found| found.changes.removed),
    ]);
    row
}
