//! The sections about activity over time.

use activity_tracker_text::count;

use super::super::format::duration;
use super::super::model::{Dates, Day, Week};
use super::{BAR, Cell, Content, Section, WEEKDAYS, column, earlier, number};

pub(super) fn reply_times(dates: &Dates) -> Option<Section> {
    let times = dates.time_to_first_reply?;
    let (median, p90) = (duration(times.median), duration(times.percentile_90));
    Some(Section {
        title: "Time to first reply".to_owned(),
        content: Content::Text(format!(
            "Median {median}, p90 {p90} ({})",
            count(times.posts, "post")
        )),
        note: None,
    })
}

pub(super) fn days(dates: &Dates, top: usize) -> Section {
    let shown = &dates.days[dates.days.len().saturating_sub(top)..];
    let max = shown.iter().map(|day| day.posts + day.comments).max();
    let row = |day: &Day| {
        let weekday = usize::from(day.date.weekday().to_monday_zero_offset().unsigned_abs());
        vec![
            Cell::Text(format!("{} {}", day.date, WEEKDAYS[weekday % 7])),
            Cell::Number(day.posts),
            Cell::Number(day.comments),
            Cell::Bar(day.posts + day.comments, max.unwrap_or_default()),
        ]
    };
    Section {
        title: "Latest days".to_owned(),
        note: earlier(dates.days.len(), shown.len(), "day"),
        content: Content::Table {
            columns: vec![
                column("day", 0),
                number("posts", 0),
                number("comments", 0),
                BAR,
            ],
            rows: shown.iter().map(row).collect(),
        },
    }
}

pub(super) fn weeks(dates: &Dates, top: usize) -> Section {
    let shown = &dates.weeks[dates.weeks.len().saturating_sub(top)..];
    let max = shown.iter().map(|week| week.posts + week.comments).max();
    let with_joined = dates.weeks.iter().any(|week| week.joined.is_some());
    let mut columns = vec![
        column("week of", 0),
        number("posts", 0),
        number("comments", 0),
        number("new", 0),
        number("returning", 0),
    ];
    columns.extend(with_joined.then(|| number("joined", 72)));
    columns.push(BAR);
    let row = |week: &Week| {
        let mut row = vec![
            Cell::Text(week.monday.to_string()),
            Cell::Number(week.posts),
            Cell::Number(week.comments),
            Cell::Number(week.new_users),
            Cell::Number(week.returning_users),
        ];
        row.extend(with_joined.then(|| Cell::Number(week.joined.unwrap_or_default())));
        let written = week.posts + week.comments;
        row.push(Cell::Bar(written, max.unwrap_or_default()));
        row
    };
    Section {
        title: "Latest weeks".to_owned(),
        note: earlier(dates.weeks.len(), shown.len(), "week"),
        content: Content::Table {
            columns,
            rows: shown.iter().map(row).collect(),
        },
    }
}

pub(super) fn hours(dates: &Dates) -> Section {
    Section {
        title: "Hours of the week".to_owned(),
        content: Content::Hours(Box::new(dates.hours)),
        note: None,
    }
}
