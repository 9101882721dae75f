//! The header of a report with its main numbers, and its data sources.

use super::figure::{Tile, Tiles};
use super::format::{Shown, as_f64, count, day, decimal, number, percentage, time};
use super::section::HtmlSection;
use super::table::{HtmlCell, HtmlColumn, HtmlTable};
use crate::report::{ActivityReport, Totals};

/// The header of a report.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) source: Shown,
    /// A summary in one sentence.
    pub(super) lead: String,
    pub(super) time_zone: String,
    /// The runs that fetched the data.
    pub(super) runs: Vec<SourceRun>,
    pub(super) tiles: Tiles,
    /// What is not counted.
    pub(super) warning: Option<String>,
}

/// A run that fetched some of the data.
#[derive(Debug)]
pub(super) struct SourceRun {
    pub(super) id: Shown,
    pub(super) at: String,
    pub(super) datetime: String,
    /// The resources that it fetched: `users, posts`.
    pub(super) resources: String,
}

impl Overview {
    pub(super) fn new(report: &ActivityReport) -> Self {
        let mut runs: Vec<(&str, SourceRun)> = Vec::new();
        for (resource, snapshot) in &report.snapshots {
            if let Some((_, run)) = runs.iter_mut().find(|(id, _)| *id == snapshot.run) {
                run.resources = format!("{}, {resource}", run.resources);
                continue;
            }
            let run = SourceRun {
                id: Shown::new(&snapshot.run),
                at: time(snapshot.at, &report.time_zone),
                datetime: snapshot.at.to_string(),
                resources: resource.to_string(),
            };
            runs.push((&snapshot.run, run));
        }
        Self {
            source: Shown::new(&report.source),
            lead: lead(report),
            time_zone: report.time_zone.to_string(),
            runs: runs.into_iter().map(|(_, run)| run).collect(),
            tiles: Tiles {
                tiles: tiles(report),
            },
            warning: warning(&report.totals),
        }
    }
}

fn lead(report: &ActivityReport) -> String {
    let totals = &report.totals;
    let mut written = count(totals.posts, "post");
    if let Some(comments) = totals.comments {
        written = format!("{written} and {}", count(comments, "comment"));
    }
    let days = report.dates.as_ref().map(|dates| &dates.days[..]);
    let period = match days {
        Some([only]) => format!(", on {}", day(only.date)),
        Some([first, .., last]) => format!(", from {} to {}", day(first.date), day(last.date)),
        _ => String::new(),
    };
    format!("{}, {written}{period}.", count(totals.users, "user"))
}

fn warning(totals: &Totals) -> Option<String> {
    (totals.rejects > 0).then(|| {
        let rejects = count(totals.rejects, "rejected record");
        format!("{rejects} not counted; see the file of rejected records.")
    })
}

fn tiles(report: &ActivityReport) -> Vec<Tile> {
    let totals = &report.totals;
    let active = totals.users.saturating_sub(totals.inactive_users);
    let mut tiles = vec![
        Tile {
            name: "Users",
            value: number(totals.users),
            note: percentage(active, totals.users)
                .map_or_else(String::new, |share| format!("{share} active")),
        },
        Tile {
            name: "Posts",
            value: number(totals.posts),
            note: average(totals.posts, totals.users, "per user"),
        },
    ];
    if let Some(comments) = totals.comments {
        tiles.push(Tile {
            name: "Comments",
            value: number(comments),
            note: average(comments, totals.posts, "per post"),
        });
    }
    tiles.push(Tile {
        name: "Inactive users",
        value: number(totals.inactive_users),
        note: share_of(totals.inactive_users, totals.users, "users"),
    });
    if let Some(unanswered) = &report.unanswered {
        tiles.push(Tile {
            name: "Unanswered posts",
            value: number(unanswered.count),
            note: share_of(unanswered.count, totals.posts, "posts"),
        });
    }
    if let Some(by_guests) = totals.comments_by_guests {
        tiles.push(Tile {
            name: "Comments by guests",
            value: number(by_guests),
            note: share_of(by_guests, totals.comments.unwrap_or(0), "comments"),
        });
    }
    tiles
}

/// `5 per user`; empty without users.
fn average(count: u64, among: u64, unit: &str) -> String {
    if among == 0 {
        return String::new();
    }
    format!("{} {unit}", decimal(as_f64(count) / as_f64(among)))
}

/// `12% of all posts`; empty without posts.
pub(super) fn share_of(part: u64, whole: u64, noun: &str) -> String {
    percentage(part, whole).map_or_else(String::new, |share| format!("{share} of all {noun}"))
}

/// The files that the report is made from.
pub(super) fn data_sources(report: &ActivityReport) -> HtmlSection {
    let rows = report.snapshots.iter().map(|(resource, snapshot)| {
        vec![
            HtmlCell::text(resource.name()),
            HtmlCell::text(&snapshot.run),
            HtmlCell::measure(
                time(snapshot.at, &report.time_zone),
                snapshot.at.as_second(),
            ),
            HtmlCell::text(&snapshot.file),
        ]
    });
    let table = HtmlTable {
        label: "Data sources",
        columns: vec![
            HtmlColumn::text("Resource"),
            HtmlColumn::text("Run"),
            HtmlColumn::times("Finished"),
            HtmlColumn::text("File"),
        ],
        rows: rows.collect(),
        class: "plain",
    };
    HtmlSection {
        id: "data-sources",
        title: "Data sources",
        notes: vec!["The files in the data directory that this report is made from.".to_owned()],
        parts: vec![table.to_string()],
    }
}
