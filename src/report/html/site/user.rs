//! One user: who it is, how much they wrote, what nobody answered, and what changed.

use serde_json::{Map, Value};

use super::super::figure::{Tile, Tiles};
use super::super::people::plain;
use super::super::table::{Cell, Column, Table};
use super::super::words::{Shown, counted, day_of, moment, number, share, visible};
use super::super::{LISTED, Section};
use super::Content;
use crate::history::{Json, Kind, ListedChange};
use crate::report::{ActivityReport, PostLine, UserActivity};
use crate::text::excerpt;

/// How many fields of a change are shown as they were and as they are.
const FIELDS: usize = 4;

/// How much of a field is shown.
const FIELD: usize = 80;

/// Somebody, and what is known of them.
#[derive(Debug)]
pub(crate) struct Person<'a> {
    pub(crate) report: &'a ActivityReport,
    pub(crate) user: &'a UserActivity,
    /// How many wrote more.
    pub(crate) place: usize,
    /// Their posts that nobody answered; none where that is not known.
    pub(crate) unanswered: Option<Vec<&'a PostLine>>,
    /// What became of them and of what they wrote, newest first.
    pub(crate) changes: &'a [ListedChange],
    /// Whether there were more changes.
    pub(crate) more: bool,
}

/// A page about somebody.
pub(crate) fn user_page(person: &Person<'_>) -> String {
    let user = person.user;
    let id = user.id.as_ref().map(plain);
    let name = visible(user.name.as_ref()).or_else(|| visible(user.email.as_ref()));
    let title = match (name, &id) {
        (Some(name), _) => Shown::new(name),
        (None, Some(id)) => Shown::new(&format!("user {id}")),
        (None, None) => Shown::new("unknown"),
    };
    let eyebrow = if user.is_user {
        "User"
    } else {
        "Not listed as a user"
    };
    let mut content = Content::new(eyebrow, title);
    content.lead.text = lead(user);
    let email = visible(user.email.as_ref()).map(Shown::new);
    content.facts.extend(email.map(|email| ("E-mail", email)));
    content.facts.extend(id.map(|id| ("Id", Shown::new(&id))));
    content
        .facts
        .push(("At", Shown::new(&person.report.source)));
    let joined = user.joined.map(|at| Shown::new(&moment(at)));
    content.facts.extend(joined.map(|at| ("Account made", at)));
    content.tiles = tiles(person);
    content.sections.extend(unanswered(person));
    content.sections.push(changes(person));
    content.page(None)
}

fn lead(user: &UserActivity) -> String {
    let mut wrote = counted(user.posts, "post");
    if let Some(comments) = user.comments_written {
        wrote = format!("{wrote} and {}", counted(comments, "comment"));
    }
    match user.active {
        Some((first, last)) if day_of(first) == day_of(last) => {
            format!("{wrote}, all on {}.", day_of(first))
        }
        Some((first, last)) => {
            format!("{wrote}, from {} to {}.", day_of(first), day_of(last))
        }
        None => format!("{wrote}."),
    }
}

fn tiles(person: &Person<'_>) -> Tiles {
    let Person { report, user, .. } = person;
    let totals = &report.totals;
    let tile = |name, value, note| Tile { name, value, note };
    let of = |part, whole, noun: &str| {
        share(part, whole).map_or_else(String::new, |share| format!("{share} of all {noun}"))
    };
    let mut tiles = vec![
        tile(
            "Place",
            number(person.place as u64 + 1),
            format!(
                "of {}, most active first",
                number(report.users.len() as u64)
            ),
        ),
        tile(
            "Posts",
            number(user.posts),
            of(user.posts, totals.posts, "posts"),
        ),
    ];
    let all = totals.comments.unwrap_or(0);
    if let Some(written) = user.comments_written {
        tiles.push(tile(
            "Comments written",
            number(written),
            of(written, all, "comments"),
        ));
    }
    if let Some(received) = user.comments_received {
        let name = "Comments received";
        tiles.push(tile(name, number(received), of(received, all, "comments")));
    }
    if let Some(posts) = &person.unanswered {
        let count = posts.len() as u64;
        let note = share(count, user.posts).map(|share| format!("{share} of their posts"));
        tiles.push(tile(
            "Without an answer",
            number(count),
            note.unwrap_or_default(),
        ));
    }
    Tiles { tiles }
}

fn unanswered(person: &Person<'_>) -> Option<Section> {
    if let Some(reason) = person.report.unanswered_reason {
        return Some(Section {
            id: "unanswered",
            title: "Without an answer",
            notes: vec![format!("Not known: {reason}.")],
            parts: Vec::new(),
        });
    }
    let posts = person.unanswered.as_ref()?;
    let listed = &posts[..posts.len().min(LISTED)];
    let dates = listed.iter().any(|post| post.created_at.is_some());
    let mut columns = vec![Column::text("Post")];
    if dates {
        columns.push(Column::numbers("Published"));
    }
    let row = |post: &&PostLine| {
        let id = format!("post {}", plain(&post.id));
        let named = visible(post.title.as_ref()).map(|title| Cell {
            under: vec![Shown::new(&id)],
            ..Cell::text(title)
        });
        let mut row = vec![named.unwrap_or_else(|| Cell::text(&id))];
        if dates {
            let day = |at: jiff::Timestamp| Cell::measure(day_of(at), at.as_second());
            row.push(post.created_at.map_or_else(|| Cell::missing("–"), day));
        }
        row
    };
    let table = Table {
        label: "Posts without an answer",
        columns,
        rows: listed.iter().map(row).collect(),
        class: "titles",
    };
    let note = match (person.user.posts, posts.len() as u64) {
        (0, _) => "They wrote no post.".to_owned(),
        (_, 0) => "Every post has an answer.".to_owned(),
        (_, count) if count > listed.len() as u64 => format!(
            "{} nobody answered. The first {LISTED} of them:",
            counted(count, "post")
        ),
        (_, count) => format!("{} nobody answered.", counted(count, "post")),
    };
    Some(Section {
        id: "unanswered",
        title: "Without an answer",
        notes: vec![note],
        parts: (!listed.is_empty())
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    })
}

fn changes(person: &Person<'_>) -> Section {
    let listed = person.changes;
    let note = match (listed.is_empty(), person.more) {
        (true, _) if person.report.history.is_none() => {
            "There is no history in this data directory.".to_owned()
        }
        (true, _) => "Nothing of theirs changed since the first run.".to_owned(),
        (_, true) => format!(
            "The last {}; there are more.",
            counted(listed.len() as u64, "change")
        ),
        _ => "To their account and to what they wrote, newest first.".to_owned(),
    };
    let table = Table {
        label: "Changes, newest first",
        columns: vec![
            Column::text("Record"),
            Column::text("What"),
            Column::text("Fields"),
            Column::times("Run").sorted("descending"),
        ],
        rows: listed.iter().map(row).collect(),
        class: "titles",
    };
    Section {
        id: "changes",
        title: "Changes",
        notes: vec![note],
        parts: (!listed.is_empty())
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    }
}

fn row(listed: &ListedChange) -> Vec<Cell> {
    let change = &listed.change;
    let resource = change.resource.name();
    let id = format!("{} {}", resource.trim_end_matches('s'), plain(&change.id));
    let named = visible(change.label.as_ref()).map(|label| Cell {
        under: vec![Shown::new(&id)],
        ..Cell::text(label)
    });
    vec![
        named.unwrap_or_else(|| Cell::text(&id)),
        Cell::text(change.kind.name()),
        fields(listed),
        Cell {
            under: vec![Shown::new(&change.run)],
            ..Cell::measure(moment(change.at), change.at.as_millisecond())
        },
    ]
}

/// Which fields are others, and the first of them as they were and as they are.
fn fields(listed: &ListedChange) -> Cell {
    let change = &listed.change;
    if change.kind != Kind::Changed {
        return Cell::missing("–");
    }
    if ["before", "after"]
        .iter()
        .any(|value| listed.omitted.contains_key(value))
    {
        return Cell::missing("too long to show");
    }
    let (before, after) = (
        object(change.before.as_ref()),
        object(change.after.as_ref()),
    );
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Cell::missing("unknown");
    }
    let value = |of: &Map<String, Value>, name: &str| match of.get(name) {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => format!("“{}”", excerpt(text, FIELD)),
        Some(other) => excerpt(&other.to_string(), FIELD),
    };
    let line = |name: &&String| {
        let (was, is) = (value(&before, name), value(&after, name));
        Shown {
            text: format!("{}: {was} → {is}", excerpt(name, FIELD)),
            whole: None,
        }
    };
    let mut lines = names.iter().take(FIELDS).map(line);
    let shown = lines.next().unwrap_or_default();
    let mut under: Vec<_> = lines.collect();
    if names.len() > FIELDS {
        let more = counted((names.len() - FIELDS) as u64, "more field");
        under.push(Shown::new(&format!("and {more}")));
    }
    Cell {
        key: shown.text.clone(),
        shown,
        under,
        ..Cell::default()
    }
}

fn object(json: Option<&Json>) -> Map<String, Value> {
    let read = json.and_then(|json| serde_json::from_str(&json.0).ok());
    read.unwrap_or_default()
}
