//! The sections about authors, unanswered posts and e-mail domains.

use activity_tracker_core::record::Resource;
use activity_tracker_text::count;

use super::super::format::iso_day;
use super::super::model::{ActivityReport, Domain, PostSummary, UserActivity};
use super::{BAR, Cell, Column, Content, Section, column, id, more, number, text};

fn written(user: &UserActivity) -> u64 {
    user.posts + user.comments_written.unwrap_or_default()
}

pub(super) fn most_active(report: &ActivityReport, top: usize) -> Section {
    let active = report.users.iter().filter(|user| written(user) > 0);
    let all = active.clone().count() as u64;
    let shown: Vec<_> = active.take(top).collect();
    let max = shown.iter().map(|user| written(user)).max();
    let max = max.unwrap_or_default();
    let with_comments = report.totals.comments.is_some();
    let with_received = with_comments && report.unanswered_reason.is_none();
    let with_dates = shown.iter().any(|user| user.active.is_some());
    let mut columns = vec![column("user", 0), number("id", 0), column("e-mail", 100)];
    columns.push(number("posts", 0));
    columns.extend(with_comments.then(|| number("comments", 0)));
    columns.extend(with_received.then(|| number("received", 0)));
    columns.extend(with_dates.then(|| column("last active", 72)));
    columns.push(Column {
        min_width: 72,
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
        if with_dates {
            row.push(day(user.active.map(|(_, last)| last), report));
        }
        row.push(Cell::Bar(written(user), max));
        row
    };
    Section {
        title: "Most active".to_owned(),
        note: more(all, shown.len(), "author"),
        content: if shown.is_empty() {
            Content::Text("No activity.".to_owned())
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

fn day(at: Option<jiff::Timestamp>, report: &ActivityReport) -> Cell {
    at.map_or(Cell::Empty, |at| Cell::Text(iso_day(at, &report.time_zone)))
}

pub(super) fn unanswered(report: &ActivityReport, top: usize) -> Option<Section> {
    let section = |content, note| {
        Some(Section {
            title: "Unanswered posts".to_owned(),
            content,
            note,
        })
    };
    if let Some(reason) = report.unanswered_reason {
        return section(Content::Text(format!("Unknown: {reason}.")), None);
    }
    let unanswered = report.unanswered.as_ref()?;
    let shown: Vec<_> = unanswered.posts.iter().take(top).collect();
    let with_dates = shown.iter().any(|post| post.created_at.is_some());
    let mut columns = vec![number("post", 0), number("author", 0)];
    columns.extend(with_dates.then(|| column("date", 0)));
    columns.push(column("title", 0));
    let row = |post: &&PostSummary| {
        let author = post.user_id.as_ref().map(id);
        let mut row = vec![Cell::Text(id(&post.id)), text(author.as_deref())];
        row.extend(with_dates.then(|| day(post.created_at, report)));
        row.push(text(post.title.as_deref()));
        row
    };
    let rows: Vec<_> = shown.iter().map(row).collect();
    let content = match unanswered.count {
        0 => Content::Text("None.".to_owned()),
        found if rows.is_empty() => Content::Text(count(found, "post")),
        _ => Content::Table { columns, rows },
    };
    section(content, more(unanswered.count, shown.len(), "post"))
}

pub(super) fn domains(report: &ActivityReport, top: usize) -> Option<Section> {
    let shown: Vec<_> = report.domains.iter().take(top).collect();
    let max = shown.first()?.users;
    let row = |domain: &&Domain| {
        vec![
            Cell::Text(domain.domain.clone()),
            Cell::Number(domain.users),
            Cell::Bar(domain.users, max),
        ]
    };
    Some(Section {
        title: "E-mail domains of users".to_owned(),
        note: more(report.domains.len() as u64, shown.len(), "domain"),
        content: Content::Table {
            columns: vec![column("domain", 0), number("users", 0), BAR],
            rows: shown.iter().map(row).collect(),
        },
    })
}

pub(super) fn inactive(report: &ActivityReport, top: usize) -> Option<Section> {
    let has = |resource| report.snapshots.contains_key(resource);
    if ![Resource::Posts, Resource::Comments].iter().any(has) {
        return None;
    }
    let inactive = |user: &&UserActivity| user.is_user && written(user) == 0;
    let shown: Vec<_> = report.users.iter().filter(inactive).take(top).collect();
    let with_joined = shown.iter().any(|user| user.joined.is_some());
    let row = |user: &&UserActivity| {
        let mut row = vec![
            Cell::Text(name(user)),
            text(user.id.as_ref().map(id).as_deref()),
            text(user.email.as_deref()),
        ];
        row.extend(with_joined.then(|| day(user.joined, report)));
        row
    };
    let mut columns = vec![column("user", 0), number("id", 0), column("e-mail", 0)];
    columns.extend(with_joined.then(|| column("joined", 72)));
    (!shown.is_empty()).then(|| Section {
        title: "Inactive users".to_owned(),
        note: more(report.totals.inactive_users, shown.len(), "user"),
        content: Content::Table {
            columns,
            rows: shown.iter().map(row).collect(),
        },
    })
}
