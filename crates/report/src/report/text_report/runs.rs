//! The sections about runs: what they changed, and which files the report is made from.

use activity_tracker_core::history::ChangeCounts;
use activity_tracker_core::record::Resource;
use activity_tracker_text::grouped;

use super::super::format::iso_minute;
use super::super::model::{ActivityReport, RunChanges, SnapshotFile};
use super::{Cell, Content, Section, column, earlier, number};

pub(super) fn history(report: &ActivityReport, top: usize) -> Option<Section> {
    let runs = report.history.as_ref()?;
    let shown = &runs[runs.len().saturating_sub(top)..];
    let row = |run: &RunChanges| {
        let changes = |resource| {
            let changes = run.changes.get(&resource).copied();
            Cell::Text(signed(&changes.unwrap_or_default()))
        };
        vec![
            Cell::Text(iso_minute(run.at, &report.time_zone)),
            Cell::Text(run.run.clone()),
            changes(Resource::Users),
            changes(Resource::Posts),
            changes(Resource::Comments),
        ]
    };
    let legend = Some("+ added, ~ changed, - removed".to_owned());
    let notes = legend
        .into_iter()
        .chain(earlier(runs.len(), shown.len(), "run"));
    Some(Section {
        title: "Changes by run".to_owned(),
        note: Some(notes.collect::<Vec<_>>().join("; ")),
        content: Content::Table {
            columns: vec![
                column("finished", 0),
                column("run", 90),
                number("users", 0),
                number("posts", 0),
                number("comments", 0),
            ],
            rows: shown.iter().map(row).collect(),
        },
    })
}

/// `+1 ~20 -3`
fn signed(counts: &ChangeCounts) -> String {
    format!(
        "+{} ~{} -{}",
        grouped(counts.added),
        grouped(counts.changed),
        grouped(counts.removed)
    )
}

pub(super) fn data_sources(report: &ActivityReport) -> Section {
    let row = |(resource, snapshot): (&Resource, &SnapshotFile)| {
        vec![
            Cell::Text(resource.to_string()),
            Cell::Text(iso_minute(snapshot.at, &report.time_zone)),
            Cell::Text(snapshot.run.clone()),
            Cell::Text(snapshot.file.clone()),
        ]
    };
    Section {
        title: "Data sources".to_owned(),
        content: Content::Table {
            columns: vec![
                column("resource", 0),
                column("finished", 0),
                column("run", 80),
                column("file", 0),
            ],
            rows: report.snapshots.iter().map(row).collect(),
        },
        note: None,
    }
}
