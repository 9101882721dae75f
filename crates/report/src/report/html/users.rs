//! Users and guests, unanswered posts, and e-mail domains.

use std::collections::{HashMap, HashSet};

use super::format::{Shown, count, day_of, non_blank, number, percentage};
use super::section::HtmlSection;
use super::table::{HtmlCell, HtmlColumn, HtmlTable};
use super::{MAX_LISTED, PageContext};
use crate::report::{ActivityReport, PostSummary, UserActivity, Zone};
use activity_tracker_core::record::Id;

/// Users by id.
type Authors<'a> = HashMap<&'a Id, &'a UserActivity>;

/// The users, most active first.
pub(super) fn users(report: &ActivityReport, context: PageContext) -> HtmlSection {
    let listed = &report.users[..report.users.len().min(MAX_LISTED)];
    let max = |count: fn(&UserActivity) -> u64| listed.iter().map(count).max().unwrap_or(0);
    let max = Maxima {
        posts: max(|user| user.posts),
        written: max(|user| user.comments_written.unwrap_or(0)),
        received: max(|user| user.comments_received.unwrap_or(0)),
    };
    let with_comments = report.totals.comments.is_some();
    let with_received = with_comments && report.unanswered_reason.is_none();
    let with_dates = listed.iter().any(|user| user.active.is_some());
    let mut columns = vec![HtmlColumn::text("User"), HtmlColumn::numbers("Posts")];
    columns.extend(with_comments.then(|| HtmlColumn::numbers("Comments written")));
    columns.extend(with_received.then(|| HtmlColumn::numbers("Comments received")));
    if with_dates {
        columns.push(HtmlColumn::numbers("First active"));
        columns.push(HtmlColumn::numbers("Last active"));
    }
    let rows = listed.iter().map(|user| {
        let mut row = vec![name(user, context)];
        row.extend(counts(user, &max, (with_comments, with_received)));
        if with_dates {
            row.extend(active(user, &report.time_zone));
        }
        row
    });
    let table = HtmlTable {
        label: "Users, most active first",
        columns,
        rows: rows.collect(),
        class: if with_comments {
            "people"
        } else {
            "people broad"
        },
    };
    HtmlSection {
        id: "users",
        title: "Users",
        notes: notes(report, listed.len()),
        parts: vec![table.to_string()],
    }
}

/// The maximum of each column, which has the longest bar.
struct Maxima {
    posts: u64,
    written: u64,
    received: u64,
}

fn notes(report: &ActivityReport, listed: usize) -> Vec<String> {
    let totals = &report.totals;
    let mut first = "Most active first.".to_owned();
    if totals.inactive_users > 0 {
        let inactive = count(totals.inactive_users, "inactive user");
        first = format!("{first} {inactive}.");
    }
    if report.users.iter().any(|user| !user.is_user) {
        first.push_str(" “guest” marks authors who are not in the user list.");
    }
    let more = report.users.len() - listed;
    let rest = (more > 0).then(|| {
        format!(
            "Showing the first {} of {}; use --format csv for all.",
            number(listed as u64),
            number(report.users.len() as u64)
        )
    });
    [Some(first), rest].into_iter().flatten().collect()
}

/// The name, or address, or id, with more details below.
fn name(user: &UserActivity, context: PageContext) -> HtmlCell {
    let id = user.id.as_ref();
    let email = non_blank(user.email.as_ref());
    let name = non_blank(user.name.as_ref());
    let mut cell = match (name, email, id) {
        (Some(name), _, _) => HtmlCell::text(name),
        (None, Some(email), _) => HtmlCell::text(email),
        (None, None, Some(id)) => HtmlCell::text(&format!("user {}", raw(id))),
        (None, None, None) => HtmlCell::missing("unknown"),
    };
    cell.href = context.user(id.filter(|_| user.is_user));
    let below = email.filter(|_| name.is_some());
    cell.details.extend(below.map(Shown::new));
    if !user.is_user {
        cell.details.push(Shown::new("guest"));
    }
    cell
}

/// The id as the API sent it, not escaped.
pub(super) fn raw(id: &Id) -> String {
    match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text.to_string(),
    }
}

fn counts(
    user: &UserActivity,
    max: &Maxima,
    (with_comments, with_received): (bool, bool),
) -> Vec<HtmlCell> {
    let bar = |count: Option<u64>, max, class| HtmlCell::count(count).with_bar(count, max, class);
    let mut cells = vec![bar(Some(user.posts), max.posts, "posts")];
    cells.extend(with_comments.then(|| bar(user.comments_written, max.written, "comments")));
    cells.extend(with_received.then(|| bar(user.comments_received, max.received, "comments")));
    cells
}

fn active(user: &UserActivity, zone: &Zone) -> [HtmlCell; 2] {
    match user.active {
        Some((first, last)) => {
            [first, last].map(|at| HtmlCell::measure(day_of(at, zone), at.as_second()))
        }
        None => [HtmlCell::missing("–"), HtmlCell::missing("–")],
    }
}

/// Unanswered posts; `None` without comments.
pub(super) fn unanswered(report: &ActivityReport, context: PageContext) -> Option<HtmlSection> {
    if let Some(reason) = report.unanswered_reason {
        return Some(HtmlSection {
            id: "unanswered",
            title: "Unanswered posts",
            notes: vec![format!("Unknown: {reason}.")],
            parts: Vec::new(),
        });
    }
    let unanswered = report.unanswered.as_ref()?;
    let authors = authors(&unanswered.posts, &report.users);
    let posts: Vec<_> = unanswered.posts.iter().collect();
    let author = |post: &PostSummary| Some(author(post, &authors, context));
    let table = posts_table(&posts, &report.time_zone, author);
    Some(HtmlSection {
        id: "unanswered",
        title: "Unanswered posts",
        notes: vec![unanswered_note(unanswered.count, posts.len())],
        parts: (!posts.is_empty())
            .then(|| table.to_string())
            .into_iter()
            .collect(),
    })
}

/// How many posts are unanswered, and how many of them are listed.
pub(super) fn unanswered_note(all: u64, listed: usize) -> String {
    match all {
        0 => "None.".to_owned(),
        all if all > listed as u64 => {
            let posts = count(all, "unanswered post");
            format!("{posts}. The first {}:", number(listed as u64))
        }
        all => format!("{}.", count(all, "unanswered post")),
    }
}

/// A table of posts, with their authors if `author` returns them.
pub(super) fn posts_table(
    posts: &[&PostSummary],
    zone: &Zone,
    author: impl Fn(&PostSummary) -> Option<HtmlCell>,
) -> HtmlTable {
    let with_dates = posts.iter().any(|post| post.created_at.is_some());
    let with_authors = posts.first().is_some_and(|post| author(post).is_some());
    let mut columns = vec![HtmlColumn::text("Post")];
    columns.extend(with_authors.then(|| HtmlColumn::text("Author")));
    columns.extend(with_dates.then(|| HtmlColumn::numbers("Published")));
    let row = |post: &&PostSummary| {
        let mut row = vec![titled(post.title.as_ref(), "post", &post.id)];
        row.extend(author(post));
        if with_dates {
            let day = |at: jiff::Timestamp| HtmlCell::measure(day_of(at, zone), at.as_second());
            let missing = || HtmlCell::missing("–");
            row.push(post.created_at.map_or_else(missing, day));
        }
        row
    };
    HtmlTable {
        label: "Unanswered posts",
        columns,
        rows: posts.iter().map(row).collect(),
        class: "titles",
    }
}

/// A record by its title, with its id below; without a title, by its id.
pub(super) fn titled(title: Option<&String>, noun: &str, id: &Id) -> HtmlCell {
    let id = format!("{noun} {}", raw(id));
    let named = non_blank(title).map(|title| HtmlCell {
        details: vec![Shown::new(&id)],
        ..HtmlCell::text(title)
    });
    named.unwrap_or_else(|| HtmlCell::text(&id))
}

/// The users among the authors of posts, found in one pass over all users.
fn authors<'a>(posts: &[PostSummary], users: &'a [UserActivity]) -> Authors<'a> {
    let wanted: HashSet<_> = posts
        .iter()
        .filter_map(|post| post.user_id.as_ref())
        .collect();
    let found = users
        .iter()
        .filter_map(|user| Some((user.id.as_ref()?, user)));
    found.filter(|(id, _)| wanted.contains(id)).collect()
}

/// A post's author, by name if it is known.
fn author(post: &PostSummary, authors: &Authors<'_>, context: PageContext) -> HtmlCell {
    let Some(id) = &post.user_id else {
        return HtmlCell::missing("unknown");
    };
    let user = authors.get(id).copied();
    let name = user.and_then(|user| non_blank(user.name.as_ref()));
    let cell = name.map_or_else(
        || HtmlCell::text(&format!("user {}", raw(id))),
        HtmlCell::text,
    );
    HtmlCell {
        href: context.user(user.filter(|user| user.is_user).and(Some(id))),
        ..cell
    }
}

/// E-mail domains; `None` if nobody has an address.
pub(super) fn domains(report: &ActivityReport) -> Option<HtmlSection> {
    let max = report.domains.first()?.users;
    let listed = &report.domains[..report.domains.len().min(MAX_LISTED)];
    let with_address = report.domains.iter().map(|domain| domain.users).sum();
    let rows = listed.iter().map(|domain| {
        let users = Some(domain.users);
        let share = percentage(domain.users, with_address).unwrap_or_default();
        vec![
            HtmlCell::text(&domain.domain),
            HtmlCell::count(users).with_bar(users, max, "posts"),
            HtmlCell::measure(share, domain.users),
        ]
    });
    let table = HtmlTable {
        label: "E-mail domains, most users first",
        columns: vec![
            HtmlColumn::text("Domain"),
            HtmlColumn::numbers("Users").sorted("descending"),
            HtmlColumn::numbers("Share"),
        ],
        rows: rows.collect(),
        class: "broad",
    };
    let users = count(with_address, "user");
    let domains = count(report.domains.len() as u64, "domain");
    let mut note = format!("{users} with an address, in {domains}.");
    if listed.len() < report.domains.len() {
        note = format!("{note} Showing the first {MAX_LISTED}.");
    }
    Some(HtmlSection {
        id: "domains",
        title: "E-mail domains",
        notes: vec![note],
        parts: vec![table.to_string()],
    })
}
