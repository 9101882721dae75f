//! What a person is shown of a report, in which order: the same for terminals and for
//! Markdown, which draw it in their own ways.

use jiff::{SignedDuration, Timestamp};

use crate::record::{Id, Resource};
use crate::text::count;

use super::model::{ActivityReport, Dates, RunChanges, Totals, UserActivity};

/// What is shown, from top to bottom.
#[derive(Debug)]
pub(super) struct Outline {
    /// The source's name, as the API's user wrote it.
    pub(super) source: String,
    /// How many there are of everything.
    pub(super) totals: String,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) content: Content,
    /// A line below it.
    pub(super) note: Option<String>,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Sentences of our own words.
    Text(String),
    Table {
        columns: Vec<Column>,
        rows: Vec<Vec<Cell>>,
    },
    /// What was written in each hour of each weekday.
    Hours(Box<[[u64; 24]; 7]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Columns that a screen must have before this one is shown.
    pub(super) from_width: usize,
    pub(super) right: bool,
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Text that may come from elsewhere.
    Text(String),
    Number(u64),
    /// How much of the most there is.
    Bar(u64, u64),
    Empty,
}

/// What the days of the week are called, Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Outline {
    /// What to show of a report where lists have at most `top` rows.
    pub(super) fn of(report: &ActivityReport, top: usize) -> Self {
        let mut sections = vec![users(report, top)];
        sections.extend(unanswered(report, top));
        sections.extend(domains(report, top));
        sections.extend(silent(report, top));
        if let Some(dates) = &report.dates {
            sections.extend(first_answer(dates));
            sections.push(days(dates, top));
            sections.push(weeks(dates, top));
            sections.push(hours(dates));
        }
        sections.extend(report.history.as_ref().map(|runs| history(runs, top)));
        sections.push(taken(report));
        Self {
            source: report.source.clone(),
            totals: totals(report),
            sections,
        }
    }
}

pub(super) fn column(head: &'static str, from_width: usize) -> Column {
    let right = false;
    Column {
        head,
        from_width,
        right,
    }
}

pub(super) fn number(head: &'static str, from_width: usize) -> Column {
    let right = true;
    Column {
        right,
        ..column(head, from_width)
    }
}

/// A bar stands behind the numbers, and goes first where there is no room.
const BAR: Column = Column {
    head: "",
    from_width: 56,
    right: false,
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

/// How many of a list are not shown: `and 3 more posts`.
fn and_more(all: u64, shown: usize, noun: &str) -> Option<String> {
    let left = all.saturating_sub(shown as u64);
    let plural = if left == 1 { "" } else { "s" };
    (left > 0).then(|| format!("and {left} more {noun}{plural}"))
}

fn totals(report: &ActivityReport) -> String {
    let Totals {
        users,
        posts,
        comments,
        silent_users,
        comments_by_others,
        rejects,
    } = report.totals;
    let has = |resource| report.snapshots.contains_key(&resource);
    let mut parts = Vec::new();
    if has(Resource::Users) {
        let wrote = has(Resource::Posts) || has(Resource::Comments);
        let silent = (wrote && silent_users > 0).then(|| format!(" ({silent_users} silent)"));
        parts.push(count(users, "user") + &silent.unwrap_or_default());
    }
    if has(Resource::Posts) {
        parts.push(count(posts, "post"));
    }
    if let Some(comments) = comments {
        let others = comments_by_others.filter(|others| *others > 0);
        let others = others.map(|others| format!(" ({others} by others)"));
        parts.push(count(comments, "comment") + &others.unwrap_or_default());
    }
    if rejects > 0 {
        let records = count(rejects, "record");
        parts.push(format!(
            "{records} that could not be read, in no number here"
        ));
    }
    parts.join(", ")
}

fn users(report: &ActivityReport, top: usize) -> Section {
    let wrote = |user: &UserActivity| user.posts + user.comments_written.unwrap_or_default();
    let active = report.users.iter().filter(|user| wrote(user) > 0);
    let all = active.clone().count() as u64;
    let shown: Vec<_> = active.take(top).collect();
    let most = shown
        .iter()
        .map(|user| wrote(user))
        .max()
        .unwrap_or_default();
    let with_comments = report.totals.comments.is_some();
    let dated = shown.iter().any(|user| user.active.is_some());
    let mut columns = vec![column("user", 0), number("id", 0), column("e-mail", 100)];
    columns.push(number("posts", 0));
    if with_comments {
        columns.push(number("comments", 0));
    }
    // Where it is not known which posts comments are on, nobody has received any.
    let with_received = with_comments && report.unanswered_reason.is_none();
    if with_received {
        columns.push(number("received", 0));
    }
    if dated {
        columns.push(column("last active", 72));
    }
    columns.push(Column {
        from_width: 72,
        ..BAR
    });
    let row = |user: &&UserActivity| {
        let mut row = vec![
            Cell::Text(name(user)),
            Cell::Text(user.id.as_ref().map_or_else(|| "guest".to_owned(), id)),
            text(user.email.as_deref()),
            Cell::Number(user.posts),
        ];
        if with_comments {
            row.push(user.comments_written.map_or(Cell::Empty, Cell::Number));
        }
        if with_received {
            row.push(user.comments_received.map_or(Cell::Empty, Cell::Number));
        }
        if dated {
            row.push(day(user.active.map(|(_, last)| last)));
        }
        row.push(Cell::Bar(wrote(user), most));
        row
    };
    Section {
        title: "Most active".to_owned(),
        note: and_more(all, shown.len(), "author"),
        content: if shown.is_empty() {
            Content::Text("Nobody wrote anything.".to_owned())
        } else {
            let rows = shown.iter().map(row).collect();
            Content::Table { columns, rows }
        },
    }
}

fn name(user: &UserActivity) -> String {
    let name = user.name.clone().or_else(|| user.email.clone());
    name.unwrap_or_else(|| if user.is_user { "user" } else { "unknown user" }.to_owned())
}

fn unanswered(report: &ActivityReport, top: usize) -> Option<Section> {
    if let Some(reason) = report.unanswered_reason {
        return Some(Section {
            title: "Posts without an answer".to_owned(),
            note: None,
            content: Content::Text(format!("Not known: {reason}.")),
        });
    }
    let unanswered = report.unanswered.as_ref()?;
    let shown: Vec<_> = unanswered.posts.iter().take(top).collect();
    let dated = shown.iter().any(|post| post.created_at.is_some());
    let mut columns = vec![number("post", 0), number("by user", 0)];
    columns.extend(dated.then(|| column("date", 0)));
    columns.push(column("title", 0));
    let row = |post: &&super::model::PostLine| {
        let by = post.user_id.as_ref().map(id);
        let mut row = vec![Cell::Text(id(&post.id)), text(by.as_deref())];
        row.extend(dated.then(|| day(post.created_at)));
        row.push(text(post.title.as_deref()));
        row
    };
    let rows: Vec<_> = shown.iter().map(row).collect();
    let (found, posts) = (unanswered.count, report.totals.posts);
    Some(Section {
        title: "Posts without an answer".to_owned(),
        note: and_more(found, shown.len(), "post"),
        content: match found {
            0 => Content::Text(
                if posts == 0 {
                    "There are no posts."
                } else {
                    "None: each post has one."
                }
                .to_owned(),
            ),
            _ if rows.is_empty() => Content::Text(count(found, "post")),
            _ => Content::Table { columns, rows },
        },
    })
}

fn domains(report: &ActivityReport, top: usize) -> Option<Section> {
    let shown: Vec<_> = report.domains.iter().take(top).collect();
    let most = shown.first()?.users;
    let row = |domain: &&super::model::Domain| {
        let users = domain.users;
        vec![
            Cell::Text(domain.domain.clone()),
            Cell::Number(users),
            Cell::Bar(users, most),
        ]
    };
    Some(Section {
        title: "E-mail domains of users".to_owned(),
        note: and_more(report.domains.len() as u64, shown.len(), "domain"),
        content: Content::Table {
            columns: vec![column("domain", 0), number("users", 0), BAR],
            rows: shown.iter().map(row).collect(),
        },
    })
}

fn silent(report: &ActivityReport, top: usize) -> Option<Section> {
    let silent = |user: &&UserActivity| {
        user.is_user && user.posts + user.comments_written.unwrap_or_default() == 0
    };
    let wrote = [Resource::Posts, Resource::Comments];
    if !wrote
        .iter()
        .any(|resource| report.snapshots.contains_key(resource))
    {
        return None;
    }
    let shown: Vec<_> = report.users.iter().filter(silent).take(top).collect();
    let joined = shown.iter().any(|user| user.joined.is_some());
    let row = |user: &&UserActivity| {
        let mut row = vec![
            Cell::Text(name(user)),
            text(user.id.as_ref().map(id).as_deref()),
            text(user.email.as_deref()),
        ];
        row.extend(joined.then(|| day(user.joined)));
        row
    };
    let mut columns = vec![column("user", 0), number("id", 0), column("e-mail", 0)];
    columns.extend(joined.then(|| column("joined", 72)));
    (!shown.is_empty()).then(|| Section {
        title: "Silent users".to_owned(),
        note: and_more(report.totals.silent_users, shown.len(), "user"),
        content: Content::Table {
            columns,
            rows: shown.iter().map(row).collect(),
        },
    })
}

fn first_answer(dates: &Dates) -> Option<Section> {
    let waits = dates.first_answer?;
    let posts = count(waits.answered, "post");
    let (median, most) = (duration(waits.median), duration(waits.percentile_90));
    Some(Section {
        title: "Time to first answer".to_owned(),
        content: Content::Text(format!(
            "Half of {posts} waited {median} at most, nine in ten {most}."
        )),
        note: None,
    })
}

/// Whose days they are, where somebody chose.
fn in_zone(dates: &Dates) -> String {
    let zone = dates.time_zone.as_ref();
    zone.map(|zone| format!(" ({zone})")).unwrap_or_default()
}

fn days(dates: &Dates, top: usize) -> Section {
    let shown = &dates.days[dates.days.len().saturating_sub(top)..];
    let most = shown.iter().map(|day| day.posts + day.comments).max();
    let row = |day: &super::model::Day| {
        let weekday = usize::from(day.date.weekday().to_monday_zero_offset().unsigned_abs());
        vec![
            Cell::Text(format!("{} {}", day.date, WEEKDAYS[weekday % 7])),
            Cell::Number(day.posts),
            Cell::Number(day.comments),
            Cell::Bar(day.posts + day.comments, most.unwrap_or_default()),
        ]
    };
    Section {
        title: format!("Latest days{}", in_zone(dates)),
        note: before(dates.days.len(), shown.len(), "day"),
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

fn weeks(dates: &Dates, top: usize) -> Section {
    let shown = &dates.weeks[dates.weeks.len().saturating_sub(top)..];
    let most = shown.iter().map(|week| week.posts + week.comments).max();
    let joined = dates.weeks.iter().any(|week| week.joined.is_some());
    let mut columns = vec![
        column("week of", 0),
        number("posts", 0),
        number("comments", 0),
        number("new", 0),
        number("returning", 0),
    ];
    columns.extend(joined.then(|| number("joined", 72)));
    columns.push(BAR);
    let row = |week: &super::model::Week| {
        let mut row = vec![
            Cell::Text(week.monday.to_string()),
            Cell::Number(week.posts),
            Cell::Number(week.comments),
            Cell::Number(week.new_users),
            Cell::Number(week.returning_users),
        ];
        row.extend(joined.then(|| Cell::Number(week.joined.unwrap_or_default())));
        row.push(Cell::Bar(
            week.posts + week.comments,
            most.unwrap_or_default(),
        ));
        row
    };
    Section {
        title: format!("Latest weeks{}", in_zone(dates)),
        note: before(dates.weeks.len(), shown.len(), "week"),
        content: Content::Table {
            columns,
            rows: shown.iter().map(row).collect(),
        },
    }
}

fn hours(dates: &Dates) -> Section {
    Section {
        title: format!("Hours of the week ({})", dates.zone()),
        content: Content::Hours(Box::new(dates.hours)),
        note: None,
    }
}

fn history(runs: &[RunChanges], top: usize) -> Section {
    let shown = &runs[runs.len().saturating_sub(top)..];
    let row = |run: &RunChanges| {
        let changes = |resource| {
            let changes = run.changes.get(&resource).copied().unwrap_or_default();
            Cell::Text(format!(
                "+{} ~{} -{}",
                changes.added, changes.changed, changes.removed
            ))
        };
        vec![
            Cell::Text(moment(run.at)),
            Cell::Text(run.run.clone()),
            changes(Resource::Users),
            changes(Resource::Posts),
            changes(Resource::Comments),
        ]
    };
    let earlier = before(runs.len(), shown.len(), "run");
    Section {
        title: "What changed from run to run".to_owned(),
        note: Some(
            ["+ added, ~ changed, - removed"]
                .map(str::to_owned)
                .into_iter()
                .chain(earlier)
                .collect::<Vec<_>>()
                .join("; "),
        ),
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
    }
}

fn taken(report: &ActivityReport) -> Section {
    let row = |(resource, taken): (&Resource, &super::model::Taken)| {
        vec![
            Cell::Text(resource.to_string()),
            Cell::Text(moment(taken.at)),
            Cell::Text(taken.run.clone()),
            Cell::Text(taken.file.clone()),
        ]
    };
    Section {
        title: "Taken from".to_owned(),
        content: Content::Table {
            columns: vec![
                column("records", 0),
                column("finished", 0),
                column("run", 80),
                column("file", 0),
            ],
            rows: report.snapshots.iter().map(row).collect(),
        },
        note: None,
    }
}

fn before(all: usize, shown: usize, noun: &str) -> Option<String> {
    let left = all.saturating_sub(shown) as u64;
    (left > 0).then(|| format!("and {} before", count(left, noun)))
}

fn day(when: Option<Timestamp>) -> Cell {
    when.map_or(Cell::Empty, |when| {
        Cell::Text(when.strftime("%Y-%m-%d").to_string())
    })
}

pub(super) fn moment(when: Timestamp) -> String {
    when.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The two largest units of a time: `2 d 3 h`, `5 min 1 s`, `40 ms`.
fn duration(time: SignedDuration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let Some(largest) = units.iter().position(|(length, _)| seconds >= *length) else {
        return format!("{} ms", time.as_millis());
    };
    let (length, name) = units[largest];
    let first = format!("{} {name}", seconds / length);
    match units.get(largest + 1) {
        Some((next, name)) if seconds % length / next > 0 => {
            format!("{first} {} {name}", seconds % length / next)
        }
        _ => first,
    }
}
