//! What a report is of, and its main numbers.

use super::figure::{Tile, Tiles};
use super::section::Section;
use super::table::{Cell, Column, Table};
use super::words::{Shown, counted, day, length, measured, moment, number, share};
use crate::report::{ActivityReport, Totals};

/// The head of a report.
#[derive(Debug)]
pub(super) struct Overview {
    pub(super) source: Shown,
    /// All of it in a sentence.
    pub(super) lead: String,
    /// Which runs it is of.
    pub(super) runs: Vec<Run>,
    pub(super) tiles: Tiles,
    /// What is in no number.
    pub(super) warning: Option<String>,
}

/// A run that something was taken from.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: Shown,
    pub(super) at: String,
    pub(super) datetime: String,
    /// What was taken from it: `users, posts`.
    pub(super) resources: String,
}

impl Overview {
    pub(super) fn new(report: &ActivityReport) -> Self {
        let totals = &report.totals;
        let mut runs: Vec<(&str, Run)> = Vec::new();
        for (resource, taken) in &report.snapshots {
            if let Some((_, run)) = runs.iter_mut().find(|(id, _)| *id == taken.run) {
                run.resources = format!("{}, {resource}", run.resources);
                continue;
            }
            let run = Run {
                id: Shown::new(&taken.run),
                at: moment(taken.at),
                datetime: taken.at.to_string(),
                resources: resource.to_string(),
            };
            runs.push((&taken.run, run));
        }
        Self {
            source: Shown::new(&report.source),
            lead: lead(report),
            runs: runs.into_iter().map(|(_, run)| run).collect(),
            tiles: Tiles {
                tiles: tiles(report),
            },
            warning: warning(totals),
        }
    }
}

fn lead(report: &ActivityReport) -> String {
    let totals = &report.totals;
    let mut written = counted(totals.posts, "post");
    if let Some(comments) = totals.comments {
        written = format!("{written} and {}", counted(comments, "comment"));
    }
    let days = report.dates.as_ref().map(|dates| &dates.days[..]);
    let when = match days {
        Some([only]) => format!(", on {}", day(only.date)),
        Some([first, .., last]) => format!(", from {} to {}", day(first.date), day(last.date)),
        _ => String::new(),
    };
    format!("{}, {written}{when}.", counted(totals.users, "user"))
}

fn warning(totals: &Totals) -> Option<String> {
    (totals.rejects > 0).then(|| {
        let (are, them) = if totals.rejects == 1 {
            ("is", "it is")
        } else {
            ("are", "they are")
        };
        let rejects = counted(totals.rejects, "record");
        format!(
            "{rejects} could not be read and {are} in no number here; {them} kept in the file of rejects."
        )
    })
}

fn tiles(report: &ActivityReport) -> Vec<Tile> {
    let totals = &report.totals;
    let mut tiles = vec![
        Tile {
            name: "Users",
            value: number(totals.users),
            note: match totals.silent_users {
                0 if totals.users == 0 => String::new(),
                0 => "all of them wrote something".to_owned(),
                silent => format!(
                    "{} wrote something",
                    number(totals.users.saturating_sub(silent))
                ),
            },
        },
        Tile {
            name: "Posts",
            value: number(totals.posts),
            note: average(totals.posts, totals.users, "a user"),
        },
    ];
    if let Some(comments) = totals.comments {
        tiles.push(Tile {
            name: "Comments",
            value: number(comments),
            note: average(comments, totals.posts, "a post"),
        });
    }
    tiles.push(Tile {
        name: "Silent users",
        value: number(totals.silent_users),
        note: of(totals.silent_users, totals.users, "users"),
    });
    if let Some(unanswered) = &report.unanswered {
        tiles.push(Tile {
            name: "Posts without an answer",
            value: number(unanswered.count),
            note: of(unanswered.count, totals.posts, "posts"),
        });
    }
    if let Some(others) = totals.comments_by_others {
        tiles.push(Tile {
            name: "Comments by others",
            value: number(others),
            note: of(others, totals.comments.unwrap_or(0), "comments"),
        });
    }
    tiles
}

/// `5 a post`, or nothing where there is nothing to share it among.
fn average(count: u64, among: u64, noun: &str) -> String {
    if among == 0 {
        return String::new();
    }
    format!("{} {noun}", measured(length(count) / length(among)))
}

/// `12% of all posts`.
fn of(part: u64, whole: u64, noun: &str) -> String {
    share(part, whole).map_or_else(String::new, |share| format!("{share} of all {noun}"))
}

/// Where the numbers come from.
pub(super) fn origins(report: &ActivityReport) -> Section {
    let rows = report.snapshots.iter().map(|(resource, taken)| {
        vec![
            Cell::text(resource.name()),
            Cell::text(&taken.run),
            Cell::measure(moment(taken.at), taken.at.as_second()),
            Cell::text(&taken.file),
        ]
    });
    let table = Table {
        label: "Where the numbers come from",
        columns: vec![
            Column::text("Resource"),
            Column::text("Run"),
            Column::times("Finished"),
            Column::text("File"),
        ],
        rows: rows.collect(),
        class: "plain",
    };
    Section {
        id: "origins",
        title: "Origins",
        notes: vec!["Each number is counted from these files of the data directory.".to_owned()],
        parts: vec![table.to_string()],
    }
}
