//! The page of one user: activity, unanswered posts and changes.

use serde_json::{Map, Value};

use super::super::figure::{Tile, Tiles};
use super::super::format::{Shown, count, day_of, non_blank, number, percentage, time};
use super::super::overview::share_of;
use super::super::table::{HtmlCell, HtmlColumn, HtmlTable};
use super::super::users::{posts_table, raw, titled, unanswered_note};
use super::super::{HtmlSection, MAX_LISTED};
use super::Content;
use crate::report::{ActivityReport, PostSummary, UserActivity, Zone};
use activity_tracker_core::history::{Json, Kind, ListedChange};
use activity_tracker_text::excerpt;

/// The maximum number of changed fields per change.
const MAX_FIELDS: usize = 4;

/// The maximum length of a value, in characters.
const MAX_VALUE: usize = 80;

/// The data of a user's page.
#[derive(Debug)]
pub(crate) struct UserPage<'a> {
    pub(crate) report: &'a ActivityReport,
    pub(crate) user: &'a UserActivity,
    /// How many users are more active.
    pub(crate) position: usize,
    /// The user's unanswered posts; `None` if they are unknown.
    pub(crate) unanswered: Option<Vec<&'a PostSummary>>,
    /// Changes of the user and of what the user wrote, newest first.
    pub(crate) changes: &'a [ListedChange],
    /// Whether there are more changes.
    pub(crate) more: bool,
}

/// The page of a user.
pub(crate) fn user_page(page: &UserPage<'_>) -> String {
    let (user, zone) = (page.user, &page.report.time_zone);
    let id = user.id.as_ref().map(raw);
    let name = non_blank(user.name.as_ref()).or_else(|| non_blank(user.email.as_ref()));
    let title = match (name, &id) {
        (Some(name), _) => Shown::new(name),
        (None, Some(id)) => Shown::new(&format!("user {id}")),
        (None, None) => Shown::new("unknown"),
    };
    let eyebrow = if user.is_user { "User" } else { "Guest" };
    let mut content = Content::new(eyebrow, title);
    content.lead.text = lead(user, zone);
    let email = non_blank(user.email.as_ref()).map(Shown::new);
    content.facts.extend(email.map(|email| ("E-mail", email)));
    content.facts.extend(id.map(|id| ("ID", Shown::new(&id))));
    let source = Shown::new(&page.report.source);
    content.facts.push(("Source", source));
    let joined = user.joined.map(|at| Shown::new(&time(at, zone)));
    content.facts.extend(joined.map(|at| ("Joined", at)));
    let zone = Shown::new(&zone.to_string());
    content.facts.push(("Time zone", zone));
    content.tiles = tiles(page);
    content.sections.extend(unanswered(page));
    content.sections.push(changes(page));
    content.page(None)
}

fn lead(user: &UserActivity, zone: &Zone) -> String {
    let mut wrote = count(user.posts, "post");
    if let Some(comments) = user.comments_written {
        wrote = format!("{wrote} and {}", count(comments, "comment"));
    }
    let days = user
        .active
        .map(|(first, last)| (day_of(first, zone), day_of(last, zone)));
    match days {
        Some((first, last)) if first == last => format!("{wrote}, on {first}."),
        Some((first, last)) => format!("{wrote}, from {first} to {last}."),
        None => format!("{wrote}."),
    }
}

fn tiles(page: &UserPage<'_>) -> Tiles {
    let UserPage { report, user, .. } = page;
    let totals = &report.totals;
    let tile = |name, value: u64, note| Tile {
        name,
        value: number(value),
        note,
    };
    let users = number(report.users.len() as u64);
    let mut tiles = vec![
        tile(
            "Rank",
            page.position as u64 + 1,
            format!("of {users}, most active first"),
        ),
        tile(
            "Posts",
            user.posts,
            share_of(user.posts, totals.posts, "posts"),
        ),
    ];
    let all = totals.comments.unwrap_or(0);
    let comments = |count| share_of(count, all, "comments");
    if let Some(written) = user.comments_written {
        tiles.push(tile("Comments written", written, comments(written)));
    }
    if let Some(received) = user.comments_received {
        tiles.push(tile("Comments received", received, comments(received)));
    }
    if let Some(posts) = &page.unanswered {
        let count = posts.len() as u64;
        let share = percentage(count, user.posts).map(|share| format!("{share} of their posts"));
        tiles.push(tile("Unanswered posts", count, share.unwrap_or_default()));
    }
    Tiles { tiles }
}

fn unanswered(page: &UserPage<'_>) -> Option<HtmlSection> {
    if let Some(reason) = page.report.unanswered_reason {
        return Some(HtmlSection {
            id: "unanswered",
            title: "Unanswered posts",
            notes: vec![format!("Unknown: {reason}.")],
            parts: Vec::new(),
        });
    }
    let posts = page.unanswered.as_ref()?;
    let listed = &posts[..posts.len().min(MAX_LISTED)];
    let table = posts_table(listed, &page.report.time_zone, |_| None);
    Some(HtmlSection {
        id: "unanswered",
        title: "Unanswered posts",
        notes: vec![unanswered_note(posts.len() as u64, listed.len())],
        parts: (!listed.is_empty())
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    })
}

fn changes(page: &UserPage<'_>) -> HtmlSection {
    let listed = page.changes;
    let note = match (listed.is_empty(), page.more) {
        (true, _) if page.report.history.is_none() => {
            "No history in this data directory.".to_owned()
        }
        (true, _) => "No changes since the first run.".to_owned(),
        (_, true) => format!("Showing the last {}.", count(listed.len() as u64, "change")),
        _ => "Account, posts and comments, newest first.".to_owned(),
    };
    let rows = listed
        .iter()
        .map(|change| row(change, &page.report.time_zone));
    let table = HtmlTable {
        label: "Changes, newest first",
        columns: vec![
            HtmlColumn::text("Record"),
            HtmlColumn::text("Change"),
            HtmlColumn::text("Fields"),
            HtmlColumn::times("Run").sorted("descending"),
        ],
        rows: rows.collect(),
        class: "titles",
    };
    HtmlSection {
        id: "changes",
        title: "Changes",
        notes: vec![note],
        parts: (!listed.is_empty())
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    }
}

fn row(listed: &ListedChange, zone: &Zone) -> Vec<HtmlCell> {
    let change = &listed.change;
    let noun = change.resource.name().trim_end_matches('s');
    vec![
        titled(change.label.as_ref(), noun, &change.id),
        HtmlCell::text(change.kind.name()),
        fields(listed),
        HtmlCell {
            details: vec![Shown::new(&change.run)],
            ..HtmlCell::measure(time(change.at, zone), change.at.as_millisecond())
        },
    ]
}

/// The first changed fields, before and after.
fn fields(listed: &ListedChange) -> HtmlCell {
    let change = &listed.change;
    if change.kind != Kind::Changed {
        return HtmlCell::missing("–");
    }
    let is_omitted = |side: &&str| listed.omitted.contains_key(*side);
    if ["before", "after"].iter().any(is_omitted) {
        return HtmlCell::missing("too long to show");
    }
    let (before, after) = (
        object(change.before.as_ref()),
        object(change.after.as_ref()),
    );
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return HtmlCell::missing("unknown");
    }
    let value = |of: &Map<String, Value>, name: &str| match of.get(name) {
        None => "(none)".to_owned(),
        Some(Value::String(text)) => format!("“{}”", excerpt(text, MAX_VALUE)),
        Some(other) => excerpt(&other.to_string(), MAX_VALUE),
    };
    let line = |name: &&String| {
        let (was, is) = (value(&before, name), value(&after, name));
        Shown {
            text: format!("{}: {was} → {is}", excerpt(name, MAX_VALUE)),
            full: None,
        }
    };
    let mut lines = names.iter().take(MAX_FIELDS).map(line);
    let shown = lines.next().unwrap_or_default();
    let mut details: Vec<_> = lines.collect();
    if names.len() > MAX_FIELDS {
        let more = count((names.len() - MAX_FIELDS) as u64, "more field");
        details.push(Shown::new(&format!("and {more}")));
    }
    HtmlCell {
        key: shown.text.clone(),
        shown,
        details,
        ..HtmlCell::default()
    }
}

fn object(json: Option<&Json>) -> Map<String, Value> {
    let read = json.and_then(|json| serde_json::from_str(&json.0).ok());
    read.unwrap_or_default()
}
