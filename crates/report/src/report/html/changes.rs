//! What each run changed.

use super::activity::stacked;
use super::chart::{Bar, Series};
use super::format::{Shown, as_f64, number, time};
use super::section::HtmlSection;
use super::table::{HtmlCell, HtmlColumn, HtmlTable};
use crate::report::{ActivityReport, ChangeCounts, RunChanges, Zone};
use activity_tracker_core::record::Resource;

const SERIES: [Series; 3] = [
    ("added", "added"),
    ("changed", "changed"),
    ("removed", "removed"),
];

/// The maximum number of runs.
const MAX_RUNS: usize = 60;

/// The section about changes; `None` without a run in the history.
pub(super) fn section(report: &ActivityReport) -> Option<HtmlSection> {
    let zone = &report.time_zone;
    let mut runs: Vec<_> = report.history.iter().flatten().collect();
    runs.sort_by_key(|run| run.at);
    let (earlier, listed) = runs.split_at(runs.len().saturating_sub(MAX_RUNS));
    let newest = listed.last()?;
    let mut notes = vec![format!("Last run: {}.", time(newest.at, zone))];
    if !earlier.is_empty() {
        let (listed, all) = (number(MAX_RUNS as u64), number(runs.len() as u64));
        notes.push(format!("The last {listed} of {all} runs."));
    }
    let mut parts = Vec::new();
    // The first run adds everything, and its bar would dwarf the others.
    let compared = &listed[usize::from(earlier.is_empty())..];
    if compared.len() > 1 {
        let title = "Records added, changed and removed by run";
        let summary = if earlier.is_empty() {
            "First run excluded (baseline)."
        } else {
            "Latest runs, oldest first."
        };
        let bars: Vec<_> = compared.iter().map(|run| bar(run, zone)).collect();
        let caption = ("runs", title, summary.to_owned());
        parts.push(stacked(caption, &SERIES, &bars, "wide").to_string());
    }
    parts.push(table(listed, zone).to_string());
    Some(HtmlSection {
        id: "changes",
        title: "Changes",
        notes,
        parts,
    })
}

fn bar(run: &RunChanges, zone: &Zone) -> Bar {
    let sum = |count: fn(&ChangeCounts) -> u64| as_f64(run.changes.values().map(count).sum());
    Bar {
        label: time(run.at, zone),
        tick: zone.day(run.at).strftime("%-d %b").to_string(),
        values: vec![
            sum(|counts| counts.added),
            sum(|counts| counts.changed),
            sum(|counts| counts.removed),
        ],
    }
}

/// The newest run first, with three columns per resource.
fn table(runs: &[&RunChanges], zone: &Zone) -> HtmlTable {
    let mut resources: Vec<Resource> = runs
        .iter()
        .flat_map(|run| run.changes.keys())
        .copied()
        .collect();
    resources.sort_unstable();
    resources.dedup();
    let mut columns = vec![HtmlColumn::times("Run").sorted("descending")];
    for resource in &resources {
        columns.extend(["added", "changed", "removed"].map(|kind| {
            let name = resource.name();
            HtmlColumn::numbers(format!("{}{} {kind}", name[..1].to_uppercase(), &name[1..]))
        }));
    }
    let rows = runs.iter().rev().map(|run| {
        let finished = HtmlCell::measure(time(run.at, zone), run.at.as_second());
        let mut row = vec![HtmlCell {
            details: vec![Shown::new(&run.run)],
            ..finished
        }];
        for resource in &resources {
            let counts = run.changes.get(resource);
            row.extend([
                HtmlCell::count(counts.map(|counts| counts.added)),
                HtmlCell::count(counts.map(|counts| counts.changed)),
                HtmlCell::count(counts.map(|counts| counts.removed)),
            ]);
        }
        row
    });
    HtmlTable {
        label: "Changes by run",
        columns,
        rows: rows.collect(),
        class: "changes",
    }
}
