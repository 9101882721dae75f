//! The sections of a report as text and tables, shared by the terminal and Markdown.

mod authors;
mod dates;
mod runs;

use activity_tracker_core::record::{Id, Resource};
use activity_tracker_text::{count, grouped};

use super::model::{ActivityReport, Totals};

/// The content of a report, from top to bottom.
#[derive(Debug)]
pub(super) struct TextReport {
    /// The source's name, not escaped.
    pub(super) source: String,
    /// The totals, in one line.
    pub(super) totals: String,
    /// The time zone, in one line.
    pub(super) time_zone: String,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) content: Content,
    /// A line below the content.
    pub(super) note: Option<String>,
}

#[derive(Debug)]
pub(super) enum Content {
    /// A sentence; never remote text.
    Text(String),
    Table {
        columns: Vec<Column>,
        rows: Vec<Vec<Cell>>,
    },
    /// Posts and comments in each hour of each weekday.
    Hours(Box<[[u64; 24]; 7]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) header: &'static str,
    /// The terminal width from which on this column is shown.
    pub(super) min_width: usize,
    pub(super) align_right: bool,
}

/// A table cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Text, maybe remote.
    Text(String),
    Number(u64),
    /// A bar: the value, and the maximum of the column.
    Bar(u64, u64),
    Empty,
}

/// Abbreviated weekdays, Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl TextReport {
    /// Lays out a report, with up to `top` rows per list.
    pub(super) fn new(report: &ActivityReport, top: usize) -> Self {
        let mut sections = vec![authors::most_active(report, top)];
        sections.extend(authors::unanswered(report, top));
        sections.extend(authors::domains(report, top));
        sections.extend(authors::inactive(report, top));
        if let Some(dates) = &report.dates {
            sections.extend(dates::reply_times(dates));
            sections.push(dates::days(dates, top));
            sections.push(dates::weeks(dates, top));
            sections.push(dates::hours(dates));
        }
        sections.extend(runs::history(report, top));
        sections.push(runs::data_sources(report));
        Self {
            source: report.source.clone(),
            totals: totals(report),
            time_zone: format!("Times in {}", report.time_zone),
            sections,
        }
    }
}

/// A column of text.
pub(super) fn column(header: &'static str, min_width: usize) -> Column {
    Column {
        header,
        min_width,
        align_right: false,
    }
}

/// A column of numbers.
pub(super) fn number(header: &'static str, min_width: usize) -> Column {
    Column {
        align_right: true,
        ..column(header, min_width)
    }
}

/// Bars are the last column, and the first to go on narrow terminals.
const BAR: Column = Column {
    header: "",
    min_width: 56,
    align_right: false,
};

fn text(text: Option<&str>) -> Cell {
    text.map_or(Cell::Empty, |text| Cell::Text(text.to_owned()))
}

pub(super) fn id(id: &Id) -> String {
    match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text.clone().into(),
    }
}

/// How many entries of a list are left out: `and 3 more posts`.
fn more(all: u64, shown: usize, noun: &str) -> Option<String> {
    let left = all.saturating_sub(shown as u64);
    (left > 0).then(|| format!("and {}", count(left, &format!("more {noun}"))))
}

/// How many entries before the listed ones are left out: `and 3 earlier days`.
fn earlier(all: usize, shown: usize, noun: &str) -> Option<String> {
    let left = all.saturating_sub(shown) as u64;
    (left > 0).then(|| format!("and {}", count(left, &format!("earlier {noun}"))))
}

fn totals(report: &ActivityReport) -> String {
    let Totals {
        users,
        posts,
        comments,
        inactive_users,
        comments_by_guests,
        rejects,
    } = report.totals;
    let has = |resource| report.snapshots.contains_key(&resource);
    let mut parts = Vec::new();
    if has(Resource::Users) {
        let knows_activity = has(Resource::Posts) || has(Resource::Comments);
        let inactive = (knows_activity && inactive_users > 0)
            .then(|| format!(" ({} inactive)", grouped(inactive_users)));
        parts.push(count(users, "user") + &inactive.unwrap_or_default());
    }
    if has(Resource::Posts) {
        parts.push(count(posts, "post"));
    }
    if let Some(comments) = comments {
        let guests = comments_by_guests.filter(|guests| *guests > 0);
        let guests = guests.map(|guests| format!(" ({} by guests)", grouped(guests)));
        parts.push(count(comments, "comment") + &guests.unwrap_or_default());
    }
    if rejects > 0 {
        parts.push(format!(
            "{} (not counted)",
            count(rejects, "rejected record")
        ));
    }
    parts.join(", ")
}
