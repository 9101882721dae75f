//! Who wrote, what nobody answered, and where people have their addresses.

use std::collections::{HashMap, HashSet};

use super::section::Section;
use super::table::{Cell, Column, Table};
use super::words::{Shown, counted, day_of, number, share, visible};
use super::{Home, LISTED};
use crate::record::Id;
use crate::report::{ActivityReport, PostLine, UserActivity};

/// Users by their ids.
type Authors<'a> = HashMap<&'a Id, &'a UserActivity>;

/// The users, most active first.
pub(super) fn users(report: &ActivityReport, home: Home) -> Section {
    let listed = &report.users[..report.users.len().min(LISTED)];
    let highest = |count: fn(&UserActivity) -> u64| listed.iter().map(count).max().unwrap_or(0);
    let scale = Scale {
        posts: highest(|user| user.posts),
        written: highest(|user| user.comments_written.unwrap_or(0)),
        received: highest(|user| user.comments_received.unwrap_or(0)),
    };
    let comments = report.totals.comments.is_some();
    let dates = listed.iter().any(|user| user.active.is_some());
    let mut columns = vec![Column::text("User"), Column::numbers("Posts")];
    if comments {
        columns.push(Column::numbers("Comments written"));
    }
    // Where it is not known which posts comments are on, nobody has received any.
    let received = comments && report.unanswered_reason.is_none();
    if received {
        columns.push(Column::numbers("Comments received"));
    }
    if dates {
        columns.push(Column::numbers("First active"));
        columns.push(Column::numbers("Last active"));
    }
    let rows = listed.iter().map(|user| {
        let mut row = vec![name(user, home)];
        row.extend(measures(user, &scale, (comments, received)));
        if dates {
            row.extend(active(user));
        }
        row
    });
    let table = Table {
        label: "Users, most active first",
        columns,
        rows: rows.collect(),
        class: if comments { "people" } else { "people broad" },
    };
    Section {
        id: "users",
        title: "Users",
        notes: notes(report, listed.len()),
        parts: vec![table.to_string()],
    }
}

/// The highest of each column: what its bars are measured by.
struct Scale {
    posts: u64,
    written: u64,
    received: u64,
}

fn notes(report: &ActivityReport, listed: usize) -> Vec<String> {
    let totals = &report.totals;
    let mut first = "Most active first.".to_owned();
    if totals.silent_users > 0 {
        let silent = counted(totals.silent_users, "user");
        first = format!("{first} {silent} wrote nothing.");
    }
    if report.users.iter().any(|user| !user.is_user) {
        first.push_str(" Those marked as others wrote something without being listed as users.");
    }
    let more = report.users.len() - listed;
    let rest = (more > 0).then(|| {
        format!(
            "The first {} are listed, and {} more are not: the report as CSV (--format csv) has everybody.",
            number(listed as u64),
            number(more as u64)
        )
    });
    [Some(first), rest].into_iter().flatten().collect()
}

/// Who it is: the name, or the best there is in its place, and the rest below.
fn name(user: &UserActivity, home: Home) -> Cell {
    let id = user.id.as_ref();
    let email = visible(user.email.as_ref());
    let called = visible(user.name.as_ref());
    let mut cell = match (called, email, id) {
        (Some(name), _, _) => Cell::text(name),
        (None, Some(email), _) => Cell::text(email),
        (None, None, Some(id)) => Cell::text(&format!("user {}", plain(id))),
        (None, None, None) => Cell::missing("unknown"),
    };
    cell.href = home.user(id.filter(|_| user.is_user));
    let below = email.filter(|_| called.is_some());
    cell.under.extend(below.map(Shown::new));
    if !user.is_user {
        cell.under.push(Shown::new("other"));
    }
    cell
}

/// The id as the API gave it: what is shown is escaped once, where it is shown.
pub(super) fn plain(id: &Id) -> String {
    match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text.to_string(),
    }
}

fn measures(user: &UserActivity, scale: &Scale, (comments, receive): (bool, bool)) -> Vec<Cell> {
    let posts = Cell::count(Some(user.posts)).with_bar(Some(user.posts), scale.posts, "posts");
    let mut cells = vec![posts];
    let (written, received) = (user.comments_written, user.comments_received);
    if comments {
        cells.push(Cell::count(written).with_bar(written, scale.written, "comments"));
    }
    if receive {
        cells.push(Cell::count(received).with_bar(received, scale.received, "comments"));
    }
    cells
}

fn active(user: &UserActivity) -> [Cell; 2] {
    match user.active {
        Some((first, last)) => [first, last].map(|at| Cell::measure(day_of(at), at.as_second())),
        None => [Cell::missing("–"), Cell::missing("–")],
    }
}

/// Posts that nobody answered; none without comments.
pub(super) fn unanswered(report: &ActivityReport, home: Home) -> Option<Section> {
    if let Some(reason) = report.unanswered_reason {
        return Some(Section {
            id: "unanswered",
            title: "Without an answer",
            notes: vec![format!("Not known: {reason}.")],
            parts: Vec::new(),
        });
    }
    let unanswered = report.unanswered.as_ref()?;
    let authors = authors(&unanswered.posts, &report.users);
    let listed = unanswered.posts.len() as u64;
    let dates = unanswered
        .posts
        .iter()
        .any(|post| post.created_at.is_some());
    let mut columns = vec![Column::text("Post"), Column::text("Author")];
    if dates {
        columns.push(Column::numbers("Published"));
    }
    let table = Table {
        label: "Posts without an answer",
        columns,
        rows: unanswered
            .posts
            .iter()
            .map(|post| line(post, dates, &authors, home))
            .collect(),
        class: "titles",
    };
    let note = match unanswered.count {
        0 => "Every post has an answer.".to_owned(),
        count if count > listed => format!(
            "{} nobody answered. The first {} of them:",
            counted(count, "post"),
            number(listed)
        ),
        count => format!("{} nobody answered.", counted(count, "post")),
    };
    Some(Section {
        id: "unanswered",
        title: "Without an answer",
        notes: vec![note],
        parts: (listed > 0)
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    })
}

fn line(post: &PostLine, dates: bool, authors: &Authors<'_>, home: Home) -> Vec<Cell> {
    let id = plain(&post.id);
    let title = match visible(post.title.as_ref()) {
        Some(title) => Cell {
            under: vec![Shown::new(&format!("post {id}"))],
            ..Cell::text(title)
        },
        None => Cell::text(&format!("post {id}")),
    };
    let mut row = vec![title, author(post, authors, home)];
    if dates {
        row.push(post.created_at.map_or_else(
            || Cell::missing("–"),
            |at| Cell::measure(day_of(at), at.as_second()),
        ));
    }
    row
}

/// The users among the authors of these posts: users may be many, and are looked through once.
fn authors<'a>(posts: &[PostLine], users: &'a [UserActivity]) -> Authors<'a> {
    let wanted: HashSet<_> = posts
        .iter()
        .filter_map(|post| post.user_id.as_ref())
        .collect();
    let found = users
        .iter()
        .filter_map(|user| Some((user.id.as_ref()?, user)));
    found.filter(|(id, _)| wanted.contains(id)).collect()
}

/// A post's author, by name where that is known.
fn author(post: &PostLine, authors: &Authors<'_>, home: Home) -> Cell {
    let Some(id) = &post.user_id else {
        return Cell::missing("unknown");
    };
    let user = authors.get(id).copied();
    let name = user.and_then(|user| visible(user.name.as_ref()));
    let cell = name.map_or_else(|| Cell::text(&format!("user {}", plain(id))), Cell::text);
    Cell {
        href: home.user(user.filter(|user| user.is_user).and(Some(id))),
        ..cell
    }
}

/// The domains of e-mail addresses; none where nobody has one.
pub(super) fn domains(report: &ActivityReport) -> Option<Section> {
    let highest = report.domains.first()?.users;
    let listed = &report.domains[..report.domains.len().min(LISTED)];
    let with_address = report.domains.iter().map(|domain| domain.users).sum();
    let rows = listed.iter().map(|domain| {
        let users = Some(domain.users);
        let part = share(domain.users, with_address).unwrap_or_default();
        vec![
            Cell::text(&domain.domain),
            Cell::count(users).with_bar(users, highest, "posts"),
            Cell::measure(part, domain.users),
        ]
    });
    let table = Table {
        label: "E-mail domains, most users first",
        columns: vec![
            Column::text("Domain"),
            Column::numbers("Users").sorted("descending"),
            Column::numbers("Share"),
        ],
        rows: rows.collect(),
        class: "broad",
    };
    let users = counted(with_address, "user");
    let domains = counted(report.domains.len() as u64, "domain");
    let mut note = format!("{users} with an address, in {domains}.");
    if listed.len() < report.domains.len() {
        note = format!("{note} The first {LISTED} are listed.");
    }
    Some(Section {
        id: "domains",
        title: "E-mail domains",
        notes: vec![note],
        parts: vec![table.to_string()],
    })
}
