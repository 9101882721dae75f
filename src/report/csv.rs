//! One table of a report as CSV (RFC 4180), with heads in the first line.

use std::io::{self, Write};

use crate::record::Id;
use crate::text::{Printable, is_unseen};

use super::model::{ActivityReport, RunChanges};
use super::outline::WEEKDAYS;

/// Which table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// Everybody: users, and others who wrote something.
    #[default]
    Users,
    /// The domains of e-mail addresses.
    Domains,
    /// Posts that nobody answered.
    Unanswered,
    /// Days on which something was written.
    Days,
    /// Weeks.
    Weeks,
    /// Hours of weekdays.
    Hours,
    /// Runs and what they found changed.
    Runs,
}

/// Writes one table. What the source does not have makes a table of no more than its heads.
///
/// Text that came from elsewhere has its control characters escaped, and a `'` before it
/// where a spreadsheet would take it for a formula.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(out: &mut impl Write, report: &ActivityReport, table: Table) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    match table {
        Table::Users => users(&mut out, report),
        Table::Domains => domains(&mut out, report),
        Table::Unanswered => unanswered(&mut out, report),
        Table::Days => days(&mut out, report),
        Table::Weeks => weeks(&mut out, report),
        Table::Hours => hours(&mut out, report),
        Table::Runs => runs(&mut out, report),
    }?;
    out.flush()
}

type Rows<'w, W> = csv::Writer<&'w mut W>;

fn users<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record([
        "id",
        "name",
        "email",
        "is_user",
        "posts",
        "comments_received",
        "comments_written",
        "joined",
        "first_active",
        "last_active",
    ])?;
    for user in &report.users {
        out.write_record([
            id(user.id.as_ref()),
            text(user.name.as_deref()),
            text(user.email.as_deref()),
            user.is_user.to_string(),
            user.posts.to_string(),
            optional(user.comments_received),
            optional(user.comments_written),
            optional(user.joined),
            optional(user.active.map(|(first, _)| first)),
            optional(user.active.map(|(_, last)| last)),
        ])?;
    }
    Ok(())
}

fn domains<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["domain", "users"])?;
    for domain in &report.domains {
        out.write_record([text(Some(&domain.domain)), domain.users.to_string()])?;
    }
    Ok(())
}

fn unanswered<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["id", "user_id", "title", "created_at"])?;
    for post in report.unanswered.iter().flat_map(|posts| &posts.posts) {
        out.write_record([
            id(Some(&post.id)),
            id(post.user_id.as_ref()),
            text(post.title.as_deref()),
            optional(post.created_at),
        ])?;
    }
    Ok(())
}

fn days<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["date", "posts", "comments"])?;
    for day in report.dates.iter().flat_map(|dates| &dates.days) {
        out.write_record([
            day.date.to_string(),
            day.posts.to_string(),
            day.comments.to_string(),
        ])?;
    }
    Ok(())
}

fn weeks<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record([
        "monday",
        "posts",
        "comments",
        "new_users",
        "returning_users",
        "joined",
    ])?;
    for week in report.dates.iter().flat_map(|dates| &dates.weeks) {
        out.write_record([
            week.monday.to_string(),
            week.posts.to_string(),
            week.comments.to_string(),
            week.new_users.to_string(),
            week.returning_users.to_string(),
            optional(week.joined),
        ])?;
    }
    Ok(())
}

fn hours<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["weekday", "hour", "written"])?;
    let hours = report.dates.iter().map(|dates| &dates.hours);
    let weekdays = hours.flat_map(|hours| WEEKDAYS.iter().zip(hours));
    for (weekday, hours) in weekdays {
        for (hour, written) in hours.iter().enumerate() {
            let (hour, written) = (hour.to_string(), written.to_string());
            out.write_record([*weekday, &hour, &written])?;
        }
    }
    Ok(())
}

fn runs<W: Write>(out: &mut Rows<'_, W>, report: &ActivityReport) -> Result<(), csv::Error> {
    out.write_record(["run", "at", "resource", "added", "changed", "removed"])?;
    let runs = report.history.iter().flatten();
    let changes = runs.flat_map(|run: &RunChanges| {
        let changes = run.changes.iter();
        changes.map(move |(resource, changes)| (run, resource, changes))
    });
    for (run, resource, changes) in changes {
        out.write_record([
            text(Some(&run.run)),
            run.at.to_string(),
            resource.to_string(),
            changes.added.to_string(),
            changes.changed.to_string(),
            changes.removed.to_string(),
        ])?;
    }
    Ok(())
}

pub(super) fn id(id: Option<&Id>) -> String {
    match id {
        // A number is none that a spreadsheet would compute, whatever its sign.
        Some(Id::Number(number)) => number.to_string(),
        Some(Id::Text(id)) => text(Some(id)),
        None => String::new(),
    }
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Remote text. What begins as a formula does gets a `'`, which spreadsheets take for
/// the mark of a text (OWASP, "CSV Injection"). Some of them take blanks, and what cannot be
/// seen, off the beginning first.
pub(super) fn text(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let printable = Printable(text).to_string();
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c));
    let formulas = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if begins.starts_with(formulas) || text.starts_with(['\t', '\r']) {
        format!("'{printable}")
    } else {
        printable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_marked_as_text() {
        let cases = [
            ("Ada", "Ada"),
            ("=cmd()", "'=cmd()"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@sum", "'@sum"),
            ("＝1", "'＝1"),
            ("\t=1", "'\\u{9}=1"),
            (" =1", "' =1"),
            ("\u{a0} @x", "'\u{a0} @x"),
            ("\u{3000}-1", "'\u{3000}-1"),
            ("\u{200b}=1", "'\\u{200b}=1"),
            ("\u{feff}+1", "'\\u{feff}+1"),
            ("\n＠x", "'\\u{a}＠x"),
            ("\r", "'\\u{d}"),
            (" harmless", " harmless"),
            ("a=1", "a=1"),
            ("a\nb", "a\\u{a}b"),
            ("", ""),
        ];
        for (raw, expected) in cases {
            assert_eq!(text(Some(raw)), expected, "{raw:?}");
        }
        assert_eq!(id(Some(&Id::Number(-7))), "-7");
        assert_eq!(id(Some(&Id::Text("-7".into()))), "'-7");
    }
}
