//! What changed over the runs.

use super::chart::{Bar, Series};
use super::dates::stacked;
use super::section::Section;
use super::table::{Cell, Column, Table};
use super::words::{Shown, length, moment, number};
use crate::record::Resource;
use crate::report::{ChangeCounts, RunChanges};

const SERIES: [Series; 3] = [
    ("added", "added"),
    ("changed", "changed"),
    ("removed", "removed"),
];

/// How many runs are listed at most.
const LISTED: usize = 60;

/// What changed; none where no run is known.
pub(super) fn section(history: &[RunChanges]) -> Option<Section> {
    let mut runs: Vec<_> = history.iter().collect();
    runs.sort_by_key(|run| run.at);
    let (earlier, listed) = runs.split_at(runs.len().saturating_sub(LISTED));
    let newest = listed.last()?;
    let mut notes = vec![format!("The last run was finished {}.", moment(newest.at))];
    if !earlier.is_empty() {
        let (listed, all) = (number(LISTED as u64), number(runs.len() as u64));
        notes.push(format!("The last {listed} of {all} runs are listed."));
    }
    let mut parts = Vec::new();
    // The first run finds everything new, which would leave the others no height.
    let compared = &listed[usize::from(earlier.is_empty())..];
    if compared.len() > 1 {
        let title = "Records added, changed and removed by run";
        let says = if earlier.is_empty() {
            "Without the first run, to which everything was new."
        } else {
            "The latest runs, oldest first."
        };
        let bars: Vec<_> = compared.iter().map(|run| bar(run)).collect();
        let figure = stacked(("changes", title, says.to_owned()), &SERIES, &bars, "wide");
        parts.push(figure.to_string());
    }
    parts.push(table(listed).to_string());
    Some(Section {
        id: "history",
        title: "Changes",
        notes,
        parts,
    })
}

fn bar(run: &RunChanges) -> Bar {
    let sum = |count: fn(&ChangeCounts) -> u64| length(run.changes.values().map(count).sum());
    Bar {
        label: moment(run.at),
        tick: run.at.strftime("%-d %b").to_string(),
        values: vec![
            sum(|counts| counts.added),
            sum(|counts| counts.changed),
            sum(|counts| counts.removed),
        ],
    }
}

/// The newest run first, and three columns for each resource that any run knows.
fn table(runs: &[&RunChanges]) -> Table {
    let mut resources: Vec<Resource> = runs
        .iter()
        .flat_map(|run| run.changes.keys())
        .copied()
        .collect();
    resources.sort_unstable();
    resources.dedup();
    let mut columns = vec![Column::times("Run").sorted("descending")];
    for resource in &resources {
        columns.extend(["added", "changed", "removed"].map(|what| {
            let name = resource.name();
            Column::numbers(format!("{}{} {what}", name[..1].to_uppercase(), &name[1..]))
        }));
    }
    let rows = runs.iter().rev().map(|run| {
        let finished = Cell::measure(moment(run.at), run.at.as_second());
        let mut row = vec![Cell {
            under: vec![Shown::new(&run.run)],
            ..finished
        }];
        for resource in &resources {
            let counts = run.changes.get(resource);
            row.extend([
                Cell::count(counts.map(|counts| counts.added)),
                Cell::count(counts.map(|counts| counts.changed)),
                Cell::count(counts.map(|counts| counts.removed)),
            ]);
        }
        row
    });
    Table {
        label: "What each run found changed",
        columns,
        rows: rows.collect(),
        class: "changes",
    }
}
